//! `setup` writes all of what a tool needs or none of it, and says what it will not touch.

use std::fs;
use std::path::Path;

use crate::setup_files::{ACCOUNT, us, world};
use crate::world::World;

fn put(world: &World, file: &str, text: &str) {
    let path = world.path("home").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn get(world: &World, file: &str) -> Option<String> {
    fs::read_to_string(world.path("home").join(file)).ok()
}

/// The names in a folder, so that nothing half-written is left lying about.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file may be this many KiB long, as on a disk that is full; the program is told so and not killed.
fn full(world: &World, kib: u32, args: &str) -> crate::runs::Done {
    world.sh(&format!("trap '' XFSZ; ulimit -f {kib}; \"$HALLPASS\" {args}"))
}

#[test]
fn a_full_disk_loses_nothing() {
    let world = world();
    let before = "account work\nhost mail.example.com\nport 587\n";
    put(&world, ".msmtprc", before);
    full(&world, 0, "setup msmtp").refused(&[10], &[".msmtprc", "cannot be written"]);
    assert_eq!(get(&world, ".msmtprc").as_deref(), Some(before));
    assert!(!names(&world.path("home")).iter().any(|name| name.starts_with(".msmtprc.")));
    world.run(&["setup", "msmtp"]).expect(0);
    let wired = get(&world, ".msmtprc");
    full(&world, 0, "unsetup msmtp").refused(&[10], &[".msmtprc"]);
    assert_eq!(get(&world, ".msmtprc"), wired);
    world.run(&["unsetup", "msmtp"]).expect(0);
    assert_eq!(get(&world, ".msmtprc").as_deref(), Some(before));
}

/// The note is the last to be written. Where it does not fit, what it would be about is given back.
#[test]
fn without_a_note_there_is_no_wiring() {
    let world = world();
    let remote = |number| format!("[files{number}]\ntype = webdav\nurl = https://dav.example.com/\n");
    let before: String = (0..8).map(remote).collect();
    put(&world, ".config/rclone/rclone.conf", &before);
    full(&world, 2, "setup rclone").refused(&[10], &["rclone.json", "cannot be written"]);
    assert_eq!(get(&world, ".config/rclone/rclone.conf"), Some(before));
    assert!(!world.run(&["setup", "--list"]).expect(0).out.contains("wired in"));
    world.run(&["setup", "rclone"]).expect(0);
    let wired = get(&world, ".config/rclone/rclone.conf").unwrap();
    assert!(wired.len() < 2048 && wired.matches("bearer_token_command").count() == 8, "{wired}");
}

/// The second of two files is too long for the disk: the first is as it was.
#[test]
fn two_files_are_written_or_none() {
    let world = world();
    let config = "contexts:\n- name: prod\n  context:\n    cluster: prod\n    user: me\nclusters:\n- name: prod\n  cluster:\n    \
                  server: https://k8s.example.com:6443\n";
    let kuberc = format!("credentialPluginPolicy: Allowlist\n# {}\n", "x".repeat(8 << 10));
    for before in [Some(config), None] {
        let _ = fs::remove_file(world.path("home/.kube/config"));
        put(&world, ".kube/kuberc", &kuberc);
        before.into_iter().for_each(|text| put(&world, ".kube/config", text));
        full(&world, 4, "setup kubectl").refused(&[10], &["kuberc", "cannot be written"]);
        assert_eq!(get(&world, ".kube/config").as_deref(), before);
        assert_eq!(get(&world, ".kube/kuberc").as_deref(), Some(kuberc.as_str()));
        assert!(!world.run(&["setup", "--list"]).expect(0).out.contains("wired in"));
        world.run(&["setup", "kubectl"]).expect(0);
        let wired = get(&world, ".kube/config");
        full(&world, 4, "unsetup kubectl").refused(&[10], &["kuberc"]);
        assert_eq!(get(&world, ".kube/config"), wired);
        world.run(&["unsetup", "kubectl"]).expect(0);
        assert_eq!(get(&world, ".kube/config").as_deref(), before);
        assert_eq!(get(&world, ".kube/kuberc").as_deref(), Some(kuberc.as_str()));
    }
}

/// pip and uv look for the same name: it is there as long as one of them is wired.
#[test]
fn a_name_is_there_as_long_as_a_tool_needs_it() {
    let mut world = world();
    let programs = world.data("programs");
    world.run(&["setup", "pip"]).expect(0).says(&[programs.to_str().unwrap(), "PATH"]);
    assert_eq!(fs::canonicalize(programs.join("keyring")).unwrap().to_str(), Some(us().as_str()));
    world.set("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    let done = world.run(&["setup", "uv"]).expect(0);
    assert!(!done.err.contains("PATH"), "it comes first there: {done:?}");
    world.run(&["unsetup", "pip"]).expect(0);
    assert!(programs.join("keyring").exists());
    fs::remove_file(programs.join("keyring")).unwrap();
    world.run(&["setup", "uv"]).expect(0).says(&["says so already"]);
    assert!(programs.join("keyring").exists(), "it is made again");
    world.run(&["unsetup", "uv"]).expect(0);
    assert!(!programs.join("keyring").is_symlink());
    // A name alone: a tool without a file.
    world.run(&["setup", "nuget"]).expect(0).says(&["nuget-plugin-hallpass"]);
    assert!(world.run(&["setup", "--list"]).expect(0).out.contains("nuget-plugin-hallpass`"));
    world.run(&["unsetup", "nuget"]).expect(0).says(&["nuget-plugin-hallpass"]);
    world.run(&["unsetup", "nuget"]).expect(0).says(&["nothing of hallpass"]);
}

#[test]
fn what_somebody_has_chosen_stays() {
    const RCLONE: &str = ".config/rclone/rclone.conf";
    const CLAUDE: &str = ".claude/settings.json";
    const CRATES: &str = "[registries.corp]\nindex = \"sparse+https://crates.example.com/\"\n";
    const DAV: &str = "[files]\ntype = webdav\nurl = https://dav.example.com\n";
    const MAIL: &str = "account work\nhost mail.example.com\n";
    const IMAP: &str = "IMAPAccount work\nHost mail.example.com\nSSLType IMAPS\n";
    const MODELS: &str = "[model_providers.corp]\nbase_url = \"https://models.example.com/v1\"\n";
    let world = world();
    for (tool, file, text, more, words) in [
        (
            "cargo",
            ".cargo/config.toml",
            CRATES,
            "credential-provider = \"cargo:token\"\n",
            "registries.corp.credential-provider",
        ),
        (
            "cargo",
            ".cargo/config.toml",
            "[registries.corp]\n",
            "index = \"sparse+https://other.example.com/\"\n",
            "no registry",
        ),
        ("aws", ".aws/config", "[profile work]\n", "credential_process = /opt/other\n", "credential_process"),
        ("aws", ".aws/config", "[profile work]\n", "sso_session = corp\n", "sso_session"),
        ("pip", ".config/pip/pip.conf", "[global]\n", "keyring_provider = import\n", "keyring-provider"),
        ("uv", ".config/uv/uv.toml", "", "keyring-provider = \"disabled\"\n", "keyring-provider"),
        ("rclone", RCLONE, DAV, "pass = x\n", "`pass`"),
        ("rclone", RCLONE, DAV, "bearer_token_command = pass x\n", "bearer_token_command"),
        ("rclone", RCLONE, "# Encrypted rclone configuration File\n\n", "RCLONE_ENCRYPT_V0:\nAAAA\n", "encrypted"),
        ("msmtp", ".msmtprc", MAIL, "port 587\npasswordeval \"pass x\"\n", "passwordeval"),
        ("msmtp", ".msmtprc", MAIL, "", "smtp://HOST:PORT"),
        ("mbsync", ".mbsyncrc", IMAP, "AuthMechs PLAIN\n", "AuthMechs PLAIN"),
        ("claude", CLAUDE, "", "{\"apiKeyHelper\": \"pass x\"}", "apiKeyHelper"),
        ("claude", CLAUDE, "", "{\"model\": // mine\n\"x\"}", "JSON"),
        ("codex", ".codex/config.toml", MODELS, "env_key = \"KEY\"\n", "env_key"),
        ("codex", ".codex/config.toml", "", "model = \"x\"\n", "model_providers"),
    ] {
        let text = format!("{text}{more}");
        put(&world, file, &text);
        world.run(&["setup", tool]).refused(&[10], &[file.rsplit('/').next().unwrap(), words, "hint"]);
        assert_eq!(get(&world, file), Some(text), "{tool}: untouched");
        fs::remove_file(world.path("home").join(file)).unwrap();
    }
    world.run(&["setup", "google"]).refused(&[10], &["GOOGLE_APPLICATION_CREDENTIALS"]);
    // Keys in the other file of the AWS tools go before any command.
    put(&world, ".aws/credentials", "[work]\naws_access_key_id = x\n");
    world.run(&["setup", "aws"]).refused(&[10], &["credentials", "`work`"]);
    assert_eq!(get(&world, ".aws/config"), None);
}

/// `--config FILE` is handed on where a command takes arguments, and said where it does not.
#[test]
fn another_configuration_is_handed_on_or_named() {
    let world = world();
    let other = world.path("home/other.toml");
    fs::rename(world.config_file(), &other).unwrap();
    let other = other.to_str().unwrap();
    world.run(&["--config", other, "setup", "aws"]).expect(0);
    let command = format!("credential_process = {} --config {other} aws --account work\n", us());
    assert!(get(&world, ".aws/config").unwrap().ends_with(&command));
    world.run(&["--config", other, "setup", "kubectl"]).expect(0);
    let args = format!("args: [--config, {other}, kubectl, --account, work]\n");
    assert!(get(&world, ".kube/config").unwrap().contains(&args));
    put(&world, ".cargo/config.toml", "[registries.corp]\nindex = \"sparse+https://crates.example.com/\"\n");
    world.run(&["--config", other, "setup", "cargo"]).expect(0).says(&["HALLPASS_CONFIG", other]);
}

#[test]
fn several_accounts_are_told_apart() {
    let world = world();
    world.add(&ACCOUNT.replace("\n    ", " ").replace("account.work", "account.home"));
    put(&world, ".cargo/config.toml", "[registries.corp]\nindex = \"sparse+https://crates.example.com/\"\n");
    world.run(&["setup", "claude"]).refused(&[10], &["several accounts", "--account"]);
    world.run(&["setup", "kubectl"]).refused(&[10], &["several accounts", "--account"]);
    world.run(&["setup", "cargo"]).refused(&[3], &["`home` and `work`", "--account"]);
    world.run(&["setup", "claude", "--account", "home"]).expect(0);
    let settings = get(&world, ".claude/settings.json").unwrap();
    assert_eq!(settings, format!("{{\n  \"apiKeyHelper\": \"{} get home\"\n}}\n", us()));
    // Another account later: what it wrote before goes.
    world.run(&["setup", "claude", "--account", "work"]).expect(0);
    assert_eq!(get(&world, ".claude/settings.json"), Some(settings.replace("home", "work")));
    world.run(&["setup", "aws"]).expect(0);
    let profiles = get(&world, ".aws/config").unwrap();
    assert!(profiles.contains("[profile home]\n") && profiles.contains("aws --account work\n"), "{profiles}");
    world.run(&["unsetup", "aws"]).expect(0);
    assert_eq!(get(&world, ".aws/config"), None);
}

#[test]
fn an_external_account_gets_an_executable() {
    let mut world = world();
    world.set("GOOGLE_APPLICATION_CREDENTIALS", world.path("home/adc.json"));
    let before = "{\n  \"type\": \"external_account\",\n  \"audience\": \"a\"\n}\n";
    put(&world, "adc.json", before);
    world.run(&["setup", "google"]).expect(0).says(&["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1"]);
    let value: serde_json::Value = serde_json::from_str(&get(&world, "adc.json").unwrap()).unwrap();
    let wanted = serde_json::json!({ "command": format!("{} google --account work", us()), "timeout_millis": 30000 });
    assert_eq!(value["credential_source"]["executable"], wanted);
    world.run(&["setup", "google"]).expect(0).says(&["says so already"]);
    world.run(&["unsetup", "google"]).expect(0);
    assert_eq!(get(&world, "adc.json").as_deref(), Some(before));
    for odd in [
        "{\"type\": \"authorized_user\"}",
        "{\"type\": \"external_account\", \"credential_source\": {\"file\": \"/x\"}}",
        "[",
    ] {
        put(&world, "adc.json", odd);
        world.run(&["setup", "google"]).refused(&[10], &["adc.json", "hint"]);
        assert_eq!(get(&world, "adc.json").as_deref(), Some(odd));
    }
}

/// Paths with blanks and quotes reach each tool as it reads them, or are refused.
#[test]
fn a_program_with_an_odd_path_is_quoted_or_refused() {
    let world = world();
    let folder = world.path("home/it's a \"folder\"");
    fs::create_dir(&folder).unwrap();
    let odd = folder.join("hallpass");
    // `cp` writes it: a file that we held open could not be executed while another thread forks (ETXTBSY).
    assert!(
        std::process::Command::new("cp").args([crate::world::bin(), odd.clone().into()]).status().unwrap().success()
    );
    put(&world, ".msmtprc", "account work\nhost mail.example.com\nport 587\n");
    let run =
        |args: &[&str]| -> crate::runs::Done { world.program(odd.to_str().unwrap(), args).output().unwrap().into() };
    run(&["setup", "aws"]).refused(&[10], &["AWS", "hint"]);
    run(&["setup", "msmtp"]).refused(&[10], &["quotes"]);
    put(&world, ".config/rclone/rclone.conf", "[files]\ntype = webdav\nurl = https://dav.example.com\n");
    run(&["setup", "rclone"]).refused(&[10], &["rclone", "hint"]);
    run(&["setup", "claude"]).expect(0);
    let value: serde_json::Value = serde_json::from_str(&get(&world, ".claude/settings.json").unwrap()).unwrap();
    let command = value["apiKeyHelper"].as_str().unwrap().replace(" get work", " --version");
    assert!(world.sh(&command).expect(0).out.starts_with("hallpass "), "{command}");
    run(&["setup", "kubectl"]).expect(0);
    let config = get(&world, ".kube/config").unwrap();
    assert!(config.contains(&format!("command: {}", serde_json::Value::from(odd.to_str().unwrap()))), "{config}");
    // And with a blank only.
    let folder = world.path("home/a folder");
    fs::create_dir(&folder).unwrap();
    let blank = folder.join("hallpass");
    fs::rename(&odd, &blank).unwrap();
    let done: crate::runs::Done = world.program(blank.to_str().unwrap(), &["setup", "aws"]).output().unwrap().into();
    done.expect(0);
    let line = format!("credential_process = \"{}\" aws --account work\n", blank.display());
    assert!(get(&world, ".aws/config").unwrap().ends_with(&line));
}

/// The file that people copy says the same, but for the path of the program.
#[test]
fn what_is_written_is_what_integrations_show() {
    let world = world();
    for (tool, shown, file, before) in [
        ("aws", "aws/config", ".aws/config", ""),
        (
            "cargo",
            "cargo/config.toml",
            ".cargo/config.toml",
            "[registries.corp]\nindex = \"sparse+https://crates.example.com/index/\"\n",
        ),
        ("claude", "agents/settings.json", ".claude/settings.json", ""),
        (
            "codex",
            "agents/config.toml",
            ".codex/config.toml",
            "[model_providers.corp]\nname = \"Corp\"\nbase_url = \"https://models.example.com/v1\"\n",
        ),
        (
            "kubectl",
            "kubectl/kubeconfig.yaml",
            ".kube/config",
            "clusters:\n- name: example\n  cluster:\n    server: https://k8s.example.com:6443\ncontexts:\n- name: example\n  context:\n    cluster: example\n    user: hallpass\n",
        ),
        ("mbsync", "mail/mbsyncrc", ".mbsyncrc", "IMAPAccount work\nHost mail.example.com\nTLSType IMAPS\n"),
        ("msmtp", "mail/msmtprc", ".msmtprc", "account work\nhost mail.example.com\nport 587\n"),
        ("pip", "python/pip.conf", ".config/pip/pip.conf", ""),
        (
            "rclone",
            "rclone/rclone.conf",
            ".config/rclone/rclone.conf",
            "[files]\ntype = webdav\nurl = https://dav.example.com/\n",
        ),
        ("uv", "python/uv.toml", ".config/uv/uv.toml", ""),
    ] {
        let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations").join(shown);
        let shown = fs::read_to_string(shown).unwrap().replace("/home/me/bin/hallpass", "hallpass");
        put(&world, file, before);
        world.run(&["setup", tool]).expect(0);
        let wired = get(&world, file).unwrap().replace(&us(), "hallpass");
        let ours = wired.lines().filter(|line| !before.contains(line) && !line.contains("hallpass setup"));
        let missing: Vec<_> = ours.filter(|our| !shown.lines().any(|line| line == *our)).collect();
        assert!(wired != before && missing.is_empty(), "{tool}: {missing:?} is not shown in\n{shown}");
    }
}
