//! Signing out of sealed sessions: both ways of keeping, and the key that goes with the last one.

use std::fs;

use crate::idp::Idp;
use crate::runs::until;
use crate::secret_service::Keychain;
use crate::world::{Behaviour, World};

const HOME: &str = r#"["https://home.example.com"]"#;

#[test]
fn both_ways_of_keeping_go_and_the_key_with_the_last() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    world.add(&World::account("home", &idp, HOME));
    world.with_person(&["login", "home"]).expect(0);
    let id = keychain.key_id();
    // As if somebody had put it there: it is refused, and goes all the same.
    fs::write(world.data("work"), "{}").unwrap();
    world.run(&["get", "work"]).refused(&[9], &["work"]);
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(world.holdings(), [format!("home@{id}")]);
    assert_eq!((keychain.items(), keychain.key_id()), (1, id), "another session needs it");
    world.run(&["logout", "home"]).expect(0);
    assert_eq!((world.holdings().len(), keychain.items()), (0, 0), "nothing is left of it");
    // And a new one comes with the next sign-in.
    world.sign_in();
    assert_eq!((world.holdings(), keychain.items()), (vec![format!("work@{}", keychain.key_id())], 1));
    world.run(&["lock"]).silent();
    world.run(&["get", "work"]).expect(0);
}

#[test]
fn a_key_that_cannot_be_taken_away_is_said() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    keychain.end();
    world.run(&["logout", "work"]).expect(0).says(&["signed out", "the key stays behind", "there is no keychain"]);
    assert_eq!(world.holdings().len(), 0);
    keychain.unlock();
    assert_eq!(keychain.items(), 1);
}

#[test]
fn a_kept_password_keeps_the_key() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let place = "protocol=https\nhost=elsewhere.example.com\n";
    world.ask(&["git", "store"], format!("{place}username=hal\npassword=pw\n\n")).expect(0);
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(keychain.items(), 1);
    world.run(&["lock"]).silent();
    assert!(world.ask(&["git", "get"], format!("{place}\n")).expect(0).out.contains("password=pw\n"));
}

/// The last session goes while a person signs in to another account with the same key.
#[test]
fn a_sign_in_under_way_keeps_the_key() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    world.add(&World::account("home", &idp, HOME));
    world.browser(Behaviour::Ignore);
    let before = world.opened().len();
    let signing_in = world.start(&["login", "home"]);
    let page = until("the page", || world.opened().get(before).cloned());
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(keychain.items(), 0);
    let callback = crate::callback::approve(&page);
    assert_eq!(crate::callback::get(&callback).status, 200);
    signing_in.end().expect(0);
    assert_eq!((world.holdings(), keychain.items()), (vec![format!("home@{}", keychain.key_id())], 1));
    world.run(&["lock"]).silent();
    world.run(&["get", "home"]).expect(0);
}
