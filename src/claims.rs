//! What an id_token says about itself
//!
//! Its signature is not checked: it comes straight from the token endpoint over TLS, which OpenID Connect Core
//! 3.1.3.7 accepts in its place. Access tokens are never looked into.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde::Deserialize;

use crate::failure::fail;

/// The claims we use.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: Audience,
    /// Seconds since the epoch.
    pub(crate) exp: u64,
    nonce: Option<String>,
    azp: Option<String>,
    email: Option<String>,
    preferred_username: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// A server's clock may be off by this much (seconds).
const SKEW: u64 = 60;

impl Claims {
    /// Reads and checks an id_token that was just received. `nonce` is what was sent; a refresh sends none.
    pub(crate) fn check(token: &Secret, issuer: &str, client_id: &str, nonce: Option<&str>, now: u64) -> Result<Self> {
        let refuse = |what: &str| fail(Exit::Refused, format!("the id_token of {} {what}", shown(issuer)));
        let claims = Self::read(token).ok_or_else(|| refuse("cannot be read"))?;
        if is_unsigned(token) {
            return Err(refuse("is not signed"));
        }
        if !issuer.is_empty() && claims.iss != issuer {
            return Err(refuse("names another issuer"));
        }
        let for_us = match &claims.aud {
            Audience::One(audience) => audience == client_id,
            Audience::Many(list) => list.iter().any(|audience| audience == client_id),
        };
        let many = matches!(&claims.aud, Audience::Many(list) if list.len() > 1);
        if !for_us || (many && claims.azp.as_deref().is_some_and(|azp| azp != client_id)) {
            return Err(refuse("is meant for another client"));
        }
        if nonce.is_some() && claims.nonce.as_deref() != nonce {
            return Err(refuse("answers another sign-in (nonce)"));
        }
        if claims.exp.saturating_add(SKEW) <= now {
            return Err(refuse("has expired already: is this machine's clock right"));
        }
        Ok(claims)
    }

    fn read(token: &Secret) -> Option<Self> {
        let mut parts = token.expose().splitn(4, '.');
        let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
    }

    /// Whom a person would recognise: address, user name, full name, else the bare subject.
    pub(crate) fn identity(&self) -> String {
        let named = [&self.email, &self.preferred_username, &self.name].into_iter().flatten().next();
        named.unwrap_or(&self.sub).clone()
    }
}

/// Whether it says so itself. We take TLS for the signature; whom it is shown to may not look either.
fn is_unsigned(token: &Secret) -> bool {
    #[derive(Deserialize)]
    struct Head {
        alg: String,
    }
    let head = token.expose().split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).ok().and_then(|head| serde_json::from_slice::<Head>(&head).ok());
    head.is_some_and(|head| head.alg.eq_ignore_ascii_case("none"))
}

fn shown(issuer: &str) -> String {
    if issuer.is_empty() { "the server".to_owned() } else { format!("`{issuer}`") }
}

/// The expiry of a token that happens to be a JWT; for tokens that a person or a variable brought, whose life nobody
/// told us.
pub(crate) fn expiry(token: &Secret) -> Option<u64> {
    #[derive(Deserialize)]
    struct Expiry {
        exp: u64,
    }
    let payload = token.expose().split('.').nth(1)?;
    let claims: Expiry = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(claims.exp)
}

/// For whom such a JWT was issued; nobody where it does not say.
pub(crate) fn audiences(token: &Secret) -> Vec<String> {
    #[derive(Deserialize)]
    struct Meant {
        aud: Audience,
    }
    let payload = token.expose().split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    match payload.and_then(|payload| serde_json::from_slice(&payload).ok()) {
        Some(Meant { aud: Audience::One(audience) }) => vec![audience],
        Some(Meant { aud: Audience::Many(list) }) => list,
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, expiry};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hallpass_protocol::secret::Secret;

    fn token(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    const GOOD: &str = r#"{"iss":"https://id","sub":"7","aud":"cli","exp":2000,"nonce":"n","email":"a@b"}"#;

    #[test]
    fn a_good_one() {
        let claims = Claims::check(&token(GOOD), "https://id", "cli", Some("n"), 1000).expect("good");
        assert_eq!((claims.identity().as_str(), claims.exp), ("a@b", 2000));
        assert_eq!(expiry(&token(GOOD)), Some(2000));
        assert_eq!(expiry(&Secret::new("opaque")), None);
    }

    #[test]
    fn bad_ones() {
        let check = |claims: &str, now| Claims::check(&token(claims), "https://id", "cli", Some("n"), now).is_err();
        assert!(check(&GOOD.replace("https://id", "https://id/"), 1000), "another issuer");
        assert!(check(&GOOD.replace("\"cli\"", "\"other\""), 1000), "another client");
        assert!(check(&GOOD.replace("\"n\"", "\"m\""), 1000), "another nonce");
        assert!(check(&GOOD.replace(r#""nonce":"n","#, ""), 1000), "no nonce");
        assert!(check(GOOD, 2061), "expired");
        for (claim, other) in [
            ("iss", "7"),
            ("sub", "null"),
            ("aud", "[]"),
            ("aud", r#"["other"]"#),
            ("aud", r#"{"cli":1}"#),
            ("exp", "\"2000\""),
            ("exp", "-1"),
            ("nonce", "[\"n\"]"),
        ] {
            let mut claims: serde_json::Value = serde_json::from_str(GOOD).expect("claims");
            claims[claim] = serde_json::from_str(other).expect(other);
            assert!(check(&claims.to_string(), 1000), "{claim} is {other}");
            claims.as_object_mut().expect("an object").remove(claim);
            assert!(check(&claims.to_string(), 1000), "no {claim}");
        }
        let many = |azp: &str| check(&GOOD.replace("\"cli\"", &format!(r#"["api","cli"],"azp":"{azp}""#)), 1000);
        assert!(!many("cli") && many("api"), "one of several, and not the one it was made for");
        for alg in ["none", "NONE"] {
            let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            let token = Secret::new(format!("{head}.{}.", URL_SAFE_NO_PAD.encode(GOOD)));
            assert!(Claims::check(&token, "https://id", "cli", Some("n"), 1000).is_err(), "{alg}");
        }
        assert!(check("[]", 1000) && Claims::read(&Secret::new("a.b")).is_none());
        assert!(Claims::read(&Secret::new(".".repeat(1 << 20))).is_none(), "a million dots");
    }
}
