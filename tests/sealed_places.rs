//! Passwords kept for places no account serves, in a keychain: git's own cases, and what lies on disk.

use std::fs;

use crate::idp::Idp;
use crate::kept::{CASES, Git, asked, at, pair, store};
use crate::secret_service::Keychain;
use crate::world::World;

/// A keychain that has its key: somebody has signed in before.
fn keychain() -> Option<Keychain> {
    let keychain = Keychain::start()?;
    keychain.signed_in(&Idp::start());
    Some(keychain)
}

fn git(keychain: &Keychain, config: &str) -> Option<Git> {
    let mut world = World::bare();
    keychain.serve(&mut world);
    Git::at(world, config)
}

#[test]
fn gits_cases_hold_with_a_keychain() {
    let Some(keychain) = keychain() else { return };
    for (name, case) in CASES {
        let Some(git) = git(&keychain, "") else { return };
        eprintln!("{name}");
        case(&git);
        for file in git.world.holdings() {
            assert!(file.starts_with('+') && file.ends_with(&format!("@{}", keychain.key_id())), "{name}: {file}");
        }
    }
    assert_eq!(keychain.items(), 1);
}

#[test]
fn a_kept_password_is_sealed_and_its_place_hashed() {
    let Some(keychain) = keychain() else { return };
    let Some(git) = git(&keychain, "") else { return };
    store(&git, "secret-project.tld", "some-user", "hunter2-in-clear");
    let files = git.world.holdings();
    assert_eq!(files.len(), 1, "{files:?}");
    for entry in fs::read_dir(git.world.data("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let text = format!("{}{}", path.display(), String::from_utf8_lossy(&bytes));
        for word in ["secret-project", "some-user", "hunter2"] {
            assert!(!text.contains(word), "{word} in {}", path.display());
        }
    }
    // Without the cached key the keychain gives it back; without the keychain nobody gets anything.
    git.world.run(&["lock"]).silent();
    git.fills(&at("secret-project.tld"), &(at("secret-project.tld") + &pair("some-user", "hunter2-in-clear")));
    git.world.run(&["lock"]).silent();
    keychain.lock();
    let done = git.world.ask(&["git", "get"], format!("{}\n", at("secret-project.tld")));
    done.refused(&[0], &["keychain is locked"]);
    git.fills(&at("other.tld"), &asked("other.tld"));
}

#[test]
fn nothing_is_kept_without_a_key_or_in_ci() {
    let Some(keychain) = Keychain::start() else { return };
    let Some(mut git) = git(&keychain, "") else { return };
    store(&git, "example.com", "user", "pass");
    assert_eq!((git.world.holdings(), keychain.items()), (vec![], 0), "no tool makes a key");
    keychain.signed_in(&Idp::start());
    git.world.set("CI", "true");
    store(&git, "example.com", "user", "pass");
    assert_eq!(git.world.holdings(), [""; 0], "in CI");
    git.world.unset("CI");
    for (scheme, kept) in [("http", 0), ("https", 1)] {
        git.approve(&format!("protocol={scheme}\nhost=example.com\n{}", pair("user", "pass")));
        assert_eq!(git.world.holdings().len(), kept, "{scheme}");
    }
}

#[test]
fn a_planted_plain_password_beside_a_sealed_one_is_refused() {
    let Some(keychain) = keychain() else { return };
    let (Some(git), Some(evil)) = (git(&keychain, ""), Git::at(World::bare(), "keep = \"always\"\n")) else { return };
    store(&git, "example.com", "user", "true-pass");
    store(&evil, "example.com", "user", "evil-pass");
    let name = evil.world.holdings().pop().unwrap();
    let sealed = format!("{name}@{}", keychain.key_id());
    assert_eq!(git.world.holdings(), [sealed.as_str()]);
    let before = fs::read(git.world.data(&sealed)).unwrap();
    fs::copy(evil.world.data(&name), git.world.data(&name)).unwrap();
    git.world.ask(&["git", "get"], format!("{}\n", at("example.com"))).refused(&[0], &["sealed"]);
    assert!(!git.run("a.b=c", "fill", &at("example.com")).out.contains("evil-pass"));
    assert_eq!(fs::read(git.world.data(&sealed)).unwrap(), before);
    fs::remove_file(git.world.data(&name)).unwrap();
    git.fills(&at("example.com"), &(at("example.com") + &pair("user", "true-pass")));
}

#[test]
fn the_way_out_of_a_lost_key_leads_past_kept_passwords() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let Some(git) = Git::at(keychain.signed_in(&idp), &World::account("work", &idp, "[]")) else { return };
    store(&git, "example.com", "user", "pass");
    assert_eq!(git.world.holdings().len(), 2);
    keychain.forget_key();
    git.world.run(&["lock"]).silent();
    git.world.with_person(&["login", "work"]).refused(&[7], &["hallpass logout --local --all"]);
    git.world.run(&["logout", "--local", "--all"]).expect(0);
    git.world.sign_in();
    git.world.run(&["get"]).expect(0);
}

#[test]
fn what_was_sealed_is_kept_in_a_file_once_that_is_wished() {
    let Some(keychain) = keychain() else { return };
    let Some(mut git) = git(&keychain, "keep = \"always\"\n") else { return };
    store(&git, "example.com", "user", "first-pass");
    assert!(git.world.holdings()[0].contains('@'), "{:?}", git.world.holdings());
    git.world.set("HALLPASS_STORE", "file");
    store(&git, "example.com", "user", "second-pass");
    assert!(!git.world.holdings().join(" ").contains('@'), "{:?}", git.world.holdings());
    git.fills(&at("example.com"), &(at("example.com") + &pair("user", "second-pass")));
}
