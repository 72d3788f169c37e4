//! Clocks that are wrong, jump or stand still. No fake clock: records are shifted, and the server's clock is another.

use serde_json::{Value, json};

use crate::answers::{At, Fault};
use crate::device_grants::{Device, Poll};
use crate::grants::now;
use crate::idp::Idp;
use crate::record;
use crate::runs::until;
use crate::world::{Behaviour, World};

use super::wire::Wire;
use super::{expired, sound};

const YEARS: i64 = 10 * 365 * 86_400;

/// F66, F67: our clock jumped by this much since the tokens came. One refresh, and then hits again.
#[test]
fn a_clock_that_jumped_costs_one_refresh() {
    for jump in [3_600, 86_400, YEARS, -3_600, -86_400, -YEARS] {
        let idp = Idp::builder().id_tokens().start();
        let world = World::signed_in(&idp);
        let old = world.token();
        world.shift(jump);
        let new = world.token();
        assert_ne!(new, old, "{jump}");
        assert!(idp.live_access_token(&new));
        world.run(&["kubectl"]).expect(0);
        assert_eq!((world.token(), idp.count("refresh_token")), (new, 1), "{jump}");
        sound(&idp, &world);
    }
}

/// F67: marks of a time that is yet to come hold nobody up.
#[test]
fn marks_of_the_future_hold_nobody_up() {
    let idp = Idp::start();
    let world = expired(&idp);
    // A refused token that forced a refresh, when the clock was years ahead.
    let mut json = world.record();
    json["forced_at"] = (now() + YEARS).into();
    json["tokens"][0]["expires_at"] = (now() + 3_000).into();
    json["tokens"][0]["obtained_at"] = (now() - 600).into();
    record::write(&world.data("work"), &json);
    let token = world.token();
    let erase = format!("protocol=https\nhost=git.example.com\nusername=oauth2\npassword={token}\n\n");
    world.ask(&["git", "erase"], erase).expect(0);
    assert_ne!(world.token(), token, "it was refused by the server and is not served again");
    assert_eq!(idp.count("refresh_token"), 1);
    // A pause that a server asked for, and an intent that was tried three times, both of then.
    world.shift(4000);
    let wire = Wire::start(drop);
    {
        let _detour = wire.takes_over(&world);
        world.run(&["get"]).refused(&[6], &["work"]);
    }
    assert_eq!(wire.requests(), 3);
    super::age_intent(&world, -YEARS);
    let words = json!({"exit": 6, "what": "busy", "hint": null});
    let setback =
        json!({"at": {"secs_since_epoch": now() + YEARS, "nanos_since_epoch": 0}, "pause": 300, "words": words});
    std::fs::write(world.data("work.setback"), setback.to_string()).unwrap();
    assert!(idp.live_access_token(&world.token()));
}

fn expiry(world: &World, kind: &str) -> i64 {
    world.kept(kind)["expires_at"].as_i64().unwrap()
}

/// F68, F98: the clock of the server is another than ours, by hours or years. An id_token names its end by the
/// server's; what tools are told is by ours.
#[test]
fn the_servers_date_corrects_what_an_id_token_says() {
    for off in [30, 7_200, YEARS, -30, -7_200, -YEARS] {
        let idp = Idp::builder().id_tokens().start();
        idp.always(At::Token, Fault::Clock(off));
        let world = World::new(&idp);
        world.sign_in();
        for _ in 0..2 {
            let left = [expiry(&world, "access_token") - now(), expiry(&world, "id_token") - now()];
            assert!(left.iter().all(|left| (3_500..=3_640).contains(left)), "off by {off}: {left:?}");
            let calls = idp.every_call();
            world.run(&["kubectl"]).expect(0).says(&[]);
            assert_eq!(idp.every_call(), calls, "off by {off}: a hit");
            world.shift(4000);
            world.token();
        }
        assert_eq!(idp.count("refresh_token"), 2);
    }
}

/// F98: without a Date a token that has ended is still refused, and one of a minute's difference is not.
#[test]
fn without_a_date_an_id_token_that_has_ended_is_refused() {
    let idp = Idp::builder().id_tokens().lifetime(-120).start();
    let world = World::new(&idp);
    world.with_person(&["login", "work"]).refused(&[9], &["expired already", "clock"]);
    assert!(!world.has_record());
    let idp = Idp::builder().id_tokens().lifetime(-30).start();
    World::new(&idp).sign_in();
}

/// F69: a suspend during a sign-in: it ends once, cleanly, with its time.
#[test]
fn a_sign_in_that_slept_ends_once() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work", "--timeout", "3"]);
    crate::callback::opened(&world);
    login.signal(rustix::process::Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(4));
    login.signal(rustix::process::Signal::CONT);
    let done = login.end().refused(&[5], &["work", "nobody signed in within 3 s"]);
    assert_eq!(done.err.matches("error:").count(), 1, "{done:?}");
    super::free(&world);
    assert_eq!(world.holdings(), [""; 0]);
}

/// F69: a device's code that has expired meanwhile.
#[test]
fn a_code_that_expired_meanwhile_is_5() {
    let idp = Idp::builder().device(Device::script(&[Poll::Pending])).start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work", "--device"]);
    until("a code", || (!idp.calls(At::Device).is_empty()).then_some(()));
    login.signal(rustix::process::Signal::STOP);
    idp.decide(Poll::Expired);
    login.signal(rustix::process::Signal::CONT);
    login.end_within(60).refused(&[5], &["work", "expired"]);
    super::free(&world);
}

/// F70: what a server may say of a life, and what comes of it.
#[test]
fn odd_lives_are_read() {
    let ten_years = Some(YEARS);
    for (said, life) in [
        ("", None),
        (r#","expires_in":null"#, None),
        (r#","expires_in":-1"#, None),
        (r#","expires_in":"abc""#, None),
        (r#","expires_in":{"s":1}"#, None),
        (r#","expires_in":3600"#, Some(3_600)),
        (r#","expires_in":"3600""#, Some(3_600)),
        (r#","expires_in":3600.0"#, Some(3_600)),
        (r#","expires_in":1e30"#, ten_years),
        (r#","expires_in":18446744073709551615"#, ten_years),
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        let wire = Wire::json(&format!(r#"{{"access_token":"odd-token"{said}}}"#));
        let detour = wire.takes_over(&world);
        assert_eq!((world.token(), world.token()), ("odd-token".into(), "odd-token".into()), "{said}");
        assert_eq!(wire.requests(), 1, "{said}: no storm");
        let token = world.kept("access_token");
        let kept = token["expires_at"].as_i64().map(|end| end - token["obtained_at"].as_i64().unwrap());
        assert_eq!(kept, life, "{said}");
        drop(detour);
        world.shift(2 * YEARS);
        if life.is_some() {
            sound(&idp, &world);
        }
    }
}

/// F71: a token that is over when it comes: one request, one exit 6, no loop.
#[test]
fn a_token_that_is_over_when_it_comes_is_6() {
    let idp = Idp::start();
    let world = expired(&idp);
    let wire = Wire::json(r#"{"access_token":"over","expires_in":0}"#);
    let detour = wire.takes_over(&world);
    world.run(&["get"]).refused(&[6], &["work", "expired already", "clock"]);
    assert_eq!(wire.requests(), 1);
    drop(detour);
    sound(&idp, &world);
}

/// F72: years that some programs cannot write.
#[test]
fn far_years_are_written_as_tools_read_them() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for (end, text) in [
        (2_147_483_647_u64 + 60, "2038-01-19T03:14:07Z"),
        (4_294_967_296 + 60, "2106-02-07T06:28:16Z"),
        (253_402_300_799 + 60, "9999-12-31T23:59:59Z"),
        (u64::MAX, "9999-12-31T23:59:59Z"),
    ] {
        let mut json = world.record();
        json["tokens"][0]["expires_at"] = end.into();
        record::write(&world.data("work"), &json);
        let answer: Value = serde_json::from_str(&world.run(&["kubectl"]).expect(0).out).unwrap();
        assert_eq!(answer["status"]["expirationTimestamp"], text, "{end}");
        world.run(&["status"]).expect(0);
        world.run(&["status", "--json"]).expect(0);
        world.ask(&["git", "get"], "protocol=https\nhost=git.example.com\n\n").expect(0);
    }
}
