//! whet's agent token and its instances: the local one, a team's, another; and a token that one of them refuses.

#[cfg(unix)]
use std::fs;

use crate::record;
use crate::runs::{ECHO_T, done};
use crate::whet_login::{LOCAL, PAGE, TEAM, pipe, signed_in, token};
use crate::world::World;

#[test]
fn json_and_exec_stay_with_the_prefix_too() {
    let good = token("0010");
    let world = signed_in(&good);
    let json = |url: &str| done(world.hallpass(&["json", "get"]).write_stdin(format!("{{\"url\":\"{url}\"}}")));
    let exec = |url: &str| world.run(&[&["exec", "-e", &format!("T={url}"), "--"][..], &ECHO_T].concat());
    let inside = format!("{LOCAL}/inbox");
    assert!(json(&inside).expect(0).out.contains(&good));
    assert_eq!(exec(&inside).expect(0).out.trim_end(), good);
    for outside in
        ["http://localhost:7891/api/agent/v10", "http://127.0.0.1:7891/api/agent/v1", "http://localhost:7891/"]
    {
        for done in [json(outside).expect(3), exec(outside).expect(3)] {
            assert!(!format!("{done:?}").contains(&good), "{outside}: {done:?}");
        }
    }
}

/// A local install keeps its token in the OS keychain, under a name that its page does not tell: a command can.
#[cfg(unix)]
#[test]
fn a_command_may_fetch_the_local_installs_token() {
    let world = World::bare();
    let (first, second) = (token("0011"), token("0012"));
    fs::write(world.path("its-keychain"), format!("{first}\n")).unwrap();
    let file = world.path("its-keychain");
    world.config(&format!("[account.whet]\nprovider = \"whet\"\ntoken_command = [\"cat\", \"{}\"]\n", file.display()));
    let inside = format!("{LOCAL}/inbox");
    assert_eq!(world.run(&["get", &inside]).expect(0).out, format!("{first}\n"), "no sign-in was needed");
    // Rotated there: the old one is refused, and the next call has the new one.
    fs::write(&file, format!("{second}\n")).unwrap();
    let mut old = world.record_of("whet");
    record::shift(&mut old, 120);
    record::write(&world.data("whet"), &old);
    let question =
        format!("protocol=http\nhost=localhost:7891\npath=api/agent/v1\nusername=oauth2\npassword={first}\n\n");
    done(world.hallpass(&["git", "erase"]).write_stdin(question)).expect(0);
    assert_eq!(world.run(&["get", &inside]).expect(0).out, format!("{second}\n"));
    fs::write(&file, "not its shape\n").unwrap();
    world.run(&["login", "whet"]).refused(&[2], &["whet"]);
}

/// `doctor` makes one request to the address that the row names.
#[test]
fn doctor_tells_refused_unreachable_and_fine_apart_and_marks_a_dead_token() {
    let server = std::sync::Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
    let base = format!("http://{}/api/agent/v1", server.server_addr().to_ip().unwrap());
    let status = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(404));
    let (at, answer) = (server.clone(), status.clone());
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        while let Ok(request) = at.recv() {
            let bearer = request.headers().iter().find(|header| header.field.equiv("Authorization")).unwrap();
            asked.push((request.url().to_owned(), bearer.value.to_string()));
            let code = answer.load(std::sync::atomic::Ordering::SeqCst);
            let _ = request.respond(tiny_http::Response::empty(code));
        }
        asked
    });
    let (world, good) = (World::bare(), token("0013"));
    pipe(&world, &["--token-stdin", "--base-url", &base], &good).expect(0);
    let name = world.holdings().remove(0);
    let mut kept = world.record_of(&name);
    record::shift(&mut kept, 120);
    record::write(&world.data(&name), &kept);
    for (code, exit, words) in
        [(200, 0, "is accepted"), (404, 0, "not refused"), (503, 6, "answered 503"), (401, 4, "refused by the server")]
    {
        status.store(code, std::sync::atomic::Ordering::SeqCst);
        let done = world.run(&["doctor", &name]).expect(exit);
        assert!(done.out.contains(words) && !done.out.contains(&good), "{code}: {done:?}");
    }
    server.unblock();
    let asked = asked.join().unwrap();
    assert_eq!(asked, vec![("/api/agent/v1".to_owned(), format!("Bearer {good}")); 4]);
    world.run(&["get", &name]).refused(&[4], &["refused", &format!("hallpass login {name}"), PAGE]);
    drop(server);
    pipe(&world, &["--token-stdin", "--base-url", &base], &token("0014")).expect(0);
    world.run(&["doctor", &name]).expect(6);
}

/// The variable moves the account, and not what was signed in to: a script would send the token to the other instance.
#[test]
fn another_instance_never_gets_this_ones_token() {
    let good = token("0015");
    let world = signed_in(&good);
    let moved = |args: &[&str]| done(world.hallpass(args).env("WHET_BASE_URL", TEAM));
    let inside = format!("{TEAM}/inbox");
    for args in [["get", "whet"], ["header", "whet"], ["get", &inside], ["header", &inside]] {
        let refused = moved(&args).refused(&[9], &["whet", "hallpass login whet"]);
        assert!(!refused.err.contains(&good), "{refused:?}");
    }
    let status = moved(&["status", "whet"]).expect(0).out;
    assert!(status.contains("not signed in here") && !status.contains("7a3f4b2c"), "{status}");
    assert_eq!(world.run(&["get", "whet"]).expect(0).out, format!("{good}\n"), "and here it is as before");
}

/// A tool's miss never reads a token from the tool's own stdin, and opens nothing.
#[test]
fn a_tool_never_brings_the_token() {
    let world = World::bare();
    let question = "protocol=http\nhost=localhost:7891\npath=api/agent/v1\n\n";
    let mut command = world.hallpass(&["git", "get"]);
    let asked = done(command.env("HALLPASS_INTERACTIVE", "always").write_stdin(question));
    assert!(!asked.out.contains("password"), "{asked:?}");
    world.with_person(&["get", &format!("{LOCAL}/inbox")]).refused(&[4], &["hallpass login whet", PAGE]);
    assert_eq!(world.opened(), [""; 0]);
}

/// A team's instance beside the local one: the provider's name goes on to mean the local one, and what the variable says.
#[test]
fn two_instances_keep_their_tokens_apart() {
    let (world, team, local) = (World::bare(), token("0016"), token("0017"));
    pipe(&world, &["--token-stdin", "--base-url", TEAM], &team).expect(0).says(&[TEAM]);
    pipe(&world, &["--token-stdin"], &local).expect(0).says(&[LOCAL]);
    let get = |what: &str| world.run(&["get", what]).expect(0).out;
    assert_eq!((get("whet"), get(&format!("{LOCAL}/x"))), (format!("{local}\n"), format!("{local}\n")));
    assert_eq!(get(&format!("{TEAM}/x")), format!("{team}\n"));
    assert_eq!(world.holdings().len(), 2);
    let moved = |args: &[&str]| done(world.hallpass(args).env("WHET_BASE_URL", "https://other.example/api/agent/v1"));
    for args in [["get", "whet"], ["header", "whet"]] {
        let refused = moved(&args).refused(&[9], &["whet"]);
        assert!(!format!("{refused:?}").contains(&team) && !format!("{refused:?}").contains(&local));
    }
}
