//! How a client proves who it is: not at all, with its secret, or with a JWT (RFC 7523 2.2)
//!
//! One way for each request, never two (RFC 6749 2.3).

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde_json::json;

use super::jwt::{Key, fresh_jti};
use super::secretfile;
use crate::account::Client;
use crate::clock::now;
use crate::failure::{fail, fail_hint};
use crate::flow::Method;

/// Seconds that a client's assertion lives: a request's time, with some for clocks that differ.
const ASSERTION_LIFE: u64 = 180;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The proof of one client at one server.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A public client: it only says its name, if it has one.
    None,
    Basic(Secret),
    Post(Secret),
    /// It signs an assertion of its own for each request.
    Key(Box<Signer>),
    /// An assertion that somebody else signed for it, as a CI service does for its job.
    Assertion(Secret),
}

/// A key, and for whom its assertions are.
#[derive(Debug)]
pub(crate) struct Signer {
    key: Key,
    id: Option<String>,
    audience: String,
    /// The audience is the token endpoint, and not the issuer.
    to_endpoint: bool,
}

/// What a proof adds to a request.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) authorization: Option<Secret>,
    pub(super) form: Vec<(&'static str, Secret)>,
}

impl Proof {
    /// With the secret that its registration brought, else as the account says, else with what it has: a key before a
    /// secret (RFC 9700 2.5).
    pub(crate) fn of(client: &Client, registered: Option<&Secret>, issuer: &str, token_endpoint: &str) -> Result<Self> {
        if let Some(secret) = registered {
            return Ok(Self::Post(secret.clone()));
        }
        let method = client.machine.method.or(match (&client.machine.key_file, &client.client_secret_file) {
            (Some(_), _) => Some(Method::PrivateKeyJwt),
            (None, Some(_)) => Some(Method::Basic),
            (None, None) => None,
        });
        match method {
            None => Ok(Self::None),
            Some(Method::Basic) => Ok(Self::Basic(secret(client)?)),
            Some(Method::Post) => Ok(Self::Post(secret(client)?)),
            Some(Method::PrivateKeyJwt) => {
                let file = client.machine.key_file.as_ref().ok_or_else(|| lacks("client_assertion_key_file"))?;
                let to_endpoint = client.machine.to_token_endpoint || issuer.is_empty();
                Ok(Self::Key(Box::new(Signer {
                    key: Key::read("client_assertion_key_file", file)?,
                    id: client.machine.key_id.clone(),
                    audience: if to_endpoint { token_endpoint } else { issuer }.to_owned(),
                    to_endpoint,
                })))
            }
        }
    }

    /// Whether the client proves anything.
    pub(crate) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The key of the configuration for servers that do not understand it as it is: glewlwyd 2.7.5 does not decode a secret that
    /// is encoded in the header; it and canaille 0.3.6 know no audience but the token endpoint.
    pub(crate) fn other_way(&self) -> Option<&'static str> {
        match self {
            Self::Basic(secret) if encoded(secret.expose()) != secret.expose() => {
                Some("token_endpoint_auth_method = \"client_secret_post\"")
            }
            Self::Key(signer) if !signer.to_endpoint => Some("client_assertion_audience = \"token_endpoint\""),
            _ => None,
        }
    }

    /// What no message may repeat.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Self::None | Self::Key(_) => None,
            Self::Basic(secret) | Self::Post(secret) | Self::Assertion(secret) => Some(secret.expose()),
        }
    }

    /// `None` where the system has no random bytes to sign with.
    pub(super) fn added(&self, client_id: &str) -> Option<Added> {
        let named = || vec![("client_id", Secret::new(client_id))];
        let asserted = |assertion: Secret| Added {
            form: [named(), vec![("client_assertion_type", Secret::new(JWT_BEARER)), ("client_assertion", assertion)]]
                .concat(),
            authorization: None,
        };
        Some(match self {
            // RFC 8693 2.1 and RFC 7523 2.1: the token that is shown may be all the server wants.
            Self::None if client_id.is_empty() => Added::default(),
            Self::None => Added { form: named(), authorization: None },
            Self::Basic(secret) => Added { authorization: Some(basic(client_id, secret)), form: Vec::new() },
            Self::Post(secret) => {
                Added { form: [named(), vec![("client_secret", secret.clone())]].concat(), authorization: None }
            }
            Self::Key(signer) => asserted(signer.assertion(client_id, now())?),
            Self::Assertion(assertion) => asserted(assertion.clone()),
        })
    }
}

impl Signer {
    /// RFC 7523 3, with a name of its own for each request.
    fn assertion(&self, client_id: &str, now: u64) -> Option<Secret> {
        // The issuer alone, and a type of its own (draft-ietf-oauth-rfc7523bis-11, 4); a server that still wants the endpoint
        // is of before that type, too.
        let kind = if self.to_endpoint { "JWT" } else { "client-authentication+jwt" };
        let mut header = json!({ "alg": self.key.algorithm(), "typ": kind });
        if let Some(id) = &self.id {
            header["kid"] = id.clone().into();
        }
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": self.audience, "jti": fresh_jti()?,
            "iat": now, "exp": now + ASSERTION_LIFE,
        });
        self.key.sign(&header, &claims)
    }
}

/// RFC 6749 2.3.1: each half is form-encoded first, so that a colon in it is none.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let pair = Secret::new(format!("{}:{}", encoded(client_id), encoded(secret.expose())));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn secret(client: &Client) -> Result<Secret> {
    let file = client.client_secret_file.as_ref().ok_or_else(|| lacks("client_secret_file"))?;
    let text = secretfile::read("client_secret_file", file)?;
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    let odd = |why: &str| Err(fail(Exit::Config, format!("`client_secret_file` `{}` {why}", file.display())));
    match secret.expose().is_empty() {
        true => odd("is empty"),
        false if secret.is_one_line() => Ok(secret),
        false => odd("is not one line"),
    }
}

fn lacks(key: &str) -> anyhow::Error {
    let what = format!("its `token_endpoint_auth_method` needs a `{key}`");
    fail_hint(Exit::Config, what, format!("name it: `{key} = \"...\"`"))
}

#[cfg(test)]
mod tests {
    use super::{Proof, basic};
    use hallpass_protocol::secret::Secret;

    #[test]
    fn one_proof_for_each_request() {
        let added = |proof: Proof, id: &str| {
            let added = proof.added(id).expect("random bytes");
            let form: Vec<_> = added.form.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
            (added.authorization.is_some(), form.join("&"))
        };
        assert_eq!(added(Proof::None, ""), (false, String::new()));
        assert_eq!(added(Proof::None, "c"), (false, "client_id=c".into()));
        assert_eq!(added(Proof::Basic(Secret::new("s")), "c"), (true, String::new()));
        assert_eq!(added(Proof::Post(Secret::new("s")), "c"), (false, "client_id=c&client_secret=s".into()));
        let assertion = "client_id=c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&\
                         client_assertion=a.b.c";
        assert_eq!(added(Proof::Assertion(Secret::new("a.b.c")), "c"), (false, assertion.into()));
    }

    #[test]
    fn both_halves_are_encoded_before_they_are_joined() {
        // "a:b %:é" and "s&+ü", each as a form has it
        let header = basic("a:b %:é", &Secret::new("s&+ü"));
        assert_eq!(header.expose(), "Basic YSUzQWIrJTI1JTNBJUMzJUE5OnMlMjYlMkIlQzMlQkM=");
    }
}
