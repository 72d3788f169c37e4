//! autocom: the client that is registered there, its id and its five redirect URIs.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::autocom::{age, with};
use crate::autocom_server::{CONFIGURED, FROM_FLAG, FROM_VARIABLE, OF_THE_BUILD, PORTS, Platform, Redirects, TOKEN};
use crate::callback::redirect_uri;
use crate::forms::{field, query};
use crate::world::World;

/// The listed ports are the machine's: whoever binds them holds this.
pub fn callback_ports() -> File {
    let lock = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/callback-ports")).unwrap();
    lock.lock().unwrap();
    lock
}

/// Whether nobody listens there, or only for a moment: a child that another test has forked holds our listeners until it
/// becomes its own program.
fn soon_free(port: u16) -> bool {
    (0..500).any(|_| {
        let free = TcpStream::connect(("127.0.0.1", port)).is_err();
        if !free {
            thread::sleep(Duration::from_millis(10));
        }
        free
    })
}

/// Holds these of the five, and sees to it that the others are free.
fn take(ports: &[u16]) -> Vec<TcpListener> {
    assert!(PORTS.iter().all(|port| soon_free(*port)), "another program came in between");
    ports.iter().map(|port| TcpListener::bind(("127.0.0.1", *port)).unwrap()).collect()
}

#[test]
fn the_first_free_port_of_five_is_used() {
    let _ports = callback_ports();
    let held_by_others: Vec<_> = PORTS.iter().filter(|port| !soon_free(**port)).collect();
    if !held_by_others.is_empty() {
        crate::runs::skip(&format!("another program holds {held_by_others:?}"));
        return;
    }
    let platform = Platform::with(Redirects::Listed, true);
    let world = World::bare();
    let table = format!("{}client_id = \"{CONFIGURED}\"\n", platform.account("autocom"));
    world.config(&table);
    let taken_and_used = [
        (vec![], 8765),
        (vec![8765], 8766),
        (vec![8765, 8766], 8767),
        (vec![8765, 8766, 8767], 8768),
        (vec![8765, 8766, 8767, 8768], 8769),
        (vec![8766, 8768], 8765),
        (vec![8765, 8767], 8766),
    ];
    for (taken, used) in taken_and_used {
        let held = take(&taken);
        world.with_person(&["login", "autocom"]).expect(0);
        let uri = format!("http://127.0.0.1:{used}/callback");
        assert_eq!(redirect_uri(world.opened().last().unwrap()), uri, "with {taken:?} taken");
        let traded = platform.seen(TOKEN).pop().unwrap();
        assert_eq!(field(&traded.form, "redirect_uri"), Some(uri.as_str()));
        drop(held);
    }
    platform.has_no_complaints();
    let opened = world.opened().len();
    let none = "no callback port available";
    let all = take(&PORTS);
    world.with_person(&["login", "autocom"]).refused(&[5], &[none, "8765", "8769", "--paste"]);
    drop(all);
    world.config(&format!("{table}redirect_ports = [8768, 8769]\n"));
    let listed = take(&PORTS[3..]);
    world.with_person(&["login", "autocom"]).refused(&[5], &[none, "8768", "8769"]);
    drop(listed);
    // A client that nobody registered: what has to be registered, to the letter.
    world.config(&platform.account("autocom"));
    let done = world.with_person(&["login", "autocom"]).refused(&[10], &["client", "AUTOCOM_CLIENT_ID", "--client-id"]);
    for port in PORTS {
        done.clone().says(&[&format!("http://127.0.0.1:{port}/callback")]);
    }
    assert_eq!(world.opened().len(), opened, "nobody was sent anywhere");
}

#[test]
fn the_client_id_comes_from_flag_variable_or_configuration() {
    let platform = Platform::start();
    let flag = ["--client-id", FROM_FLAG];
    for (flag, variable, expected) in [
        (flag.as_slice(), FROM_VARIABLE, FROM_FLAG),
        (&flag, "", FROM_FLAG),
        (&[], FROM_VARIABLE, FROM_VARIABLE),
        (&[], "", CONFIGURED),
    ] {
        let world = platform.world("");
        let args = [["login", "autocom"].as_slice(), flag].concat();
        with(&world, &[("AUTOCOM_CLIENT_ID", variable)], &args, "").expect(0);
        assert_eq!(field(&query(&world.opened()[0]), "client_id"), Some(expected));
        assert_eq!(platform.clients("authorization_code").last().unwrap(), expected);
        assert_eq!(world.record_of("autocom")["client_id"], expected);
    }
    platform.has_no_complaints();
}

/// A build made with `HALLPASS_CLIENT_ID_AUTOCOM=client-of-the-build cargo build`, which `HALLPASS_WITH_CLIENT_ID` names.
#[test]
fn the_build_may_bring_its_client_id_along() {
    let Some(binary) = std::env::var_os("HALLPASS_WITH_CLIENT_ID") else {
        crate::runs::skip("no build with a client id of its own is named");
        assert!(std::env::var_os("CI").is_none(), "CI makes such a build");
        return;
    };
    let platform = Platform::start();
    let world = World::bare();
    world.config(&format!("{}redirect_ports = []\n", platform.account("autocom")));
    let binary = binary.to_str().unwrap();
    let run = |args: &[&str]| {
        let mut command = world.program(binary, args);
        crate::runs::Done::from(command.env("HALLPASS_INTERACTIVE", "always").output().unwrap())
    };
    run(&["login", "autocom"]).expect(0);
    assert_eq!(platform.clients("authorization_code"), [OF_THE_BUILD]);
    platform.has_no_complaints();
    let why = run(&["why", "get", &platform.api_url()]).expect(0).out;
    assert!(why.contains(&format!("as client `{OF_THE_BUILD}`, built into this program")), "{why}");
}

#[test]
fn a_refresh_uses_the_client_id_of_the_session() {
    let platform = Platform::start();
    for (flag, expected) in [(["--client-id", FROM_FLAG].as_slice(), FROM_FLAG), (&[], CONFIGURED)] {
        let world = platform.world("");
        world.with_person(&[["login", "autocom"].as_slice(), flag].concat()).expect(0);
        age(&world, "autocom", 4000);
        let done = with(&world, &[("AUTOCOM_CLIENT_ID", FROM_VARIABLE)], &["get"], "").expect(0);
        assert!(platform.lives(done.out.trim_end()));
        assert_eq!(platform.clients("refresh_token").last().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_client_that_the_platform_refuses_is_a_matter_of_configuration() {
    let platform = Platform::start();
    let world = platform.world("");
    platform.answers(TOKEN, 401, r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#);
    world.with_person(&["login", "autocom"]).refused(&[10], &["autocom", "invalid_client", "client"]);
    assert_eq!(world.holdings(), [""; 0]);
}
