//! Accounts that need no person: client credentials, token exchange, and a command that knows the token.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::answers::{At, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::runs::done;
use crate::world::World;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// An account `ci` of this server, with these lines.
fn world(idp: &Idp, lines: &str) -> World {
    let world = World::new(idp);
    let serves = "serves = [\"https://ci.example.com\"]";
    world.add(&format!("[account.ci]\nissuer = \"{}\"\nclient_id = \"robot\"\n{serves}\n{lines}\n", idp.issuer));
    world
}

#[test]
fn a_client_with_a_secret_needs_nobody() {
    let idp = Idp::start();
    let world = world(&idp, "flow = \"client_credentials\"\nclient_secret_file = \"secret\"\nscope = [\"a\", \"b\"]");
    fs::write(world.config_file().with_file_name("secret"), "s3cret:&\n").unwrap();
    // CI, no terminal, and nobody ever signed in.
    let got = done(world.hallpass(&["get", "ci"]).env("CI", "true")).expect(0);
    assert_eq!(got.err, "", "not a word where all is well");
    let token = got.out.trim_end().to_owned();
    assert!(idp.live_access_token(&token));
    let asked = idp.calls(At::Token).remove(0);
    assert_eq!(asked.basic, Some(BASE64_STANDARD.encode("robot:s3cret%3A%26")));
    assert_eq!(
        (field(&asked.form, "grant_type"), field(&asked.form, "scope")),
        (Some("client_credentials"), Some("a b"))
    );
    assert_eq!(world.run(&["get", "ci"]).expect(0).out, got.out, "kept");
    assert_eq!(idp.count("client_credentials"), 1);
    assert!(world.run(&["status", "ci"]).expect(0).out.contains("by machine identity"));
    // Expired: a new one, by itself.
    let mut record = world.record_of("ci");
    crate::record::shift(&mut record, 4000);
    crate::record::write(&world.data("ci"), &record);
    assert_ne!(world.run(&["get", "ci"]).expect(0).out, got.out);
    assert_eq!((idp.count("client_credentials"), world.opened().len()), (2, 0));
}

#[test]
fn a_hundred_callers_make_one_request() {
    let idp = Idp::builder().latency(100).start();
    let world = world(&idp, "flow = \"client_credentials\"\nclient_secret_file = \"secret\"");
    fs::write(world.config_file().with_file_name("secret"), "s").unwrap();
    let callers: Vec<_> = (0..40).map(|_| world.start(&["get", "ci"])).collect();
    let tokens: std::collections::BTreeSet<_> = callers.into_iter().map(|caller| caller.end().expect(0).out).collect();
    assert_eq!((tokens.len(), idp.count("client_credentials")), (1, 1));
}

#[test]
fn credentials_that_are_missing_or_refused_are_a_matter_of_configuration() {
    let idp = Idp::start();
    let world = world(&idp, "flow = \"client_credentials\"");
    world.run(&["get", "ci"]).refused(&[10], &["ci", "client_secret_file"]);
    world.config(&format!("{}client_secret_file = \"secret\"\n", world.config_text()));
    world.run(&["get", "ci"]).refused(&[10], &["secret"]);
    fs::write(world.config_file().with_file_name("secret"), "s").unwrap();
    idp.once(At::Token, Fault::Status(401, vec![], r#"{"error":"invalid_client"}"#));
    world.run(&["get", "ci"]).refused(&[10], &["ci", "invalid_client"]);
    idp.once(At::Token, Fault::Status(503, vec![], ""));
    world.run(&["get", "ci"]).refused(&[6], &["ci", "503"]);
    world.run(&["get", "ci"]).expect(0);
}

#[test]
fn one_account_hands_out_a_narrower_token_of_another() {
    let idp = Idp::start();
    let lines = "flow = \"token_exchange\"\nsubject_account = \"work\"\nscope = [\"repo:read\"]\nresource = \"https://ci.example.com\"";
    let world = world(&idp, lines);
    world.run(&["get", "ci"]).refused(&[4], &["work", "hallpass login work"]);
    world.sign_in();
    let own = world.token_of("work");
    let got = world.run(&["get", "ci"]).expect(0);
    assert_eq!(got.err, "");
    assert!(idp.live_access_token(got.out.trim_end()) && got.out.trim_end() != own);
    let asked = idp.calls(At::Token).pop().unwrap().form;
    for (key, value) in [
        ("grant_type", EXCHANGE),
        ("subject_token", &own),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", "repo:read"),
        ("resource", "https://ci.example.com"),
        ("client_id", "robot"),
    ] {
        assert_eq!(field(&asked, key), Some(value), "{key}");
    }
    let record = world.record_of("ci");
    assert!(record["refresh_token"].is_null() && record["scope"] == "repo:read");
    // Each has a life of its own: the derived one ends, the session behind it is refreshed where it must be.
    world.shift(4000);
    let mut record = world.record_of("ci");
    crate::record::shift(&mut record, 4000);
    crate::record::write(&world.data("ci"), &record);
    let next = world.run(&["get", "ci"]).expect(0).out;
    assert!(next != got.out && idp.live_access_token(next.trim_end()));
    assert_eq!((idp.count("refresh_token"), idp.count(EXCHANGE), idp.reuses()), (1, 2, 0));
    assert_eq!(
        world.run(&["header", "https://ci.example.com/x"]).expect(0).out.trim_end(),
        format!("Authorization: Bearer {}", next.trim_end())
    );
}

#[test]
fn what_is_exchanged_may_be_in_a_file_or_a_variable() {
    let idp = Idp::start();
    idp.add_pat("from-a-file");
    idp.add_pat("from-a-variable");
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    for (line, subject) in
        [("subject_token_file = \"subject\"", "from-a-file"), ("subject_token_env = \"JOB\"", "from-a-variable")]
    {
        let world = world(&idp, &format!("flow = \"token_exchange\"\n{line}\nsubject_token_type = \"{jwt}\""));
        let get = || done(world.hallpass(&["get", "ci"]).env("JOB", "from-a-variable"));
        if line.contains("file") {
            get().refused(&[10], &["subject"]);
            fs::write(world.config_file().with_file_name("subject"), "from-a-file\n").unwrap();
        }
        assert!(idp.live_access_token(get().expect(0).out.trim_end()));
        let asked = idp.calls(At::Token).pop().unwrap().form;
        assert_eq!((field(&asked, "subject_token"), field(&asked, "subject_token_type")), (Some(subject), Some(jwt)));
    }
    for lines in ["", "subject_account = \"ci\"", "subject_account = \"nobody\"", "subject_token_env = \"NOT_SET\""] {
        let world = world(&idp, &format!("flow = \"token_exchange\"\n{lines}"));
        world.run(&["get", "ci"]).refused(&[10], &[]);
    }
}

#[cfg(unix)]
#[test]
fn a_command_may_know_the_token() {
    let idp = Idp::start();
    let world = world(&idp, "flow = \"token\"\ntoken_command = [\"VAULT\", \"read\", \"a b; c\"]");
    let log = world.path("log");
    let vault = world.script(
        "vault",
        &format!(
            "#!/bin/sh\nprintf '%s|' \"$@\" >>{}\ncat {} 2>/dev/null\n",
            log.display(),
            world.path("token").display()
        ),
    );
    world.config(&world.config_text().replace("VAULT", vault.to_str().unwrap()));
    world.run(&["get", "ci"]).refused(&[2, 4], &["ci"]);
    fs::write(world.path("token"), "first\n").unwrap();
    idp.add_pat("first");
    idp.add_pat("second");
    let got = done(world.hallpass(&["get", "ci"]).env("CI", "1")).expect(0);
    assert_eq!((got.out.as_str(), got.err.as_str()), ("first\n", ""));
    assert!(fs::read_to_string(&log).unwrap().ends_with("read|a b; c|"), "no shell saw its words");
    let runs = fs::read_to_string(&log).unwrap();
    world.run(&["get", "ci"]).expect(0);
    assert_eq!(fs::read_to_string(&log).unwrap(), runs, "kept until it is refused");
    // Rotated: the next sign-in takes the new one, and a pipe goes before the command.
    fs::write(world.path("token"), "second\n").unwrap();
    world.run(&["login", "ci"]).expect(0);
    assert_eq!(world.run(&["get", "ci"]).expect(0).out, "second\n");
    world.ask(&["login", "ci", "--token-stdin"], "first").expect(0);
    assert_eq!(world.run(&["get", "ci"]).expect(0).out, "first\n");
    for odd in ["two words", "", "a\u{1b}b"] {
        fs::write(world.path("token"), odd).unwrap();
        world.run(&["login", "ci"]).refused(&[2], &["ci"]);
    }
    assert_eq!(world.run(&["get", "ci"]).expect(0).out, "first\n", "an older one stays");
    world.config(&world.config_text().replace(vault.to_str().unwrap(), "no-such-program-here"));
    world.run(&["login", "ci"]).refused(&[10], &["token_command", "no-such-program-here"]);
}

/// A server that quotes what it was sent, in words that are for a person.
#[test]
fn a_server_that_quotes_a_secret_is_not_repeated() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let secret = world.record()["refresh_token"].as_str().unwrap().to_owned();
    for (error, quoted) in [("invalid_client", &secret[..]), ("invalid_grant", &secret[8..40])] {
        let body = format!(r#"{{"error":"{error}","error_description":"no such token: {quoted}..."}}"#);
        idp.once(At::Token, Fault::Status(400, vec![], body.leak()));
        world.shift(4000);
        let done = world.run(&["get"]).refused(&[4, 10], &["work", error]);
        assert!(!done.err.contains(quoted), "{done:?}");
    }
    let world = World::bare();
    let lines = "serves = [\"https://ci.example.com\"]\nflow = \"token_exchange\"\nsubject_token_env = \"SUBJECT\"";
    world.config(&format!("[account.ci]\nissuer = \"{}\"\nclient_id = \"robot\"\n{lines}\n", idp.issuer));
    let body = r#"{"error":"invalid_request","error_description":"subject canary-of-a-stranger-2 is odd"}"#;
    idp.once(At::Token, Fault::Status(400, vec![], body));
    let done = done(world.hallpass(&["get", "ci"]).env("SUBJECT", "canary-of-a-stranger-2"));
    let done = done.refused(&[10], &["ci", "invalid_request"]);
    assert!(!done.err.contains("canary"), "{done:?}");
}
