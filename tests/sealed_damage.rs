//! Sealed records that are planted, copied, cut, flipped or put back: never a wrong token, never another's loss.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::idp::Idp;
use crate::record;
use crate::secret_service::Keychain;
use crate::world::{SERVES, World};

const GIT: &str = "protocol=https\nhost=git.example.com\n\n";
const HOME: &str = r#"["https://home.example.com"]"#;
/// git reads "nothing" from an empty answer; the exit code of its door is always 0.
const GIT_DOOR: &[i32] = &[0];
const EVIL: &str = "planted-token-0123456789abcdefghijklmnopqrstuvwxyz";

/// `work` and `home`, both signed in; the record of `work`.
fn two(keychain: &Keychain, idp: &Idp) -> (World, Vec<u8>) {
    let world = keychain.world(idp);
    world.add(&World::account("home", idp, HOME));
    world.sign_in();
    world.with_person(&["login", "home"]).expect(0);
    let bytes = fs::read(keychain.file(&world, "work")).unwrap();
    (world, bytes)
}

/// A valid plain record whose access token is `EVIL`, as somebody else's hallpass would write it.
fn planted(idp: &Idp) -> Vec<u8> {
    let world = World::signed_in(idp);
    let mut record = world.record();
    record["generation"] = 99.into();
    record["tokens"][0]["secret"] = EVIL.into();
    record::write(&world.data("work"), &record);
    assert_eq!(world.token(), EVIL, "without a sealed record it would be believed");
    fs::read(world.data("work")).unwrap()
}

fn plant(world: &World, name: &str, bytes: &[u8]) {
    fs::write(world.data(name), bytes).unwrap();
    fs::set_permissions(world.data(name), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_planted_plain_record_is_refused_at_every_door() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (token, evil) = (world.token(), planted(&idp));
    let sealed = fs::read(keychain.file(&world, "work")).unwrap();
    let calls = idp.every_call();
    plant(&world, "work", &evil);
    for round in ["with the routes of before", "with new routes"] {
        for (args, stdin) in [
            (["get"].as_slice(), ""),
            (&["get", "work"], ""),
            (&["get", "https://git.example.com"], ""),
            (&["git", "get"], GIT),
            (&["git", "store"], "protocol=https\nhost=git.example.com\nusername=oauth2\npassword=x\n\n"),
            (&["git", "erase"], "protocol=https\nhost=git.example.com\nusername=oauth2\npassword=x\n\n"),
            (&["kubectl"], ""),
            (&["header"], ""),
            (&["refresh"], ""),
            (&["json", "get"], r#"{"account":"work"}"#),
            (&["status"], ""),
        ] {
            let done = world.ask(args, stdin);
            assert!(!format!("{done:?}").contains(EVIL), "{round}, {args:?}: {done:?}");
            match args {
                ["git", "get"] => drop(done.refused(GIT_DOOR, &["work", "sealed", "hallpass: hint:"])),
                ["get" | "header" | "kubectl" | "refresh", ..] => {
                    drop(done.refused(&[9], &["work", "sealed", "hallpass: hint:"]));
                }
                _ => {}
            }
        }
        assert_eq!(fs::read(keychain.file(&world, "work")).unwrap(), sealed);
        let _ = fs::remove_dir_all(world.data("routes"));
    }
    assert_eq!(idp.every_call(), calls, "the planted refresh token was sent somewhere");
    fs::remove_file(world.data("work")).unwrap();
    assert_eq!(world.token(), token);
}

#[test]
fn a_sign_in_by_a_person_clears_the_planted_record_away() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    plant(&world, "work", &planted(&idp));
    world.run(&["get"]).refused(&[9], &["work"]);
    world.sign_in();
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())]);
    assert!(idp.live_access_token(&world.token()));
}

#[test]
fn a_planted_next_record_takes_nobodys_place() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (evil, name) = (planted(&idp), format!("work@{}", keychain.key_id()));
    for next in [format!("{name}.next"), "work.next".to_owned()] {
        plant(&world, &next, &evil);
        keychain.shift(&world, 4000);
        let token = world.token();
        assert!(token != EVIL && idp.live_access_token(&token), "{next}");
        let _ = fs::remove_file(world.data(&next));
        assert_eq!(world.holdings(), [name.as_str()]);
    }
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (2, 0));
}

#[test]
fn a_sealed_record_under_another_name_is_not_opened() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let (world, work) = two(&keychain, &idp);
    let token = world.run(&["get", "work"]).expect(0).out;
    let home = fs::read(keychain.file(&world, "home")).unwrap();
    let question = "protocol=https\nhost=home.example.com\n\n";
    let calls = idp.every_call();
    fs::write(keychain.file(&world, "home"), &work).unwrap();
    world.run(&["get", "home"]).refused(&[7], &["home"]);
    world.run(&["header", "home"]).refused(&[7], &["home"]);
    world.ask(&["git", "get"], question).refused(GIT_DOOR, &["home", "damaged"]);
    assert_eq!(world.run(&["get", "work"]).expect(0).out, token);
    assert_eq!(idp.every_call(), calls, "damage made a request");
    // The record of another key under our key's name, too.
    fs::write(keychain.file(&world, "home"), &home).unwrap();
    let Some(foreign) = Keychain::start() else { return };
    let theirs = foreign.signed_in(&idp);
    fs::copy(foreign.file(&theirs, "work"), keychain.file(&world, "work")).unwrap();
    let calls = idp.every_call();
    world.run(&["get", "work"]).refused(&[7], &["work"]);
    world.run(&["get", "home"]).expect(0);
    assert_eq!(idp.every_call(), calls, "damage made a request");
}

#[test]
fn a_cut_sealed_record_is_7_and_only_its_own_accounts_trouble() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let (world, whole) = two(&keychain, &idp);
    let (home, file) = (world.run(&["get", "home"]).expect(0).out, keychain.file(&world, "work"));
    let calls = idp.every_call();
    let start = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1; // the intent's end or the header's
    let places = (0..12).map(|part| part * whole.len() / 12);
    for cut in places.chain([1, start - 1, start, start + 1, start + 12, start + 28, whole.len() - 1]) {
        fs::write(&file, &whole[..cut]).unwrap();
        world.run(&["get", "work"]).refused(&[7], &["work", "hallpass: hint:"]);
        world.ask(&["git", "get"], GIT).refused(GIT_DOOR, &["work", "damaged"]);
        assert_eq!(world.run(&["get", "home"]).expect(0).out, home, "cut at {cut}");
    }
    fs::write(&file, [&whole[..], b" "].concat()).unwrap();
    world.run(&["get", "work"]).refused(&[7], &["work"]);
    let status = world.run(&["status"]).expect_any(&[0, 7]).out;
    assert!(status.contains("work") && status.contains(&keychain.key_id()), "{status}");
    assert_eq!(idp.every_call(), calls, "damage made a request");
    // A person gets out of it by signing in.
    world.sign_in();
    assert!(idp.live_access_token(world.run(&["get", "work"]).expect(0).out.trim_end()));
}

#[test]
fn a_flipped_bit_is_7_and_never_another_token() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let (world, whole) = two(&keychain, &idp);
    let (token, file) = (world.run(&["get", "work"]).expect(0).out, keychain.file(&world, "work"));
    let (calls, mut noticed) = (idp.every_call(), 0);
    for round in 0..64 {
        let mut bytes = whole.clone();
        let at = round * whole.len() / 64;
        bytes[at] ^= 1 << (round % 8);
        fs::write(&file, &bytes).unwrap();
        let done = world.run(&["get", "work"]).expect_any(&[0, 7]);
        // The intent before the record has done its work: what is in it does not matter any more.
        assert!(done.code == Some(7) && done.out.is_empty() || done.out == token && at < 256, "bit {round}: {done:?}");
        noticed += usize::from(done.code == Some(7));
    }
    assert!(noticed > 32, "only {noticed} of 64");
    assert_eq!(idp.every_call(), calls, "damage made a request");
    fs::write(&file, &whole).unwrap();
    assert_eq!(world.run(&["get", "work"]).expect(0).out, token);
}

/// An older record answers until its access token ends. Its refresh token has been replaced since: a server that is
/// strict would take it for stolen and end the session, so it is not sent.
#[test]
fn a_record_put_back_answers_until_its_token_ends() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (file, token) = (keychain.file(&world, "work"), world.token());
    let old = fs::read(&file).unwrap();
    keychain.shift(&world, 4000);
    assert_ne!(world.token(), token);
    let newest = fs::read(&file).unwrap();
    fs::write(&file, &old).unwrap();
    assert_eq!(world.token(), token);
    keychain.shift(&world, 3000); // in its last fifth
    assert_eq!(world.token(), token);
    keychain.shift(&world, 1000);
    for _ in 0..2 {
        world.run(&["get"]).refused(&[4], &["work", "older", "hallpass login work"]);
    }
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (1, 0), "a spent refresh token was sent");
    // The newest record, put back in turn, is still alive; so is a session that a person makes.
    fs::write(&file, &newest).unwrap();
    keychain.shift(&world, 4000);
    assert!(idp.live_access_token(&world.token()) && idp.family_alive());
    fs::write(&file, &old).unwrap();
    world.sign_in();
    keychain.shift(&world, 4000);
    assert!(idp.live_access_token(&world.token()));
}

/// What is sealed decides where a token goes, not what the configuration has come to say.
#[test]
fn places_are_sealed_with_the_session() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let more = SERVES.replacen('[', r#"["https://evil.example", "#, 1);
    world.config(&World::account("work", &idp, &more));
    world.ask(&["git", "get"], "protocol=https\nhost=evil.example\n\n").refused(GIT_DOOR, &["work", "evil.example"]);
    world.ask(&["git", "get"], GIT).expect(0);
}
