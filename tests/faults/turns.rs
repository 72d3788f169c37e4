//! Updates, two versions, logout and erase in the middle of others' work, and many calls in a row.

use std::fs;

use serde_json::json;

#[cfg(target_os = "linux")]
use crate::answers::At;
use crate::idp::Idp;
use crate::record;
use crate::runs::{Running, until};
use crate::world::{BIN, World};

use super::{DOORS, all_refuse, expired, sound};

const GIT: &str = "protocol=https\nhost=git.example.com\nusername=oauth2\n";

/// F135: the binary is replaced while it runs, by an update.
#[test]
fn an_update_in_the_middle_of_a_refresh() {
    let idp = Idp::builder().latency(800).start();
    let world = expired(&idp);
    let (old, new) = (world.path("hallpass"), world.path("new"));
    // By `cp`: a file that we had open for writing could not be executed.
    for to in [&old, &new] {
        assert!(std::process::Command::new("cp").arg(BIN).arg(to).status().unwrap().success());
    }
    let mut command = std::process::Command::new(&old);
    world.dress(&mut command).arg("get");
    let running = Running::start(command);
    until("the request", || (idp.count("refresh_token") == 1).then_some(()));
    fs::rename(&new, &old).unwrap();
    let token = running.end().expect(0).out;
    assert_eq!(world.token(), token.trim_end());
    sound(&idp, &world);
    assert_eq!(idp.count("refresh_token"), 1);
    // And one that opens a browser after it was replaced.
    let world = World::new(&idp);
    assert!(std::process::Command::new("cp").arg(BIN).arg(world.path("hallpass")).status().unwrap().success());
    let script = "\"$D/hallpass\" login work & sleep 0.01; rm \"$D/hallpass\"; wait $!";
    let mut command = world.program("sh", &["-c", script]);
    command.env("D", world.path("")).env("HALLPASS_INTERACTIVE", "always");
    Running::start(command).end().expect(0);
    sound(&idp, &world);
}

/// F136, F33: a record of a newer hallpass is served by none of our doors, and nothing of ours takes its place: no
/// refresh, no journal, no sign-in. `logout` removes it, for that is what was asked for.
#[test]
fn a_newer_record_is_never_downgraded() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let old = fs::read_to_string(world.data("work")).unwrap();
    let record = &old[old.find("hallpass-record").unwrap()..]; // an intent may stand before it
    let newer = record.replacen("hallpass-record 1 ", "hallpass-record 2 ", 1);
    let calls = idp.every_call();
    fs::write(world.data("work"), &newer).unwrap();
    all_refuse(&world, 7, &["newer hallpass"]);
    world.run(&["refresh"]).refused(&[7], &["newer hallpass"]);
    world.with_person(&["login", "work"]).refused(&[7], &["newer hallpass", "update this hallpass"]);
    assert_eq!(fs::read_to_string(world.data("work")).unwrap(), newer);
    assert_eq!((idp.every_call(), world.opened().len()), (calls, 1));
    // Its journal beside a record that we can read: its refresh token is in there.
    fs::write(world.data("work"), &old).unwrap();
    let intent = json!({"generation": 2, "refresh": "00", "attempt": 1, "since": 1, "pid": 1, "command": "get"});
    let journal = format!("{:255}\n{newer}", format!("hallpass-intent {intent}"));
    fs::write(world.data("work.next"), &journal).unwrap();
    world.shift(4000);
    world.run(&["get"]).refused(&[7], &["work.next", "newer hallpass"]);
    world.with_person(&["login", "work"]).refused(&[7], &["work.next", "newer hallpass"]);
    assert_eq!(fs::read_to_string(world.data("work.next")).unwrap(), journal);
    assert_eq!(idp.count("refresh_token"), 0);
    fs::remove_file(world.data("work.next")).unwrap();
    sound(&idp, &world);
    fs::write(world.data("work"), &newer).unwrap();
    world.run(&["logout", "work", "--local"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
    world.sign_in();
}

/// F136: what a newer hallpass of the same format wrote survives our rewriting.
#[test]
fn what_a_newer_hallpass_added_survives_every_kind_of_save() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut json = world.record();
    json["later"] = json!({"kept": true});
    record::write(&world.data("work"), &json);
    world.shift(120);
    let token = world.token();
    world.ask(&["git", "erase"], format!("{GIT}password={token}\n\n")).expect(0);
    assert_eq!(world.record()["later"], json!({"kept": true}));
    world.token();
    assert_eq!(world.record()["later"], json!({"kept": true}));
}

/// F137: `logout` while others refresh: the last word is that nobody is signed in, here and at the server.
#[test]
fn logout_wins_against_a_refresh_in_flight() {
    let idp = Idp::builder().latency(700).start();
    let world = expired(&idp);
    let crowd: Vec<_> = (0..10).map(|_| Running::start(world.command(&["get"]))).collect();
    until("the request", || (idp.count("refresh_token") == 1).then_some(()));
    world.run(&["logout", "work"]).expect(0);
    for caller in crowd {
        caller.end().expect_any(&[0, 4]);
    }
    assert_eq!(world.holdings(), [""; 0], "a record came back");
    assert!(!idp.family_alive(), "the newest refresh token was revoked");
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (1, 0));
    world.run(&["get"]).refused(&[4], &["hallpass login work"]);
}

/// F137: what a cut-off refresh left complete is revoked too.
#[cfg(target_os = "linux")]
#[test]
fn logout_revokes_what_a_dead_run_left_complete() {
    let idp = Idp::start();
    let world = expired(&idp);
    let next = world.data("work.next");
    let inject = ["-P", next.to_str().unwrap(), "-e", "inject=rename:signal=KILL:when=1"];
    let Some(done) = super::injected(&world, &inject, &["get"]) else { return };
    assert_eq!((done.code, next.exists()), (None, true));
    let newest = record::read(&next)["refresh_token"].as_str().unwrap().to_owned();
    world.run(&["logout", "work"]).expect(0);
    let revoked = idp.calls(At::Revoke);
    assert_eq!(crate::forms::field(&revoked[0].form, "token"), Some(newest.as_str()));
    assert!(!idp.family_alive());
    assert_eq!(world.holdings(), [""; 0]);
}

/// F138: git erases while others ask and refresh: only that access token goes.
#[test]
fn erase_in_a_race_drops_one_access_token_only() {
    let idp = Idp::builder().latency(300).start();
    let world = World::signed_in(&idp);
    world.shift(120);
    let (token, refresh) = (world.token(), world.record()["refresh_token"].clone());
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (world, token) = (&world, &token);
            scope.spawn(move || match n % 2 {
                0 => drop(world.ask(&["git", "erase"], format!("{GIT}password={token}\n\n")).expect(0)),
                _ => drop(world.ask(&["git", "get"], format!("{GIT}\n")).expect(0)),
            });
        }
    });
    assert_ne!(world.token(), token, "the refused token is served again");
    assert_ne!(world.record()["refresh_token"], refresh);
    assert_eq!(idp.count("refresh_token"), 1);
    sound(&idp, &world);
}

/// F139: no zone and no language of the system changes what tools read.
#[test]
fn zones_and_languages_change_nothing() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    for (args, stdin) in DOORS {
        let plain = world.ask(args, stdin).expect(0).out;
        for (zone, language) in
            [("Pacific/Kiritimati", "tr_TR.UTF-8"), (":/nowhere", "C"), ("", "zz_ZZ"), ("XXX-99", "ar_EG.UTF-8")]
        {
            let mut command = world.hallpass(args);
            command.env("TZ", zone).env("LANG", language).env("LC_ALL", language).env("LANGUAGE", language);
            let done = crate::runs::done(command.write_stdin(stdin)).expect(0);
            assert_eq!((done.out, done.err.as_str()), (plain.clone(), ""), "{args:?} in {zone} and {language}");
        }
    }
}

/// F140: call after call leaves nothing: no file more, none larger, no lock held.
#[test]
fn call_after_call_leaves_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let settled = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(world.config_file()).unwrap().set_modified(settled).unwrap();
    let round = || {
        for (args, stdin) in DOORS {
            world.ask(args, stdin).expect(0);
        }
        world.shift(4000);
        world.token();
    };
    let count = || {
        let (mut files, mut bytes, mut folders) = (0, 0, vec![world.path("home")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let found = entry.metadata().unwrap();
                if found.is_dir() {
                    folders.push(entry.path());
                } else {
                    (files, bytes) = (files + 1, bytes + found.len());
                }
            }
        }
        (files, bytes)
    };
    (0..10).for_each(|_| round()); // generations of two digits from here on
    let before = count();
    (0..40).for_each(|_| round());
    assert_eq!(count(), before);
    sound(&idp, &world);
}
