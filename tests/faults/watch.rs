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
    let idp = Idp::start();
    let world = expired(&idp);
    let held = hold(&world, "work.lock");
    let quiet = Running::start(world.command(&["get"]));
    let person = Terminal::run(&world, "exec \"$HALLPASS\" get");
    until("the line", || person.screen().contains("waiting").then_some(()));
    until("the tool to wait as long", || (quiet.sleeps() >= 50).then_some(()));
    drop(held);
    let (shown, silent) = (person.end().expect(0).out, quiet.end().expect(0));
    let lock = world.data("work.lock");
    let line = format!("hallpass: waiting: {HOLDER} has held `{}` since {SINCE}", lock.display());
    assert_eq!(shown.lines().filter(|shown| shown.trim_end() == line).count(), 1, "{shown}");
    assert_eq!(shown.matches("waiting").count(), 1, "{shown}");
    assert_eq!(silent.err, "", "a tool's stderr");
    assert!(shown.contains(silent.out.trim_end()));
    assert_eq!(idp.count("refresh_token"), 1);
}

const HOLDER: &str = "`hallpass kubectl` (pid 4242)";
const SINCE: &str = "2026-11-22T12:34:56Z";

/// Holds a lock of the world as a hallpass does.
fn hold(world: &World, name: &str) -> File {
    let mut file = File::options().write(true).create(true).truncate(false).open(world.data(name)).unwrap();
    file.lock().unwrap();
    let line = format!("{:127}\n", r#"{"pid":4242,"command":"kubectl","since":1795350896}"#);
    file.write_all(line.as_bytes()).unwrap();
    file
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
    let _held = hold(&world, "work.signin");
    let done = world.with_person(&["login", "work", "--timeout", "1"]);
    done.refused(&[8], &[HOLDER, SINCE, "waiting for it to end"]);
}
