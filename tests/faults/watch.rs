//! A person who waits reads for whom, after two seconds; a tool's stderr stays silent.

use std::fs::File;
use std::io::Write;

use crate::idp::Idp;
use crate::runs::{Running, has, until};
use crate::terminal::Terminal;
use crate::world::{Behaviour, World};

use super::expired;

#[test]
fn who_holds_the_lock_of_a_refresh_is_on_the_screen() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::builder().latency(4000).start();
    let world = expired(&idp);
    let mut holder = world.command(&["header"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("the request", || (idp.count("refresh_token") == 1).then_some(()));
    let quiet = Running::start(world.command(&["get"]));
    let person = Terminal::run(&world, "exec \"$HALLPASS\" get");
    let (shown, silent) = (person.end().expect(0).out, quiet.end().expect(0));
    assert!(holder.wait().unwrap().success());
    let line = shown.lines().find(|line| line.starts_with("hallpass: waiting: ")).expect(&shown);
    for word in ["`hallpass header`", &format!("pid {}", holder.id()), "work.lock", "since 20"] {
        assert!(line.contains(word), "no {word}: {shown}");
    }
    assert_eq!(shown.matches("waiting").count(), 1, "{shown}");
    assert_eq!(silent.err, "", "a tool's stderr");
    assert!(shown.contains(silent.out.trim_end()));
}

#[test]
fn who_signs_in_is_on_the_screen() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let leader = world.start(&["get"]);
    let url = crate::callback::opened(&world);
    let tool = Terminal::run(&world, "exec \"$HALLPASS\" header");
    until("the line", || tool.screen().contains("work.signin").then_some(()));
    crate::callback::get(&crate::callback::approve(&url));
    leader.end().expect(0);
    let shown = tool.end().expect(0).out;
    assert!(shown.contains("hallpass: waiting: `hallpass get` (pid "), "{shown}");
    // `login` says so at once, wherever its words go.
    let file = File::options().write(true).open(world.data("work.signin")).unwrap();
    file.lock().unwrap();
    let line = format!("{:127}\n", r#"{"pid":4242,"command":"kubectl","since":1795350896}"#);
    (&file).write_all(line.as_bytes()).unwrap();
    let done = world.with_person(&["login", "work", "--timeout", "1"]);
    done.refused(&[8], &["`hallpass kubectl` (pid 4242)", "since 2026-11-22T12:34:56Z", "waiting for it to end"]);
}
