//! Killed at the points between which a refresh moves: the next caller finds either the old session or the new one.

use crate::callback::opened;
use crate::idp::Idp;
use crate::runs::until;
use crate::secret_service::Keychain;
use crate::world::{Behaviour, World};

use super::wire::Wire;
use super::{expired, free, injected, sound};

struct Row {
    fault: &'static str,
    call: &'static str,
    /// Only calls that name this file count.
    on: &'static str,
    /// Requests with the refresh token, before and after.
    requests: (usize, usize),
}

/// F1, F2, F6, F7: killed before the POST or after the record was complete, nothing is lost.
#[test]
fn killed_before_the_request_or_with_the_record_complete() {
    let rows = [
        Row { fault: "F1", call: "flock:signal=KILL:when=1", on: "work.lock", requests: (0, 1) },
        Row { fault: "F2", call: "fallocate:signal=KILL:when=1", on: "work.next", requests: (0, 1) },
        Row { fault: "F6", call: "rename:signal=KILL:when=1", on: "work.next", requests: (1, 1) },
        Row { fault: "F7", call: "fsync:signal=KILL:when=2", on: "", requests: (1, 1) },
    ];
    for Row { fault, call, on, requests } in rows {
        let idp = Idp::start();
        let world = expired(&idp);
        let path = world.data(on);
        let inject = format!("inject={call}");
        let Some(done) = injected(&world, &["-P", path.to_str().unwrap(), "-e", &inject], &["get"]) else { return };
        assert_eq!((done.code, done.out.as_str()), (None, ""), "{fault} was not killed");
        assert_eq!(idp.count("refresh_token"), requests.0, "{fault}");
        free(&world);
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), requests.1, "{fault}");
    }
}

/// F3, F4, F5: killed between the POST and a complete record. A strict server has spent the refresh token, and its
/// successor is gone: one exit 4 that says so, no loop, and one sign-in.
#[test]
fn killed_with_the_answer_on_its_way() {
    let rows = [
        ("F3", "recvfrom:signal=KILL:when=1", None),
        ("F4", "recvfrom:signal=KILL:when=2", None),
        ("F5", "write:signal=KILL:when=2", Some("work.next")),
    ];
    for (fault, call, on) in rows {
        let idp = Idp::start();
        let world = expired(&idp);
        let (before, inject) = (world.record(), format!("inject={call}"));
        let path = on.map(|name| world.data(name));
        let mut options = vec!["-e", inject.as_str()];
        options.extend(path.iter().flat_map(|path| ["-P", path.to_str().unwrap()]));
        let Some(done) = injected(&world, &options, &["get"]) else { return };
        assert_eq!((done.code, done.out.as_str()), (None, ""), "{fault} was not killed");
        assert_eq!(world.record(), before, "{fault}: the old record is whole");
        until("the request", || (idp.count("refresh_token") == 1).then_some(()));
        world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
        world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
        assert_eq!(idp.count("refresh_token"), 2, "{fault}: one replay");
        world.sign_in();
        assert!(idp.live_access_token(&world.token()));
        assert_eq!(world.holdings(), ["work"], "{fault}: the journal is gone");
        free(&world);
    }
}

/// F3 at a server that did not get to spending it, or lets its predecessor pass: the next caller sends it again.
#[test]
fn killed_before_the_answer_of_a_patient_server() {
    let idp = Idp::start();
    let world = expired(&idp);
    let wire = Wire::json(r#"{"access_token":"unheard"}"#);
    {
        let _detour = wire.takes_over(&world);
        let Some(done) = injected(&world, &["-e", "inject=recvfrom:signal=KILL:when=1"], &["get"]) else { return };
        assert_eq!(done.code, None);
        until("the request", || (wire.requests() == 1).then_some(()));
        assert!(world.data("work.next").exists(), "the intent is on disk");
    }
    let token = world.token();
    assert!(idp.live_access_token(&token));
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (1, 0));
    assert_eq!(world.holdings(), ["work"]);
}

/// F8: the record is saved before anything is printed.
#[test]
fn killed_before_stdout() {
    if !crate::runs::has("strace") {
        return;
    }
    let idp = Idp::start();
    let world = expired(&idp);
    let (out, before) = (world.path("out"), world.record());
    let all = ["-f", "-o", "/dev/null", "-P", out.to_str().unwrap(), "-e", "inject=write:signal=KILL:when=1"];
    let mut command = world.program("strace", &all);
    command.arg(crate::world::BIN).arg("get").stdout(std::fs::File::create(&out).unwrap());
    assert_eq!(command.status().unwrap().code(), None);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "");
    assert!(world.record()["generation"].as_u64() > before["generation"].as_u64());
    sound(&idp, &world);
    assert_eq!(idp.count("refresh_token"), 1, "the next call is a hit");
}

/// F9: at several points of the talk with the keychain. Old or new, one item at most, and the next sign-in works.
#[test]
fn killed_while_the_key_is_made() {
    for when in [2, 9, 16] {
        let Some(keychain) = Keychain::start() else { return };
        let idp = Idp::start();
        let world = keychain.world(&idp);
        let inject = format!("inject=sendmsg:signal=KILL:when={when}");
        let Some(done) = injected(&world, &["-e", &inject], &["login", "work", "--no-open"]) else { return };
        assert_eq!(done.code, None, "sendmsg {when}: {done:?}");
        assert_eq!(world.holdings(), [""; 0], "sendmsg {when}");
        assert!(keychain.items() <= 1);
        world.sign_in();
        assert_eq!(keychain.items(), 1);
        assert!(idp.live_access_token(&world.token()));
    }
}

/// F10, F11: killed while a person thinks, alone or with everything it started.
#[test]
fn killed_while_the_page_is_open() {
    for group in [false, true] {
        let idp = Idp::start();
        let world = World::new(&idp);
        world.browser(Behaviour::Ignore);
        let mut command = world.command(&["login", "work"]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut login = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let url = opened(&world);
        let port = crate::callback::listener(&url);
        let pid = rustix::process::Pid::from_child(&login);
        let kill = rustix::process::Signal::KILL;
        if group {
            rustix::process::kill_process_group(pid, kill).unwrap();
        } else {
            rustix::process::kill_process(pid, kill).unwrap();
        }
        assert_eq!(login.wait().unwrap().code(), None);
        assert!(std::net::TcpListener::bind(&port).is_ok(), "{port} is not free");
        free(&world);
        assert_eq!(world.holdings(), [""; 0]);
        world.browser(Behaviour::Follow);
        world.sign_in();
        sound(&idp, &world);
    }
}
