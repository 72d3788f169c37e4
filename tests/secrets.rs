//! A canary check: no secret in any message, log, argument or file where it does not belong.

use std::fs;
use std::path::PathBuf;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::done;
use crate::world::World;

fn files(folder: PathBuf) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path));
        } else {
            found.push((path.clone(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()));
        }
    }
    found
}

#[test]
fn nothing_said_at_any_volume_holds_a_secret() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::new(&idp);
    let pat = "glpat-canary-0123456789-canary-9876543210";
    idp.add_pat(pat);
    let mut said = Vec::new();
    let mut run = |args: &[&str], stdin: &str| {
        let mut command = world.hallpass(args);
        command.env("HALLPASS_INTERACTIVE", "always").env("HALLPASS_LOG", "debug").env("RUST_LOG", "trace");
        let done = done(command.env("RUST_BACKTRACE", "full").write_stdin(stdin));
        assert!(!done.err.contains("panicked"), "{args:?}: {done:?}");
        said.push((args.join(" "), done.err));
        done.out
    };
    let place = "protocol=https\nhost=git.example.com\n";
    run(&["login", "work"], "");
    let token = run(&["get"], "").trim_end().to_owned();
    run(&["header"], "");
    run(&["git", "get"], place);
    run(&["git", "get"], &format!("capability[]=authtype\ncapability[]=state\n{place}wwwauth[]=Bearer\n"));
    run(&["git", "store"], &format!("{place}username=oauth2\npassword={token}\n"));
    world.shift(120);
    run(&["git", "erase"], &format!("{place}username=oauth2\npassword={token}\n"));
    run(&["kubectl"], "");
    run(&["refresh"], "");
    world.shift(4000);
    for fault in [Fault::Status(500, vec![], "oops"), Fault::Html200, Fault::InvalidGrant] {
        idp.always(At::Token, fault);
        run(&["get"], "");
        run(&["get", "work"], "");
    }
    idp.heal();
    run(&["login", "work"], "");
    for args in
        [["status"].as_slice(), &["whoami"], &["accounts"], &["why", "git", "https://git.example.com"], &["doctor"]]
    {
        let out = run(args, "");
        for secret in idp.secrets() {
            assert!(!out.contains(&secret), "{args:?} prints a secret");
        }
    }
    run(&["login", "work", "--with-token"], pat);
    run(&["logout"], "");
    run(&["get", "--frobnicate"], "");
    let secrets = idp.secrets();
    assert!(secrets.len() > 10);
    let canaries: Vec<&str> =
        secrets.iter().flat_map(|secret| [secret.as_str(), &secret[..20.min(secret.len())]]).collect();
    // The head of every id_token is the same 20 letters; its whole is what counts.
    let canaries: Vec<&str> =
        canaries.into_iter().filter(|canary| !canary.starts_with("eyJ") || canary.len() > 20).collect();
    for (command, text) in &said {
        for canary in &canaries {
            assert!(!text.contains(canary), "`hallpass {command}` says {canary}: {text}");
        }
    }
    for folder in ["home/.state", "home/.config"] {
        for (path, text) in files(world.path(folder)) {
            assert!(!canaries.iter().any(|canary| text.contains(canary)), "a secret in {}", path.display());
        }
    }
    let arguments = fs::read_to_string(world.path("browser/argv")).unwrap();
    assert!(!canaries.iter().any(|canary| arguments.contains(canary)), "a secret in the browser's arguments");
    let kept: Vec<_> =
        files(world.data("")).into_iter().filter(|(_, text)| canaries.iter().any(|c| text.contains(c))).collect();
    assert!(kept.is_empty(), "left after logout: {:?}", kept.iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn secrets_lie_only_in_the_record() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for _ in 0..2 {
        world.shift(4000);
        world.token();
    }
    let gone: Vec<String> = idp.secrets();
    let record = world.record();
    let holds = [record["refresh_token"].as_str().unwrap().to_owned(), world.token()];
    for (path, text) in files(world.path("home")) {
        for secret in &gone {
            let allowed = path == world.data("work") && holds.contains(secret);
            assert!(allowed || !text.contains(secret.as_str()), "{} holds an old or foreign secret", path.display());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_program_it_starts_is_given_a_secret() {
    if !crate::runs::has("strace") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let log = world.path("strace");
    let trace = |args: &[&str]| {
        let mut all = vec![
            "-f",
            "-v",
            "-s",
            "100000",
            "-A",
            "-e",
            "trace=execve",
            "-o",
            log.to_str().unwrap(),
            crate::world::BIN,
        ];
        all.extend(args);
        let mut command = world.program("strace", &all);
        command.env("HALLPASS_INTERACTIVE", "always");
        done(&mut assert_cmd::Command::from_std(command)).expect(0);
    };
    trace(&["login", "work"]);
    world.shift(4000);
    trace(&["get"]);
    trace(&["logout"]);
    let log = fs::read_to_string(&log).unwrap();
    for secret in idp.secrets() {
        // The browser's own curl is given the code by the server; it is not ours.
        assert!(!log.contains(&secret), "a secret in an execve");
    }
}

#[test]
fn a_secret_as_a_flags_value_is_warned_about_once_and_not_repeated() {
    let idp = Idp::start();
    let pat = "glpat-canary-0123456789-canary-9876543210";
    idp.add_pat(pat);
    let world = World::new(&idp);
    let done = done(world.hallpass(&["login", "work", "--token", pat]).env("HALLPASS_INTERACTIVE", "always"));
    assert!(!done.err.contains(pat) && !done.out.contains(pat), "{done:?}");
    assert_eq!(done.err.matches("stdin").count(), 1, "one warning that points to stdin: {done:?}");
}
