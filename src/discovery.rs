//! Where an account's endpoints are: configured, or published by its issuer
//!
//! OpenID Connect Discovery first, then RFC 8414. What the metadata says of its issuer must be what was asked for, to
//! the letter; otherwise one server could speak for another.

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::Deserialize;

use crate::account::Client;
use crate::failure::{fail, fail_hint};
use crate::http::Http;
use crate::http::check_endpoint;

/// The endpoints of one authorization server, frozen for the length of a sign-in.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Empty when the endpoints were configured one by one.
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: String,
    pub(crate) device_authorization_endpoint: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) registration_endpoint: Option<String>,
    /// A client's identifier may be the address of what it says of itself (draft-ietf-oauth-client-id-metadata-document).
    pub(crate) reads_documents: bool,
    /// Where an authorization request is sent ahead of the browser (RFC 9126), where it has to be.
    pub(crate) push_to: Option<String>,
    /// It promises `iss` in the authorization response (RFC 9207), so that one without it is not from there.
    pub(crate) says_iss: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    pushed_authorization_request_endpoint: Option<String>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    client_id_metadata_document_supported: bool,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The server of an account. `all`: more of its endpoints are needed than authorization and token.
pub(crate) fn server(account: &str, client: &Client, http: &Http, all: bool) -> Result<Server> {
    let more = all && (client.device_authorization_endpoint.is_none() || client.registration_endpoint.is_none());
    let pushes = client.pushes && client.pushed_authorization_request_endpoint.is_none();
    let unknown = client.authorization_endpoint.is_none() || client.token_endpoint.is_none() || more || pushes;
    let found = match &client.issuer {
        Some(issuer) if unknown => metadata(account, issuer, http)?,
        _ => Metadata { issuer: client.issuer.clone().unwrap_or_default(), ..Metadata::default() },
    };
    if found
        .code_challenge_methods_supported
        .as_ref()
        .is_some_and(|methods| !methods.iter().any(|method| method == "S256"))
    {
        let what =
            format!("account `{account}`: its server knows no PKCE with S256, without which a code can be stolen");
        return Err(fail(Exit::Refused, what));
    }
    let pushes = client.pushes || found.require_pushed_authorization_requests;
    let choose = |configured: &Option<String>, found: Option<String>| configured.clone().or(found);
    let token_endpoint = choose(&client.token_endpoint, found.token_endpoint).ok_or_else(|| {
        let what = format!("account `{account}` has no token endpoint");
        fail_hint(Exit::Config, what, "set `issuer`, or `authorization_endpoint` and `token_endpoint`")
    })?;
    let push_to = choose(&client.pushed_authorization_request_endpoint, found.pushed_authorization_request_endpoint);
    if pushes && push_to.is_none() {
        let what =
            format!("account `{account}`: its requests are to be pushed, and its server names no endpoint for that");
        return Err(fail_hint(Exit::Config, what, "set `pushed_authorization_request_endpoint`"));
    }
    Ok(Server {
        issuer: found.issuer,
        authorization_endpoint: choose(&client.authorization_endpoint, found.authorization_endpoint),
        token_endpoint,
        device_authorization_endpoint: choose(
            &client.device_authorization_endpoint,
            found.device_authorization_endpoint,
        ),
        revocation_endpoint: choose(&client.revocation_endpoint, found.revocation_endpoint),
        userinfo_endpoint: choose(&client.userinfo_endpoint, found.userinfo_endpoint),
        registration_endpoint: choose(&client.registration_endpoint, found.registration_endpoint),
        reads_documents: found.client_id_metadata_document_supported,
        push_to: push_to.filter(|_| pushes),
        says_iss: found.authorization_response_iss_parameter_supported,
    })
}

/// What the authorization server at this origin calls itself, if there is one: with a slash at the end, or without.
pub(crate) fn issuer_at(origin: &str, http: &Http) -> Option<String> {
    let asked = well_known(origin).into_iter().filter_map(|url| http.get(&url, None, &[]).ok());
    let named = asked.filter_map(|answer| Some(serde_json::from_slice::<Metadata>(&answer.body).ok()?.issuer));
    named.into_iter().find(|named| named.strip_suffix('/').unwrap_or(named) == origin)
}

fn metadata(account: &str, issuer: &str, http: &Http) -> Result<Metadata> {
    let mut odd = String::new();
    for url in well_known(issuer) {
        let answer = http.get(&url, None, &[]).map_err(|why| {
            let what = format!("account `{account}`: cannot reach {}", why.why());
            fail_hint(Exit::Network, what, "try again when the network is back")
        })?;
        if answer.status != 200 {
            odd = match &answer.location {
                Some(host) => format!("status {} (to {host}, not followed)", answer.status),
                None => format!("status {}", answer.status),
            };
            continue;
        }
        let Ok(found) = serde_json::from_slice::<Metadata>(&answer.body) else {
            odd = "something else".to_owned();
            continue;
        };
        if found.issuer != issuer {
            let what = format!(
                "account `{account}`: the server at `{issuer}` says it is `{}`",
                crate::shown::shown(&found.issuer)
            );
            return Err(fail_hint(Exit::Refused, what, "`issuer` must be exactly what the server calls itself"));
        }
        check(account, &found)?;
        return Ok(found);
    }
    let what = format!("account `{account}`: `{issuer}` publishes no metadata: asked for it, it answered {odd}");
    Err(fail_hint(Exit::Network, what, "is `issuer` right? or name its endpoints in the configuration"))
}

fn check(account: &str, found: &Metadata) -> Result<()> {
    let endpoints = [
        ("authorization_endpoint", &found.authorization_endpoint),
        ("token_endpoint", &found.token_endpoint),
        ("device_authorization_endpoint", &found.device_authorization_endpoint),
        ("revocation_endpoint", &found.revocation_endpoint),
        ("userinfo_endpoint", &found.userinfo_endpoint),
        ("registration_endpoint", &found.registration_endpoint),
        ("pushed_authorization_request_endpoint", &found.pushed_authorization_request_endpoint),
    ];
    for (name, endpoint) in endpoints {
        if let Some(Err(why)) = endpoint.as_deref().map(check_endpoint) {
            let what = format!("account `{account}`: the `{name}` in the metadata of `{}` {why}", found.issuer);
            return Err(fail(Exit::Refused, what));
        }
    }
    Ok(())
}

/// OpenID Connect appends the well-known path to the issuer; RFC 8414 puts it between host and path, and MCP asks there
/// for either document.
fn well_known(issuer: &str) -> Vec<String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let mut urls = vec![format!("{base}/.well-known/openid-configuration")];
    if let Ok(mut url) = url::Url::parse(base) {
        let path = url.path().to_owned();
        let path = if path == "/" { "" } else { path.as_str() };
        for name in ["oauth-authorization-server", "openid-configuration"] {
            url.set_path(&format!("/.well-known/{name}{path}"));
            let url = url.to_string();
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::well_known;

    #[test]
    fn where_the_metadata_is() {
        let host = "https://id.example.com";
        for (path, kept) in [
            ("", ""),
            ("/", ""),
            ("/tenant", "/tenant"),
            ("/tenant/", "/tenant"),
            ("/tenant/1/", "/tenant/1"),
            (":8443/t%20a", "/t%20a"),
            ("/.well-known", "/.well-known"),
        ] {
            let host = format!("{host}{}", if path.starts_with(':') { ":8443" } else { "" });
            let mut expected = vec![
                format!("{host}{kept}/.well-known/openid-configuration"),
                format!("{host}/.well-known/oauth-authorization-server{kept}"),
                format!("{host}/.well-known/openid-configuration{kept}"),
            ];
            if kept.is_empty() {
                expected.truncate(2);
            }
            assert_eq!(well_known(&format!("https://id.example.com{path}")), expected, "{path}");
        }
    }
}
