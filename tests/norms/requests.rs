//! What is sent to a server, and how.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::says;
use crate::answers::{At, Call};
use crate::callback::redirect_uri;
use crate::device_grants::{Device, GRANT, Poll};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::world::World;

const POSTED: [At; 3] = [At::Token, At::Device, At::Revoke];

fn posted(idp: &Idp) -> Vec<Call> {
    POSTED.iter().flat_map(|at| idp.calls(*at)).collect()
}

/// A server that was asked for everything there is.
fn whole_life() -> (Idp, World) {
    let idp = Idp::builder().id_tokens().device(Device::script(&[Poll::Granted])).start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    world.token();
    world.run(&["logout"]).expect(0);
    world.with_person(&["login", "work", "--device"]).expect(0);
    world.shift(4000);
    world.token();
    world.run(&["logout"]).expect(0);
    (idp, world)
}

/// N4, N5, N6, N51, N67: by POST, nothing twice, nothing empty, a public client by its name and no other way.
#[test]
fn every_request_is_a_form_that_names_the_client_once() {
    let (idp, _world) = whole_life();
    let calls = posted(&idp);
    let count = |at: At| calls.iter().filter(|call| call.at == at).count();
    assert_eq!((count(At::Token), count(At::Device), count(At::Revoke)), (4, 1, 4), "{calls:?}");
    for call in &calls {
        assert!(call.line.starts_with("POST /") && !call.line.contains('?'), "{call:?}");
        let names: BTreeSet<_> = call.form.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), call.form.len(), "a parameter came twice: {call:?}");
        assert!(call.form.iter().all(|(_, value)| !value.is_empty()), "an empty parameter: {call:?}");
        assert_eq!(field(&call.form, "client_id"), Some("cli"), "{call:?}");
        assert!(call.basic.is_none() && call.bearer.is_none() && field(&call.form, "client_secret").is_none());
    }
    for call in idp.calls(At::Revoke) {
        assert!(field(&call.form, "token").is_some() && field(&call.form, "token_type_hint").is_some(), "{call:?}");
    }
    assert_eq!(field(&idp.calls(At::Device)[0].form, "scope"), Some("openid offline_access"));
    let polls = calls.iter().filter(|call| field(&call.form, "grant_type") == Some(GRANT));
    assert_eq!(polls.filter(|call| field(&call.form, "device_code").is_some()).count(), 1);
    assert_eq!(idp.complaints(), [""; 0]);
}

/// N13, N20: the very redirect URI that was sent before; a refresh asks for no scope at all.
#[test]
fn a_code_comes_with_its_redirect_uri_and_a_refresh_without_a_scope() {
    let (idp, world) = whole_life();
    for call in idp.calls(At::Token) {
        match field(&call.form, "grant_type").unwrap() {
            "authorization_code" => {
                let sent = redirect_uri(&world.opened()[0]);
                assert_eq!(field(&call.form, "redirect_uri"), Some(sent.as_str()));
            }
            "refresh_token" => assert_eq!(field(&call.form, "scope"), None, "{call:?}"),
            GRANT => {}
            other => panic!("{other}"),
        }
    }
}

/// N27, N38, N90: a token is in a header or in a body.
#[test]
fn no_address_has_a_secret_in_it() {
    let (idp, world) = whole_life();
    let all = [At::Metadata, At::Authorize, At::Token, At::Revoke, At::Userinfo, At::Device, At::DevicePage];
    let lines: Vec<_> = all.iter().flat_map(|at| idp.calls(*at)).map(|call| call.line).chain(world.opened()).collect();
    assert!(lines.len() > 12, "{lines:?}");
    for secret in idp.secrets() {
        assert!(!lines.iter().any(|line| line.contains(&secret)), "{secret} in {lines:?}");
    }
}

/// N6, N7: a secret goes into the header, encoded as a form first, and then nothing of it is in the body.
#[test]
fn a_secret_is_in_the_header_alone_and_encoded() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let config = world.config_text().replace("\"cli\"", "\"c l:i%é\"");
    world.config(&format!("{config}client_secret_file = \"secret\"\n"));
    fs::write(world.config_file().with_file_name("secret"), "s:e%c r+t&é\n").unwrap();
    let answer = json!({"access_token": "one", "refresh_token": "two", "token_type": "Bearer", "expires_in": 3600});
    idp.always(At::Token, says(&answer));
    world.sign_in();
    world.shift(4000);
    world.token();
    world.run(&["logout"]).expect(0);
    let calls = posted(&idp);
    assert_eq!(calls.len(), 4, "{calls:?}");
    for call in calls {
        assert_eq!(call.basic, Some(STANDARD.encode("c+l%3Ai%25%C3%A9:s%3Ae%25c+r%2Bt%26%C3%A9")), "{call:?}");
        for name in ["client_id", "client_secret", "client_assertion"] {
            assert_eq!(field(&call.form, name), None, "{call:?}");
        }
    }
}

/// N41, N66: what is configured is asked for and no more; a refresh token is asked for together with consent.
#[test]
fn the_scope_is_the_accounts_and_offline_access_wants_consent() {
    let idp = Idp::start();
    for (scope, prompt) in [("openid offline_access", Some("consent")), ("read", None)] {
        let world = World::new(&idp);
        let list = format!("[\"{}\"]", scope.replace(' ', "\", \""));
        world.config(&world.config_text().replace("[\"openid\", \"offline_access\"]", &list));
        world.sign_in();
        let asked = query(&world.opened()[0]);
        assert_eq!((field(&asked, "scope"), field(&asked, "prompt")), (Some(scope), prompt));
        assert_eq!(field(&asked, "response_type"), Some("code"));
    }
}

/// N92: on the device where a browser is, the browser is the way.
#[test]
fn a_device_code_is_not_the_usual_way() {
    let idp = Idp::builder().device(Device::script(&[Poll::Granted])).start();
    World::signed_in(&idp);
    assert_eq!((idp.calls(At::Device).len(), idp.authorize_calls()), (0, 1));
}
