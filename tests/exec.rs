//! `hallpass exec`: the token in one command's environment and nowhere else.

use rustix::process::Signal;

use crate::idp::Idp;
use crate::runs::{Running, done, until};
use crate::world::World;

#[test]
fn the_command_has_the_token_and_its_own_end() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let run = |words: &[&str], stdin: &str| world.ask(&[&["exec", "-e", "TOKEN=work", "--"], words].concat(), stdin);
    let ran =
        run(&["sh", "-c", "cat; printf '%s|%s' \"$TOKEN\" \"$*\"; exit 7", "sh", "-e", "a b"], "on stdin|").expect(7);
    assert_eq!((ran.out, ran.err.as_str()), (format!("on stdin|{token}|-e a b"), ""));
    // Not in anybody's arguments, and in no other variable.
    let seen = run(&["sh", "-c", "tr '\\0' '\\n' </proc/$$/cmdline; env | grep -c \"$TOKEN\""], "").expect(0).out;
    assert!(!seen.contains(&token) && seen.ends_with("\n1\n"), "{seen}");
    assert_eq!(done(world.hallpass(&["get"]).env_remove("TOKEN")).expect(0).out, format!("{token}\n"));
}

#[test]
fn without_a_variable_it_is_the_providers_own() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.run(&["exec", "--", "true"]).refused(&[2], &["work", "-e VAR=work"]);
    world.config("[account.warmhub]\nprovider = \"warmhub\"\napi_url = \"http://127.0.0.1:9\"\n");
    let mut command = world.hallpass(&["exec", "--", "sh", "-c", "echo $WH_TOKEN"]);
    assert_eq!(done(command.env("HALLPASS_TOKEN_WARMHUB", "wh_pat")).expect(0).out, "wh_pat\n");
}

#[test]
fn several_tokens_by_account_by_place_and_by_default() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.add("[account.other]\nissuer = \"https://id.example.com\"\nclient_id = \"c\"\nserves = [\"https://o.example.com\"]\n");
    world.run(&["accounts", "use", "work"]).expect(0);
    let words = ["exec", "-e", "A=work", "--env", "B=https://o.example.com/x", "-e", "C", "--", "sh", "-c"];
    let mut command = world.hallpass(&[&words[..], &["echo $A $B $C"]].concat());
    let token = world.token();
    let ran = done(command.env("HALLPASS_TOKEN_OTHER", "the-other")).expect(0);
    assert_eq!(ran.out, format!("{token} the-other {token}\n"));
}

#[test]
fn it_takes_hallpasss_place_and_its_signals() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (began, ended) = (world.path("began"), world.path("ended"));
    let script = format!(
        "trap 'echo ended >{}; exit 9' TERM; echo $$ >{}; while :; do sleep 0.05; done",
        ended.display(),
        began.display()
    );
    let running = world.start(&["exec", "-e", "T=work", "--", "sh", "-c", &script]);
    until("the command's start", || std::fs::read_to_string(&began).ok().filter(|pid| pid.ends_with('\n')));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(9));
    assert!(ended.exists());
}

#[test]
fn what_cannot_be_run_or_given_runs_nothing() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let ran = world.path("ran");
    let touch = ["touch", ran.to_str().unwrap()];
    let exec = |words: &[&str]| world.run(&[&["exec"], words, &["--"], &touch].concat());
    exec(&["-e", "T=work"]).refused(&[4], &["hallpass login work"]);
    exec(&["-e", "T=nobody"]).refused(&[3], &["nobody"]);
    exec(&["-e", "T=https://elsewhere.example/"]).refused(&[3], &["elsewhere.example"]);
    for odd in ["=work", "1T=work", "A B=work", "A-B", ""] {
        exec(&["-e", odd]).refused(&[2], &["variable"]);
    }
    world.run(&["exec", "-e", "T=work"]).refused(&[2], &[]);
    // Nobody is asked to sign in for a command that is not there.
    world.run(&["exec", "-e", "T=work", "--", "no-such-program-here"]).refused(&[2], &["no-such-program-here"]);
    world.sign_in();
    world.config(&format!("{}exec = \"never\"\n", world.config_text()));
    let token = world.token();
    let refused = exec(&["-e", "T=work"]).refused(&[9], &["work", "exec", "hallpass header work"]);
    assert!(!refused.err.contains(&token) && !ran.exists());
    world.config(&world.config_text().replace("\"never\"", "\"always\""));
    exec(&["-e", "T=work"]).expect(0);
    assert!(ran.exists());
}

#[test]
fn a_person_at_the_terminal_is_asked_first() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let running: Running = world.start(&["exec", "-e", "T=work", "--", "sh", "-c", "printf %s \"$T\""]);
    let done = running.end().expect(0);
    assert!(idp.live_access_token(&done.out), "{done:?}");
}
