//! Dynamic client registration (RFC 7591): a server that takes anybody gives us a client of our own
//!
//! Registered anew for each sign-in, with the very redirect URI that it comes back to: nothing is to be remembered that a
//! server could have forgotten, and servers that compare the port are content too. The session keeps its client.

use hallpass_protocol::secret::{Secret, exposed_option};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Trouble, camel};
use crate::http::{Http, Unanswered, endpoint as named};
use crate::shown::printable;

const CODE: &str = "authorization_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a new public client is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uses<'a> {
    /// Where the browser comes back to; `None`: codes for another device alone.
    pub(crate) redirect_uri: Option<&'a str>,
    /// Codes for another device.
    pub(crate) device: bool,
    /// The start URL of AWS IAM Identity Center, which speaks a dialect and gives public clients a secret.
    pub(crate) start_url: Option<&'a str>,
}

/// A client, known from the beginning or as a server made it.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) id: String,
    /// What it shows with its requests, where its server wants that.
    pub(crate) secret: Option<Secret>,
    /// Whether it may use codes for another device, as far as anybody knows.
    pub(crate) device: bool,
}

/// A new public client, for less where the server does not take all of it.
pub(crate) fn register(http: &Http, endpoint: &str, uses: Uses<'_>, scope: &[String]) -> Result<Registered, Trouble> {
    let ask = |uses: Uses<'_>| {
        let wish = wish(uses, scope);
        let send = |wish: &Value| http.json("POST", endpoint, None, &[], Some(wish));
        let answer = match uses.start_url {
            Some(start_url) => send(&camel::registration(&wish, start_url)).map(camel::answer),
            None => send(&wish),
        };
        answer.map_err(|why| match why {
            Unanswered::NotSent(why) | Unanswered::Lost(why) => Trouble::Later(why),
        })
    };
    let mut answer = ask(uses)?;
    let both = uses.device && uses.redirect_uri.is_some();
    if both && (400..500).contains(&answer.status) {
        answer = ask(Uses { device: false, ..uses })?;
    }
    match read(&named(endpoint), answer.status, &answer.body, uses) {
        // Some register only what they list (canaille 0.3.6 no `offline_access`) and take the rest at a sign-in.
        Err(Trouble::Refused(words)) if !scope.is_empty() && words.starts_with("invalid_client_metadata") => {
            register(http, endpoint, uses, &[])
        }
        made => made,
    }
}

fn wish(uses: Uses<'_>, scope: &[String]) -> Value {
    let grants = [uses.redirect_uri.map(|_| CODE), Some("refresh_token"), uses.device.then_some(DEVICE_CODE)];
    let grants: Vec<_> = grants.into_iter().flatten().collect();
    let mut wish = json!({ "client_name": "hallpass", "token_endpoint_auth_method": "none", "grant_types": grants });
    if let Some(uri) = uses.redirect_uri {
        wish["redirect_uris"] = json!([uri]);
        wish["response_types"] = json!(["code"]);
    }
    if !scope.is_empty() {
        wish["scope"] = scope.join(" ").into();
    }
    wish
}

#[derive(Deserialize, Default)]
struct Body {
    client_id: Option<String>,
    #[serde(default, with = "exposed_option")]
    client_secret: Option<Secret>,
    token_endpoint_auth_method: Option<Value>,
    redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<String>>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What the server made of the wish counts (RFC 7591 3.2.1): a client that cannot work is refused before a page opens.
fn read(endpoint: &str, status: u16, body: &[u8], uses: Uses<'_>) -> Result<Registered, Trouble> {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let may = |grant: &str| body.grant_types.as_ref().is_none_or(|made| made.iter().any(|made| made == grant));
    let needed = if uses.redirect_uri.is_some() { CODE } else { DEVICE_CODE };
    let device = uses.device && may(DEVICE_CODE);
    match body {
        Body { error: Some(error), error_description, .. } if (400..500).contains(&status) => {
            let words = [Some(error), error_description].into_iter().flatten().map(|words| printable(&words));
            Err(Trouble::Refused(words.collect::<Vec<_>>().join(": ")))
        }
        // Some send a secret along that they do not ask for afterwards; only what they name counts.
        Body { token_endpoint_auth_method: Some(method), .. } if !has_none(&method) => {
            let what = "registers only clients with a secret or a key; register one by hand";
            Err(Trouble::Refused(format!("{endpoint} {what}")))
        }
        Body { redirect_uris: Some(made), .. }
            if uses.redirect_uri.is_some_and(|wish| !made.iter().any(|uri| is_same(uri, wish))) =>
        {
            Err(Trouble::Refused(format!(
                "{endpoint} registered a client with another redirect URI; register one by hand"
            )))
        }
        Body { grant_types: Some(made), .. } if !made.iter().any(|grant| grant == needed) => {
            let what = format!("registered a client that may not use {needed}; register one by hand");
            Err(Trouble::Refused(format!("{endpoint} {what}")))
        }
        Body { client_id: Some(id), client_secret, .. } if matches!(status, 200 | 201) && is_id(&id) => {
            let secret = client_secret.filter(|_| uses.start_url.is_some());
            Ok(Registered { id, secret, device })
        }
        _ => Err(Trouble::Later(format!("{endpoint} answered with status {status} and no client"))),
    }
}

/// A public client, which glewlwyd can say as a list.
fn has_none(method: &Value) -> bool {
    let is_none = |method: &Value| method.as_str() == Some("none");
    is_none(method) || method.as_array().is_some_and(|methods| methods.iter().any(is_none))
}

/// The port of a loopback address is nobody's to compare (RFC 8252 7.3).
fn is_same(made: &str, wish: &str) -> bool {
    let portless = |text: &str| {
        let mut url = url::Url::parse(text).ok()?;
        url.set_port(None).ok()?;
        Some(url)
    };
    portless(made).is_some_and(|made| Some(made) == portless(wish))
}

/// Printable ASCII (RFC 6749 A.1), and short enough to be one.
fn is_id(id: &str) -> bool {
    (1..=2048).contains(&id.len()) && id.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{Uses, read};

    #[test]
    fn answers() {
        let uses = Uses { redirect_uri: None, device: true, start_url: None };
        let id = |status, body: &str| Some(read("h", status, body.as_bytes(), uses).ok()?.id);
        assert_eq!(id(201, r#"{"client_id":"c1"}"#).as_deref(), Some("c1"));
        assert_eq!(id(201, r#"{"client_id":"c1","client_secret":"s"}"#).as_deref(), Some("c1"));
        let none = r#"{"client_id":"c1","client_secret":"s","token_endpoint_auth_method":"none"}"#;
        assert_eq!(id(200, none).as_deref(), Some("c1"));
        for (status, odd) in [
            (201, r#"{"client_id":"c1","client_secret":"s","token_endpoint_auth_method":"client_secret_basic"}"#),
            (201, r#"{"client_id":""}"#),
            (201, r#"{"client_id":"a\nb"}"#),
            (400, r#"{"error":"invalid_redirect_uri"}"#),
            (403, r#"{"client_id":"c1"}"#),
            (200, "<html>"),
            (201, "[]"),
        ] {
            assert_eq!(id(status, odd), None, "{odd}");
        }
    }
}
