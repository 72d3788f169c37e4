//! A provider that answers nonsense leaves the session that is there untouched, whatever it was asked for: the record has
//! the same bytes, the token in it is served, and one line names account and host, and no secret.

use std::fs;

use serde_json::json;

use crate::answers::{At, Fault};
use crate::device::at_once;
use crate::device_grants::{Device, Poll};
use crate::device_odd::is_harmful;
use crate::faults::later;
use crate::idp::Idp;
use crate::runs::Done;
use crate::world::World;

const SECRET: &str = "canary-of-the-client";
const DEVICE_CODE: &str = "canary-of-the-device-code";

/// What somebody does, and which of the server's answers to it is nonsense.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Refresh,
    Code,
    Metadata,
    Pushed,
    Registration,
    DeviceCode,
    Poll,
    Exchange,
    Client,
}

const ALL: [Asked; 9] = [
    Asked::Refresh,
    Asked::Code,
    Asked::Metadata,
    Asked::Pushed,
    Asked::Registration,
    Asked::DeviceCode,
    Asked::Poll,
    Asked::Exchange,
    Asked::Client,
];

impl Asked {
    fn at(self) -> At {
        match self {
            Self::Metadata => At::Metadata,
            Self::Pushed => At::Push,
            Self::Registration => At::Register,
            Self::DeviceCode => At::Device,
            _ => At::Token,
        }
    }

    fn account(self) -> &'static str {
        if matches!(self, Self::Exchange | Self::Client) { "robot" } else { "work" }
    }

    /// A server, and a world where this account is signed in.
    fn scene(self) -> (Idp, World) {
        let device = Device::script(&[Poll::Granted]).with("device_code", DEVICE_CODE);
        let builder = Idp::builder().device(device);
        let idp = match self {
            Self::Pushed => builder.pushed(true).start(),
            Self::Registration => builder.registers().start(),
            _ => builder.start(),
        };
        let world = World::new(&idp);
        let secret = "client_secret_file = \"secret\"\ntoken_endpoint_auth_method = \"client_secret_post\"\n";
        match self {
            Self::Registration => world.config(&world.config_text().replace("client_id = \"cli\"\n", "")),
            _ => world.add(secret),
        }
        let flow = match self {
            Self::Exchange => {
                format!("flow = \"token_exchange\"\nsubject_account = \"work\"\n{secret}")
            }
            _ => format!("flow = \"client_credentials\"\n{secret}"),
        };
        let serves = "serves = [\"https://ci.example.com\"]";
        world.add(&format!("[account.robot]\nissuer = \"{}\"\nclient_id = \"robot\"\n{serves}\n{flow}\n", idp.issuer));
        fs::write(world.config_file().with_file_name("secret"), SECRET).unwrap();
        world.sign_in();
        if self.account() == "robot" {
            world.run(&["get", "robot"]).expect(0);
        }
        if self == Self::Refresh {
            world.shift(4000);
        }
        (idp, world)
    }

    fn ask(self, world: &World) -> Done {
        match self {
            Self::Refresh => world.run(&["get", "work"]),
            Self::DeviceCode => world.with_person(&["login", "work", "--device"]),
            Self::Poll => world.with_person(&["login", "work", "--device", "--timeout", "2"]),
            Self::Exchange | Self::Client => world.run(&["login", "robot"]),
            _ => world.with_person(&["login", "work"]),
        }
    }

    /// Like the real answer, with this in place of its first member's value.
    fn shaped(self, idp: &Idp, value: &str) -> String {
        let issuer = &idp.issuer;
        let rest = match self {
            Self::Metadata => format!(r#""issuer":"{issuer}","token_endpoint":"{issuer}/token""#),
            Self::Pushed => r#""expires_in":60"#.to_owned(),
            Self::Registration => r#""token_endpoint_auth_method":"none""#.to_owned(),
            Self::DeviceCode => {
                format!(r#""user_code":"ABCD","verification_uri":"{issuer}/device","expires_in":600"#)
            }
            _ => r#""token_type":"Bearer","expires_in":3600"#.to_owned(),
        };
        format!(r#"{{"{}":{value},{rest}}}"#, self.first())
    }

    /// What the server is sent and has no business to say again.
    fn sent(self) -> &'static [&'static str] {
        match self {
            Self::Metadata | Self::Registration => &[],
            Self::Poll => &[SECRET, DEVICE_CODE],
            _ => &[SECRET],
        }
    }

    fn first(self) -> &'static str {
        match self {
            Self::Metadata => "authorization_endpoint",
            Self::Pushed => "request_uri",
            Self::Registration => "client_id",
            Self::DeviceCode => "device_code",
            _ => "access_token",
        }
    }
}

const QUOTES: &str = r#"{"error":"invalid_request",
    "error_description":"canary-of-the-client and canary-of-the-device-code are wrong"}"#;

/// What is answered.
fn nonsense(asked: Asked, idp: &Idp, elsewhere: &Idp) -> Vec<(&'static str, Fault)> {
    let ok = |body: String| Fault::Status(200, vec![("Content-Type", "application/json")], body.leak());
    let away = |status| Fault::Status(status, vec![("Location", format!("{}/token", elsewhere.issuer).leak())], "");
    let twice = |value: &str| asked.shaped(idp, &format!(r#"{value},"{}":"other""#, asked.first()));
    vec![
        ("nothing", ok(String::new())),
        ("a page", Fault::Html200),
        ("cut short", ok(asked.shaped(idp, r#""x"#).chars().take(20).collect())),
        ("a list", ok(format!("[{}]", asked.shaped(idp, r#""x""#)))),
        ("null", ok("null".to_owned())),
        ("no member", ok("{}".to_owned())),
        ("a number", ok(asked.shaped(idp, "7"))),
        ("an object", ok(asked.shaped(idp, r#"{"a":["x"]}"#))),
        ("no text", ok(asked.shaped(idp, r#""""#))),
        ("two of one", ok(twice(r#""x""#))),
        ("a NUL", ok(asked.shaped(idp, r#""https://h.example/a\u0000b""#))),
        ("a line break", ok(asked.shaped(idp, r#""https://h.example/a\nhallpass: fine""#))),
        ("an escape", ok(asked.shaped(idp, r#""https://h.example/\u001b]0;a\u0007""#))),
        ("depth", ok(asked.shaped(idp, &"[".repeat(100_000)))),
        ("an error with status 200", ok(r#"{"error":"server_error","error_description":"a\u001b[2J"}"#.to_owned())),
        ("an error of the server", Fault::Status(500, vec![], "oops")),
        ("an answer with another status", Fault::Status(404, vec![], asked.shaped(idp, r#""x""#).leak())),
        ("a secret in its words", Fault::Status(400, vec![], QUOTES)),
        ("a redirect", away(307)),
        ("another", away(302)),
        // Last: an answer that breaks off may have spent what was sent.
        ("too much", ok(asked.shaped(idp, &json!("x".repeat(2 << 20)).to_string()))),
    ]
}

/// The line is for a person: it names what it is about, drives no terminal, and keeps to itself what is nobody's business.
#[track_caller]
fn is_told(asked: Asked, what: &str, idp: &Idp, done: Done) {
    let codes: &[i32] = match (asked, what) {
        (Asked::Metadata, "a secret in its words") => &[6],
        (_, "a secret in its words") => &[10],
        (Asked::Metadata, _) => &[6, 9], // an endpoint that is none
        (Asked::Poll, _) => &[5, 6],     // it is asked again until the code ends
        _ => &[6],
    };
    let done = done.refused(codes, &[asked.account()]);
    let host = idp.issuer.strip_prefix("http://").unwrap();
    assert!(codes[0] != 6 || done.err.contains(host), "{asked:?}, {what}: no {host}: {done:?}");
    for secret in idp.secrets().into_iter().chain(asked.sent().iter().map(|sent| (*sent).to_owned())) {
        assert!(!done.err.contains(&secret), "{asked:?}, {what}: a secret in {done:?}");
    }
    assert!(!done.err.contains(is_harmful), "{asked:?}, {what}: {done:?}");
    assert!(!done.err.lines().any(|line| line == "hallpass: fine"), "{asked:?}, {what}: {done:?}");
}

#[test]
fn nonsense_of_any_kind_leaves_the_old_session_untouched() {
    at_once(ALL, |asked| {
        let (idp, world) = asked.scene();
        let elsewhere = Idp::start();
        let (file, name) = (world.data(asked.account()), asked.account());
        let before = fs::read(&file).unwrap();
        let held = world.holdings();
        for (what, fault) in nonsense(asked, &idp, &elsewhere) {
            idp.always(asked.at(), fault);
            let asks = idp.calls(asked.at()).len();
            let was_asked = || idp.calls(asked.at()).len() > asks;
            let mut done = asked.ask(&world);
            if asked == Asked::Poll && !was_asked() {
                done = asked.ask(&world); // a busy machine had no time for the question in the second that the code lives
            }
            assert!(was_asked(), "{asked:?}, {what}: nobody asked: {done:?}");
            is_told(asked, what, &idp, done);
            assert!(fs::read(&file).unwrap() == before, "{asked:?}, {what}: the record changed");
            if (asked, what) == (Asked::Refresh, "too much") {
                later(&world);
            } else {
                assert_eq!(world.holdings(), held, "{asked:?}, {what}: something stray");
            }
            assert_eq!(elsewhere.every_call(), 0, "{asked:?}, {what}: it was followed");
            idp.heal();
        }
        assert!(idp.live_access_token(&world.token_of(name)), "{asked:?}: the session is lost");
        assert_eq!((idp.family_alive(), idp.reuses()), (true, 0), "{asked:?}");
    });
}

/// A server that never answers is left in bounded time, with the same end.
#[test]
fn silence_leaves_it_untouched_too() {
    at_once(ALL.into_iter().filter(|asked| *asked != Asked::Refresh), |asked| {
        let (idp, world) = asked.scene();
        let before = fs::read(world.data(asked.account())).unwrap();
        idp.always(asked.at(), Fault::Hang);
        let done = asked.ask(&world); // which is killed after 90 s, and has no code then
        is_told(asked, "silence", &idp, done);
        assert!(fs::read(world.data(asked.account())).unwrap() == before, "{asked:?}: the record changed");
        idp.heal();
        assert!(idp.live_access_token(&world.token_of(asked.account())), "{asked:?}: the session is lost");
    });
}

/// Nobody fails to sign in for want of a name: nonsense is no name, and a name drives no terminal.
#[test]
fn whom_a_server_speaks_nonsense_of_is_signed_in_without_a_name() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    assert_eq!(world.record()["identity"], "hal@example.com");
    let ok = |body: String| Fault::Status(200, vec![("Content-Type", "application/json")], body.leak());
    let away = Fault::Status(307, vec![("Location", "http://portal.example.com/")], "");
    let escape = r#"{"sub":"user-1","email":"a\u001b]0;b\u0007\u202e\nhallpass: fine"}"#;
    for (fault, named) in [
        (ok(String::new()), false),
        (Fault::Html200, false),
        (ok(r#"{"sub":"user-1","email":"h"#.to_owned()), false),
        (ok("[]".to_owned()), false),
        (ok(r#"{"sub":7,"email":{"a":[1]},"name":null}"#.to_owned()), false),
        (ok(r#"{"error":"server_error"}"#.to_owned()), false),
        (ok(format!(r#"{{"sub":"user-1","email":"{}"}}"#, "x".repeat(2 << 20))), false),
        (ok(format!(r#"{{"email":{}}}"#, "[".repeat(100_000))), false),
        (Fault::Status(500, vec![], "oops"), false),
        (away, false),
        (ok(escape.to_owned()), true),
        (ok(format!(r#"{{"sub":"user-1","email":"{}"}}"#, "x".repeat(10_000))), true),
    ] {
        idp.always(At::Userinfo, fault.clone());
        let done = world.with_person(&["login", "work"]).expect(0);
        assert_eq!(world.record()["identity"].is_string(), named, "{fault:?}");
        for said in [done.err, world.run(&["status"]).expect(0).out, world.run(&["whoami"]).expect(0).out] {
            assert!(!said.contains(is_harmful), "{said:?}");
            assert!(!said.lines().any(|line| line == "hallpass: fine" || line.len() > 1_000), "{said:?}");
        }
        assert!(idp.live_access_token(&world.token()));
    }
}
