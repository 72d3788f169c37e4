//! How a client proves who it is: with its secret, in the header or in the form, or with a JWT that it signed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

use crate::answers::{At, Call, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::runs::has;
use crate::world::World;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn robot(idp: &Idp, lines: &str) -> World {
    let world = World::bare();
    world.config(&format!(
        "[account.robot]\nissuer = \"{}\"\nclient_id = \"robot\"\nserves = [\"https://ci.example.com\"]\n\
         flow = \"client_credentials\"\n{lines}\n",
        idp.issuer
    ));
    world
}

/// A file beside the configuration, for its owner alone.
fn beside(world: &World, name: &str, text: impl AsRef<[u8]>) {
    let file = world.config_file().with_file_name(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn openssl(args: &[&str]) {
    let made = Command::new("openssl").args(args).output().unwrap();
    assert!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
}

/// The bytes of the public key of a private one, as `ring` takes it.
fn public(key: &Path, kind: &str) -> Vec<u8> {
    let der = Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(key).output().unwrap();
    let header = match kind {
        "EdDSA" => 12,
        "ES256" => 26,
        "ES384" => 23,
        _ => 24, // RSA, 2048 bits: what follows is the RSAPublicKey
    };
    der.stdout[header..].to_vec()
}

/// Header and claims of the assertion in a request, once its signature is checked.
fn assertion(call: &Call, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> (Value, Value) {
    assert_eq!(field(&call.form, "client_assertion_type"), Some(ASSERTION));
    let token = field(&call.form, "client_assertion").unwrap();
    let (signed, mark) = token.rsplit_once('.').unwrap();
    let mark = URL_SAFE_NO_PAD.decode(mark).unwrap();
    assert!(UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &mark).is_ok(), "{token}");
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(header), read(claims))
}

#[test]
fn a_secret_goes_into_the_header_or_into_the_form_and_never_into_both() {
    let idp = Idp::start();
    for (line, basic, in_form) in [
        ("", Some(STANDARD.encode("robot:a%3Ab+%25%C3%A9%26")), None),
        (
            "token_endpoint_auth_method = \"client_secret_basic\"",
            Some(STANDARD.encode("robot:a%3Ab+%25%C3%A9%26")),
            None,
        ),
        ("token_endpoint_auth_method = \"client_secret_post\"", None, Some("a:b %é&")),
    ] {
        let world = robot(&idp, &format!("client_secret_file = \"secret\"\n{line}"));
        beside(&world, "secret", "a:b %é&\n");
        world.run(&["get"]).expect(0);
        let asked = idp.calls(At::Token).pop().unwrap();
        assert_eq!((asked.basic, field(&asked.form, "client_secret")), (basic, in_form), "{line}");
        assert_eq!(field(&asked.form, "client_id").is_some(), in_form.is_some(), "named once");
        assert!(idp.complaints().is_empty());
    }
}

#[test]
fn a_key_signs_a_proof_of_its_own_for_each_request() {
    if !has("openssl") {
        return;
    }
    let idp = Idp::start();
    let keys: [(&str, &[&str], &'static dyn VerificationAlgorithm); 4] = [
        ("ES256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &signature::ECDSA_P256_SHA256_FIXED),
        ("ES384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], &signature::ECDSA_P384_SHA384_FIXED),
        ("EdDSA", &["ED25519"], &signature::ED25519),
        ("RS256", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &signature::RSA_PKCS1_2048_8192_SHA256),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for (name, kind, algorithm) in keys {
        let world =
            robot(&idp, "client_assertion_key_file = \"key.pem\"\nclient_assertion_key_id = \"k1\"\nleeway = \"0s\"");
        let file = world.config_file().with_file_name("key.pem");
        openssl(&[&["genpkey", "-out", file.to_str().unwrap(), "-algorithm"], kind].concat());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let public = public(&file, name);
        for _ in 0..2 {
            let got = world.run(&["get"]).expect(0);
            assert_eq!(got.err, "");
            let asked = idp.calls(At::Token).pop().unwrap();
            let (header, claims) = assertion(&asked, algorithm, &public);
            assert_eq!((&header["alg"], &header["kid"]), (&name.into(), &"k1".into()));
            assert_eq!(header["typ"], "client-authentication+jwt");
            for (claim, value) in [("iss", "robot"), ("sub", "robot"), ("aud", idp.issuer.as_str())] {
                assert_eq!(claims[claim], value, "{claim}");
            }
            let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            assert!((1..=300).contains(&life), "{life}");
            assert!(seen.insert(claims["jti"].to_string()), "a proof that was used before");
            assert_eq!((field(&asked.form, "client_id"), asked.basic), (Some("robot"), None));
            let mut record = world.record_of("robot");
            crate::record::shift(&mut record, 4000);
            crate::record::write(&world.data("robot"), &record);
        }
        // As the account wants it, and where nobody said who the issuer is.
        let by_issuer = world.config_text();
        let endpoints = by_issuer
            .replace(&format!("issuer = \"{}\"", idp.issuer), &format!("token_endpoint = \"{}/token\"", idp.issuer));
        for config in [format!("{by_issuer}client_assertion_audience = \"token_endpoint\"\n"), endpoints] {
            world.config(&config);
            world.run(&["login", "robot"]).expect(0);
            let (header, claims) = assertion(&idp.calls(At::Token).pop().unwrap(), algorithm, &public);
            assert_eq!((&header["typ"], &claims["aud"]), (&"JWT".into(), &format!("{}/token", idp.issuer).into()));
        }
    }
    assert!(idp.complaints().is_empty());
}

#[test]
fn a_person_s_session_is_refreshed_and_revoked_with_the_client_s_key() {
    if !has("openssl") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let file = world.config_file().with_file_name("key.pem");
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", file.to_str().unwrap()]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    world.config(&format!("{}client_assertion_key_file = \"key.pem\"\n", world.config_text()));
    world.sign_in();
    world.shift(4000);
    world.run(&["get"]).expect(0);
    world.run(&["logout", "work"]).expect(0);
    let public = public(&file, "EdDSA");
    let calls: Vec<_> = [idp.calls(At::Token), idp.calls(At::Revoke)].concat();
    assert!(calls.len() >= 4, "code, refresh, and both tokens revoked");
    for call in &calls {
        assertion(call, &signature::ED25519, &public);
    }
}

#[test]
fn files_that_are_no_secret_or_key_are_named_before_anything_is_asked() {
    let idp = Idp::start();
    let old = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let odd = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (text, words) in [
        (old, "not in PKCS #8"),
        (locked, "is encrypted"),
        (odd, "no key that can sign"),
        ("canary-of-the-key", "no private key"),
        ("", "no private key"),
    ] {
        let world = robot(&idp, "client_assertion_key_file = \"key.pem\"");
        beside(&world, "key.pem", text);
        let done =
            world.run(&["get"]).refused(&[10], &["client_assertion_key_file", "key.pem", words, "openssl pkcs8"]);
        assert!(!done.err.contains("canary"), "{done:?}");
    }
    for (text, words) in [("", "is empty"), ("two\nlines", "not one line"), ("\u{1}", "not one line")] {
        let world = robot(&idp, "client_secret_file = \"secret\"");
        beside(&world, "secret", text);
        world.run(&["get"]).refused(&[10], &["client_secret_file", words]);
    }
    let world = robot(&idp, "client_secret_file = \"secret\"");
    world.run(&["get"]).refused(&[10], &["client_secret_file", "cannot be read"]);
    beside(&world, "secret", vec![b'x'; 70 << 10]);
    world.run(&["get"]).refused(&[10], &["too long"]);
    beside(&world, "secret", "s");
    let file = world.config_file().with_file_name("secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    world.run(&["get"]).refused(&[9], &["can be written by others", "chmod 600"]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    world.run(&["get"]).refused(&[10], &["is no file"]);
    assert_eq!(idp.count("client_credentials"), 0);
    for (line, key) in [("client_secret_post", "client_secret_file"), ("private_key_jwt", "client_assertion_key_file")]
    {
        let world = robot(&idp, &format!("token_endpoint_auth_method = \"{line}\""));
        world.run(&["get"]).refused(&[10], &[key]);
    }
    robot(&idp, "token_endpoint_auth_method = \"tls\"").run(&["get"]).refused(&[10], &[":6", "private_key_jwt"]);
}

#[test]
fn others_can_read_it_says_doctor() {
    let idp = Idp::start();
    let world = robot(&idp, "client_secret_file = \"secret\"");
    beside(&world, "secret", "s");
    world.run(&["get"]).expect(0);
    assert!(!world.run(&["doctor", "robot"]).out.contains("others can read"));
    let file = world.config_file().with_file_name("secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    world.run(&["get"]).expect(0);
    let told = world.run(&["doctor", "robot"]);
    assert!(told.code == Some(7) && told.out.contains("secret") && told.out.contains("chmod 600"), "{told:?}");
}

#[test]
fn a_client_that_is_refused_keeps_what_it_has() {
    let idp = Idp::start();
    let world = robot(&idp, "client_secret_file = \"secret\"");
    beside(&world, "secret", "canary-of-the-client-7");
    let token = world.token();
    let before = fs::read(world.data("robot")).unwrap();
    idp.once(
        At::Token,
        Fault::Status(
            401,
            vec![],
            "{\"error\":\"invalid_client\",\"error_description\":\"not canary-of-the-client-7\"}",
        ),
    );
    let told = world.run(&["login", "robot"]).refused(&[10], &["invalid_client"]);
    assert!(!told.err.contains("canary") && !told.err.contains("client_secret_post"), "{told:?}");
    // The header has it encoded (RFC 6749 2.3.1), and there are servers that do not decode it.
    let odd = robot(&idp, "client_secret_file = \"secret\"");
    beside(&odd, "secret", "s3 cret:%&+");
    idp.once(At::Token, Fault::Status(401, vec![], "{\"error\":\"invalid_client\"}"));
    odd.run(&["login", "robot"]).refused(&[10], &["token_endpoint_auth_method = \"client_secret_post\""]);
    let nonsense: [Fault; 6] = [
        Fault::Html200,
        Fault::Status(302, vec![("Location", "https://portal.example.com/login")], ""),
        Fault::Status(200, vec![], "{\"access_token\":7}"),
        Fault::Status(200, vec![], "[]"),
        Fault::TokenWithNewline,
        Fault::TokenOfAnotherType,
    ];
    for fault in nonsense {
        idp.once(At::Token, fault.clone());
        world.run(&["login", "robot"]).refused(&[6], &["robot"]);
        assert_eq!(fs::read(world.data("robot")).unwrap(), before, "{fault:?}");
        assert_eq!(world.token(), token, "{fault:?}");
    }
}

/// glewlwyd says no more than a status, and wants its token endpoint for an audience.
#[test]
fn a_key_that_is_refused_without_a_word_may_want_another_audience() {
    if !has("openssl") {
        return;
    }
    let idp = Idp::start();
    let world = robot(&idp, "client_assertion_key_file = \"key.pem\"");
    let key = world.config_file().with_file_name("key.pem");
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", key.to_str().unwrap()]);
    idp.always(At::Token, Fault::Status(403, vec![], ""));
    let audience = "client_assertion_audience = \"token_endpoint\"";
    world.run(&["get"]).refused(&[10], &["status 403 and no reason", audience]);
    world.add(&format!("{audience}\n"));
    let told = world.run(&["get"]).refused(&[10], &["status 403 and no reason"]);
    assert!(!told.err.contains(audience), "{told:?}");
}
