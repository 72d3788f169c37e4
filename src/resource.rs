//! Who signs people in for a resource: as the resource itself says (RFC 9728), MCP servers for one
//!
//! The person named the address; nothing here is ever asked because of what another server said.

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::Deserialize;
use url::{Origin, Url};

use crate::discovery;
use crate::failure::fail;
use crate::http::{Http, check_endpoint, check_issuer};
use crate::shown::shown;

/// What a resource says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Its own name, which the token is asked for (RFC 8707).
    pub(crate) resource: String,
    pub(crate) issuer: String,
    pub(crate) scope: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// Asks the resource: its well-known address, the root's, then the challenge of the resource itself; last, whether its
/// own origin is an authorization server. `None` when nothing there says so.
pub(crate) fn of(text: &str, http: &Http) -> Result<Option<Resource>> {
    let Some(url) = Url::parse(text).ok().filter(|url| check_endpoint(url.as_str()).is_ok()) else { return Ok(None) };
    for address in well_known(&url) {
        if let Some(found) = read(&url, &address, http)? {
            return Ok(Some(found));
        }
    }
    let challenge = http.get(url.as_str(), None, &[]).ok().filter(|answer| answer.status == 401);
    let challenge = challenge.and_then(|answer| answer.challenge).unwrap_or_default();
    if let Some(address) = parameter(&challenge, "resource_metadata")
        && Url::parse(address).is_ok_and(|named| named.origin() == url.origin())
        && let Some(found) = read(&url, address, http)?
    {
        let scope = parameter(&challenge, "scope").map(|scope| scope.split(' ').map(str::to_owned).collect());
        return Ok(Some(Resource { scope: scope.unwrap_or(found.scope), ..found }));
    }
    if !matches!(url.origin(), Origin::Tuple(..)) {
        return Ok(None);
    }
    let issuer = discovery::issuer_at(&url.origin().ascii_serialization(), http);
    Ok(issuer.map(|issuer| Resource { resource: text.to_owned(), issuer, scope: Vec::new() }))
}

/// Between host and path, and at the root.
fn well_known(url: &Url) -> Vec<String> {
    const AT: &str = "/.well-known/oauth-protected-resource";
    let at = |path: &str| {
        let mut address = url.clone();
        address.set_path(&format!("{AT}{path}"));
        address.set_query(None);
        address.to_string()
    };
    let mut all = vec![at(url.path().trim_end_matches('/')), at("")];
    all.dedup();
    all
}

fn read(url: &Url, address: &str, http: &Http) -> Result<Option<Resource>> {
    let answer = http.get(address, None, &[]).ok().filter(|answer| answer.status == 200);
    let Some(found) = answer.and_then(|answer| serde_json::from_slice::<Metadata>(&answer.body).ok()) else {
        return Ok(None);
    };
    if !names(&found.resource, url) {
        let what = format!("`{url}` says that it is the resource `{}`", shown(&found.resource));
        return Err(fail(Exit::Refused, what));
    }
    let Some(issuer) = found.authorization_servers.into_iter().next() else { return Ok(None) };
    if let Err(why) = check_issuer(&issuer) {
        return Err(fail(Exit::Refused, format!("`{url}` names an authorization server that {why}")));
    }
    let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic());
    let scope = found.scopes_supported.into_iter().filter(is_scope).collect();
    Ok(Some(Resource { resource: found.resource, issuer, scope }))
}

/// A resource may speak for itself and what is below it, on its own origin only.
fn names(resource: &str, url: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let (above, path) = (resource.path().trim_end_matches('/'), url.path());
    let below = path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    resource.origin() == url.origin() && below && resource.fragment().is_none()
}

/// `name="value"` of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::{names, parameter, well_known};
    use url::Url;

    #[test]
    fn where_it_is_asked() {
        let at = |text| well_known(&Url::parse(text).expect(text));
        let root = "https://h.example/.well-known/oauth-protected-resource";
        assert_eq!(at("https://h.example/mcp?x=1"), [format!("{root}/mcp"), root.to_owned()]);
        assert_eq!(at("https://h.example/"), [root]);
    }

    #[test]
    fn for_whom_it_may_speak() {
        let url = Url::parse("https://h.example/mcp/v1").expect("a URL");
        for good in ["https://h.example/mcp/v1", "https://h.example/mcp", "https://h.example", "https://H.example/mcp/"]
        {
            assert!(names(good, &url), "{good}");
        }
        for bad in
            ["https://i.example/mcp", "http://h.example/mcp", "https://h.example/m", "https://h.example/mcp/v1/x"]
        {
            assert!(!names(bad, &url), "{bad}");
        }
    }

    #[test]
    fn challenges() {
        let challenge = r#"Bearer error="x", resource_metadata="https://h/a", scope="a b""#;
        assert_eq!(parameter(challenge, "resource_metadata"), Some("https://h/a"));
        assert_eq!(parameter(challenge, "scope"), Some("a b"));
        assert_eq!(parameter("Bearer", "scope"), None);
    }
}
