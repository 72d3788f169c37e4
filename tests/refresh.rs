//! A stale token becomes a fresh one: once, saved, in order.

use std::fs;

use serde_json::json;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::record;
use crate::world::{SERVES, World};

#[test]
fn an_expired_token_is_refreshed_once_and_the_rotation_is_kept() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (before, old) = (world.record(), world.token());
    world.shift(4000);
    let new = world.token();
    assert_ne!(new, old);
    assert!(idp.live_access_token(&new));
    assert_eq!(world.token(), new);
    assert_eq!(idp.count("refresh_token"), 1);
    let after = world.record();
    assert_ne!(after["refresh_token"], before["refresh_token"]);
    assert_eq!(after["generation"].as_u64(), before["generation"].as_u64().map(|n| n + 1));
    assert!(idp.family_alive() && idp.reuses() == 0);
    for _ in 0..3 {
        world.shift(4000);
        world.token();
    }
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (4, 0));
    assert!(!world.data("work.next").exists(), "an intent was left behind");
    assert_eq!(idp.complaints(), [""; 0]);
}

#[test]
fn before_the_last_fifth_nobody_is_asked() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(2700);
    let calls = idp.every_call();
    world.token();
    assert_eq!(idp.every_call(), calls);
}

#[test]
fn in_the_last_fifth_one_caller_refreshes_ahead() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let old = world.token();
    world.shift(3000);
    world.token();
    assert_eq!(idp.count("refresh_token"), 1);
    assert_ne!(world.token(), old);
    assert_eq!(idp.count("refresh_token"), 1);
}

#[test]
fn in_the_last_fifth_a_broken_server_is_not_noticed() {
    for fault in [
        Fault::Status(403, vec![], "<html>firewall</html>"),
        Fault::Status(404, vec![], ""),
        Fault::Status(429, vec![("Retry-After", "120")], ""),
        Fault::Status(500, vec![], "oops"),
        Fault::Status(503, vec![], ""),
        Fault::Html200,
    ] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        let old = world.token();
        world.shift(3000);
        idp.always(At::Token, fault.clone());
        for _ in 0..3 {
            let done = world.run(&["get"]).expect(0);
            assert_eq!(done.out.trim_end(), old, "{fault:?}");
        }
        idp.heal();
        let _ = fs::remove_file(world.data("work.setback")); // as if the time that the server asked for were over
        world.shift(600);
        assert!(idp.live_access_token(&world.token()), "{fault:?} cost the session");
    }
}

#[test]
fn the_old_refresh_token_stays_where_the_answer_has_none() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let refresh = world.record()["refresh_token"].clone();
    for _ in 0..2 {
        idp.once(At::Token, Fault::NoRefreshTokenInAnswer);
        world.shift(4000);
        assert!(idp.live_access_token(&world.token()));
        assert_eq!(world.record()["refresh_token"], refresh);
    }
    assert_eq!(idp.count("refresh_token"), 2);
}

#[test]
fn odd_life_times_are_read() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for fault in [Fault::StringExpiresIn, Fault::MissingExpiresIn] {
        idp.once(At::Token, fault);
        world.shift(4000);
        let (token, calls) = (world.token(), idp.every_call());
        assert!(idp.live_access_token(&token));
        assert_eq!(world.token(), token);
        assert_eq!(idp.every_call(), calls);
    }
}

#[test]
fn one_minute_tokens_make_no_storm() {
    let idp = Idp::builder().lifetime(60).start();
    let world = World::signed_in(&idp);
    let token = world.token();
    assert_eq!(world.token(), token);
    assert_eq!(idp.count("refresh_token"), 0, "the leeway may not eat the whole life");
}

#[test]
fn a_dead_session_is_4_and_names_the_command() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    idp.kill_family(world.record()["refresh_token"].as_str().unwrap());
    world.shift(4000);
    world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
    let count = idp.count("refresh_token");
    world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
    assert_eq!(idp.count("refresh_token"), count, "a refused refresh token is not sent again");
    assert_eq!(world.opened().len(), 1);
    world.with_person(&["get"]).expect(0);
    assert_eq!(world.opened().len(), 2);
}

#[test]
fn hallpass_refresh_is_there_for_people() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (before, old) = (world.record(), world.token());
    for args in [["refresh"].as_slice(), &["refresh", "work"]] {
        world.shift(120);
        world.run(args).expect(0);
    }
    assert!((1..=2).contains(&idp.count("refresh_token")));
    assert_ne!(world.token(), old);
    assert!(world.record()["generation"].as_u64() > before["generation"].as_u64());
    world.run(&["refresh", "nosuch"]).refused(&[3], &["nosuch"]);
}

#[test]
fn a_refresh_token_goes_only_where_the_person_signed_in() {
    let (idp, other) = (Idp::start(), Idp::start());
    let world = World::signed_in(&idp);
    let before = fs::read(world.data("work")).unwrap();
    let good = world.config_text();
    let endpoint = format!(
        "[account.work]\nauthorization_endpoint = \"{0}/authorize\"\ntoken_endpoint = \"{0}/token\"\nclient_id = \"cli\"\n\
         serves = [\"https://git.example.com\"]\n",
        other.issuer
    );
    let changes = [
        World::account("work", &other, SERVES),
        good.replace("client_id = \"cli\"", "client_id = \"another\""),
        format!("{good}token_endpoint = \"{}/token\"\n", other.issuer),
        endpoint,
    ];
    world.shift(4000);
    let aged = fs::read(world.data("work")).unwrap();
    for change in changes {
        world.config(&change);
        world.run(&["get"]).refused(&[9], &["work", "hallpass login work"]);
        assert_eq!((idp.count("refresh_token"), other.every_call()), (0, 0), "{change}");
        assert_eq!(fs::read(world.data("work")).unwrap(), aged);
    }
    world.config(&good);
    world.run(&["get"]).expect(0);
    assert_ne!(fs::read(world.data("work")).unwrap(), before);
}

#[test]
fn fields_of_a_newer_hallpass_survive() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut record = world.record();
    record["zebra"] = json!({"stripes": [1, 2, 3]});
    record["tokens"][0]["colour"] = json!("grey");
    record::write(&world.data("work"), &record);
    world.shift(4000);
    world.token();
    assert_eq!(world.record()["zebra"], json!({"stripes": [1, 2, 3]}));
}
