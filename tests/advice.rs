//! `why` and `doctor`: what they see, and the next command they name.

use std::fs;
use std::net::TcpListener;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::skip;
use crate::world::World;

#[test]
fn why_names_the_rule_that_wins() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let calls = idp.every_call();
    let why = world.run(&["why", "git", "https://git.example.com/team/app.git"]).expect(0).out;
    for words in [
        "git asks for https://git.example.com/team/app.git",
        "serves `https://git.example.com`",
        "answered by account `work`",
    ] {
        assert!(why.contains(words), "no {words}: {why}");
    }
    let other = world.run(&["why", "git", "https://evil-git.example.com/"]).expect(3).out;
    assert!(other.contains("not answered: no account serves it"), "{other}");
    let http = world.run(&["why", "git", "http://git.example.com/"]).expect(3).out;
    assert!(http.contains("http:// off this machine"), "{http}");
    world.run(&["why", "frobnicate", "https://git.example.com/"]).refused(&[2], &["frobnicate", "kubectl"]);
    assert_eq!(idp.every_call(), calls, "why asks nobody");
}

#[test]
fn why_tells_a_tie_and_how_to_break_it() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.config(&format!(
        "{}{}",
        World::account("one", &idp, "[\"https://git.example.com\"]"),
        World::account("two", &idp, "[\"https://git.example.com\"]")
    ));
    let why = world.run(&["why", "git", "https://git.example.com/"]).expect(3).out;
    assert!(why.contains("`one` and `two`") && why.contains("--account NAME"), "{why}");
    let one = world.run(&["--account", "one", "why", "git", "https://git.example.com/"]).expect(4).out;
    assert!(one.contains("answered by account `one`") && one.contains("not signed in"), "{one}");
}

#[test]
fn doctor_tells_alive_refused_and_unreachable_apart() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let fine = world.run(&["doctor", "work"]).expect(0).out;
    assert!(fine.contains("is accepted by the server") && !fine.contains("FAIL"), "{fine}");
    let record = fs::read(world.data("work")).unwrap();

    idp.revoke_access_tokens();
    let refused = world.run(&["doctor", "work"]).expect(4).out;
    assert!(refused.contains("refused by the server") && refused.contains("next: `hallpass login work`"), "{refused}");
    idp.always(At::Metadata, Fault::Status(503, vec![], "later"));
    let down = world.run(&["doctor", "work"]).expect(6).out;
    assert!(down.contains("FAIL  account `work`: server"), "{down}");
    assert_eq!(fs::read(world.data("work")).unwrap(), record, "nothing is changed or refreshed");
}

#[cfg(unix)]
#[test]
fn doctor_sees_what_others_could_read_and_a_broken_configuration() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    crate::record::set_mode(&world.config_file(), 0o644);
    let wide = world.run(&["doctor"]).expect(7).out;
    assert!(wide.contains("mode 644") && wide.contains("next: `chmod 600"), "{wide}");
    world.config("default = 7\n");
    let broken = world.run(&["doctor"]).expect(10).out;
    assert!(broken.contains("config.toml:1:"), "{broken}");
}

/// Where the listener would listen: one family, or both of `localhost`, on the ports of whichever key.
#[test]
fn doctor_looks_at_the_callback_port_where_the_browser_would_come_back_to() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("[::1] is not here");
    }
    let idp = Idp::start();
    for (redirect, taken, is_free) in [
        ("127.0.0.1", "127.0.0.1", false),
        ("127.0.0.1", "[::1]", true),
        ("[::1]", "[::1]", false),
        ("[::1]", "127.0.0.1", true),
        ("localhost", "127.0.0.1", false),
        ("localhost", "[::1]", false),
    ] {
        let holder = TcpListener::bind(format!("{taken}:0")).unwrap();
        let port = holder.local_addr().unwrap().port();
        for lines in [
            format!("redirect_uri = \"http://{redirect}/callback\"\nredirect_ports = [{port}]"),
            format!("redirect_uri = \"http://{redirect}:{port}/callback\""),
        ] {
            let world = World::signed_in(&idp);
            world.add(&lines);
            let shown = world.run(&["doctor", "work"]).expect(if is_free { 0 } else { 5 }).out;
            let words = format!("callback port: {port} {}", if is_free { "is free" } else { "is taken" });
            assert!(shown.contains(&words), "no {words}: {shown}");
        }
    }
    // Nobody waits for a browser.
    let world = World::signed_in(&idp);
    world.add("flow = \"device\"\nredirect_ports = [1]");
    assert!(world.run(&["doctor", "work"]).expect(0).out.contains("none is needed, or any will do"));
}
