//! Servers whose device flow cannot be used, or must not be: what is refused, what is made harmless.

use serde_json::{Value, json};

use crate::answers::{At, Fault};
use crate::device::{at_once, pages, scene};
use crate::device_grants::{Device, GRANT, Poll};
use crate::idp::Idp;
use crate::runs::until;
use crate::world::{Behaviour, World};

const LOGIN: &[&str] = &["login", "work", "--device"];

fn granted() -> Device {
    Device::script(&[Poll::Granted])
}

#[test]
fn a_server_without_it_is_10_and_the_browser_is_named() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let done = world.with_person(LOGIN).refused(&[10], &["work", "device flow", "hallpass login work"]);
    assert_eq!((world.opened().len(), world.has_record()), (0, false), "{done:?}");
    world.run(&["login", "work", "--device", "--paste"]).expect(2);
}

#[test]
fn a_page_that_is_no_https_page_is_9_and_never_opened() {
    for page in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://id.example.com/device",
        "https://id.example.com@evil.example/device",
        "//id.example.com/device",
        "WDJB-MJHT",
        "",
    ] {
        let (idp, world) = scene(granted().with("verification_uri", page));
        let done = world.run(&["login", "work", "--device", "--no-open"]).refused(&[9], &["work"]);
        world.run(LOGIN).refused(&[9], &["work"]);
        assert!(!done.err.contains("javascript:"), "{page}: {done:?}");
        assert_eq!((world.opened(), idp.count(GRANT), world.has_record()), (vec![], 0, false), "{page}");
    }
}

#[test]
fn a_complete_address_of_another_kind_is_left_aside() {
    let others = ["javascript:alert(1)", "http://id.example.com/device?user_code=A", "file:///etc/passwd", "nonsense"];
    at_once(others, |complete| {
        let (idp, world) = scene(granted().with("verification_uri_complete", complete));
        world.run(LOGIN).expect(0);
        assert_eq!(until("a browser", || world.opened().pop()), pages(&idp).0, "{complete}");
    });
}

/// Moves a cursor, rings a bell, or turns a line around.
pub fn is_harmful(letter: char) -> bool {
    (letter.is_control() && letter != '\n') || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn what_a_server_sends_is_harmless_on_a_terminal() {
    let code = "A\u{1b}[2J\u{7}\u{9b}31m\u{202e}B\u{2066}\r\nhallpass: signed in";
    let page = "https://id.example.com/d\u{1b}]0;title\u{7}\u{202e}ecived/\nhallpass: signed in";
    let members = [("user_code", code), ("verification_uri", page), ("verification_uri_complete", page)];
    let cases = members.into_iter().flat_map(|member| [(member, [].as_slice()), (member, &["--no-open"])]);
    at_once(cases, |((name, value), rest)| {
        let (_idp, world) = scene(granted().with(name, value));
        let done = world.run(&[LOGIN, rest].concat()).expect_any(&[0, 9]);
        for text in [&done.out, &done.err] {
            assert!(!text.contains(is_harmful), "{name} {rest:?}: {done:?}");
            let lines = text.lines().filter(|line| line.starts_with("hallpass: signed in")).count();
            assert!(lines <= 1, "{name} {rest:?}: a line of the server's own: {done:?}");
        }
    });
}

#[test]
fn the_servers_words_of_a_refusal_are_harmless_too() {
    let words = r#"{"error":"invalid_client\u001b[2J","error_description":"no\u001b]0;x\u0007 \u202eway"}"#;
    for at in [At::Device, At::Token] {
        let (idp, world) = scene(granted());
        idp.always(at, Fault::Status(401, vec![("Content-Type", "application/json")], words));
        let done = world.run(LOGIN).refused(&[10], &["work", "invalid_client"]);
        assert!(!done.err.contains(is_harmful), "{done:?}");
        assert!(!world.has_record());
    }
}

#[test]
fn an_answer_without_what_is_needed_is_no_code() {
    for name in ["device_code", "user_code", "verification_uri"] {
        for value in [Value::Null, json!(7), json!(["x"])] {
            let (idp, world) = scene(granted().with(name, value.clone()));
            let done = world.run(LOGIN).refused(&[5, 6, 9], &["work"]);
            assert_eq!((world.opened().len(), idp.count(GRANT), world.has_record()), (0, 0, false), "{name}: {done:?}");
        }
    }
    for fault in
        [Fault::Html200, Fault::Status(500, vec![], "oops"), Fault::Status(404, vec![], ""), Fault::CloseBeforeAnswer]
    {
        let (idp, world) = scene(granted());
        idp.always(At::Device, fault.clone());
        world.run(LOGIN).refused(&[6], &["work"]);
        assert_eq!((world.opened().len(), idp.count(GRANT), world.has_record()), (0, 0, false), "{fault:?}");
    }
}

#[test]
fn an_unregistered_client_is_told_so_in_githubs_way_too() {
    let (idp, world) = scene(granted());
    idp.always(
        At::Device,
        Fault::Status(200, vec![], r#"{"error":"device_flow_disabled","error_description":"ask the owner"}"#),
    );
    world.run(LOGIN).refused(&[10], &["work", "device_flow_disabled", "ask the owner"]);
    assert!(!world.has_record());
}

#[test]
fn a_token_that_cannot_be_used_is_not_kept_and_the_reason_is_said() {
    let (idp, world) = scene(granted());
    idp.once(At::Token, Fault::TokenWithNewline);
    let done = world.run(LOGIN).refused(&[5, 6, 9], &["work", "line break"]);
    assert!(!world.has_record() && !done.err.contains("host=evil"), "{done:?}");
}

#[test]
fn an_https_page_of_a_client_side_router_is_a_page() {
    let page = "https://start.example.com/start/#/device";
    let (idp, world) = scene(
        granted()
            .with("verification_uri", page)
            .with("verification_uri_complete", format!("{page}?user_code=WDJB-MJHT")),
    );
    world.run(LOGIN).expect(0).says(&[page]);
    assert!(idp.live_access_token(&world.token()));
}

/// A tool that comes again every few minutes must not fill the screen with pages that nobody answers.
#[test]
fn an_unanswered_code_keeps_tools_from_opening_another_but_not_people() {
    at_once([(900, "1s"), (2, "300s")], |(expires_in, timeout)| {
        let (idp, world) = scene(Device::script(&[Poll::Pending]).with("expires_in", expires_in));
        world.add(&format!("flow = \"device\"\ntimeout = \"{timeout}\""));
        world.start(&["get"]).end().refused(&[5], &["work"]);
        assert_eq!(world.opened().len(), 1);
        world.start(&["get"]).end().refused(&[4, 5], &["hallpass login work"]);
        assert_eq!((world.opened().len(), idp.calls(At::Device).len()), (1, 1), "{timeout}: a tab for every call");
        world.browser(Behaviour::Follow);
        world.with_person(&["login", "work"]).expect_any(&[0, 5]);
        assert_eq!(idp.calls(At::Device).len(), 2, "a person may");
    });
}
