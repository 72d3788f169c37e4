//! The tenants of a provider that a person is a member of

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde::Deserialize;
use serde_json::Value;

use crate::account::{Client, is_slug};
use crate::failure::fail_hint;
use crate::http::Http;
use crate::shown::printable;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) slug: String,
    pub(crate) name: String,
}

/// Asks the provider, with the account's token.
pub(crate) fn list(
    account: &str,
    client: &Client,
    token: &Secret,
    headers: &[(String, String)],
) -> Result<Vec<Tenant>> {
    let endpoint = client.provider.as_ref().and_then(|provider| provider.tenants_endpoint.as_deref());
    let Some(endpoint) = endpoint else {
        let what = format!("account `{account}`: its provider has no tenants");
        return Err(fail_hint(Exit::Config, what, "only some providers have them: see `hallpass status`"));
    };
    let network =
        |why: &str| fail_hint(Exit::Network, format!("account `{account}`: no list of tenants: {why}"), "try again");
    let http = Http::new(&client.trust)?;
    let answer = http.get(endpoint, Some(token), headers).map_err(|why| network(why.why()))?;
    match answer.status {
        200 => read(&answer.body).ok_or_else(|| network("the server answered with something else")),
        401 | 403 => {
            let what = format!("account `{account}`: the server refused its token");
            Err(fail_hint(Exit::SignIn, what, format!("`hallpass login {account}`")))
        }
        status => Err(network(&format!("the server answered {status}"))),
    }
}

/// A list, or one wrapped in `data` or `tenants`. Entries whose slug could not be a header's value are left out.
fn read(body: &[u8]) -> Option<Vec<Tenant>> {
    #[derive(Deserialize)]
    struct Entry {
        slug: String,
        name: Option<String>,
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = ["data", "tenants"].iter().find_map(|key| value.get(key)).unwrap_or(&value).as_array()?.clone();
    let entries = list.into_iter().filter_map(|entry| serde_json::from_value::<Entry>(entry).ok());
    let tenants = entries
        .filter(|entry| is_slug(&entry.slug))
        .map(|entry| Tenant { name: printable(entry.name.as_deref().unwrap_or(&entry.slug)), slug: entry.slug });
    Some(tenants.collect())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn lists() {
        for body in [
            r#"[{"slug":"acme","name":"Acme"},{"slug":"b"}]"#,
            r#"{"data":[{"slug":"acme","name":"Acme"},{"slug":"b","name":null}]}"#,
            r#"{"tenants":[{"slug":"acme","name":"Acme"},{"slug":"b"},{"slug":"c\r\nX: y"},{"id":1}]}"#,
        ] {
            let slugs: Vec<_> = read(body.as_bytes()).expect(body).into_iter().map(|tenant| tenant.slug).collect();
            assert_eq!(slugs, ["acme", "b"], "{body}");
        }
        assert_eq!(read(b"<html>"), None);
    }
}
