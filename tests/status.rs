//! What people read: status, whoami, accounts; offline, and no secret in full.

use serde_json::Value;

use crate::idp::Idp;
use crate::runs::done;
use crate::world::World;

const READERS: [&[&str]; 6] =
    [&["status"], &["status", "--json"], &["whoami"], &["whoami", "--json"], &["accounts"], &["accounts", "list"]];

#[test]
fn they_name_the_account_and_ask_nobody() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let calls = idp.every_call();
    for shift in [0, 4000] {
        world.shift(shift);
        let before = std::fs::read(world.data("work")).unwrap();
        for args in READERS {
            let done = done(world.hallpass(args).env("HALLPASS_INTERACTIVE", "always")).expect_any(&[0, 4]);
            assert!(done.out.contains("work"), "{args:?}: {done:?}");
            for secret in idp.secrets() {
                assert!(!done.out.contains(&secret) && !done.err.contains(&secret), "{args:?}: {done:?}");
            }
        }
        assert_eq!(std::fs::read(world.data("work")).unwrap(), before);
    }
    assert_eq!((idp.every_call(), world.opened().len()), (calls, 1));
}

#[test]
fn a_secret_is_shown_by_its_ends() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let mask = format!("{}…{} (64 chars hex)", &token[..8], &token[60..]);
    let done = world.run(&["status"]).expect(0);
    assert!(done.out.contains(&mask), "no {mask}: {done:?}");
    assert!(done.out.contains(&idp.issuer), "where it comes from: {done:?}");
}

#[test]
fn a_short_secret_shows_only_its_length() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let pat = "pat-short-ghijklm";
    idp.add_pat(pat);
    let mut login = world.hallpass(&["login", "work", "--with-token"]);
    done(login.env("HALLPASS_INTERACTIVE", "always").write_stdin(pat)).expect(0);
    let done = world.run(&["status"]).expect(0);
    assert!(done.out.contains("… (17 chars)"), "{done:?}");
    for part in ["pat-", "ghij", "jklm"] {
        assert!(!done.out.contains(part), "{done:?}");
    }
}

#[test]
fn status_says_how_and_where_it_is_kept() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let out = world.run(&["status"]).expect(0).out;
    assert!(out.contains("browser"), "how signed in: {out}");
    assert!(out.contains(world.data("work").to_str().unwrap()) || out.contains("file"), "where kept: {out}");
    let json: Value = serde_json::from_str(&world.run(&["status", "--json"]).expect(0).out).unwrap();
    assert!(json.to_string().contains("work"));
    assert!(!world.run(&["status"]).out.contains('\u{1b}'), "no colour where no terminal is");
}

#[test]
fn status_of_nobody_and_of_damage() {
    let world = World::bare();
    world.run(&["status"]).expect_any(&[0, 3]);
    world.run(&["accounts"]).expect_any(&[0, 3]);
    let idp = Idp::start();
    let world = World::new(&idp);
    let done = world.run(&["status"]).expect_any(&[0, 4]);
    assert!(format!("{}{}", done.out, done.err).contains("hallpass login work"), "{done:?}");
    world.add(&World::account("home", &idp, r#"["https://home.example.com"]"#));
    world.sign_in();
    std::fs::write(world.data("home"), "hallpass-record 1 plain 0000000000000000\n{}").unwrap();
    let done = world.run(&["status"]).expect_any(&[0, 7]);
    assert!(done.out.contains("work") && format!("{}{}", done.out, done.err).contains("home"), "{done:?}");
}

#[test]
fn the_environment_is_shown_as_the_source() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = "env-token-0123456789abcdefghijklmnopqrstuv";
    let done = done(world.hallpass(&["status"]).env("HALLPASS_TOKEN_WORK", token)).expect(0);
    assert!(done.out.contains("HALLPASS_TOKEN_WORK") && !done.out.contains(token), "{done:?}");
}

#[test]
fn names_from_outside_cannot_drive_the_terminal() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut record = world.record();
    let text =
        record.to_string().replace("\"refresh_token\":", "\"identity\":\"\\u001b]0;owned\\u0007\",\"refresh_token\":");
    record = serde_json::from_str(&text).unwrap();
    crate::record::write(&world.data("work"), &record);
    for args in READERS {
        let done = world.run(args);
        assert!(!done.out.contains(['\u{1b}', '\u{7}']), "{args:?}: {done:?}");
    }
}

#[test]
fn whoami_names_the_person_of_the_id_token() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let done = world.run(&["whoami"]).expect(0);
    assert!(done.out.contains("hal@example.com") || done.out.contains("Hal Pass"), "{done:?}");
}
