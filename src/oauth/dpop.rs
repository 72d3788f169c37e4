//! Tokens bound to a key (RFC 9449): whoever shows one proves at each request that it holds the key
//!
//! The key is made at the sign-in, is P-256, and lives in the session's record: with the refresh token it is saved, and with
//! it it goes.

use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallpass_protocol::secret::Secret;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use url::Url;

use super::jwt::{Key, fresh_jti};
use crate::clock::now;

/// A session's key, and the nonce that the authorization server last gave.
#[derive(Debug)]
pub(crate) struct Dpop {
    key: Key,
    /// The public half.
    jwk: Value,
    /// As a record keeps it: PKCS #8 in base64.
    pub(crate) secret: Secret,
    nonce: Mutex<Option<String>>,
}

impl Dpop {
    /// A new key; `None` where the system has no random bytes.
    pub(crate) fn generate() -> Option<Self> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
        Self::read(&Secret::new(STANDARD.encode(der.as_ref())))
    }

    /// The key of a record.
    pub(crate) fn read(secret: &Secret) -> Option<Self> {
        let der = zeroize::Zeroizing::new(STANDARD.decode(secret.expose()).ok()?);
        let key = Key::from_pkcs8(&der)?;
        let Key::Es256(pair) = &key else { return None };
        // 4, then both halves: an uncompressed point (SEC 1).
        let point = pair.public_key().as_ref();
        let half = |range| URL_SAFE_NO_PAD.encode(point.get::<std::ops::Range<usize>>(range).unwrap_or_default());
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": half(1..33), "y": half(33..65) });
        Some(Self { key, jwk, secret: secret.clone(), nonce: Mutex::new(None) })
    }

    /// For a request to the authorization server.
    pub(super) fn for_server(&self, url: &str) -> Option<Secret> {
        let nonce = self.nonce.lock().ok()?.clone();
        self.proof("POST", url, None, nonce.as_deref())
    }

    /// For a request that shows a token to a resource.
    pub(crate) fn proof(&self, method: &str, url: &str, token: Option<&Secret>, nonce: Option<&str>) -> Option<Secret> {
        let mut url = Url::parse(url).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        let header = json!({ "typ": "dpop+jwt", "alg": self.key.algorithm(), "jwk": self.jwk });
        let mut claims = json!({ "jti": fresh_jti()?, "htm": method, "htu": url.as_str(), "iat": now() });
        if let Some(token) = token {
            claims["ath"] = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.expose().as_bytes())).into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        self.key.sign(&header, &claims)
    }

    /// The server's newest nonce is the one to use.
    pub(super) fn remember(&self, nonce: &str) {
        let plain = nonce.len() <= 1024 && nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if let (true, Ok(mut newest)) = (plain, self.nonce.lock()) {
            *newest = Some(nonce.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dpop;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hallpass_protocol::secret::Secret;
    use serde_json::Value;

    #[test]
    fn a_proof_is_for_one_request_and_shows_no_private_half() {
        let made = Dpop::generate().expect("a key");
        let dpop = Dpop::read(&made.secret).expect("the same");
        let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"); // RFC 9449 7.1
        let proof = dpop.proof("GET", "https://r.example/p?q#f", Some(&token), Some("n")).expect("a proof");
        let part = |at: usize| -> Value {
            let text = proof.expose().split('.').nth(at).expect("a part");
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
        };
        let (header, claims) = (part(0), part(1));
        assert_eq!((&header["typ"], &header["alg"]), (&"dpop+jwt".into(), &"ES256".into()));
        assert_eq!(header["jwk"].as_object().expect("a key").keys().collect::<Vec<_>>(), ["crv", "kty", "x", "y"]);
        assert_eq!((&claims["htu"], &claims["nonce"]), (&"https://r.example/p".into(), &"n".into()));
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert!(Dpop::read(&Secret::new("AAAA")).is_none() && Dpop::read(&Secret::new("?")).is_none());
    }
}
