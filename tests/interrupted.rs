//! What a fault in the middle of something leaves behind, found by the sweep of tests/crash and kept here by itself.

use std::fs;

use crate::idp::Idp;
use crate::record;
use crate::runs::{Done, done, has};
use crate::secret_service::Keychain;
use crate::world::{World, bin};

/// `get`, with this system call refused (strace's words), at this file only where one is named.
fn get_with(world: &World, inject: &str, at: Option<&str>) -> Done {
    run_with(world, inject, at, &["get"], "")
}

fn run_with(world: &World, inject: &str, at: Option<&str>, args: &[&str], stdin: &'static str) -> Done {
    let mut command = world.program("strace", &["-f", "-qq", "-o", "/dev/null", "-e", inject]);
    if let Some(file) = at {
        command.arg("-P").arg(world.data(file));
    }
    command.arg(bin()).args(args);
    let mut command = assert_cmd::Command::from_std(command);
    done(command.write_stdin(stdin).timeout(std::time::Duration::from_secs(60)))
}

#[test]
fn folders_that_stand_aside_are_cleared_away() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.settle();
    // Of processes that were killed while they wrote or removed the routes; and something of a person's own.
    for left in ["routes/.4711", "routes/.gone.4711", ".gone.4712", ".gone.4712/1-a", ".git"] {
        fs::create_dir_all(world.data(left)).unwrap();
    }
    fs::write(world.data("routes/.4711/default"), "{").unwrap();
    world.token();
    for (left, is_there) in
        [("routes/.4711", false), ("routes/.gone.4711", false), (".gone.4712", false), (".git", true)]
    {
        assert_eq!(world.data(left).exists(), is_there, "{left}");
    }
    assert_eq!(fs::read_dir(world.data("routes")).unwrap().count(), 1, "the routes themselves");
}

#[test]
fn a_sign_in_over_a_damaged_record_goes_on_counting() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for _ in 0..3 {
        world.shift(4000);
        world.token();
    }
    let before = world.record()["generation"].as_u64().unwrap();
    fs::write(world.data("work"), "damaged").unwrap();
    world.sign_in();
    let after = record::read(&world.data("work"))["generation"].as_u64().unwrap();
    assert!(after > before, "generation {after} after {before}");
}

#[test]
fn half_a_listing_does_not_say_that_nobody_is_signed_in() {
    let Some(keychain) = Keychain::start() else { return };
    if !has("strace") {
        return;
    }
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let token = world.token();
    let _ = fs::remove_dir_all(world.data("routes"));
    get_with(&world, "inject=getdents64:error=EIO:when=1", None).refused(&[7], &["hallpass"]);
    assert_eq!(world.token(), token);
}

#[test]
fn an_answer_is_kept_although_the_disk_refused_it_once() {
    if !has("strace") {
        return;
    }
    for refused in
        ["write:error=EIO:when=2", "write:error=ENOSPC:when=2", "ftruncate:error=EIO:when=2", "fsync:error=EIO:when=2"]
    {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        world.shift(4000);
        let token = get_with(&world, &format!("inject={refused}"), Some("work.next")).expect(0).out;
        assert_eq!(world.run(&["get"]).expect(0).out, token, "{refused}");
        world.shift(4000);
        assert!(idp.live_access_token(&world.token()), "{refused}");
        assert_eq!((idp.count("refresh_token"), idp.reuses()), (2, 0), "{refused}");
    }
}

#[test]
fn a_mark_that_cannot_be_seen_is_not_taken_for_absent() {
    let Some(keychain) = Keychain::start() else { return };
    if !has("strace") {
        return;
    }
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let password = "protocol=https\nhost=elsewhere.example.com\nusername=me\npassword=kept-password\n\n";
    let question = "protocol=https\nhost=elsewhere.example.com\n\n";
    world.ask(&["git", "store"], password).silent();
    let files = fs::read_dir(world.data("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mark = files.into_iter().find(|name| name.ends_with(".sealed")).expect("a mark");
    let looks = "inject=stat,statx,newfstatat:error=EIO";
    let done = run_with(&world, looks, Some(&mark), &["git", "erase"], password);
    done.says(&["hallpass: error:", &mark]);
    let answer = world.ask(&["git", "get"], question).expect(0).out;
    assert!(answer.contains("kept-password"), "{answer}");
    world.ask(&["git", "erase"], password).silent();
    assert_eq!(world.ask(&["git", "get"], question).expect(0).out, "");
}
