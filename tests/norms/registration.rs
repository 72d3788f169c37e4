//! Dynamic registration (RFC 7591): a client of its own at each server, as the server made it.

use serde_json::{Value, json};

use crate::answers::{At, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::world::World;

fn registered(members: &[(&str, Value)]) -> Fault {
    let mut client = json!({"client_id": "theirs", "token_endpoint_auth_method": "none"});
    for (name, value) in members {
        client[*name] = value.clone();
    }
    Fault::Status(201, vec![("Content-Type", "application/json")], client.to_string().leak())
}

fn world(idp: &Idp) -> World {
    let world = World::new(idp);
    world.config(&world.config_text().replace("client_id = \"cli\"\n", ""));
    world
}

/// N79: no more than is needed is told.
#[test]
fn no_more_is_told_than_is_needed() {
    let idp = Idp::builder().registers().start();
    world(&idp).sign_in();
    let wish = idp.registered().remove(0);
    let names: Vec<_> = wish.as_object().unwrap().keys().map(String::as_str).collect();
    let known =
        ["client_name", "grant_types", "redirect_uris", "response_types", "scope", "token_endpoint_auth_method"];
    assert_eq!(names, known, "{wish}");
}

/// N79: a server that changed the wish so that it cannot work is told of before a page is opened.
#[test]
fn what_the_server_made_of_it_counts() {
    for (members, word) in [
        ([("redirect_uris", json!(["https://app.example.com/cb"]))], "redirect"),
        ([("redirect_uris", json!([]))], "redirect"),
        ([("grant_types", json!(["client_credentials"]))], "authorization_code"),
        ([("token_endpoint_auth_method", json!("private_key_jwt"))], "secret"),
    ] {
        let idp = Idp::builder().registers().start();
        let world = world(&idp);
        idp.always(At::Register, registered(&members));
        world.with_person(&["login", "work"]).refused(&[10], &["work", word]);
        assert_eq!((world.opened().len(), world.has_record()), (0, false), "{members:?}");
    }
    for members in [
        [("redirect_uris", json!(["http://127.0.0.1/callback"]))],
        [("grant_types", json!(["authorization_code"]))],
        [("scope", json!("openid"))],
        [("token_endpoint_auth_method", json!(["none"]))], // as glewlwyd has it, which lists several
    ] {
        let idp = Idp::builder().registers().start();
        let world = world(&idp);
        idp.always(At::Register, registered(&members));
        world.sign_in();
        assert_eq!(world.record()["client_id"], "theirs");
    }
}

/// N79: canaille registers no scope that it does not list, and `offline_access` is one; what is asked for at the sign-in it
/// takes all the same.
#[test]
fn a_scope_that_cannot_be_registered_is_left_out() {
    let refusal = r#"{"error":"invalid_client_metadata","error_description":"Invalid claim: 'scope'"}"#;
    let refusal = Fault::Status(400, vec![("Content-Type", "application/json")], refusal);
    let idp = Idp::builder().registers().start();
    let world = world(&idp);
    idp.once(At::Register, refusal.clone());
    world.sign_in();
    let asked = idp.calls(At::Register);
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].json["scope"].is_string(), &asked[1].json["scope"]), (true, &Value::Null));
    let scope = asked[0].json["scope"].as_str().unwrap();
    assert_eq!(field(&idp.calls(At::Authorize)[0].form, "scope"), Some(scope));
    idp.always(At::Register, refusal);
    world.with_person(&["login", "work"]).refused(&[10], &["work", "Invalid claim: 'scope'", "--client-id"]);
    assert_eq!(idp.calls(At::Register).len(), 4);
}

/// glewlwyd makes a public client into one with a secret, tells nobody, and refuses it: the way out is another client.
#[test]
fn a_client_that_is_registered_and_refused_is_better_registered_by_hand() {
    let idp = Idp::builder().registers().start();
    let world = world(&idp);
    let refusal = r#"{"error":"unauthorized_client"}"#;
    idp.always(At::Token, Fault::Status(403, vec![("Content-Type", "application/json")], refusal));
    let words = ["unauthorized_client", "register a public client", "redirect URI", "--client-id ID"];
    world.with_person(&["login", "work"]).refused(&[10], &words);
    let named = world.with_person(&["login", "work", "--client-id", "cli"]).refused(&[10], &["check `client_id`"]);
    assert!(!named.err.contains("register"), "{named:?}");
}

/// N80: what could change the registration is neither kept nor said.
#[test]
fn the_registrations_own_token_is_kept_nowhere() {
    let idp = Idp::builder().registers().start();
    let world = world(&idp);
    let members = [
        ("registration_access_token", json!("canary-of-a-registration")),
        ("registration_client_uri", json!(format!("{}/register/theirs", idp.issuer))),
        ("client_secret_expires_at", json!(1)),
    ];
    idp.always(At::Register, registered(&members));
    let done = world.sign_in();
    assert!(!done.err.contains("canary") && !world.record().to_string().contains("canary"), "{done:?}");
}

/// N81: another server makes another client; nothing of the first goes there.
#[test]
fn a_client_is_of_one_server_alone() {
    let (one, two) = (Idp::builder().registers().start(), Idp::builder().registers().start());
    let world = world(&one);
    one.once(At::Register, registered(&[]));
    world.sign_in();
    assert_eq!(world.record()["client_id"], "theirs");
    world.config(&world.config_text().replace(&one.issuer, &two.issuer));
    world.shift(4000);
    let _ = world.run(&["get"]);
    assert_eq!(two.every_call(), 0, "a refresh token of one went to two");
    world.sign_in();
    assert_eq!((two.registered().len(), &world.record()["client_id"]), (1, &json!("registered-1")));
    for call in two.calls(At::Token).iter().chain(&two.calls(At::Authorize)) {
        assert_eq!(field(&call.form, "client_id"), Some("registered-1"));
    }
}
