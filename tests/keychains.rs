//! Keychains that are locked, absent, silent or have lost the key: words and an end, in time, and nothing lost.

use std::fs;

use crate::idp::Idp;
use crate::secret_service::{Keychain, callers, mute};
use crate::world::World;

const GIT: &str = "protocol=https\nhost=git.example.com\n\n";
const HOME: &str = r#"["https://home.example.com"]"#;

/// Every door ends in time, with these words and no answer; all are asked at once.
fn doors_refuse(world: &World, words: &[&str]) {
    let doors = [
        (["get"].as_slice(), ""),
        (&["git", "get"], GIT),
        (&["kubectl"], ""),
        (&["header"], ""),
        (&["refresh"], ""),
        (&["json", "get"], r#"{"account":"work"}"#),
    ];
    let refuses = |args: &[&str], stdin: &str| {
        let done = world.ask(args, stdin);
        match args[0] {
            // git reads "nothing" from an empty answer; the exit code of its door is always 0.
            "git" => drop(done.refused(&[0], words)),
            "json" => {
                assert!(done.out.starts_with(r#"{"error":{"code":7,"#), "{done:?}");
                drop(done.expect(7).says(words));
            }
            _ => drop(done.refused(&[7], words).says(&["hallpass: hint:"])),
        }
    };
    std::thread::scope(|scope| {
        doors.iter().for_each(|(args, stdin)| drop(scope.spawn(move || refuses(args, stdin))));
    });
}

#[test]
fn a_locked_keychain_is_said_and_nobody_is_asked() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (token, file, id) = (world.token(), keychain.file(&world, "work"), keychain.key_id());
    let (before, calls) = (fs::read(&file).unwrap(), idp.every_call());
    keychain.lock();
    assert_eq!(world.token(), token, "while the key is cached a locked keychain locks nothing");
    world.run(&["lock"]).silent();
    let seen = keychain.watch(|| {
        doors_refuse(&world, &["keychain is locked", "unlock"]);
        let status = world.run(&["status"]).expect_any(&[0, 7]).out;
        assert!(status.contains("locked"), "{status}");
    });
    assert!(seen.matches("member=SearchItems").count() >= 7, "{seen}");
    for member in ["Unlock", "Prompt", "CreateItem", "CreateCollection", "SetSecret"] {
        assert!(!seen.contains(&format!("member={member}\n")), "{member} was called:\n{seen}");
    }
    // A person may be asked by the desktop; where no dialog can open, the sign-in has not begun.
    let seen = keychain.watch(|| {
        world.with_person(&["login", "work"]).refused(&[7], &["locked"]);
    });
    assert!(seen.contains("member=Unlock\n") && !seen.contains("member=Create"), "{seen}");
    assert_eq!((world.opened().len(), idp.every_call()), (1, calls));
    assert_eq!((fs::read(&file).unwrap(), world.holdings()), (before, vec![format!("work@{id}")]));
    keychain.unlock();
    assert_eq!((world.token(), keychain.items(), keychain.key_id()), (token, 1, id));
}

#[test]
fn a_locked_and_empty_keychain_gets_no_key() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.world(&idp);
    keychain.lock();
    world.with_person(&["login", "work"]).refused(&[7], &["locked"]);
    assert_eq!((world.holdings(), world.opened().len(), keychain.items()), (vec![], 0, 0));
    keychain.unlock();
    assert_eq!(keychain.items(), 0);
    world.sign_in();
    assert_eq!(keychain.items(), 1);
}

#[test]
fn without_any_keychain_a_plain_record_is_kept_and_said_once() {
    let idp = Idp::start();
    let mut world = World::new(&idp);
    world.unset("HALLPASS_STORE");
    let done = world.sign_in();
    assert_eq!(done.err.matches("NOT sealed").count(), 1, "{done:?}");
    assert_eq!(world.holdings(), ["work"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(world.data("work")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(world.run(&["get"]).expect(0).err, "");
    let status = world.run(&["status"]).expect(0).out;
    assert!(status.contains("NOT sealed") && status.contains(world.data("work").to_str().unwrap()), "{status}");
    // Who demands a keychain does not get a file.
    world.set("HALLPASS_STORE", "keychain");
    world.with_person(&["login", "work"]).refused(&[7], &["keychain", "D-Bus"]);
    assert_eq!(world.opened().len(), 1);
}

#[test]
fn sealed_sessions_are_never_swapped_for_plain_ones_by_themselves() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    world.config(&format!("default = \"work\"\n{}\n{}", world.config_text(), World::account("home", &idp, HOME)));
    let (token, file) = (world.run(&["get", "work"]).expect(0).out, keychain.file(&world, "work"));
    let before = fs::read(&file).unwrap();
    world.run(&["lock"]).silent();
    keychain.end(); // a bus without a secret service, then no bus
    for _ in 0..2 {
        for name in ["work", "home"] {
            world.with_person(&["login", name]).refused(&[7], &["keychain", "hallpass: hint:"]);
        }
        doors_refuse(&world, &["keychain"]);
        assert_eq!(fs::read(&file).unwrap(), before);
        assert_eq!((world.holdings().len(), world.opened().len()), (1, 1));
        world.unset("DBUS_SESSION_BUS_ADDRESS");
    }
    keychain.unlock();
    keychain.serve(&mut world);
    assert_eq!(world.run(&["get", "work"]).expect(0).out, token);
}

#[test]
fn a_keychain_that_comes_later_takes_the_next_sign_in() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = World::signed_in(&idp);
    let token = world.token();
    keychain.serve(&mut world);
    assert_eq!(world.token(), token);
    world.shift(4000);
    assert_ne!(world.token(), token);
    assert_eq!((world.holdings(), keychain.items()), (vec!["work".to_owned()], 0), "a refresh moves nothing");
    world.sign_in();
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())]);
}

#[test]
fn a_bus_or_service_that_never_answers_is_waited_for_in_bounds() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    let file = keychain.file(&world, "work");
    let before = fs::read(&file).unwrap();
    world.run(&["lock"]).silent();
    keychain.stop();
    doors_refuse(&world, &["keychain", "in time"]);
    let listener = {
        let (listener, address) = mute(&world);
        world.set("DBUS_SESSION_BUS_ADDRESS", address);
        listener
    };
    doors_refuse(&world, &["keychain", "in time"]);
    world.run(&["status"]).expect_any(&[0, 7]);
    world.run(&["whoami"]).expect(7);
    world.run(&["lock"]).silent();
    drop(listener);
    keychain.serve(&mut world);
    keychain.stop_bus();
    world.run(&["get"]).refused(&[7], &["keychain", "in time"]);
    assert_eq!((fs::read(&file).unwrap(), world.opened().len()), (before, 1));
    world.unset("DBUS_SESSION_BUS_ADDRESS");
    world.run(&["get"]).refused(&[7], &["D-Bus"]);
}

#[test]
fn a_silent_bus_costs_several_accounts_no_more_than_one() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    let names: Vec<_> = (0..4).map(|n| format!("other{n}")).collect();
    names.iter().for_each(|name| world.add(&World::account(name, &idp, "[]")));
    for name in &names {
        world.with_person(&["login", name]).expect(0);
    }
    world.run(&["lock"]).silent();
    let (listener, address) = mute(&world);
    world.set("DBUS_SESSION_BUS_ADDRESS", address);
    for args in [["status"].as_slice(), &["accounts"], &["status", "--json"]] {
        let done = world.run(args).expect_any(&[0, 7]);
        names.iter().for_each(|name| assert!(done.out.contains(name), "{args:?}: {done:?}"));
        assert_eq!(callers(&listener), 1, "{args:?}");
    }
}

#[test]
fn forgetting_here_needs_no_keychain() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    world.run(&["lock"]).silent();
    let (_listener, address) = mute(&world);
    world.set("DBUS_SESSION_BUS_ADDRESS", address);
    world.run(&["logout", "--local", "--all"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
}

#[test]
fn a_sign_in_ends_in_time_at_a_silent_bus_and_names_what_works() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    let before = world.holdings();
    world.run(&["lock"]).silent();
    let (_listener, address) = mute(&world);
    world.set("DBUS_SESSION_BUS_ADDRESS", address);
    let hint = "HALLPASS_STORE=file hallpass login";
    world.with_person(&["login", "work"]).refused(&[7], &["keychain", "in time", hint]);
    assert_eq!((world.opened().len(), world.holdings()), (1, before), "the keychain comes before the page");
    world.set("HALLPASS_STORE", "file");
    world.with_person(&["login", "work"]).expect(0).says(&["NOT sealed"]);
    assert_eq!(world.holdings(), ["work"], "no sealed record stays beside the plain one");
    world.run(&["get"]).expect(0);
}

#[test]
fn a_plain_record_does_not_notice_a_silent_bus() {
    let idp = Idp::start();
    let mut world = World::signed_in(&idp);
    world.unset("HALLPASS_STORE");
    let (listener, address) = mute(&world);
    world.set("DBUS_SESSION_BUS_ADDRESS", address);
    for (args, stdin) in [(["get"].as_slice(), ""), (&["git", "get"], GIT), (&["kubectl"], ""), (&["status"], "")] {
        world.ask(args, stdin).expect(0);
    }
    world.shift(4000);
    assert!(idp.live_access_token(world.run(&["get"]).expect(0).out.trim_end()));
    assert_eq!(callers(&listener), 0);
}

#[test]
fn a_key_that_is_gone_has_a_way_out() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (token, id) = (world.token(), keychain.key_id());
    keychain.forget_key();
    assert_eq!(world.token(), token, "the kernel still has it");
    world.run(&["lock"]).silent();
    keychain.lock();
    world.run(&["get"]).refused(&[7], &["keychain is locked"]); // what is not found behind a lock may be there
    keychain.unlock();
    doors_refuse(&world, &["no longer in the keychain", "hallpass logout --local --all"]);
    let login = world.with_person(&["login", "work"]);
    login.refused(&[7], &["no key", "work", "hallpass logout --local --all"]);
    assert_eq!((keychain.items(), world.opened().len()), (0, 1), "nothing is created, nobody is asked");
    assert_eq!(world.holdings(), [format!("work@{id}")]);
    world.run(&["logout", "--local", "--all"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
    world.sign_in();
    assert_ne!(keychain.key_id(), id);
    assert!(idp.live_access_token(&world.token()));
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())]);
}
