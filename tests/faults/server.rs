//! The server misbehaves while a token is needed: nothing is lost, nothing is printed, the reason is said.

use std::fs;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::world::World;

use super::expired;

#[test]
fn no_status_but_invalid_grant_costs_a_session() {
    let json = vec![("Content-Type", "application/json")];
    let cases = [
        (Fault::Status(403, vec![("Content-Type", "text/html")], "<html>firewall</html>"), [6].as_slice()),
        (Fault::Status(404, vec![], ""), &[6, 10]),
        (Fault::Status(405, vec![], ""), &[6, 10]),
        (Fault::Status(429, vec![("Retry-After", "7200")], ""), &[6]),
        (Fault::Status(429, vec![("Retry-After", "garbage")], ""), &[6]),
        (Fault::Status(500, vec![], "oops"), &[6]),
        (Fault::Status(503, json.clone(), "{}"), &[6]),
        (Fault::Status(200, json.clone(), "[1,2,3]"), &[6]),
        (Fault::Status(200, json.clone(), "{\"access_token\":"), &[6]),
        (Fault::Status(200, json.clone(), "{\"access_token\":\"\",\"token_type\":\"Bearer\"}"), &[6, 9]),
        (Fault::Status(200, json.clone(), "{\"access_token\":\"x\",\"token_type\":\"mac\"}"), &[6, 9]),
        (Fault::Status(400, json.clone(), "{\"error\":\"invalid_client\"}"), &[6, 10]),
        (Fault::Status(401, json.clone(), "{\"error\":\"unauthorized_client\"}"), &[6, 10]),
        (Fault::Status(400, json, "{\"error\":\"temporarily_unavailable\"}"), &[6]),
        (Fault::Html200, &[6]),
    ];
    for (fault, codes) in cases {
        let idp = Idp::start();
        let world = expired(&idp);
        let before = fs::read(world.data("work")).unwrap();
        idp.always(At::Token, fault.clone());
        world.run(&["get"]).refused(codes, &["work"]);
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{fault:?} changed the record");
        assert!(idp.count("refresh_token") <= 4, "{fault:?}: {} requests", idp.count("refresh_token"));
        idp.heal();
        let _ = fs::remove_file(world.data("work.setback")); // as if the time that the server asked for were over
        assert!(idp.live_access_token(&world.token()), "{fault:?} cost the session");
        assert_eq!(idp.reuses(), 0);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (idp, other) = (Idp::start(), Idp::start());
        let world = expired(&idp);
        let target: &'static str = Box::leak(format!("{}/token", other.issuer).into_boxed_str());
        idp.always(At::Token, Fault::Status(status, vec![("Location", target)], ""));
        world.run(&["get"]).refused(&[6], &["work"]);
        assert_eq!(other.every_call(), 0, "{status} was followed");
    }
}

#[test]
fn a_server_that_never_answers_is_6_within_bounds() {
    let idp = Idp::start();
    let world = expired(&idp);
    let before = fs::read(world.data("work")).unwrap();
    idp.always(At::Token, Fault::Hang);
    // One attempt has 20 s; when it is over, the 10 s in which a replay is allowed are over too. Other callers wait 45 s.
    world.start(&["get"]).end_within(40).refused(&[6], &["work"]);
    assert_eq!(idp.count("refresh_token"), 1);
    // The intent to spend may stand before the record; the record itself is the same.
    let after = fs::read(world.data("work")).unwrap();
    assert!(after.ends_with(&before), "the record changed");
}

#[test]
fn a_server_that_is_not_there_is_6() {
    let idp = Idp::start();
    let world = expired(&idp);
    let mut record = world.record();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = record.to_string().replace(idp.issuer.as_str(), &format!("http://{gone}"));
    record = serde_json::from_str(&text).unwrap();
    crate::record::write(&world.data("work"), &record);
    world.config(&world.config_text().replace(idp.issuer.as_str(), &format!("http://{gone}")));
    world.run(&["get"]).refused(&[6], &[&gone.to_string()]);
    assert_eq!(world.record()["refresh_token"], record["refresh_token"]);
}

#[test]
fn a_lost_answer_makes_no_loop() {
    let idp = Idp::start();
    let world = expired(&idp);
    idp.once(At::Token, Fault::CloseBeforeAnswer);
    world.run(&["get"]).refused(&[4, 6], &["work"]);
    assert!(idp.count("refresh_token") <= 3, "{} requests", idp.count("refresh_token"));
    world.run(&["get"]).refused(&[4, 6], &["work"]);
    assert!(idp.count("refresh_token") <= 3, "{} requests", idp.count("refresh_token"));
    world.sign_in();
    assert!(idp.live_access_token(&world.token()));
}

#[test]
fn a_lost_answer_before_the_end_costs_nobody_the_token_in_hand() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.shift(3000);
    idp.once(At::Token, Fault::CloseBeforeAnswer);
    assert_eq!(world.token(), token, "the access token still lives");
    assert_eq!(idp.count("refresh_token"), 1, "no replay where no grace is known and the token still works");
    assert!(idp.family_alive());
}

#[test]
fn one_bad_moment_is_bridged_or_told() {
    let idp = Idp::start();
    let world = expired(&idp);
    idp.once(At::Token, Fault::Status(502, vec![], "bad gateway"));
    world.run(&["get"]).expect_any(&[0, 6]);
    world.run(&["get"]).expect(0);
    assert_eq!(idp.reuses(), 0);
}

#[test]
fn the_servers_words_cannot_drive_the_terminal() {
    let body = "{\"error\":\"invalid_request\",\"error_description\":\"\\u001b]0;owned\\u0007\\u202e\\u009b31m line\\r\\nhallpass: fine\"}";
    let idp = Idp::start();
    let world = expired(&idp);
    idp.always(At::Token, Fault::Status(400, vec![("Content-Type", "application/json")], body));
    let done = world.run(&["get"]).refused(&[6, 10], &[]);
    for evil in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}', '\r'] {
        assert!(!done.err.contains(evil), "{evil:?} in {done:?}");
    }
    assert!(!done.err.lines().any(|line| line == "hallpass: fine"), "{done:?}");
}

#[test]
fn a_store_that_cannot_be_written_is_found_before_the_token_is_spent() {
    let idp = Idp::start();
    let world = expired(&idp);
    // A folder where the journal belongs stops root too.
    fs::create_dir_all(world.data("work.next/in the way")).unwrap();
    world.run(&["get"]).refused(&[7], &["work.next"]);
    assert_eq!(idp.count("refresh_token"), 0, "the refresh token was spent");
    fs::remove_dir_all(world.data("work.next")).unwrap();
    assert!(idp.live_access_token(&world.token()));
}

#[test]
fn a_store_that_cannot_be_written_still_serves_what_it_has() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.shift(3000);
    fs::create_dir_all(world.data("work.next/in the way")).unwrap();
    assert_eq!(world.token(), token);
    assert_eq!(idp.count("refresh_token"), 0);
}

/// The room for the next record is taken first, and an intent that could not be written leaves no word that something
/// was sent.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_shows_before_the_refresh_token_is_spent() {
    if !crate::runs::has("strace") {
        return;
    }
    let idp = Idp::start();
    let world = expired(&idp);
    let before = world.record();
    for _ in 0..4 {
        let full = ["-f", "-o", "/dev/null", "-e", "inject=fallocate:error=ENOSPC", crate::world::BIN, "get"];
        let mut command = assert_cmd::Command::from_std(world.program("strace", &full));
        crate::runs::done(&mut command).refused(&[7], &["work.next", "make room there"]);
        assert!(!world.data("work.next").exists());
    }
    assert_eq!((idp.count("refresh_token"), world.record()), (0, before));
    assert!(idp.live_access_token(&world.token()), "with room it goes on at once");
    assert_eq!(idp.count("refresh_token"), 1);
}
