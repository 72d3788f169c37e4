//! A record that is cut, flipped or replaced never yields a wrong token, and never touches another account.

use std::fs;
#[cfg(unix)]
use std::process::Command;

use crate::idp::Idp;
use crate::world::World;

const HOME: &str = r#"["https://home.example.com"]"#;

/// Two accounts, both signed in; gives the bytes of the record `work`.
fn two(idp: &Idp) -> (World, Vec<u8>) {
    let world = World::new(idp);
    world.add(&World::account("home", idp, HOME));
    world.sign_in();
    world.with_person(&["login", "home"]).expect(0);
    let bytes = fs::read(world.data("work")).unwrap();
    (world, bytes)
}

#[test]
fn a_cut_record_is_7_or_nothing_but_never_a_wrong_token() {
    let idp = Idp::start();
    let (world, whole) = two(&idp);
    let home = world.run(&["get", "home"]).expect(0).out;
    let calls = idp.every_call();
    let step = whole.len() / 16;
    for cut in (0..16).map(|part| part * step).chain([1, whole.len() - 1]) {
        fs::write(world.data("work"), &whole[..cut]).unwrap();
        world.run(&["get", "work"]).refused(&[7], &["work"]);
        assert_eq!(world.run(&["get", "home"]).expect(0).out, home, "cut at {cut}");
    }
    fs::write(world.data("work"), [&whole[..], b" "].concat()).unwrap();
    world.run(&["get", "work"]).refused(&[7], &["work"]);
    assert_eq!(idp.every_call(), calls, "damage made a request");
    fs::write(world.data("work"), &whole).unwrap();
    world.run(&["get", "work"]).expect(0);
}

#[test]
fn a_flipped_bit_is_noticed() {
    let idp = Idp::start();
    let (world, whole) = two(&idp);
    let token = world.run(&["get", "work"]).expect(0).out;
    let calls = idp.every_call();
    for round in 0..64 {
        let mut bytes = whole.clone();
        let at = round * whole.len() / 64;
        bytes[at] ^= 1 << (round % 8);
        fs::write(world.data("work"), &bytes).unwrap();
        let done = world.run(&["get", "work"]).expect_any(&[0, 7]);
        assert!(done.code == Some(7) && done.out.is_empty() || done.out == token, "bit {round} at {at}: {done:?}");
    }
    assert_eq!(idp.every_call(), calls, "damage made a request");
}

#[test]
fn a_record_under_another_name_is_not_that_accounts() {
    let idp = Idp::start();
    let (world, whole) = two(&idp);
    let work = world.run(&["get", "work"]).expect(0).out;
    fs::write(world.data("home"), &whole).unwrap();
    let done = world.ask(&["git", "get"], "protocol=https\nhost=home.example.com\n\n");
    assert!(!done.out.contains(work.trim_end()), "the record of work answered for home: {done:?}");
}

#[test]
fn a_record_of_a_newer_hallpass_is_left_alone() {
    let idp = Idp::start();
    let (world, whole) = two(&idp);
    let text = String::from_utf8(whole).unwrap().replacen("hallpass-record 1 ", "hallpass-record 99 ", 1);
    fs::write(world.data("work"), &text).unwrap();
    world.run(&["get", "work"]).refused(&[7], &["work"]);
    assert_eq!(fs::read_to_string(world.data("work")).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn what_is_not_a_file_does_not_hang_or_harm() {
    let idp = Idp::start();
    let (world, whole) = two(&idp);
    for what in ["pipe", "folder", "link to nowhere"] {
        fs::remove_file(world.data("work")).or_else(|_| fs::remove_dir(world.data("work"))).unwrap();
        match what {
            "pipe" => assert!(Command::new("mkfifo").arg(world.data("work")).status().unwrap().success()),
            "folder" => fs::create_dir(world.data("work")).unwrap(),
            _ => std::os::unix::fs::symlink("/nowhere", world.data("work")).unwrap(),
        }
        let done = world.start(&["get", "work"]).end();
        assert!(
            done.code.is_some_and(|code| [4, 7, 9].contains(&code)) || what.starts_with("link"),
            "{what}: {done:?}"
        );
        assert!(done.code == Some(0) || done.out.is_empty(), "{what}: {done:?}");
        world.run(&["get", "home"]).expect(0);
    }
    let _ = fs::remove_file(world.data("work"));
    fs::write(world.data("work"), whole).unwrap();
}

#[test]
fn a_routes_folder_that_lies_or_is_gone_changes_nothing() {
    let idp = Idp::start();
    let (world, _) = two(&idp);
    world.settle();
    let work = world.run(&["get", "https://git.example.com"]).expect(0).out;
    let question = "protocol=https\nhost=home.example.com\n\n";
    let home = world.ask(&["git", "get"], question).expect(0).out;
    assert!(home.contains("password=") && !home.contains(work.trim_end()));
    let _ = fs::remove_dir_all(world.data("routes"));
    assert_eq!(world.ask(&["git", "get"], question).expect(0).out, home);
    // Every file of the routes says what another one said.
    let mut files = Vec::new();
    let mut folders = vec![world.data("routes")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(!files.is_empty(), "no routes");
    let texts: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for (at, file) in files.iter().enumerate() {
        fs::write(file, &texts[(at + 1) % texts.len()]).unwrap();
    }
    let done = world.ask(&["git", "get"], question);
    assert!(done.out.is_empty() || done.out == home, "{done:?}");
    let done = world.ask(&["git", "get"], "protocol=https\nhost=evil.example\n\n");
    assert_eq!(done.out, "");
}
