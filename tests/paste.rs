//! Signing in by pasting back, on a real terminal.

use crate::callback::approve;
use crate::forms::{encode, field, query, with};
use crate::idp::Idp;
use crate::runs::has;
use crate::terminal::Terminal;
use crate::world::World;

const PASTE: &str = "exec \"$HALLPASS\" login work --paste";

/// Starts a paste-back sign-in; gives the terminal and the URL the browser would have been sent to.
fn begin(world: &World, idp: &Idp, snippet: &str) -> (Terminal, String) {
    let terminal = Terminal::run(world, snippet);
    let callback = approve(&terminal.url(&idp.issuer));
    (terminal, callback)
}

#[test]
fn the_whole_address_or_the_code_may_be_pasted() {
    if !has("setsid") {
        return;
    }
    for form in ["address", "query", "code=", "code", "address in quotes"] {
        let idp = Idp::start();
        let world = World::new(&idp);
        let (mut terminal, callback) = begin(&world, &idp, PASTE);
        let code = field(&query(&callback), "code").unwrap().to_owned();
        let typed = match form {
            "address" => callback,
            "query" => callback.split_once('?').unwrap().1.to_owned(),
            "code=" => format!("code={}", encode(&code)),
            "code" => code,
            _ => format!("  '{callback}' "),
        };
        terminal.keys(&format!("{typed}\n"));
        let done = terminal.end().expect(0);
        assert!(idp.live_access_token(&world.token()), "{form}: {done:?}");
        assert_eq!(world.opened(), [""; 0], "{form}: no browser is wanted");
    }
}

#[test]
fn no_browser_is_the_same_as_paste() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let (mut terminal, callback) = begin(&world, &idp, "exec \"$HALLPASS\" login work --no-browser");
    terminal.keys(&format!("{callback}\n"));
    terminal.end().expect(0);
    assert!(world.has_record());
}

#[test]
fn a_wrong_state_is_refused_three_times_and_then_it_ends() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let (mut terminal, callback) = begin(&world, &idp, PASTE);
    let wrong = with(&callback, "state", Some("some-other-state"));
    for _ in 0..3 {
        terminal.keys(&format!("{wrong}\n"));
    }
    terminal.end().expect(5);
    assert_eq!(idp.count("authorization_code"), 0);
    assert!(!world.has_record());
}

#[test]
fn two_mistakes_are_forgiven() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let (mut terminal, callback) = begin(&world, &idp, PASTE);
    terminal.keys("https://elsewhere.example/?what=this\n");
    terminal.keys(&format!("{}\n", with(&callback, "state", Some("some-other-state"))));
    terminal.keys(&format!("{callback}\n"));
    terminal.end().expect(0);
    assert!(world.has_record());
}

#[test]
fn a_pasted_address_of_another_issuer_is_refused() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let (mut terminal, callback) = begin(&world, &idp, PASTE);
    let wrong = with(&callback, "iss", Some("https://other.example.com"));
    for _ in 0..3 {
        terminal.keys(&format!("{wrong}\n"));
    }
    terminal.end().expect_any(&[5, 9]);
    assert_eq!(idp.count("authorization_code"), 0);
    assert!(!world.has_record());
}

#[test]
fn it_reads_the_terminal_even_when_stdin_is_a_pipe() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let snippet = "printf 'code=planted\\n' | \"$HALLPASS\" login work --paste";
    let (mut terminal, callback) = begin(&world, &idp, snippet);
    terminal.keys(&format!("{callback}\n"));
    terminal.end().expect(0);
    assert!(world.has_record());
}

#[test]
fn control_c_at_the_prompt_ends_it() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let (mut terminal, _) = begin(&world, &idp, PASTE);
    terminal.keys("\u{3}");
    let done = terminal.end();
    assert!(matches!(done.code, None | Some(130)), "{done:?}");
    assert!(!world.has_record());
}

#[test]
fn without_a_terminal_it_fails_at_once() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let mut command = assert_cmd::Command::from_std(world.program("setsid", &["--wait", "sh", "-c", PASTE]));
    let done =
        crate::runs::done(command.env_remove("HALLPASS_INTERACTIVE").timeout(std::time::Duration::from_secs(30)));
    done.refused(&[2, 4, 5], &["work"]);
    assert!(!world.has_record());
}

#[test]
fn a_person_at_a_terminal_is_signed_in_by_get() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let terminal = Terminal::run(&world, "T=$(\"$HALLPASS\" get) && echo \"got=$T.\"");
    let done = terminal.end().expect(0);
    assert_eq!(world.opened().len(), 1);
    assert!(done.out.contains(&format!("got={}.", world.token())), "{done:?}");
}

#[test]
fn in_the_background_or_in_ci_nobody_is_asked() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let cases = [
        "CI=true \"$HALLPASS\" get",
        "HALLPASS_INTERACTIVE=never \"$HALLPASS\" get",
        "set -m; \"$HALLPASS\" get & wait $!",
        "HALLPASS_INTERACTIVE=always GIT_TERMINAL_PROMPT=0 \"$HALLPASS\" git get <question",
    ];
    for snippet in cases {
        let world = World::new(&idp);
        std::fs::write(world.path("home/question"), "protocol=https\nhost=git.example.com\n\n").unwrap();
        let done = Terminal::run(&world, snippet).end();
        assert!(done.out.contains("hallpass login work"), "{snippet}: {done:?}");
        assert_eq!(world.opened(), [""; 0], "{snippet}");
    }
}
