//! A bare `hallpass get` eats nothing from stdin, unless git's question is what waits there.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::idp::Idp;
use crate::runs::{Done, Running};
use crate::world::World;

const QUESTION: &str = "protocol=https\nhost=git.example.com\n\n";

/// `hallpass get` with this question waiting in a pipe when it starts.
fn waiting(world: &World, args: &[&str], question: &str) -> Done {
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(question.as_bytes()).unwrap();
    drop(write);
    let mut command = world.command(args);
    command.stdin(read).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start_as_is(command).end()
}

/// Runs `hallpass get` with this stdin and expects the token alone.
fn plain(world: &World, stdin: Stdio, what: &str) {
    let mut command = world.command(&["get"]);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = Running::start_as_is(command).end().expect(0);
    let token = world.kept("access_token")["secret"].as_str().unwrap().to_owned();
    assert_eq!((done.out, done.err), (format!("{token}\n"), String::new()), "{what}");
}

#[test]
fn a_script_piped_into_a_shell_survives() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let script = "T=$(\"$HALLPASS\" get)\necho \"got $T.\"\nT=$(\"$HALLPASS\" header)\necho after\n";
    fs::write(world.path("home/script"), script).unwrap();
    let want = format!("got {token}.\nafter\n");
    assert_eq!(world.sh("cat script | bash").expect(0).out, want);
    assert_eq!(world.sh("bash <script").expect(0).out, want);
    assert_eq!(world.sh("cat script | sh").expect(0).out, want);
}

#[test]
fn a_loop_over_lines_sees_every_line() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    fs::write(world.path("home/hosts"), "one\ntwo\nthree\n").unwrap();
    let snippet = "while read -r h; do T=$(\"$HALLPASS\" get); echo \"$h ${T:0:8}\"; done";
    let head = &token[..8];
    let want = format!("one {head}\ntwo {head}\nthree {head}\n");
    assert_eq!(world.sh(&format!("{snippet} <hosts")).expect(0).out, want);
    assert_eq!(world.sh(&format!("cat hosts | {snippet}")).expect(0).out, want);
}

#[test]
fn what_waits_on_stdin_is_left_there() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let waiting = [
        "group",
        "{ echo group; }",
        "{\"url\":\"https://git.example.com\"}",
        "protocolx=https",
        "protocol",
        "url",
        "=x",
        "[ -n \"$x\" ]",
    ];
    for line in waiting {
        fs::write(world.path("home/waiting"), format!("{line}\nprotocol=https\nhost=git.example.com\n")).unwrap();
        let snippet = "cat waiting | { T=$(\"$HALLPASS\" get); IFS= read -r rest; echo \"$T|$rest\"; }";
        assert_eq!(world.sh(snippet).expect(0).out, format!("{token}|{line}\n"));
        let snippet = "{ T=$(\"$HALLPASS\" get); IFS= read -r rest; echo \"$T|$rest\"; } <waiting";
        assert_eq!(world.sh(snippet).expect(0).out, format!("{token}|{line}\n"));
    }
}

#[test]
fn no_kind_of_stdin_makes_it_hang() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    plain(&world, Stdio::null(), "/dev/null");
    let (_ours, theirs) = UnixStream::pair().unwrap();
    plain(&world, OwnedFd::from(theirs).into(), "a socket that never ends");
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(QUESTION.as_bytes()).unwrap();
    plain(&world, OwnedFd::from(theirs).into(), "a socket is nobody's question");
    let (_read, write) = std::io::pipe().unwrap();
    plain(&world, Stdio::from(write), "the wrong end of a pipe");
    let (read, _write) = std::io::pipe().unwrap();
    plain(&world, Stdio::from(read), "a pipe that never ends");
    plain(&world, Stdio::from(File::open(world.path("home")).unwrap()), "a folder");
    let token = world.token();
    assert_eq!(world.sh("exec \"$HALLPASS\" get <&-").expect(0).out, format!("{token}\n"));
    // Under git it waits a moment for the question, not for ever.
    let (read, _write) = std::io::pipe().unwrap();
    let mut command = world.command(&["get"]);
    command.env("GIT_EXEC_PATH", "/usr/lib/git-core").stdin(read).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_eq!(Running::start_as_is(command).end().expect(0).out, format!("{token}\n"));
}

#[test]
fn gits_question_is_answered_as_git_wants_it() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let want = format!("password={}\n", world.token());
    fs::write(world.path("home/question"), QUESTION).unwrap();
    for question in
        [QUESTION, "url=https://git.example.com/x\n", "capability[]=state\nprotocol=https\nhost=git.example.com\n"]
    {
        let done = waiting(&world, &["get"], question).expect(0);
        assert!(done.out.contains(&want) && done.out.ends_with("\n\n"), "{question:?}: {done:?}");
    }
    for snippet in
        ["\"$HALLPASS\" get <question", "\"$HALLPASS\" get - <question", "cat question | \"$HALLPASS\" get -"]
    {
        let done = world.sh(snippet).expect(0);
        assert!(done.out.contains(&want), "{snippet}: {done:?}");
    }
    assert_eq!(waiting(&world, &["get"], "protocol=https\nhost=evil.example\n\n").out, "");
    // With an argument stdin is never read.
    assert_eq!(waiting(&world, &["get", "work"], QUESTION).expect(0).out, format!("{}\n", world.token()));
    // Slowly, as under git.
    let (read, mut write) = std::io::pipe().unwrap();
    let mut command = world.command(&["get"]);
    command.env("GIT_EXEC_PATH", "/usr/lib/git-core").stdin(read).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::start_as_is(command);
    write.write_all(QUESTION.as_bytes()).unwrap();
    drop(write);
    assert!(running.end().expect(0).out.contains(&want));
}

#[test]
fn bare_store_and_erase_are_gits() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let full = format!("protocol=https\nhost=git.example.com\nusername=oauth2\npassword={token}\n");
    world.ask(&["store"], full.clone()).silent();
    world.shift(120);
    world.ask(&["erase"], full).silent();
    assert_ne!(world.token(), token);
}
