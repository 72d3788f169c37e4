//! Tokens for one audience or resource, or of fewer scopes: several in one session, each asked for once.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::answers::{At, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::world::World;

fn token(world: &World, args: &[&str]) -> String {
    world.run(args).expect(0).out.trim_end().to_owned()
}

/// What the last token request said of a parameter.
fn said(idp: &Idp, key: &str) -> Option<String> {
    field(&idp.calls(At::Token).pop().unwrap().form, key).map(str::to_owned)
}

#[test]
fn a_session_holds_one_of_each() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let own = token(&world, &["get", "work"]);
    let asks: [(&[&str], &str, &str); 5] = [
        (&["--audience", "reports"], "audience", "reports"),
        (&["--audience=https://api.example.com"], "resource", "https://api.example.com"),
        (&["--resource", "urn:example:api"], "resource", "urn:example:api"),
        (&["--scope", "openid"], "scope", "openid"),
        (&["--audience", "reports", "--scope", "openid"], "scope", "openid"),
    ];
    let mut seen = BTreeSet::from([own.clone()]);
    for (words, key, value) in asks {
        let args = [&["get", "work"], words].concat();
        let one = token(&world, &args);
        assert_eq!(said(&idp, key).as_deref(), Some(value), "{words:?}");
        assert_eq!(token(&world, &args), one, "kept");
        assert!(idp.live_access_token(&one) && seen.insert(one.clone()), "one of its own");
        let header = world.run(&[&["header", "work"], words].concat()).expect(0).out;
        assert_eq!(header.trim_end(), format!("Authorization: Bearer {one}"));
    }
    assert_eq!((token(&world, &["get", "work"]), idp.count("refresh_token"), idp.reuses()), (own, 5, 0));
    // The order of scopes, and how they are given, makes no difference.
    let both = token(&world, &["get", "--scope", "openid", "--scope=offline_access"]);
    assert_eq!(said(&idp, "scope").as_deref(), Some("offline_access openid"));
    assert_eq!(token(&world, &["get", "work", "--scope", "openid  offline_access openid"]), both);
    let question = r#"{"account":"work","audience":"reports","scope":"openid"}"#;
    let answer: Value = serde_json::from_str(&world.ask(&["json", "get"], question).expect(0).out).unwrap();
    assert_eq!(answer["token"], token(&world, &["get", "--scope", "openid", "--audience", "reports"]));
    let shown = world.run(&["status", "work"]).expect(0).out;
    assert!(shown.contains("for reports, scope openid") && shown.contains("for urn:example:api"), "{shown}");
    // A sign-in granted what it granted: a narrower token says nothing about that.
    assert_eq!(world.record()["scope"], "openid offline_access");
    assert_eq!(idp.count("refresh_token"), 6);
}

#[test]
fn a_crowd_of_two_minds_makes_two_requests() {
    let idp = Idp::builder().latency(100).start();
    let world = World::signed_in(&idp);
    let asks = [["get", "work", "--audience", "a"], ["get", "work", "--audience", "b"]];
    let callers: Vec<_> = (0..30).map(|at| world.start(&asks[at % 2])).collect();
    let tokens: BTreeSet<_> = callers.into_iter().map(|caller| caller.end().expect(0).out).collect();
    assert_eq!((tokens.len(), idp.count("refresh_token"), idp.reuses()), (2, 2, 0));
}

#[test]
fn a_machine_has_one_of_each_too() {
    let idp = Idp::builder().latency(100).start();
    let world = World::bare();
    world.config(&format!(
        "[account.robot]\nissuer = \"{}\"\nclient_id = \"robot\"\nserves = [\"https://ci.example.com\"]\n\
         flow = \"client_credentials\"\nclient_secret_file = \"secret\"\nscope = [\"a\", \"b\"]\naudience = \"usual\"\n",
        idp.issuer
    ));
    fs::write(world.config_file().with_file_name("secret"), "s").unwrap();
    let own = token(&world, &["get"]);
    assert_eq!((said(&idp, "audience").as_deref(), said(&idp, "scope").as_deref()), (Some("usual"), Some("a b")));
    let asks = [["get", "--audience", "https://one.example"], ["get", "--scope", "b"]];
    let callers: Vec<_> = (0..20).map(|at| world.start(&asks[at % 2])).collect();
    let tokens: BTreeSet<_> = callers.into_iter().map(|caller| caller.end().expect(0).out).collect();
    assert_eq!((tokens.len(), idp.count("client_credentials")), (2, 3));
    // Where the account has an `audience` that is its server's word for it.
    let forms: Vec<_> = idp.calls(At::Token).into_iter().map(|call| call.form).collect();
    assert!(forms.iter().any(|form| field(form, "audience") == Some("https://one.example")));
    assert!(forms.iter().any(|form| field(form, "scope") == Some("b") && field(form, "audience") == Some("usual")));
    assert_eq!(world.record_of("robot")["tokens"].as_array().unwrap().len(), 3);
    assert_eq!((token(&world, &["get"]), idp.count("client_credentials")), (own, 3));
    // One that fails takes none of the others along.
    let before = fs::read(world.data("robot")).unwrap();
    idp.once(At::Token, Fault::Status(400, vec![], "{\"error\":\"invalid_target\"}"));
    world.run(&["get", "--resource", "https://two.example"]).refused(&[10], &["invalid_target"]);
    assert_eq!(fs::read(world.data("robot")).unwrap(), before);
    // Another client's tokens do not stay.
    world.config(&world.config_text().replace("client_id = \"robot\"", "client_id = \"other\""));
    world.run(&["login", "robot"]).expect(0);
    assert_eq!(world.record_of("robot")["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn more_than_was_granted_is_not_even_asked_for() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let before = fs::read(world.data("work")).unwrap();
    world.run(&["get", "work", "--scope", "openid admin"]).refused(&[4], &["admin", "hallpass login work"]);
    for odd in [
        &["get", "work", "--resource", "https://a.example/#x"][..],
        &["get", "work", "--resource", "not a uri"],
        &["get", "work", "--resource"],
        &["get", "work", "--audience="],
        &["get", "work", "--scope", "a\"b"],
        &["get", "work", "--scope", " "],
        &["get", "work", "--scop", "a"],
        &["header", "work", "--resource=x"],
    ] {
        world.run(odd).refused(&[2], &[]);
    }
    for odd in [r#"{"account":"work","resource":"x"}"#, r#"{"account":"work","scope":""}"#] {
        assert!(world.ask(&["json", "get"], odd).expect(2).out.contains("error"));
    }
    assert_eq!((idp.count("refresh_token"), fs::read(world.data("work")).unwrap()), (0, before));
}
