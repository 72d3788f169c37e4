//! What the token endpoint answers, right, wrong or cut: the session is kept unless the server says that it has ended.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::answers::{At, Fault};
use crate::grants::now;
use crate::idp::Idp;
use crate::runs::{Running, until};
use crate::world::World;

use super::wire::{Wire, ok};
use super::{all_refuse, expired, sound};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// F73-F78, F81, F82: the code, the words, one request, and the same record.
#[test]
fn every_refusal_has_its_code_and_words() {
    let rows = [
        ("F74", 400, r#"{"error":"invalid_client"}"#, 10, ["invalid_client", "client_id"]),
        ("F74", 400, r#"{"error":"unauthorized_client"}"#, 10, ["unauthorized_client", "client_id"]),
        (
            "F75",
            400,
            r#"{"error":"invalid_scope","error_description":"no api"}"#,
            10,
            ["invalid_scope: no api", "scope"],
        ),
        ("F76", 401, "", 10, ["401", "/token"]),
        ("F82", 400, "", 4, ["answered with status 400 and no reason", "hallpass login work"]),
        ("F82", 400, "<html>Bad Request</html>", 6, ["400", "/token"]),
        ("F76", 401, r#"{"error":"invalid_client"}"#, 10, ["invalid_client", "client_id"]),
        ("F77", 403, "<html>firewall</html>", 6, ["403", "/token"]),
        ("F77", 403, "", 6, ["403", "/token"]),
        ("F78", 404, "", 6, ["404", "/token"]),
        ("F78", 405, "", 6, ["405", "/token"]),
        ("F78", 410, "", 6, ["410", "/token"]),
        ("F78", 501, "", 6, ["501", "/token"]),
        ("F81", 200, r#"{"error":"invalid_client"}"#, 10, ["invalid_client", "client_id"]),
        ("F81", 200, r#"{"error":"temporarily_unavailable"}"#, 6, ["temporarily_unavailable", "/token"]),
    ];
    for (fault, status, body, code, words) in rows {
        let idp = Idp::start();
        let world = expired(&idp);
        let before = world.record();
        let headers = if body.starts_with('{') { vec![JSON] } else { vec![("WWW-Authenticate", "Basic")] };
        idp.always(At::Token, Fault::Status(status, headers, body));
        world.run(&["get"]).refused(&[code], &["work", words[0], words[1]]);
        assert_eq!((idp.count("refresh_token"), world.record()), (1, before), "{fault}: {status} {body}");
        all_refuse(&world, code, &["work", words[0], words[1]]);
        idp.heal();
        sound(&idp, &world);
    }
}

/// F79: Retry-After, in both its forms, for everybody and in bounds.
#[test]
fn a_server_that_wants_its_peace_has_it() {
    for (after, peace) in [
        ("120", true),
        ("Fri, 31 Dec 9999 23:59:59 GMT", true),
        ("99999999999999999999", false),
        ("86400", true),
        ("0", false),
        ("-5", false),
        ("garbage", false),
        ("Thu, 01 Jan 1970 00:00:00 GMT", false),
    ] {
        for status in [429, 503] {
            let idp = Idp::start();
            let world = expired(&idp);
            idp.always(At::Token, Fault::Status(status, vec![("Retry-After", after)], ""));
            let words = ["work", if status == 429 { "429" } else { "503" }, "the session is kept"];
            world.run(&["get"]).refused(&[6], &words);
            all_refuse(&world, 6, &words);
            let expect = if peace { 1 } else { 6 };
            assert_eq!(idp.count("refresh_token"), expect, "Retry-After: {after}");
            idp.heal();
            sound(&idp, &world); // an hour later, though it asked for a day or for ever
        }
    }
}

/// F79: a token that still works is served in the meantime, and a sign-in is nobody's business but the person's.
#[test]
fn a_pause_is_no_obstacle_to_what_needs_no_refresh() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.shift(3000);
    idp.always(At::Token, Fault::Status(429, vec![("Retry-After", "200")], ""));
    for _ in 0..3 {
        assert_eq!(world.token(), token);
    }
    std::fs::remove_file(world.data("work.ahead")).unwrap();
    assert_eq!((world.token(), idp.count("refresh_token")), (token, 1));
    idp.heal();
    world.sign_in();
    world.token();
}

/// F79, F80: whoever waited shares the failure, of any kind: one request from the whole crowd.
#[test]
fn waiters_share_a_failure() {
    let refused = r#"{"error":"invalid_client"}"#;
    for (status, body) in [("500 Oops", ""), ("400 Bad Request", refused), ("400 Bad Request", "")] {
        let idp = Idp::start();
        let world = expired(&idp);
        let gate = Arc::new(AtomicBool::new(false));
        let (answer, held) = (format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{body}"), gate.clone());
        let wire = Wire::start(move |mut stream| {
            while !held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = stream.write_all(answer.as_bytes());
        });
        {
            let _detour = wire.takes_over(&world);
            let crowd: Vec<_> = (0..20).map(|_| Running::start(world.command(&["get"]))).collect();
            if cfg!(target_os = "linux") {
                // Who asks the server goes to sleep a few times too, and not again and again.
                let waits = |caller: &&Running| caller.sleeps() >= 40;
                until("the crowd to wait", || (crowd.iter().filter(waits).count() >= 19).then_some(()));
            } else {
                std::thread::sleep(Duration::from_secs(3));
            }
            gate.store(true, Ordering::SeqCst);
            let ends = crowd.into_iter().map(Running::end);
            let words: BTreeSet<_> = ends.map(|done| done.refused(&[4, 6, 10], &["work"]).err).collect();
            assert_eq!((words.len(), wire.requests()), (1, 1), "{status}: {words:?}");
        }
        sound(&idp, &world);
    }
}

/// F82: as glewlwyd says that a session has ended. Who is there may sign in anew.
#[test]
fn a_no_without_a_reason_asks_a_person() {
    let idp = Idp::start();
    let world = expired(&idp);
    idp.once(At::Token, Fault::Status(400, vec![], ""));
    let token = world.with_person(&["get"]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    assert_eq!((world.opened().len(), idp.count("refresh_token")), (2, 1));
    world.shift(3000); // in its last fifth: nobody is asked while the token works
    idp.once(At::Token, Fault::Status(400, vec![], ""));
    assert_eq!(world.with_person(&["get"]).expect(0).out, token);
    assert_eq!((world.opened().len(), idp.count("refresh_token")), (2, 2));
    idp.once(At::Token, Fault::Status(400, vec![], ""));
    world.with_person(&["login", "work"]).refused(&[5], &["work", "400 and no reason"]);
}

/// F82: JSON is read whatever it is called; what is no JSON object is 6.
#[test]
fn odd_bodies_are_read_or_6() {
    let good = br#"{"access_token":"odd-token","expires_in":3600}"#;
    let bom = [b"\xef\xbb\xbf", &good[..]].concat();
    let json = "Content-Type: application/json\r\n";
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        10\r\n{\"access_token\":\r\n1e\r\n\"odd-token\",\"expires_in\":3600}\r\n0\r\n\r\n";
    let rows = [
        ("another type", ok("Content-Type: text/html\r\n", good), true),
        ("no type", ok("", good), true),
        ("a byte order mark", ok(json, &bom), true),
        ("space around it", ok(json, &[b"\r\n ", &good[..], b"\n\n"].concat()), true),
        ("chunks", chunked.to_vec(), true),
        ("a form", ok("", b"access_token=odd-token&expires_in=3600"), true),
        ("gzip nobody asked for", ok("Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), false),
        ("something behind it", ok(json, &[&good[..], b"}"].concat()), false),
        ("a list", ok(json, b"[{\"access_token\":\"odd-token\"}]"), false),
        ("one name twice", ok(json, br#"{"access_token":"odd-token","access_token":"evil"}"#), false),
        ("a number", ok(json, br#"{"access_token":7}"#), false),
        ("depth", ok(json, format!("{{\"a\":{}}}", "[".repeat(100_000)).as_bytes()), false),
        ("nothing", ok(json, b""), false),
        ("a page", ok("Content-Type: text/html\r\n", b"<!doctype html>"), false),
    ];
    for (what, bytes, read) in rows {
        let idp = Idp::start();
        let world = expired(&idp);
        let (wire, before) = (Wire::says(bytes), world.record()["refresh_token"].clone());
        {
            let _detour = wire.takes_over(&world);
            if read {
                assert_eq!(world.token(), "odd-token", "{what}");
            } else {
                world.run(&["get"]).refused(&[6], &["work", "/token"]);
            }
        }
        assert_eq!(wire.requests(), 1, "{what}");
        assert_eq!(world.record()["refresh_token"], before, "{what}");
        world.shift(4000);
        sound(&idp, &world);
    }
}

/// F95: a token that cannot be used, from a server that has spent the old refresh token for it: the new one is kept.
#[test]
fn a_token_that_cannot_be_used_costs_no_session() {
    for fault in [Fault::TokenWithNewline, Fault::TokenOfAnotherType, Fault::NoAccessToken] {
        let idp = Idp::start();
        let world = expired(&idp);
        idp.once(At::Token, fault.clone());
        world.run(&["get"]).refused(&[6], &["work"]);
        assert_eq!(idp.count("refresh_token"), 1, "{fault:?}");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 2, "{fault:?}");
    }
}

/// F95: another scope is noted, another person refused.
#[test]
fn an_answer_for_somebody_else_is_9() {
    let idp = Idp::builder().id_tokens().start();
    let world = expired(&idp);
    let answer = |subject: &str| {
        let claims = json!({"iss": idp.issuer, "sub": subject, "aud": "cli", "exp": now() + 3600});
        let id_token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        json!({"access_token": "foreign", "id_token": id_token, "expires_in": 3600, "scope": "other"}).to_string()
    };
    {
        let _detour = Wire::json(&answer("user-2")).takes_over(&world);
        world.run(&["get"]).refused(&[9], &["work", "another person"]);
    }
    assert!(!world.record().to_string().contains("foreign"), "it was kept");
    {
        let _detour = Wire::json(&answer("user-1")).takes_over(&world);
        assert_eq!(world.token(), "foreign");
        assert_eq!(world.record()["scope"], "other");
    }
    world.shift(4000);
    sound(&idp, &world);
}

/// F96: rotating or not, round after round.
#[test]
fn many_rounds_of_either_kind_of_server() {
    for fault in [None, Some(Fault::NoRefreshTokenInAnswer)] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        for round in 1..=40 {
            if let Some(fault) = &fault {
                idp.once(At::Token, fault.clone());
            }
            world.shift(4000);
            assert!(idp.live_access_token(&world.token()), "round {round}");
            assert_eq!(idp.count("refresh_token"), round);
        }
        sound(&idp, &world);
    }
}

/// F97: a refresh goes where the person signed in, whatever the metadata say by now; a new sign-in believes them only
/// if they name themselves.
#[test]
fn metadata_that_changed_move_no_refresh_token() {
    for fault in [Fault::WrongIssuerInMetadata, Fault::PlainHttpEndpoint, Fault::Html200] {
        let idp = Idp::start();
        let world = expired(&idp);
        let asked = idp.calls(At::Metadata).len();
        idp.always(At::Metadata, fault.clone());
        assert!(idp.live_access_token(&world.token()));
        assert_eq!(idp.calls(At::Metadata).len(), asked, "a refresh asked for metadata");
        let code = if matches!(fault, Fault::Html200) { 6 } else { 9 };
        world.with_person(&["login", "work"]).refused(&[code], &["work"]);
        assert_eq!(world.opened().len(), 1, "{fault:?}: a page was opened");
        world.shift(4000);
        sound(&idp, &world);
    }
}
