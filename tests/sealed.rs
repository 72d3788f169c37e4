//! Sessions sealed with a key that the keychain holds: what lies on disk, and the hit that needs no keychain.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

use crate::hit::{calls, traced};
use crate::idp::Idp;
use crate::secret_service::Keychain;
use crate::world::World;

const GIT: &str = "protocol=https\nhost=git.example.com\n\n";
const HOME: &str = r#"["https://home.example.com"]"#;

/// Whether the secret, or what hex or base64 make of it wherever it begins, is among the bytes.
fn shows(bytes: &[u8], secret: &str) -> bool {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for shift in 0..3 {
        let text = [&vec![b' '; shift][..], secret.as_bytes()].concat();
        for coded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            forms.push(coded[4..coded.len() - 4].to_owned());
        }
    }
    forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form.as_bytes()))
}

#[test]
fn what_shows_a_secret_is_found() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (plain, token) = (fs::read(world.data("work")).unwrap(), world.token());
    assert!(shows(&plain, &token));
    assert!((0..3).all(|at| shows(BASE64_STANDARD.encode(&plain[at..]).as_bytes(), &token)));
    assert!(!shows(&plain, &token.replace(&token[..1], "z")));
}

#[test]
fn a_sign_in_seals_its_session_and_every_door_answers() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::builder().id_tokens().start();
    let world = keychain.world(&idp);
    world.sign_in().says(&["sealed with key", &keychain.key_id()]);
    let file = keychain.file(&world, "work");
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(keychain.items(), 1, "one item, whatever the number of sessions");
    let (record, bytes) = (keychain.record(&world, "work"), fs::read(&file).unwrap());
    let token = world.run(&["get"]).expect(0).out.trim_end().to_owned();
    let secrets = idp.secrets();
    let refresh = record["refresh_token"].as_str().unwrap();
    assert!(secrets.contains(&token) && secrets.iter().any(|secret| secret == refresh));
    for secret in secrets.iter().map(String::as_str).chain([idp.issuer.as_str(), "git.example.com"]) {
        assert!(!shows(&bytes, secret), "{secret} can be read in {}", file.display());
    }
    for (args, stdin) in [
        (["get", "work"].as_slice(), ""),
        (&["header"], ""),
        (&["git", "get"], GIT),
        (&["json", "get"], r#"{"account":"work"}"#),
        (&["get", "https://git.example.com/a.git"], ""),
    ] {
        let done = world.ask(args, stdin).expect(0);
        assert!(done.out.contains(&token) && done.err.is_empty(), "{args:?}: {done:?}");
    }
    assert!(world.run(&["kubectl"]).expect(0).out.contains("\"token\":\"ey"), "the id_token");
    let status = world.run(&["status"]).expect(0).out;
    assert!(status.contains(&format!("sealed with key {}", keychain.key_id())), "{status}");
    assert!(!status.contains("NOT sealed"), "{status}");
}

#[test]
fn a_second_account_is_sealed_with_the_same_key() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (id, work) = (keychain.key_id(), world.token());
    world.add(&World::account("home", &idp, HOME));
    world.with_person(&["login", "home"]).expect(0);
    assert_eq!(world.holdings(), [format!("home@{id}"), format!("work@{id}")]);
    assert_eq!((keychain.items(), keychain.key_id()), (1, id));
    assert_eq!(world.run(&["get", "work"]).expect(0).out.trim_end(), work);
    assert_ne!(world.run(&["get", "home"]).expect(0).out.trim_end(), work);
    world.run(&["logout", "home"]).expect(0);
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())]);
    assert_eq!(world.run(&["get", "work"]).expect(0).out.trim_end(), work);
}

#[test]
fn two_first_sign_ins_at_once_make_one_key() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.world(&idp);
    world.add(&World::account("home", &idp, HOME));
    let both = ["work", "home"].map(|name| world.start(&["login", name]));
    both.into_iter().for_each(|login| drop(login.end().expect(0)));
    let id = keychain.key_id();
    assert_eq!(world.holdings(), [format!("home@{id}"), format!("work@{id}")]);
    assert_eq!(keychain.items(), 1);
    for name in ["work", "home"] {
        world.run(&["lock"]).silent();
        world.run(&["get", name]).expect(0);
    }
}

#[test]
fn a_refresh_stays_sealed_and_leaves_no_older_token_behind() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let (before, old) = (keychain.record(&world, "work"), world.token());
    keychain.shift(&world, 4000);
    let new = world.token();
    assert!(new != old && idp.live_access_token(&new));
    assert_eq!((world.token(), idp.count("refresh_token")), (new.clone(), 1));
    let after = keychain.record(&world, "work");
    assert_eq!(after["generation"].as_u64(), before["generation"].as_u64().map(|n| n + 1));
    assert_ne!(after["refresh_token"], before["refresh_token"]);
    assert!(!after.to_string().contains(&old), "the old token is still kept: {after}");
    // By git's word that the token was refused, and by a person.
    keychain.shift(&world, 120);
    world.ask(&["git", "erase"], format!("{}\nusername=oauth2\npassword={new}\n\n", GIT.trim_end())).expect(0);
    assert_eq!(keychain.record(&world, "work")["tokens"][0]["dead"], true);
    let newer = world.token();
    assert_ne!(newer, new);
    keychain.shift(&world, 120);
    world.run(&["refresh"]).expect(0);
    assert_ne!(world.token(), newer);
    assert_eq!(world.holdings(), [format!("work@{}", keychain.key_id())], "nothing plain, nothing in between");
    for secret in idp.secrets() {
        assert!(!shows(&fs::read(keychain.file(&world, "work")).unwrap(), &secret));
    }
    assert!(idp.family_alive() && idp.reuses() == 0);
    assert_eq!((idp.count("refresh_token"), keychain.items()), (3, 1));
}

#[test]
fn a_crowd_without_the_cached_key_makes_one_refresh() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::builder().latency(150).start();
    let world = keychain.signed_in(&idp);
    keychain.shift(&world, 4000);
    world.run(&["lock"]).silent();
    let crowd: Vec<_> = (0..16).map(|_| world.start(&["get"])).collect();
    let mut tokens: Vec<_> = crowd.into_iter().map(|one| one.end().expect(0).out).collect();
    tokens.dedup();
    assert_eq!((tokens.len(), idp.count("refresh_token")), (1, 1));
    assert!(idp.family_alive() && idp.reuses() == 0);
}

#[test]
fn a_hit_needs_no_keychain_until_lock_drops_the_key() {
    let Some(mut keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    let token = world.token();
    keychain.stop();
    assert_eq!(world.start(&["get"]).end().expect(0).out.trim_end(), token);
    keychain.go_on();
    keychain.end();
    assert_eq!(world.token(), token);
    world.unset("DBUS_SESSION_BUS_ADDRESS");
    assert_eq!(world.token(), token);
    // A refresh does not need it either, and what it wrote is sealed.
    keychain.unlock();
    keychain.shift(&world, 4000);
    let token = world.token();
    assert_eq!((world.token(), idp.count("refresh_token")), (token.clone(), 1));
    world.run(&["lock"]).silent();
    let before = fs::read(keychain.file(&world, "work")).unwrap();
    let calls = idp.every_call();
    world.start(&["get"]).end().refused(&[7], &["keychain", "D-Bus", "hallpass: hint:"]);
    world.run(&["lock"]).silent(); // nothing is cached: no word about it
    assert_eq!((idp.every_call(), fs::read(keychain.file(&world, "work")).unwrap()), (calls, before));
    keychain.serve(&mut world);
    assert_eq!(world.token(), token);
}

#[test]
fn the_bus_is_found_in_the_runtime_folder_too() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let mut world = keychain.signed_in(&idp);
    let token = world.token();
    world.run(&["lock"]).silent();
    world.unset("DBUS_SESSION_BUS_ADDRESS");
    world.run(&["get"]).refused(&[7], &["D-Bus"]);
    world.set("XDG_RUNTIME_DIR", keychain.runtime_dir());
    assert_eq!(world.token(), token);
}

#[test]
fn a_sealed_hit_is_one_process_without_locks_or_sockets() {
    let Some(keychain) = Keychain::start() else { return };
    let idp = Idp::start();
    let world = keychain.signed_in(&idp);
    let token = world.token();
    world.settle();
    world.run(&["get"]).expect(0);
    let (before, never) = (idp.every_call(), ["socket", "connect", "clone", "clone3", "fork", "vfork", "flock"]);
    for (args, stdin) in [(["get"].as_slice(), ""), (&["git", "get"], GIT), (&["kubectl"], ""), (&["header"], "")] {
        let Some((done, log)) = traced(&world, args, stdin) else { return };
        assert!(done.out.contains(&token), "{args:?}: {done:?}");
        assert_eq!(calls(&log, &["execve", "execveat"]).len(), 1, "{args:?}");
        assert_eq!(calls(&log, &never), [""; 0], "{args:?}");
        assert!(!calls(&log, &["keyctl"]).is_empty(), "{args:?}: from the kernel");
    }
    assert_eq!(idp.every_call(), before);
    // The same eyes see what happens without the cached key.
    world.run(&["lock"]).silent();
    let Some((_, log)) = traced(&world, &["get"], "") else { return };
    assert!(!calls(&log, &["connect"]).is_empty() && !calls(&log, &["clone", "clone3"]).is_empty());
}

/// A shared data folder has another path in each home, so that the kernel's cache, which belongs to one machine, keeps
/// them apart as two machines would.
#[test]
fn two_homes_with_one_data_folder_keep_their_own_sessions() {
    let (Some(a), Some(b)) = (Keychain::start(), Keychain::start()) else { return };
    let idp = Idp::start();
    let (one, other) = (a.world(&idp), b.signed_in(&idp)); // the other's keychain has its key from before
    fs::remove_dir_all(other.data("")).unwrap();
    fs::create_dir(one.data("")).unwrap();
    fs::set_permissions(one.data(""), fs::Permissions::from_mode(0o700)).unwrap();
    let link = other.path("home/.data/hallpass");
    std::os::unix::fs::symlink(one.path("home/.data/hallpass"), link).unwrap();
    let get = |world: &World| world.run(&["get", "work"]).expect(0).out.trim_end().to_owned();

    one.sign_in();
    let first = get(&one);
    other.run(&["get", "work"]).refused(&[4], &["work", "hallpass login work"]);
    other.sign_in();
    let second = get(&other);
    assert_ne!(first, second);
    let mut both = [a.key_id(), b.key_id()].map(|id| format!("work@{id}"));
    both.sort();
    assert_eq!(one.holdings(), both);
    assert_eq!((get(&one), get(&other)), (first.clone(), second.clone()));
    // Each refreshes its own, also when the key comes from the keychain.
    a.shift(&one, 4000);
    one.run(&["lock"]).silent();
    other.run(&["lock"]).silent();
    let third = get(&one);
    assert!(third != first && third != second);
    assert_eq!((get(&one), get(&other)), (third, second));
    assert!(one.run(&["status"]).expect(0).out.contains(&a.key_id()));
    assert!(other.run(&["status"]).expect(0).out.contains(&b.key_id()));
    assert_eq!(idp.reuses(), 0);
}

#[test]
fn a_new_home_beside_sealed_sessions_makes_no_key() {
    let (Some(a), Some(b)) = (Keychain::start(), Keychain::start()) else { return };
    let idp = Idp::start();
    let (one, other) = (a.signed_in(&idp), b.world(&idp));
    std::os::unix::fs::symlink(one.path("home/.data/hallpass"), other.path("home/.data/hallpass")).unwrap();
    let before = fs::read(a.file(&one, "work")).unwrap();
    other.with_person(&["login", "work"]).refused(&[7], &["work", "hallpass: hint:"]);
    assert_eq!((b.items(), other.opened().len()), (0, 0), "nothing is created, nobody is asked");
    assert_eq!(
        (one.holdings(), fs::read(a.file(&one, "work")).unwrap()),
        (vec![format!("work@{}", a.key_id())], before)
    );
    one.run(&["get"]).expect(0);
}
