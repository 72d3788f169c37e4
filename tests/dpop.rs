//! Tokens bound to a key (RFC 9449): proofs for the server and for whoever is shown a token, and what happens without.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::world::{BIN, World};

fn wants_nonce(nonce: &'static str) -> Fault {
    Fault::Status(400, vec![("DPoP-Nonce", nonce)], "{\"error\":\"use_dpop_nonce\"}")
}

fn bound(idp: &Idp) -> World {
    let world = World::new(idp);
    world.config(&format!("{}dpop_bound_access_tokens = true\n", world.config_text()));
    world
}

/// The public key and the claims of a proof, once its signature is checked.
fn read(proof: &str) -> (Value, Value) {
    let (signed, mark) = proof.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let part = |text: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap() };
    let (header, claims) = (part(header), part(claims));
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("dpop+jwt"), Some("ES256")));
    let jwk = header["jwk"].clone();
    assert_eq!(jwk.as_object().unwrap().len(), 4, "the public half and nothing else: {jwk}");
    let half = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], half("x"), half("y")].concat();
    let mark = URL_SAFE_NO_PAD.decode(mark).unwrap();
    assert!(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &mark).is_ok());
    (jwk, claims)
}

/// The token and the proof of a header door.
fn header(world: &World, words: &[&str]) -> (String, String) {
    let out = world.run(&[&["header", "https://git.example.com/api?q=1"], words].concat()).expect(0).out;
    let (first, second) = out.trim_end().split_once('\n').unwrap();
    let token = first.strip_prefix("Authorization: DPoP ").unwrap_or_else(|| panic!("{out}"));
    (token.to_owned(), second.strip_prefix("DPoP: ").unwrap().to_owned())
}

#[test]
fn every_request_has_a_proof_of_its_own_by_one_key() {
    let idp = Idp::builder().id_tokens().start();
    let world = bound(&idp);
    world.sign_in();
    let mut seen = BTreeSet::new();
    let (token, proof) = header(&world, &["--method", "GET"]);
    let (key, claims) = read(&proof);
    assert!(idp.live_access_token(&token) && seen.insert(claims["jti"].to_string()));
    for (claim, value) in [("htm", "GET"), ("htu", "https://git.example.com/api")] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(claims["ath"], URL_SAFE_NO_PAD.encode(Sha256::digest(&token)));
    assert!(claims["nonce"].is_null());
    let (_, claims) = read(&header(&world, &["--method=POST", "--dpop-nonce", "n-1"]).1);
    assert_eq!((claims["htm"].as_str(), claims["nonce"].as_str()), (Some("POST"), Some("n-1")));
    world.shift(4000);
    let question = r#"{"url":"https://git.example.com/api","method":"GET","dpop_nonce":"n-2"}"#;
    let answer: Value = serde_json::from_str(&world.ask(&["json", "get"], question).expect(0).out).unwrap();
    let (refreshed, claims) = read(answer["headers"]["DPoP"].as_str().unwrap());
    assert_eq!((&answer["token_type"], &claims["nonce"]), (&"DPoP".into(), &"n-2".into()));
    assert_ne!(answer["token"], token.as_str(), "refreshed");
    assert_eq!(key, refreshed, "by the key of the sign-in");
    for call in idp.calls(At::Token) {
        let (jwk, claims) = read(call.dpop.as_deref().expect("a proof"));
        assert!(jwk == key && seen.insert(claims["jti"].to_string()));
        assert_eq!((&claims["htm"], &claims["htu"]), (&"POST".into(), &format!("{}/token", idp.issuer).into()));
        assert!(claims["ath"].is_null());
    }
    assert_eq!(idp.count("refresh_token"), 1);
    // Another sign-in has another key, and neither is ever said.
    let kept = world.record()["dpop_key"].as_str().unwrap().to_owned();
    let told = format!("{:?}{:?}", world.run(&["status", "work"]), world.run(&["doctor", "work"]));
    assert!(!told.contains(&kept) && told.contains("bound to a key"), "{told}");
    world.sign_in();
    assert_ne!(read(&header(&world, &["--method", "GET"]).1).0, key);
}

#[test]
fn doors_that_carry_no_proof_get_no_token() {
    let idp = Idp::start();
    let world = bound(&idp);
    world.sign_in();
    let way = "hallpass header URL --method GET";
    world.run(&["get", "https://git.example.com/api", "--method", "GET"]).refused(&[9], &["bound to a key", way]);
    world.run(&["get", "work"]).refused(&[9], &["DPoP", way]);
    world.run(&["header", "https://git.example.com/api"]).refused(&[9], &["DPoP", way]);
    world.run(&["exec", "-e", "T=work", "--", BIN, "--version"]).refused(&[9], &["DPoP"]);
    let asked = world.ask(&["git", "get"], "protocol=https\nhost=git.example.com\n\n");
    assert!(!asked.out.contains("password") && asked.err.contains("DPoP"), "{asked:?}");
    assert!(world.ask(&["json", "get"], r#"{"account":"work"}"#).expect(9).out.contains("\"code\":9"));
    world.ask(&["json", "get"], r#"{"account":"work","method":"GET"}"#).expect(2);
}

#[test]
fn a_nonce_is_taken_once_and_asked_for_twice_is_the_server_s_trouble() {
    let idp = Idp::start();
    let world = bound(&idp);
    idp.once(At::Token, wants_nonce("first"));
    world.sign_in();
    let nonces = || -> Vec<Value> {
        let calls = idp.calls(At::Token);
        calls.iter().map(|call| read(call.dpop.as_deref().unwrap()).1["nonce"].clone()).collect()
    };
    assert_eq!(nonces(), [Value::Null, "first".into()]);
    // F99
    world.shift(4000);
    let before = world.record()["refresh_token"].clone();
    idp.once(At::Token, wants_nonce("second"));
    idp.once(At::Token, wants_nonce("third"));
    let args = ["header", "https://git.example.com/api", "--method", "GET"];
    world.run(&args).refused(&[6], &["work", "use_dpop_nonce"]);
    assert_eq!(nonces()[2..], [Value::Null, "second".into()]);
    assert_eq!(world.record()["refresh_token"], before);
    idp.once(At::Token, wants_nonce("fourth"));
    world.run(&args).expect(0);
    assert_eq!((nonces().pop(), idp.reuses()), (Some("fourth".into()), 0));
}

#[test]
fn a_token_that_anybody_could_use_is_refused_where_a_bound_one_was_asked_for() {
    let idp = Idp::start();
    let world = bound(&idp);
    idp.once(At::Token, Fault::Bearer);
    world.with_person(&["login", "work"]).refused(&[6], &["not bound to our key"]);
    assert!(!world.has_record());
    world.sign_in();
    world.shift(4000);
    let key = world.record()["dpop_key"].clone();
    idp.once(At::Token, Fault::Bearer);
    let args = ["header", "https://git.example.com/api", "--method", "GET"];
    world.run(&args).refused(&[6], &["not bound to our key"]);
    // The refresh token that came along is the good one now, and the key is still its own.
    world.run(&args).expect(0);
    assert_eq!((world.record()["dpop_key"].clone(), idp.reuses()), (key, 0));
    // And one that was bound though nobody asked.
    let plain = World::new(&idp);
    idp.once(At::Token, Fault::Bound);
    plain.with_person(&["login", "work"]).refused(&[6], &["dpop_bound_access_tokens"]);
}

#[test]
fn a_key_that_is_lost_takes_the_session_along() {
    let idp = Idp::start();
    let world = bound(&idp);
    world.sign_in();
    let mut record = world.record();
    record["dpop_key"] = "AAAA".into();
    crate::record::write(&world.data("work"), &record);
    let args = ["header", "https://git.example.com/api", "--method", "GET"];
    world.run(&args).refused(&[4], &["work", "hallpass login work"]);
    world.shift(4000);
    world.run(&args).refused(&[4], &["work", "hallpass login work"]);
    assert_eq!(idp.count("refresh_token"), 0, "nothing is spent without the key");
    assert!(fs::read(world.data("work")).is_ok());
}

#[test]
fn a_sign_in_without_a_key_leaves_none_behind() {
    let idp = Idp::start();
    let world = bound(&idp);
    world.sign_in();
    assert!(world.record()["dpop_key"].is_string());
    world.config(&world.config_text().replace("dpop_bound_access_tokens = true\n", ""));
    world.sign_in();
    assert!(world.record()["dpop_key"].is_null());
    world.run(&["get", "work"]).expect(0);
}
