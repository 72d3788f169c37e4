//! Proof keys (RFC 7636): fresh, long enough, and never done without.

use std::collections::BTreeSet;

use super::{answering, waiting};
use crate::answers::At;
use crate::callback::{approve, get};
use crate::forms::{field, query, with};
use crate::idp::Idp;
use crate::world::World;

/// N9, N24, N28, N30, N32: sign-ins at the same time, each with a verifier, a state and a nonce of its own.
#[test]
fn ten_sign_ins_at_once_share_nothing() {
    let idp = Idp::start();
    let world = World::bare();
    let names: Vec<_> = (0..10).map(|number| format!("a{number}")).collect();
    let table = |name: &String| World::account(name, &idp, &format!("[\"https://{name}.example.com\"]"));
    world.config(&names.iter().map(table).collect::<String>());
    let logins: Vec<_> = names.iter().map(|name| world.start(&["login", name])).collect();
    logins.into_iter().for_each(|login| drop(login.end().expect(0)));
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut seen = BTreeSet::new();
    for call in idp.calls(At::Token) {
        let verifier = field(&call.form, "code_verifier").unwrap().to_owned();
        assert!((43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved), "{verifier}");
        seen.insert(verifier);
    }
    for url in world.opened() {
        let asked = query(&url);
        for name in ["state", "nonce", "code_challenge"] {
            let value = field(&asked, name).unwrap();
            assert!(value.len() >= 43, "{name}: 256 bits are 43 letters: {value}");
            seen.insert(value.to_owned());
        }
    }
    assert_eq!(seen.len(), 40, "{seen:?}");
    assert_eq!(idp.complaints(), [""; 0]);
}

/// N29, N31, N86: a server that will not have S256 is not asked without.
#[test]
fn there_is_no_way_back_to_plain() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    assert_eq!(field(&query(&url), "code_challenge_method"), Some("S256"));
    let refusal = [("error", "invalid_request"), ("error_description", "transform algorithm not supported")];
    get(&answering(&url, &[&refusal[..], &[("iss", &idp.issuer)]].concat()));
    login.end().refused(&[5], &["work", "transform algorithm not supported"]);
    assert_eq!((world.opened().len(), idp.count("authorization_code")), (1, 0));
}

/// N87: a code that was made for another verifier comes to nothing, though it has the right state.
#[test]
fn a_code_of_somebody_else_is_worth_nothing() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    let theirs = approve(&with(&url, "code_challenge", Some(&"A".repeat(43))));
    assert_eq!(get(&theirs).status, 400);
    login.end().refused(&[5], &["work", "invalid_grant"]);
    assert_eq!(idp.count("authorization_code"), 1);
    assert!(!world.has_record());
}
