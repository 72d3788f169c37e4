//! The helpers that print a token in their own wrapping: google, pnpm, mail, headers.

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answers::{At, Fault};
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
    done.refused(&[10], &["output_file"]);
}

/// Run as its interactive mode does: the terminal is the person's, the answer is in the file.
fn google_interactively(world: &World, file: &Path) -> Done {
    let mut command = world.hallpass(&["google"]);
    command.env("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "1").env("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", file);
    done(command.env("HALLPASS_INTERACTIVE", "always"))
}

#[test]
fn google_finds_the_answer_in_its_output_file() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let file = world.path("home/cache.json");
    let path = file.to_str().unwrap();
    let answer = google(&world, &[("INTERACTIVE", "0"), ("OUTPUT_FILE", path)]);
    assert_eq!(answer["success"], true);
    let read = || serde_json::from_str::<Value>(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(read(), answer);
    #[cfg(unix)]
    assert_eq!(crate::record::mode(&file), 0o600);
    assert_eq!(
        std::fs::read_dir(world.path("home")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count(),
        1,
        "nothing is left beside it"
    );
    // A failure stays where it was said.
    let failed = google(&world, &[("OUTPUT_FILE", path), ("TOKEN_TYPE", "urn:ietf:params:oauth:token-type:saml2")]);
    assert_eq!((&failed["success"], read()), (&json!(false), answer.clone()));
    // Where no file can be, stdout has the answer, and not a word more.
    #[cfg(unix)]
    std::os::unix::fs::symlink(world.path("home/elsewhere"), world.path("home/link")).unwrap();
    for odd in ["home/nowhere/cache.json", "home", "home/link"] {
        if cfg!(windows) && odd == "home/link" {
            continue; // links need a privilege there
        }
        let odd = world.path(odd);
        let again = google(&world, &[("INTERACTIVE", "0"), ("OUTPUT_FILE", odd.to_str().unwrap())]);
        assert_eq!(again, answer, "{}", odd.display());
        google_interactively(&world, &odd).refused(&[7], &[odd.to_str().unwrap(), "cannot be written"]);
    }
    google_interactively(&world, Path::new("cache.json")).refused(&[7], &["begin at the root"]);
    assert!(!world.path("home/nowhere").exists() && !world.path("home/elsewhere").exists());
}

#[test]
fn googles_interactive_mode_signs_in_and_shows_no_token() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::new(&idp);
    let file = world.path("home/cache.json");
    let done = google_interactively(&world, &file).expect(0);
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(answer["id_token"], world.kept("id_token")["secret"]);
    assert!(done.out.is_empty() && !done.err.contains(answer["id_token"].as_str().unwrap()), "{done:?}");
    assert_eq!(world.opened().len(), 1);
    idp.always(At::Authorize, Fault::Deny);
    std::fs::remove_file(world.data("work")).unwrap();
    std::fs::remove_file(&file).unwrap();
    google_interactively(&world, &file).refused(&[5], &["hallpass login work"]);
    assert!(!file.exists(), "no failure is written");
}

#[test]
fn googles_revoke_signs_out() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let (file, token) = (world.path("home/cache.json"), world.token());
    let path = file.to_str().unwrap();
    google(&world, &[("INTERACTIVE", "0"), ("OUTPUT_FILE", path)]);
    let revoke = || google(&world, &[("REVOKE", "1"), ("INTERACTIVE", "1"), ("OUTPUT_FILE", path)]);
    assert_eq!(revoke(), json!({"version": 1, "success": true}));
    assert!(!file.exists() && !world.has_record() && !idp.live_access_token(&token));
    assert_eq!(revoke(), json!({"version": 1, "success": true}), "nothing is left to revoke");
    world.sign_in();
    idp.always(At::Revoke, Fault::Status(503, vec![], ""));
    let partly = revoke();
    assert_eq!((&partly["success"], &partly["code"]), (&json!(false), &json!("6")), "{partly}");
    assert!(!world.has_record(), "gone here all the same");
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
        let done = Running::start_as_is(command).end().expect(0);
        drop(write);
        assert_eq!(done.err, "", "{args:?}");
    }
}
