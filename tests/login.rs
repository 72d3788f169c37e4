//! Signing in by the browser, from the command to the record.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

#[cfg(unix)]
use rustix::process::Signal;

use crate::answers::{At, Fault};
#[cfg(unix)]
use crate::callback::opened;
use crate::callback::{get, redirect_uri};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::runs::{Running, until};
use crate::world::{Behaviour, World};

#[test]
fn one_sign_in_and_the_token_is_there() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.sign_in();
    assert_eq!((world.opened().len(), idp.authorize_calls(), idp.count("authorization_code")), (1, 1, 1));
    assert_eq!(idp.complaints(), [""; 0]);
    let token = world.token();
    assert!(idp.live_access_token(&token));
    let calls = idp.every_call();
    assert_eq!(world.token(), token);
    assert_eq!(idp.every_call(), calls, "a hit asks nobody");
    #[cfg(unix)]
    assert_eq!([world.data("work"), world.data("")].map(|path| crate::record::mode(&path)), [0o600, 0o700]);
    let record = world.record();
    assert_eq!(record["issuer"], idp.issuer);
    assert_eq!(record["token_endpoint"], format!("{}/token", idp.issuer));
    assert_eq!(record["client_id"], "cli");
}

#[test]
fn each_attempt_has_its_own_state_nonce_and_challenge() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.sign_in();
    world.sign_in();
    let urls = world.opened();
    for key in ["state", "nonce", "code_challenge"] {
        let values: Vec<_> = urls.iter().map(|url| field(&query(url), key).unwrap_or("").to_owned()).collect();
        assert_eq!(values.len(), 2);
        assert!(values[0].len() >= 43 && values[0] != values[1], "{key}: {values:?}");
    }
    let asked = query(&urls[0]);
    assert_eq!(field(&asked, "code_challenge_method"), Some("S256"));
    assert_eq!(field(&asked, "scope"), Some("openid offline_access"));
    assert_eq!(field(&asked, "client_id"), Some("cli"));
    assert!(redirect_uri(&urls[0]).starts_with("http://127.0.0.1:"), "{urls:?}");
}

#[test]
fn a_denial_is_5_at_once_and_nothing_is_kept() {
    let idp = Idp::start();
    let world = World::new(&idp);
    idp.once(At::Authorize, Fault::Deny);
    let done = world.with_person(&["login", "work"]).refused(&[5], &["work"]);
    assert!(!done.err.contains("<script>") || !done.err.contains('\u{1b}'), "{done:?}");
    assert!(!world.has_record());
    assert_eq!(idp.count("authorization_code"), 0);
}

#[test]
fn another_issuer_in_the_callback_is_refused_for_safety() {
    for idp in [Idp::start(), Idp::builder().without_iss_promise().start()] {
        let world = World::new(&idp);
        idp.once(At::Authorize, Fault::WrongIss);
        world.with_person(&["login", "work"]).refused(&[9], &["work"]);
        assert!(!world.has_record());
        assert_eq!(idp.count("authorization_code"), 0, "the code was posted to the wrong server");
    }
}

#[test]
fn a_missing_iss_is_fine_only_where_it_was_not_promised() {
    let quiet = Idp::builder().without_iss_promise().start();
    let world = World::new(&quiet);
    quiet.once(At::Authorize, Fault::NoIss);
    world.sign_in();
    let promising = Idp::start();
    let world = World::new(&promising);
    promising.once(At::Authorize, Fault::NoIss);
    world.with_person(&["login", "work"]).refused(&[9], &["work"]);
    assert!(!world.has_record());
}

#[test]
fn an_answer_that_cannot_be_trusted_leaves_nothing_behind() {
    let cases = [
        (At::Token, Fault::WrongNonce, [9].as_slice(), "nonce"),
        (At::Token, Fault::TokenWithNewline, &[6, 9], "token"),
        (At::Token, Fault::Html200, &[6], "work"),
        (At::Token, Fault::ExpiredCode, &[4, 5], "work"),
        (At::Metadata, Fault::Html200, &[6], "work"),
        (At::Metadata, Fault::Status(500, vec![], "oops"), &[6], "work"),
        (At::Metadata, Fault::WrongIssuerInMetadata, &[9], "work"),
        (At::Metadata, Fault::PlainHttpEndpoint, &[9], "work"),
    ];
    for (at, fault, codes, word) in cases {
        let idp = Idp::builder().id_tokens().start();
        let world = World::new(&idp);
        idp.always(at, fault.clone());
        let done = world.with_person(&["login", "work"]).refused(codes, &[word]);
        assert!(!done.err.contains("host=evil"), "{fault:?}: {done:?}");
        assert!(!world.has_record(), "{fault:?} left a record");
        for secret in idp.secrets() {
            assert!(!done.err.contains(&secret), "{fault:?}: a secret in {done:?}");
        }
    }
}

#[test]
fn a_life_time_in_a_string_is_read_and_a_missing_one_is_no_obstacle() {
    for fault in [Fault::StringExpiresIn, Fault::MissingExpiresIn] {
        let idp = Idp::start();
        let world = World::new(&idp);
        idp.once(At::Token, fault);
        world.sign_in();
        assert!(idp.live_access_token(&world.token()));
    }
}

#[test]
fn a_wrong_state_does_not_end_the_wait_but_the_time_does() {
    let idp = Idp::start();
    let world = World::new(&idp);
    idp.always(At::Authorize, Fault::WrongState);
    let login = world.start(&["login", "work", "--timeout", "1"]);
    login.end().refused(&[5], &["work"]);
    assert_eq!(idp.count("authorization_code"), 0);
    world.browser(Behaviour::Ignore);
    world.start(&["login", "work", "--timeout", "1"]).end().refused(&[5], &["work"]);
    assert!(!world.has_record());
}

#[test]
fn a_taken_port_is_named_and_nobody_is_sent_there() {
    let idp = Idp::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let world = World::new(&idp);
    world.add(&format!("redirect_uri = \"http://127.0.0.1:{port}/callback\""));
    world.with_person(&["login", "work"]).refused(&[5], &[&port.to_string()]);
    assert_eq!(world.opened(), [""; 0]);
    drop(taken);
    world.sign_in();
    assert_eq!(redirect_uri(&world.opened()[0]), format!("http://127.0.0.1:{port}/callback"));
}

#[test]
fn without_a_browser_the_url_is_on_stderr_and_the_wait_goes_on() {
    let idp = Idp::start();
    for browser in ["broken", "missing"] {
        let world = World::new(&idp);
        world.browser(Behaviour::Broken);
        let mut command = world.command(&["login", "work"]);
        command.env("HALLPASS_INTERACTIVE", "always").stdin(Stdio::null()).stdout(Stdio::null());
        if browser == "missing" {
            command.env("BROWSER", world.path("no-such-browser"));
        }
        command.stderr(fs::File::create(world.path("stderr")).unwrap());
        let login = Running::start_as_is(command);
        let start = format!("{}/authorize?", idp.issuer);
        let url = until("the URL on stderr", || {
            let text = fs::read_to_string(world.path("stderr")).unwrap();
            let from = text.find(&start)?;
            let (url, _) = text[from..].split_once(|c: char| c.is_whitespace() || c == '`')?;
            Some(url.to_owned())
        });
        assert_eq!(get(&crate::callback::approve(&url)).status, 200, "{browser}");
        login.end().expect(0);
        assert!(world.has_record());
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_with_its_code_and_keeps_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let idp = Idp::start();
        let world = World::new(&idp);
        world.browser(Behaviour::Ignore);
        let login = world.start(&["login", "work"]);
        opened(&world);
        login.signal(signal);
        let done = login.end();
        // Ended by the signal itself (no code, as the shell wants to see it) or with the code of the contract.
        assert!(done.code.is_none() || done.code == Some(code), "{done:?}");
        assert!(!world.has_record());
        assert!(!world.data("work.next").exists());
    }
}

#[test]
fn a_get_with_a_person_there_signs_in_and_one_without_says_how() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
    assert_eq!(world.opened(), [""; 0]);
    let done = world.with_person(&["get"]).expect(0);
    assert!(idp.live_access_token(done.out.trim_end()), "{done:?}");
    assert_eq!(done.out.lines().count(), 1);
}

#[test]
fn an_account_nobody_configured_cannot_sign_in() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.with_person(&["login", "nosuch"]).refused(&[2, 3, 10], &["nosuch"]);
    assert_eq!(world.opened(), [""; 0]);
}

#[test]
fn an_unanswered_page_keeps_tools_from_opening_another_but_not_people() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add("timeout = \"1s\"");
    world.browser(Behaviour::Ignore);
    world.start(&["get"]).end().refused(&[5], &["work"]);
    assert_eq!(world.opened().len(), 1);
    world.start(&["get"]).end().refused(&[4, 5], &["hallpass login work"]);
    assert_eq!(world.opened().len(), 1, "a tab for every call of an editor");
    world.config(&World::account("work", &idp, crate::world::SERVES));
    world.browser(Behaviour::Follow);
    world.sign_in();
    assert!(idp.live_access_token(&world.token()));
}

#[test]
fn a_denial_is_an_answer_and_leaves_no_mark() {
    let idp = Idp::start();
    let world = World::new(&idp);
    idp.once(At::Authorize, Fault::Deny);
    world.with_person(&["get"]).refused(&[5], &["work"]);
    world.with_person(&["get"]).expect(0);
    assert_eq!(world.opened().len(), 2);
}
