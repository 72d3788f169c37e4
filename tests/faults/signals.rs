//! Signals, stopped holders and streams that have gone: the commit is finished first, and nobody waits for ever.

use std::process::Stdio;

use rustix::process::Signal;

use crate::answers::{At, Fault};
use crate::callback::opened;
use crate::idp::Idp;
use crate::runs::{Running, until};
use crate::world::{Behaviour, World};

use super::{expired, free, sound};

/// F13, F16: while a page is open. `login::a_signal_ends_the_wait_with_its_code_and_keeps_nothing` has all three.
#[test]
fn a_sign_in_that_is_cancelled_says_so() {
    for signal in [Signal::INT, Signal::HUP] {
        let idp = Idp::start();
        let world = World::new(&idp);
        world.browser(Behaviour::Ignore);
        let login = world.start(&["login", "work"]);
        let port = crate::callback::listener(&opened(&world));
        login.signal(signal);
        login.end().says(&["sign-in cancelled"]);
        assert!(std::net::TcpStream::connect(port).is_err(), "a page that comes late finds nobody");
        free(&world);
        assert_eq!(world.holdings(), [""; 0]);
    }
}

/// F14, F15: between the request and the commit. The commit is finished, then the signal counts.
#[test]
fn a_signal_waits_for_the_commit() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let idp = Idp::builder().latency(1500).start();
        let world = expired(&idp);
        let before = world.record()["generation"].as_u64();
        let caller = world.start(&["get"]);
        until("the request", || (idp.count("refresh_token") == 1).then_some(()));
        caller.signal(signal);
        let done = caller.end();
        assert_eq!((done.code, done.out.as_str()), (None, ""), "died of it, as a shell wants to see: {done:?}");
        assert!(world.record()["generation"].as_u64() > before, "{signal:?} cut the commit short");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 1);
    }
}

/// F17: a reader that has gone has what it wanted; the record is saved either way.
#[test]
fn a_reader_that_has_gone() {
    let idp = Idp::start();
    let world = expired(&idp);
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let mut command = world.command(&["get"]);
    command.stdin(Stdio::null()).stdout(write).stderr(Stdio::piped());
    let done = Running::start_as_is(command).end().expect(0);
    assert_eq!(done.err, "");
    assert_eq!(idp.count("refresh_token"), 1);
    sound(&idp, &world);
    let done = world.sh("exec \"$HALLPASS\" get >&-");
    assert!(!done.err.contains("panicked") && !done.err.contains(&world.token()), "{done:?}");
}

/// F18, F121: a holder that is stopped. The others end with 8, which names it, and none of them refreshes. The server
/// has spent nothing: with an answer that waited for longer than its 20 s it goes as with a lost one (F3).
#[test]
fn a_stopped_holder_is_named_and_goes_on() {
    let idp = Idp::start();
    let world = expired(&idp);
    idp.once(At::Token, Fault::Hang);
    let mut holder = world.command(&["get"]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&holder);
    until("the request", || (idp.count("refresh_token") == 1).then_some(()));
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    let name = format!("pid {}", holder.id());
    let lock = world.data("work.lock");
    let mut waiters: Vec<_> = (0..5).map(|_| world.start(&["get"])).collect();
    let logout = world.start(&["logout", "work"]);
    let last = waiters.pop().unwrap();
    for waiter in waiters {
        waiter.end().refused(&[8], &["work", "`hallpass get`", &name, lock.to_str().unwrap()]);
    }
    last.end().refused(&[8], &["work", &name]);
    logout.end().refused(&[8], &["work", &name]);
    assert_eq!(idp.count("refresh_token"), 1, "a waiter refreshed");
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(holder.wait().unwrap().code(), Some(6));
    assert_eq!(idp.count("refresh_token"), 1, "its time is over");
    sound(&idp, &world);
}

/// F19: a crash in the middle of the request. No secret lies about, and the next caller says how it stands.
#[test]
fn a_crash_leaves_no_secret_behind() {
    for signal in [Signal::ABORT, Signal::ILL, Signal::QUIT, Signal::SEGV] {
        let idp = Idp::start();
        let world = expired(&idp);
        idp.set_latency(15_000); // no machine is so busy that the answer comes before the signal
        let before = world.record();
        // A shell that runs the tests in the background has SIGQUIT ignored, which is inherited.
        let command = "ulimit -c 0; exec env --default-signal=QUIT \"$HALLPASS\" get";
        let mut command = world.program("sh", &["-c", command]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the request", || (idp.count("refresh_token") == 1).then_some(()));
        // The first SEGV that no bad access caused only takes away Rust's own handler.
        let ended = until("the crash", || {
            let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal);
            child.try_wait().unwrap()
        });
        assert!(ended.code().is_none(), "it had its answer before: {ended}");
        assert_eq!(world.record(), before);
        let next = std::fs::read_to_string(world.data("work.next")).unwrap();
        assert!(idp.secrets().iter().all(|secret| !next.contains(secret)), "{next}");
        free(&world);
        idp.set_latency(0);
        world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]); // a strict server: see F3
    }
}
