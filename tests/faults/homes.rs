//! Homes that are missing, odd, shared or restored: the same lock for all who see the same data, and words for the rest.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::idp::Idp;
use crate::runs::{Done, Running, done};
use crate::world::World;

use super::{expired, sound};

fn with(world: &World, variables: &[(&str, Option<&OsStr>)], args: &[&str]) -> Done {
    let mut command = world.command(args);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    done(&mut assert_cmd::Command::from_std(command))
}

const FOLDERS: [&str; 3] = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];

/// F48, F49: no home, or one that is none.
#[test]
fn odd_homes_are_10_or_work() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    // With XDG folders nobody needs a home.
    for home in [None, Some(""), Some("relative"), Some("/dev/null"), Some("/nowhere/at/all")] {
        let done = with(&world, &[("HOME", home.map(OsStr::new))], &["get"]);
        assert_eq!(done.expect(0).out.trim_end(), token, "{home:?}");
    }
    let without = |home: Option<&OsStr>, args: &[&str]| {
        let mut all: Vec<_> = FOLDERS.iter().map(|name| (*name, None)).collect();
        all.push(("HOME", home));
        with(&world, &all, args)
    };
    without(Some(OsStr::new("relative")), &["get"]).refused(&[10], &["HOME", "XDG_CONFIG_HOME"]);
    // `status` only reads, whatever home the password file of this machine names.
    for home in [None, Some(OsStr::new(""))] {
        let done = without(home, &["status"]).expect_any(&[0, 3, 10]);
        assert!(done.code != Some(10) || done.err.contains("HOME"), "{done:?}");
    }
    for home in ["/dev/null", "/nowhere/at/all"] {
        without(Some(OsStr::new(home)), &["get"]).refused(&[3, 7, 10], &[]);
    }
    assert_eq!(
        fs::read_dir(world.path("home")).unwrap().count(),
        3,
        "something was written into the working directory"
    );
}

/// F49: bytes that are no text.
#[test]
fn a_home_of_any_bytes_works() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let odd = world.path("home").join(OsStr::from_bytes(b"od\xffd"));
    symlink(world.path("home/.data"), &odd).unwrap();
    world.shift(4000);
    let fresh = with(&world, &[("XDG_DATA_HOME", Some(odd.as_os_str()))], &["get"]).expect(0).out;
    assert_ne!(fresh.trim_end(), token);
    assert_eq!(world.token(), fresh.trim_end());
    sound(&idp, &world);
}

/// F50: callers whose variables differ and lead to the same data share the lock.
#[test]
fn different_variables_for_the_same_data_make_one_refresh() {
    let idp = Idp::builder().latency(300).start();
    let world = expired(&idp);
    let crowd: Vec<_> = (0..12)
        .map(|n| {
            let link = world.path(&format!("link{n}"));
            symlink(world.path("home/.data"), &link).unwrap();
            let mut command = world.command(&["get"]);
            match n % 3 {
                0 => command.env("XDG_DATA_HOME", &link),
                1 => command.env("XDG_STATE_HOME", &link).env("TMPDIR", "/nowhere"),
                _ => command.env("XDG_DATA_HOME", world.path("home/./.data")),
            };
            Running::start(command)
        })
        .collect();
    let mut tokens: Vec<_> = crowd.into_iter().map(|caller| caller.end().expect(0).out).collect();
    tokens.dedup();
    assert_eq!((tokens.len(), idp.count("refresh_token")), (1, 1));
    sound(&idp, &world);
}

/// F51: nothing needs a temporary folder.
#[test]
fn no_temporary_folder_is_needed() {
    let idp = Idp::start();
    let world = expired(&idp);
    for folder in ["/nowhere", "", "relative", "/dev/null"] {
        let variables = ["TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR"].map(|name| (name, Some(OsStr::new(folder))));
        let done = with(&world, &variables, &["get"]).expect(0);
        assert!(idp.live_access_token(done.out.trim_end()), "{folder}");
        world.shift(4000);
    }
    sound(&idp, &world);
}

/// F52: longer than the system allows.
#[test]
fn paths_that_are_too_long_are_10() {
    let idp = Idp::start();
    let world = expired(&idp);
    let (path, name) = (format!("/{}", "a/".repeat(3000)), format!("/tmp/{}", "n".repeat(300)));
    for long in [&path, &name] {
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            let done = with(&world, &[(variable, Some(OsStr::new(long)))], &["get"]);
            done.refused(&[10], &[variable, "too long"]);
        }
    }
    assert_eq!(idp.count("refresh_token"), 0);
    sound(&idp, &world);
}

/// F53: a record out of a backup. Its refresh token has been spent since: it is not sent again, and that is explained.
#[test]
fn a_record_put_back_from_a_backup_is_recognised() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (backup, token) = (fs::read(world.data("work")).unwrap(), world.token());
    world.shift(4000);
    world.token();
    let newer = fs::read(world.data("work")).unwrap();
    fs::write(world.data("work"), &backup).unwrap();
    assert_eq!(world.token(), token, "what is still good is served");
    world.shift(4000);
    world.run(&["get"]).refused(&[4], &["older than the last one", "backup", "hallpass login work"]);
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (1, 0), "a spent refresh token was sent");
    fs::write(world.data("work"), newer).unwrap();
    sound(&idp, &world);
}

/// F53: a sign-in in the place of a damaged record is no backup, whatever the numbers were, even where the word of the
/// highest one could not be written.
#[cfg(target_os = "linux")]
#[test]
fn a_new_session_is_never_taken_for_a_backup() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for _ in 0..3 {
        world.shift(4000);
        world.token();
    }
    fs::write(world.data("work"), "damage").unwrap();
    let seen = world.data("work.seen");
    let inject = ["-P", seen.to_str().unwrap(), "-e", "inject=openat:error=ENOSPC:when=2"];
    let Some(done) = super::injected(&world, &inject, &["login", "work"]) else { return };
    done.expect(0);
    assert_eq!(fs::read_to_string(&seen).unwrap(), "4", "it was written all the same");
    world.shift(4000);
    sound(&idp, &world);
}

/// F53: the whole folder put back, so that nothing here can know. The server does: one exit 4, no loop, one sign-in.
#[test]
fn a_folder_put_back_from_a_backup_costs_one_sign_in() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (data, backup) = (world.data(""), world.path("backup"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    };
    copy(&data, &backup);
    world.shift(4000);
    world.token();
    copy(&backup, &data);
    world.shift(4000);
    for _ in 0..3 {
        world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
    }
    assert_eq!(idp.count("refresh_token"), 2);
    world.sign_in();
    assert!(idp.live_access_token(&world.token()));
}
