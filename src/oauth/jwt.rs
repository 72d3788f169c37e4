//! Signed JWTs (RFC 7515, RFC 7519): what proves that we hold a key
//!
//! ES256, ES384, EdDSA and RS256, which the `ring` of our TLS can sign; the key decides which.

use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::secretfile;
use crate::failure::fail_hint;

/// A private key, and the algorithm that goes with it.
#[derive(Debug)]
pub(crate) enum Key {
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Key {
    /// A key in PEM and PKCS #8, from a file that is nobody else's to write. `name`: the configuration's word for it.
    pub(crate) fn read(name: &str, file: &Path) -> Result<Self> {
        let text = secretfile::read(name, file)?;
        let odd = |why: &str| {
            let what = format!("`{name}` `{}` {why}", file.display());
            let hint = "a key in PKCS #8, unencrypted, P-256, P-384, Ed25519 or RSA (2048 to 4096 bits): \
                        `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`";
            fail_hint(Exit::Config, what, hint)
        };
        let der = pem(&text).map_err(odd)?;
        Self::from_pkcs8(&der).ok_or_else(|| odd("is no key that can sign here"))
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let rng = SystemRandom::new();
        let ec = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, &rng).ok();
        // OpenSSL leaves the public half of an Ed25519 key out.
        let ed = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
        let rsa = || RsaKeyPair::from_pkcs8(der).ok();
        let p256 = ec(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::Es256);
        let p384 = || ec(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Self::Es384);
        p256.or_else(p384).or_else(|| ed().map(Self::EdDsa)).or_else(|| rsa().map(Self::Rs256))
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Es384(_) => "ES384",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256(_) => "RS256",
        }
    }

    /// The compact form of these claims; `None` where the system has no random bytes.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Option<Secret> {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let (rng, bytes) = (SystemRandom::new(), signed.as_bytes());
        let signature = match self {
            Self::Es256(key) | Self::Es384(key) => key.sign(&rng, bytes).ok()?.as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(bytes).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, bytes, &mut signature).ok()?;
                signature
            }
        };
        Some(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// A name that no other token has (RFC 7519 4.1.7): 128 random bits.
pub(crate) fn fresh_jti() -> Option<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The bytes of the first private key in a PEM text, or what it is instead.
fn pem(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut body = Zeroizing::new(String::with_capacity(text.len()));
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        match line {
            "-----BEGIN PRIVATE KEY-----" => inside = true,
            "-----END PRIVATE KEY-----" if inside => {
                return STANDARD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| "is not PEM");
            }
            "-----BEGIN ENCRYPTED PRIVATE KEY-----" => return Err("is encrypted"),
            "-----BEGIN RSA PRIVATE KEY-----" | "-----BEGIN EC PRIVATE KEY-----" => return Err("is not in PKCS #8"),
            _ if inside => body.push_str(line),
            _ => {}
        }
    }
    Err("has no private key in it")
}

#[cfg(test)]
mod tests {
    use super::{Key, fresh_jti, pem};
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    };
    use serde_json::json;

    #[test]
    fn what_is_signed_can_be_checked() {
        let rng = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).expect("a key");
        let text = format!("x\n-----BEGIN PRIVATE KEY-----\r\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&der));
        let key = Key::from_pkcs8(&pem(&text).expect("PEM")).expect("a key");
        assert_eq!(key.algorithm(), "ES256");
        let token = key.sign(&json!({"alg": "ES256"}), &json!({"sub": "é"})).expect("a token");
        let (signed, signature) = token.expose().rsplit_once('.').expect("three parts");
        let Key::Es256(pair) = &key else { panic!() };
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        assert_ne!(fresh_jti(), fresh_jti());
    }

    #[test]
    fn what_is_no_key() {
        let end = "\n-----END PRIVATE KEY-----\n";
        for (text, why) in [
            (String::new(), "has no private key in it"),
            (format!("-----BEGIN PRIVATE KEY-----\n!!{end}"), "is not PEM"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n".into(), "has no private key in it"),
            ("-----BEGIN RSA PRIVATE KEY-----\n".into(), "is not in PKCS #8"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n".into(), "is encrypted"),
        ] {
            assert_eq!(pem(&text).err(), Some(why), "{text}");
        }
        assert!(Key::from_pkcs8(&pem(&format!("-----BEGIN PRIVATE KEY-----\nAAAA{end}")).expect("PEM")).is_none());
    }
}
