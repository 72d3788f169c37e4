//! What holds on every system, without a server or a shell.

use std::time::Duration;

use assert_cmd::Command;

fn hallpass(folder: &std::path::Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"]
    {
        command.env(name, folder);
    }
    for name in ["HALLPASS_CONFIG", "HALLPASS_ACCOUNT", "HALLPASS_LOG", "GIT_EXEC_PATH", "KUBERNETES_EXEC_INFO"] {
        command.env_remove(name);
    }
    command.env("HALLPASS_STORE", "file").env("HALLPASS_INTERACTIVE", "never");
    let output = command.args(args).timeout(Duration::from_secs(60)).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn it_says_its_version_and_helps_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = hallpass(folder.path(), &["--version"]);
    assert_eq!((code, out, err.as_str()), (Some(0), format!("hallpass {}\n", env!("CARGO_PKG_VERSION")), ""));
    for args in [["--help"].as_slice(), &["login", "--help"], &["get", "--help"]] {
        let (code, out, _) = hallpass(folder.path(), args);
        assert_eq!(code, Some(0), "{args:?}");
        assert!(out.contains("hallpass "), "{args:?}: {out}");
    }
    assert!(hallpass(folder.path(), &["--help"]).1.contains("hallpass login"));
}

/// Help, completions and, by `cargo run --example man`, the man pages come from one definition.
#[test]
fn the_reference_and_the_completions_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let help = hallpass(folder.path(), &["--help"]).1;
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 20 && commands.contains(&"token") && commands.contains(&"login"), "{commands:?}");
    for command in &commands {
        let (code, out, _) = hallpass(folder.path(), &["help", command]);
        assert!(code == Some(0) && out.contains(&format!("hallpass {command}")), "{command}: {out}");
    }
    assert!(hallpass(folder.path(), &["help", "token"]).1.contains("revoke"));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, out, err) = hallpass(folder.path(), &["completions", shell]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{shell}");
        for word in commands.iter().copied().chain(["--with-token", "--no-browser"]) {
            assert!(out.contains(word.trim_start_matches('-')), "{shell} does not know {word}");
        }
    }
    assert_eq!(hallpass(folder.path(), &["completions", "frobnicate"]).0, Some(2));
}

#[test]
fn no_arguments_and_wrong_ones_are_usage() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        ["frobnicate"].as_slice(),
        &["get", "--frobnicate"],
        &["login", "--timeout"],
        &["--account"],
        &["accounts", "frobnicate"],
    ] {
        let (code, out, err) = hallpass(folder.path(), args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.starts_with("hallpass: error:"), "{args:?}: {err}");
    }
    let (code, ..) = hallpass(folder.path(), &[]);
    assert!(matches!(code, Some(0 | 2)));
}

#[test]
fn without_an_account_it_is_3_and_a_bad_configuration_is_10() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = hallpass(folder.path(), &["get"]);
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    assert!(err.starts_with("hallpass: error:") && err.contains("hallpass login"), "{err}");
    let config = folder.path().join("my.toml");
    std::fs::write(&config, "[account.work]\nclient_di = \"x\"\n").unwrap();
    let (code, out, err) = hallpass(folder.path(), &["--config", config.to_str().unwrap(), "get"]);
    assert_eq!((code, out.as_str()), (Some(10), ""), "{err}");
    for word in ["my.toml", "client_di", "client_id", "2"] {
        assert!(err.contains(word), "no {word}: {err}");
    }
}

#[test]
fn a_place_nobody_serves_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = hallpass(folder.path(), &["get", "https://git.example.com"]);
    assert_eq!((code, out.as_str()), (Some(3), ""));
}
