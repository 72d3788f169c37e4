//! The helpers that print a token in their own wrapping: google, pnpm, mail, headers.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::idp::Idp;
use crate::runs::{Done, Running, done};
use crate::tools::Link;
use crate::world::World;

fn google(world: &World, env: &[(&str, &str)]) -> Value {
    let mut command = world.hallpass(&["google"]);
    for (name, value) in env {
        command.env(format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"), value);
    }
    let done = done(command.env("HALLPASS_INTERACTIVE", "always")).expect(0);
    assert_eq!(done.err, "", "its caller mixes stderr into the answer");
    serde_json::from_str(&done.out).unwrap()
}

#[test]
fn google_gets_an_id_token_and_nothing_else() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let id = world.kept("id_token");
    for kind in ["id_token", "jwt"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let answer = google(&world, &[("INTERACTIVE", "0"), ("TOKEN_TYPE", &kind)]);
        let end = id["expires_at"].as_i64().unwrap() - 60;
        let want = json!({"version": 1, "success": true, "token_type": kind, "id_token": id["secret"], "expiration_time": end});
        assert_eq!(answer, want);
    }
    let saml = google(&world, &[("TOKEN_TYPE", "urn:ietf:params:oauth:token-type:saml2")]);
    assert_eq!((&saml["success"], &saml["code"]), (&json!(false), &json!("10")));
    let revoke = google(&world, &[("REVOKE", "1"), ("INTERACTIVE", "0")]);
    assert!(revoke["message"].as_str().unwrap().contains("hallpass logout work"), "{revoke}");
    let plain = Idp::start();
    let world = World::signed_in(&plain);
    let none = google(&world, &[("INTERACTIVE", "0")]);
    assert_eq!(none["success"], false, "an access token is never given in its place: {none}");
}

#[test]
fn google_opens_no_page_and_shows_no_token_on_a_terminal() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::new(&idp);
    let answer = google(&world, &[("INTERACTIVE", "0")]);
    assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("4")));
    assert!(answer["message"].as_str().unwrap().contains("hallpass login work"), "{answer}");
    assert_eq!(world.opened(), [""; 0]);
    world.sign_in();
    let done = done(world.hallpass(&["google"]).env("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "1"));
    done.refused(&[2], &["hallpass login"]);
}

#[test]
fn pnpm_gets_the_scheme_too() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let want = format!("Bearer {}\n", world.token());
    for name in ["hallpass-npm", "hallpass-npm-work"] {
        let done = Link::new(&world, name).run(&[]).expect(0);
        assert_eq!((done.out, done.err), (want.clone(), String::new()), "{name}");
    }
    Link::new(&world, "hallpass-npm-nosuch").run(&[]).refused(&[3], &["nosuch"]);
    let world = World::new(&idp);
    let link = Link::new(&world, "hallpass-npm").env("HALLPASS_INTERACTIVE", "always");
    link.run(&[]).refused(&[4], &["hallpass login work"]);
    assert_eq!(world.opened(), [""; 0], "it runs for `pnpm --version` too");
}

#[test]
fn mail_gets_the_whole_response() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let said = |args: &[&str]| {
        let done = world.run(args).expect(0);
        assert_eq!(done.err, "");
        String::from_utf8(STANDARD.decode(done.out.strip_suffix('\n').unwrap()).unwrap()).unwrap()
    };
    let place = "imaps://mail.example.com";
    assert_eq!(
        said(&["xoauth2", place, "--user", "me@example.com"]),
        format!("user=me@example.com\u{1}auth=Bearer {token}\u{1}\u{1}")
    );
    assert_eq!(
        said(&["oauthbearer", place, "--user=me@example.com"]),
        format!("n,a=me@example.com,\u{1}host=mail.example.com\u{1}port=993\u{1}auth=Bearer {token}\u{1}\u{1}")
    );
    assert_eq!(said(&["xoauth2"]), format!("user=oauth2\u{1}auth=Bearer {token}\u{1}\u{1}"));
    world.run(&["xoauth2", "imaps://mail.evil.example"]).refused(&[3], &[]);
    world.run(&["xoauth2", "--user"]).refused(&[2], &[]);
}

#[test]
fn headers_are_an_object() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let want = format!("{{\"Authorization\":\"Bearer {}\"}}\n", world.token());
    assert_eq!(world.run(&["headers"]).expect(0).out, want);
    assert_eq!(world.run(&["headers", "https://git.example.com/mcp"]).expect(0).out, want);
    let of_server = |url: &str| -> Done { done(world.hallpass(&["headers"]).env("CLAUDE_CODE_MCP_SERVER_URL", url)) };
    assert_eq!(of_server("https://git.example.com/mcp").expect(0).out, want);
    of_server("https://evil.example/mcp").refused(&[3], &[]);
}

/// Some callers hand down a pipe that never ends, or the mail itself.
#[test]
fn a_stdin_that_never_ends_is_not_waited_for() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let prompt = "Password for 'https://git.example.com': ";
    for args in [
        &["google"][..],
        &["pnpm"],
        &["xoauth2"],
        &["oauthbearer"],
        &["headers"],
        &["askpass", prompt],
        &["goauth"],
        &["keyring", "get", "https://git.example.com", "me"],
        &["terraform", "get", "git.example.com"],
        &["vault", "erase"],
    ] {
        let (read, write) = std::io::pipe().unwrap();
        let mut command = world.command(args);
        command.stdin(read).stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = Running::start_as_is(command).end_within(20).expect(0);
        drop(write);
        assert_eq!(done.err, "", "{args:?}");
    }
}
