//! The dialect of AWS IAM Identity Center: OAuth's words in camelCase, as JSON both ways
//!
//! As the service description in botocore 1.44.5 has it (sso-oidc 2019-06-10). Every client is public there and gets a secret all
//! the same, which it shows with each request. Errors are named as in OAuth.

use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::http::Answer;

/// The header in which its other service wants the access token.
pub(crate) const TOKEN_HEADER: &str = "x-amz-sso_bearer_token";

/// Names and values, which are wiped when it is dropped.
pub(super) struct Members(pub(super) Value);

impl Members {
    /// A form as it is sent there.
    pub(super) fn of(form: &[(&str, &str)]) -> Self {
        Self(Value::Object(form.iter().map(|(name, value)| (camel(name), value_of(name, value))).collect()))
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for value in self.0.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// A client that is to be registered. What the service has no word for is left out, and the port too: it takes any.
pub(super) fn registration(wish: &Value, start_url: &str) -> Value {
    let mut said =
        Map::from_iter([("clientType".to_owned(), "public".into()), ("issuerUrl".to_owned(), start_url.into())]);
    for (name, value) in wish.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("client_name" | "grant_types", value) => {
                said.insert(camel(name), value.clone());
            }
            ("redirect_uris", Value::Array(uris)) => {
                let uris: Vec<_> = uris.iter().filter_map(|uri| without_port(uri.as_str()?)).collect();
                said.insert(camel(name), uris.into());
            }
            ("scope", Value::String(scope)) => {
                said.insert("scopes".to_owned(), value_of("scope", scope));
            }
            _ => {}
        }
    }
    Value::Object(said)
}

/// An answer in OAuth's own words. One that is no JSON object is none of the service's, and stays as it is.
pub(super) fn answer(mut answer: Answer) -> Answer {
    if let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) {
        let members: Map<_, _> = members.into_iter().map(|(name, value)| (snake(&name), value)).collect();
        answer.body = Zeroizing::new(Members(Value::Object(members)).0.to_string().into_bytes());
    }
    answer
}

/// Scopes are a list there.
fn value_of(name: &str, value: &str) -> Value {
    if name == "scope" { json!(value.split(' ').collect::<Vec<_>>()) } else { value.into() }
}

fn without_port(uri: &str) -> Option<String> {
    let mut url = url::Url::parse(uri).ok()?;
    url.set_port(None).ok()?;
    Some(url.into())
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let head = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &head.map(String::from).unwrap_or_default() + letters.as_str()
    })
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Members, answer, camel, registration, snake};
    use crate::http::Answer;

    #[test]
    fn names_there_and_back() {
        for (ours, theirs) in [("code", "code"), ("client_id", "clientId"), ("verification_uri", "verificationUri")] {
            assert_eq!((camel(ours).as_str(), snake(theirs).as_str()), (theirs, ours));
        }
        assert_eq!((camel("").as_str(), camel("é_é__").as_str(), snake("É").as_str()), ("", "éé", "É"));
    }

    #[test]
    fn requests_and_answers() {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "RT"), ("scope", "a b")];
        assert_eq!(
            Members::of(&form).0,
            json!({ "grantType": "refresh_token", "refreshToken": "RT", "scope": ["a", "b"] })
        );
        let read = |text: &str| answer(Answer::of(200, text)).body;
        let said = read(r#"{"accessToken":"AT","expiresIn":28800,"tokenType":"Bearer"}"#);
        let said: Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(said, json!({ "access_token": "AT", "expires_in": 28800, "token_type": "Bearer" }));
        for other in ["<html>", "[]", "", "{", "{\"a\":1}x"] {
            assert_eq!(&*read(other), other.as_bytes());
        }
    }

    #[test]
    fn what_a_client_is_registered_with() {
        let wish = json!({
            "client_name": "hallpass", "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
            "redirect_uris": ["http://127.0.0.1:4711/oauth/callback"], "response_types": ["code"], "scope": "a b",
        });
        let want = json!({
            "clientName": "hallpass", "clientType": "public", "grantTypes": ["authorization_code"],
            "redirectUris": ["http://127.0.0.1/oauth/callback"], "issuerUrl": "https://d-1.example/start", "scopes": ["a", "b"],
        });
        assert_eq!(registration(&wish, "https://d-1.example/start"), want);
    }
}
