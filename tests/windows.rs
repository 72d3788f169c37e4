//! What is different on Windows: programs have endings, a program's other names are copies of it, paths have `\` in them,
//! lines end in CR LF, and the keychain is the Credential Manager.

use std::fs;
use std::path::Path;

use crate::idp::Idp;
use crate::runs::skip;
use crate::tools::Link;
use crate::world::World;

/// An account with a token that was piped in.
fn with_token() -> World {
    let world = World::bare();
    world.config("[account.work]\r\nflow = \"token\"\r\nserves = [\"https://git.example.com\"]\r\n");
    world.ask(&["login", "work", "--token-stdin"], "s3cret-token\r\n").expect(0);
    world
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[test]
fn a_line_may_end_in_cr_lf() {
    let world = with_token();
    assert_eq!(world.token(), "s3cret-token");
    let answer = world.ask(&["git", "get"], "protocol=https\r\nhost=git.example.com\r\n\r\n").expect(0).out;
    assert!(answer.contains("password=s3cret-token\n") && !answer.contains('\r'), "{answer:?}");
}

#[test]
fn setup_makes_a_name_that_can_be_started_and_unsetup_takes_it_away() {
    let world = with_token();
    let us = Link::new(&world, "hallpass");
    let folder = world.path("programs");
    for (tool, name) in [("docker", "docker-credential-hallpass"), ("nuget", "nuget-plugin-hallpass")] {
        us.run(&["setup", tool]).expect(0);
        us.run(&["setup", tool]).expect(0);
        let file = format!("{name}.exe");
        assert!(names(&folder).contains(&file) && names(&folder).len() == 2, "{:?}", names(&folder));
        // What an older version has left there is replaced.
        fs::remove_file(folder.join(&file)).unwrap();
        fs::write(folder.join(&file), "an older hallpass").unwrap();
        us.run(&["setup", tool]).expect(0);
        us.run(&["unsetup", tool]).expect(0);
        assert_eq!(names(&folder), ["hallpass.exe"]);
        // What is somebody else's is not.
        fs::write(folder.join(&file), "somebody else's").unwrap();
        us.run(&["setup", tool]).refused(&[10], &[name, "is not this program"]);
        fs::remove_file(folder.join(&file)).unwrap();
    }
    us.run(&["setup", "docker"]).expect(0);
    let docker = Link::new(&world, "docker-credential-hallpass");
    assert!(docker.ask(&["get"], "https://git.example.com").expect(0).out.contains("s3cret-token"));
}

/// In HCL, in bazel's file and to a shell a `\` is a sign of quoting.
#[test]
fn no_file_that_setup_writes_has_a_backslash_in_it() {
    let world = with_token();
    let us = Link::new(&world, "hallpass");
    for (tool, file, words) in [
        ("vault", "home/.vault", "/programs/hallpass-vault.exe"),
        ("bazel", "home/.bazelrc", "/programs/hallpass-bazel.exe"),
        ("pnpm", "home/.npmrc", "/programs/hallpass-npm.exe"),
        ("git", "home/.gitconfig", "/programs/hallpass.exe' git"),
        ("claude", "home/.claude/settings.json", "/programs/hallpass.exe get work"),
        ("go", "home/.config/go/env", "/programs/hallpass.exe goauth"),
    ] {
        us.run(&["setup", tool]).expect(0);
        let text = fs::read_to_string(world.path(file)).unwrap();
        assert!(text.contains(words) && !text.contains('\\'), "{tool}: {text}");
        us.run(&["unsetup", tool]).expect(0);
        assert!(!world.path(file).exists(), "{tool}");
    }
    us.run(&["setup", "pip"]).expect(0).says(&["first folder on PATH"]);
    assert!(world.path("home/.config/pip/pip.ini").exists());
    us.run(&["setup", "uv"]).expect(0);
    us.run(&["unsetup", "pip"]).expect(0);
    assert!(world.data("programs/keyring.exe").exists(), "uv needs it still");
    us.run(&["unsetup", "uv"]).expect(0);
    assert!(!world.data("programs/keyring.exe").exists());
}

#[test]
fn links_are_made_once() {
    let world = World::bare();
    let folder = world.path("names");
    fs::create_dir(&folder).unwrap();
    let us = Link::new(&world, "hallpass");
    let made = us.run(&["link", folder.to_str().unwrap()]).expect(0).out;
    assert!(made.contains("git-credential-hallpass.exe"), "{made}");
    assert_eq!(us.run(&["link", folder.to_str().unwrap()]).expect(0).out, made);
    fs::remove_file(folder.join("git-credential-hallpass.exe")).unwrap();
    fs::write(folder.join("git-credential-hallpass.exe"), "somebody else's").unwrap();
    us.run(&["link", folder.to_str().unwrap()]).expect_any(&[2]).says(&["git-credential-hallpass.exe"]);
}

/// `npm` is `npm.cmd` there.
#[test]
fn a_program_is_found_by_any_ending_that_windows_knows() {
    let world = with_token();
    let folder = world.path("bin");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("tool.cmd"), "@echo off\r\necho %TOKEN% and %1\r\n").unwrap();
    fs::write(folder.join("keyring.cmd"), "@echo off\r\necho theirs %1 %2 %3\r\n").unwrap();
    let path = format!("{};{}", folder.display(), std::env::var("PATH").unwrap());
    let us = Link::new(&world, "hallpass").env("PATH", &path);
    let done = us.run(&["exec", "-e", "TOKEN=work", "--", "tool", "one"]).expect(0);
    assert_eq!(done.out.trim_end(), "s3cret-token and one");
    us.run(&["exec", "-e", "TOKEN=work", "--", "no-such-tool"]).refused(&[2], &["no-such-tool"]);
    // What is nobody's goes to the next program of that name.
    let keyring = Link::new(&world, "keyring").env("PATH", format!("{};{path}", world.path("programs").display()));
    let done = keyring.run(&["get", "https://elsewhere.example.com", "me"]).expect(0);
    assert_eq!(done.out.trim_end(), "theirs get https://elsewhere.example.com me");
}

#[test]
fn a_name_with_other_letters_and_blanks_is_a_home_too() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let home = world.path("home/Jörg Müller 日本");
    fs::create_dir_all(home.join("hallpass")).unwrap();
    fs::copy(world.config_file(), home.join("hallpass/config.toml")).unwrap();
    let there = |args: &[&str]| {
        let mut command = world.hallpass(args);
        command.env("APPDATA", &home).env("LOCALAPPDATA", &home).env("HALLPASS_INTERACTIVE", "always");
        crate::runs::done(&mut command)
    };
    there(&["login", "work"]).expect(0);
    assert!(there(&["status"]).expect(0).out.contains("Jörg Müller 日本\\hallpass\\work"));
    assert!(idp.live_access_token(there(&["get"]).expect(0).out.trim_end()));
    there(&["logout", "work"]).expect(0);
}

/// The item there is one for each user, so that this could cost somebody their sessions.
#[test]
fn the_credential_manager_keeps_the_key() {
    if std::env::var_os("HALLPASS_TEST_KEYCHAIN").is_none() {
        return skip("HALLPASS_TEST_KEYCHAIN is not set: the Credential Manager of this user is left alone");
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let with_keychain = |args: &[&str]| {
        let mut command = world.hallpass(args);
        command.env_remove("HALLPASS_STORE").env("HALLPASS_INTERACTIVE", "always");
        crate::runs::done(&mut command)
    };
    assert!(with_keychain(&["doctor"]).out.contains("the keychain is open and holds no key yet"));
    with_keychain(&["login", "work"]).expect(0).says(&["sealed with key"]);
    let token = with_keychain(&["get"]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    let refreshed = with_keychain(&["refresh", "work"]).expect(0);
    assert_ne!(with_keychain(&["get"]).expect(0).out, token, "{refreshed:?}");
    let sealed: Vec<_> = names(&world.data("")).into_iter().filter(|name| name.contains('@')).collect();
    assert!(sealed.iter().any(|name| name.starts_with("work@")) && !world.data("work").exists(), "{sealed:?}");
    for name in &sealed {
        let bytes = fs::read(world.data(name)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(token.trim_end()), "{name}");
    }
    with_keychain(&["logout", "work"]).expect(0);
    assert!(with_keychain(&["doctor"]).out.contains("the keychain is open and holds no key yet"));
}
