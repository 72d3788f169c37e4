//! The helpers that stand in another program's place: keyring and askpass, and what they pass on.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::idp::Idp;
use crate::runs::{Done, done};
use crate::tools::{Link, keeping};
use crate::world::{BIN, World};

/// A folder with a program that says what it was asked.
fn next(world: &World, name: &str) -> PathBuf {
    let folder = world.path(&format!("next-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let script = "#!/bin/sh\nprintf 'theirs:'; printf ' [%s]' \"$@\"; echo; cat; exit 7\n";
    world.script(&format!("next-{name}/{name}"), script);
    folder
}

/// `keyring` with ours first on PATH, then `rest`.
fn keyring(world: &World, rest: &[PathBuf], args: &[&str], stdin: &str) -> Done {
    let link = Link::new(world, "keyring");
    let path = std::env::join_paths([world.path("programs")].iter().chain(rest)).unwrap();
    let mut command = link.command(args);
    command.env("PATH", path);
    done(assert_cmd::Command::from_std(command).write_stdin(stdin).timeout(std::time::Duration::from_secs(60)))
}

const URL: &str = "https://git.example.com/simple/";

#[test]
fn keyring_in_its_three_shapes() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let said = |args: &[&str]| {
        let done = keyring(&world, &[], args, "").expect(0);
        assert_eq!(done.err, "", "{args:?}");
        done.out
    };
    assert_eq!(said(&["get", URL, "oauth2"]), format!("{token}\n"));
    assert_eq!(said(&["get", "git.example.com", "oauth2"]), format!("{token}\n"));
    let answer: Value = serde_json::from_str(&said(&["--mode=creds", "--output=json", "get", URL])).unwrap();
    assert_eq!(answer, json!({"username": "oauth2", "password": token}));
    assert_eq!(said(&["get", URL, "--mode", "creds"]), format!("oauth2\n{token}\n"));
    assert_eq!(said(&["--mode", "creds", "get", URL, "alice"]), format!("alice\n{token}\n"));
    assert_eq!(said(&["get", "127.0.0.1:9", "oauth2"]), format!("{token}\n"));
}

#[test]
fn keyring_passes_on_what_is_not_ours() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let rest = [next(&world, "keyring"), PathBuf::from("/usr/bin"), PathBuf::from("/bin")];
    for args in [
        &["get", "https://evil.example/simple/", "oauth2"][..],
        &["--mode=creds", "--output=json", "get", "evil.example"],
        &["get", "my mail", "me"],
        &["set", "https://evil.example/simple/", "me"],
        &["del", "https://evil.example/simple/", "me"],
        &["set", "my mail", "me"],
        &["--list-backends"],
    ] {
        let done = keyring(&world, &rest, args, "typed\n");
        let want = format!("theirs: [{}]\ntyped\n", args.join("] ["));
        assert_eq!((done.code, done.out), (Some(7), want), "{args:?}");
    }
    let mine = keyring(&world, &rest, &["get", URL, "oauth2"], "").expect(0);
    assert_eq!(mine.out, format!("{}\n", world.token()));
}

#[test]
fn without_a_real_one_it_has_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let done = keyring(&world, &[], &["get", "https://evil.example/", "u"], "");
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(1), "", ""));
    let signed_out = World::new(&idp);
    let done = keyring(&signed_out, &[], &["get", URL, "u"], "");
    done.refused(&[1], &["hallpass login work"]); // 2 would mean: too old a keyring
}

#[test]
fn keyring_refuses_to_store_or_delete_where_an_account_is_signed_in_to() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let rest = [next(&world, "keyring"), PathBuf::from("/usr/bin"), PathBuf::from("/bin")];
    let before = world.record();
    for args in [
        &["set", URL, "oauth2"][..],
        &["del", URL, "oauth2"],
        &["set", "127.0.0.1:9", "me"],
        &["del", "git.example.com", "x"],
    ] {
        let done = keyring(&world, &rest, args, "typed\n")
            .refused(&[1], &["work", "hallpass login work", "hallpass logout work"]);
        assert!(!done.err.contains("typed"), "{done:?}");
    }
    assert_eq!((world.record(), world.holdings()), (before, vec!["work".to_owned()]));
}

#[test]
fn keyring_keeps_what_nobody_serves_where_there_is_no_other() {
    let world = keeping();
    let ask = |args: &[&str], stdin: &str| keyring(&world, &[], args, stdin);
    let url = "https://pypi.example.org/simple/";
    assert_eq!(ask(&["get", url, "me"], "").code, Some(1));
    assert_eq!(ask(&["del", url, "me"], "").code, Some(1), "there is nothing to delete");
    ask(&["set", url, "me"], "p w\r\n").silent();
    ask(&["set", "127.0.0.1:8080", "me"], "here\n").silent();
    for (args, want) in [
        (&["get", url, "me"][..], "p w\n"),
        (&["get", "pypi.example.org", "me"], "p w\n"),
        (&["--mode=creds", "--output=json", "get", url], "{\"password\":\"p w\",\"username\":\"me\"}\n"),
        (&["get", "127.0.0.1:8080", "me"], "here\n"),
    ] {
        let done = ask(args, "").expect(0);
        assert_eq!((done.out.as_str(), done.err.as_str()), (want, ""), "{args:?}");
    }
    assert_eq!(ask(&["get", url, "somebody"], "").code, Some(1), "another user's is not theirs");
    assert_eq!(ask(&["del", url, "somebody"], "").code, Some(1));
    let git = world.ask(&["git", "get"], "protocol=https\nhost=pypi.example.org\n\n").expect(0);
    assert_eq!(git.out, "", "an index's password is nothing for git");
    ask(&["del", url, "me"], "").silent();
    ask(&["del", "127.0.0.1:8080", "me"], "").silent();
    assert_eq!(ask(&["get", url, "me"], "").code, Some(1));
    ask(&["set", url, "me"], "").refused(&[1], &["no password"]);
    ask(&["set", "my mail", "me"], "p\n").refused(&[1], &["no other `keyring`"]);
    let world = World::bare();
    keyring(&world, &[], &["set", url, "me"], "p\n").refused(&[1], &["not kept", "keep = \"always\""]);
}

/// Us again under other names: a second link, a copy, a script around us.
#[test]
fn it_never_goes_round() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut rest = Vec::new();
    for name in ["link", "copy", "script"] {
        let folder = world.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        match name {
            "link" => symlink(BIN, folder.join("keyring")).unwrap(),
            "copy" => assert!(
                std::process::Command::new("cp").arg(BIN).arg(folder.join("keyring")).status().unwrap().success()
            ),
            _ => drop(world.script("script/keyring", &format!("#!/bin/sh\nexec '{BIN}' keyring \"$@\"\n"))),
        }
        rest.push(folder);
    }
    let alone = keyring(&world, &rest, &["get", "https://evil.example/", "u"], "");
    assert_eq!((alone.code, alone.out.as_str()), (Some(1), ""), "{alone:?}");
    rest.extend([next(&world, "keyring"), PathBuf::from("/usr/bin"), PathBuf::from("/bin")]);
    let done = keyring(&world, &rest, &["get", "https://evil.example/", "u"], "");
    assert_eq!((done.code, done.out.as_str()), (Some(7), "theirs: [get] [https://evil.example/] [u]\n"), "{done:?}");
}

#[test]
fn askpass_answers_for_served_places_and_passes_the_rest_on() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let next = next(&world, "ssh-askpass");
    let path = std::env::join_paths([next, PathBuf::from("/usr/bin"), PathBuf::from("/bin")]).unwrap();
    let askpass = Link::new(&world, "hallpass-askpass").env("PATH", path.to_str().unwrap());
    for (prompt, want) in [
        ("Username for 'https://git.example.com': ", "oauth2\n".to_owned()),
        ("Password for 'https://oauth2@git.example.com': ", format!("{}\n", world.token())),
        ("Password for 'https://oauth2@git.example.com/x/y.git': ", format!("{}\n", world.token())),
    ] {
        let done = askpass.run(&[prompt]).expect(0);
        assert_eq!((done.out, done.err), (want, String::new()), "{prompt}");
    }
    for prompt in [
        "Password for 'https://oauth2@evil.example': ",
        "Password for 'https://git.example.com@evil.example': ",
        "Enter passphrase for key '/home/me/.ssh/id_ed25519': ",
        "[sudo] password for me: ",
    ] {
        let done = askpass.run(&[prompt]);
        assert_eq!((done.code, done.out), (Some(7), format!("theirs: [{prompt}]\n")), "{prompt}");
    }
    let alone = Link::new(&world, "hallpass-askpass").env("PATH", "/nowhere").run(&["[sudo] password for me: "]);
    assert_eq!((alone.code, alone.out.as_str()), (Some(1), ""), "{alone:?}");
}

#[test]
fn git_takes_askpass_for_its_prompt() {
    if !crate::runs::has("git") {
        return;
    }
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let link = Link::new(&world, "hallpass-askpass");
    drop(link);
    let mut command = world.program("git", &["-c", "credential.helper=", "credential", "fill"]);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ASKPASS", world.path("programs/hallpass-askpass"));
    let mut command = assert_cmd::Command::from_std(command);
    let done = done(command.write_stdin("protocol=https\nhost=git.example.com\n")).expect(0);
    assert!(done.out.contains(&format!("username=oauth2\npassword={}\n", world.token())), "{done:?}");
}
