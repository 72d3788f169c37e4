//! Which server it is: metadata, `iss`, and one server in the place of another.

use serde_json::json;

use super::{answering, metadata, waiting};
use crate::answers::At;
use crate::callback::{approve, get};
use crate::forms::{query, with};
use crate::idp::Idp;
use crate::world::World;

const ENDPOINTS: [&str; 6] = [
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "registration_endpoint",
];

/// N1, N67: whether the metadata name it or the configuration.
#[test]
fn no_endpoint_is_plain_http() {
    let idp = Idp::start();
    for name in ENDPOINTS {
        let world = World::new(&idp);
        for address in ["http://id.example.com/x", "http://127.0.0.1.example.com/x", "ftp://id.example.com/x", "x"] {
            idp.always(At::Metadata, metadata(&idp, &[(name, json!(address))]));
            world.with_person(&["login", "work"]).refused(&[9], &["work", name]);
        }
        idp.heal();
        world.add(&format!("{name} = \"http://id.example.com/x\""));
        world.with_person(&["login", "work"]).refused(&[10], &[name, "http://"]);
        assert_eq!(world.opened(), [""; 0]);
    }
}

/// N59: what an issuer cannot be.
#[test]
fn an_issuer_is_an_https_url_without_query_and_fragment() {
    let world = World::bare();
    for odd in
        ["http://id.example.com", "https://id.example.com?tenant=1", "https://id.example.com/#x", "id.example.com"]
    {
        world.config(&format!("[account.work]\nissuer = \"{odd}\"\nserves = [\"https://git.example.com\"]\n"));
        world.with_person(&["login", "work"]).refused(&[10], &["issuer"]);
        world.config("");
        let args = ["login", "https://git.example.com", "--client-id", "cli", "--issuer", odd];
        world.with_person(&args).refused(&[10], &["--issuer"]);
    }
}

/// N61: the name in the metadata is the one that was asked for, letter by letter.
#[test]
fn metadata_of_anybody_else_are_not_believed() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let issuer = &idp.issuer;
    let others = [
        format!("{issuer}/"),
        issuer.to_uppercase(),
        format!("{issuer}/tenant"),
        issuer.replace("127.0.0.1", "localhost"),
    ];
    for other in others {
        idp.always(At::Metadata, metadata(&idp, &[("issuer", json!(other))]));
        world.with_person(&["login", "work"]).refused(&[9], &["work", &other, issuer]);
    }
    assert_eq!((world.opened().len(), world.has_record()), (0, false));
}

/// N63: a list without S256 is a server without PKCE; no list says nothing.
#[test]
fn a_server_without_s256_is_left_alone() {
    let idp = Idp::start();
    let methods = |methods| metadata(&idp, &[("code_challenge_methods_supported", methods)]);
    let world = World::new(&idp);
    for list in [json!([]), json!(["plain"]), json!(["s256", "plain"])] {
        idp.always(At::Metadata, methods(list));
        world.with_person(&["login", "work"]).refused(&[9], &["work", "S256"]);
    }
    assert_eq!(world.opened(), [""; 0]);
    for list in [json!(["plain", "S256"]), json!(null)] {
        idp.always(At::Metadata, methods(list));
        world.sign_in();
    }
}

/// N12, N57, N58: `iss` is compared as it is after decoding, in errors too, and told or untold by the metadata.
#[test]
fn iss_is_the_issuer_to_the_letter() {
    for idp in [Idp::start(), Idp::builder().without_iss_promise().start()] {
        let world = World::new(&idp);
        let issuer = &idp.issuer;
        let port = issuer.rsplit(':').next().unwrap();
        for other in [
            format!("{issuer}/"),
            issuer.to_uppercase(),
            issuer.replace("127.0.0.1", "localhost"),
            format!("http://127.0.0.1:0{port}"),
            issuer.replace("http://", "https://"),
            issuer.replace("://", "%3A%2F%2F"),
            format!(" {issuer}"),
        ] {
            for outcome in [("code", "a-code"), ("error", "access_denied")] {
                let (login, url) = waiting(&world);
                get(&answering(&url, &[outcome, ("iss", &other)]));
                login.end().refused(&[9], &["work", "iss"]);
            }
        }
        let (login, url) = waiting(&world);
        assert_eq!(get(&format!("{}&iss=x", answering(&url, &[("code", "a"), ("iss", issuer)]))).status, 400, "twice");
        assert_eq!(get(&approve(&url)).status, 200);
        login.end().expect(0);
        assert_eq!(idp.count("authorization_code"), 1);
    }
}

/// N34: the person is sent on by a server of the attacker to the honest one, whose code must not go back to him.
#[test]
fn a_code_of_one_server_never_goes_to_another() {
    let (honest, attacker) = (Idp::start(), Idp::start());
    let world = World::new(&attacker);
    for quiet in [false, true] {
        let (login, url) = waiting(&world);
        let sent_on = url.replacen(&attacker.issuer, &honest.issuer, 1);
        let callback = approve(&sent_on);
        let callback = if quiet { with(&callback, "iss", None) } else { callback };
        assert_eq!(get(&callback).status, 400, "{:?}", query(&callback));
        login.end().refused(&[9], &["work", "iss"]);
    }
    assert_eq!((attacker.count("authorization_code"), honest.count("authorization_code")), (0, 0));
    assert!(!world.has_record());
}

/// N43, N89: asked once; what the metadata say while the page is open changes nothing.
#[test]
fn the_endpoints_of_a_sign_in_are_those_of_its_beginning() {
    let (idp, other) = (Idp::start(), Idp::start());
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    idp.always(At::Metadata, metadata(&idp, &[("token_endpoint", json!(format!("{}/token", other.issuer)))]));
    assert_eq!(get(&approve(&url)).status, 200);
    login.end().expect(0);
    world.shift(4000);
    assert!(idp.live_access_token(&world.token()));
    assert_eq!((idp.calls(At::Metadata).len(), idp.calls(At::Token).len(), other.every_call()), (1, 2, 0));
}
