//! Whom a token is for (RFC 8707).

use serde_json::{Value, json};

use crate::answers::At;
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::runs::done;
use crate::world::World;

/// N71: an absolute URI without a fragment, in the authorization request and every token request.
#[test]
fn a_resource_is_an_absolute_uri_without_a_fragment() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let plain = world.config_text();
    for odd in ["https://api.example.com/#x", "https://api.example.com#", "api.example.com", "/api", ""] {
        world.config(&format!("{plain}resource = \"{odd}\"\n"));
        world.with_person(&["login", "work"]).refused(&[10], &["resource"]);
    }
    for good in ["https://api.example.com/a?b=c", "urn:example:api"] {
        world.config(&format!("{plain}resource = \"{good}\"\n"));
        world.sign_in();
        assert_eq!(field(&query(world.opened().last().unwrap()), "resource"), Some(good));
        world.shift(4000);
        world.token();
        assert_eq!(field(&idp.calls(At::Token).pop().unwrap().form, "resource"), Some(good));
    }
}

/// N72: each audience has a token of its own, and none is served in another's place.
#[test]
fn a_token_for_one_is_never_served_for_another() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let ask = |audience: &str| {
        let cluster = json!({"server": "https://k8s.example.com:6443", "config": {"audience": audience}});
        let info = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
            "spec": {"interactive": false, "cluster": cluster}});
        let answer = done(world.hallpass(&["kubectl"]).env("KUBERNETES_EXEC_INFO", info.to_string())).expect(0);
        let answer: Value = serde_json::from_str(&answer.out).unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    };
    let audiences =
        ["https://a.example.com", "https://b.example.com", "https://a.example.com/", "https://a.example.com#x", "a"];
    let tokens: Vec<_> = audiences.iter().map(|audience| ask(audience)).chain([world.token()]).collect();
    let again: Vec<_> = audiences.iter().map(|audience| ask(audience)).chain([world.token()]).collect();
    assert_eq!(tokens, again, "each is kept for its own");
    let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!((distinct.len(), idp.count("refresh_token")), (6, 5));
    let asked: Vec<_> = idp.calls(At::Token).into_iter().skip(1).map(|call| call.form).collect();
    for (form, audience) in asked.iter().zip(audiences) {
        let is_uri = audience.contains("://") && !audience.contains('#');
        let (name, other) = if is_uri { ("resource", "audience") } else { ("audience", "resource") };
        assert_eq!((field(form, name), field(form, other)), (Some(audience), None));
    }
}
