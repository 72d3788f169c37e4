//! Files that `setup` changes by a line or two: what was there keeps its bytes, whatever it is and whoever edits it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::world::{World, bin};

pub const ACCOUNT: &str = r#"[account.work]
issuer = "https://id.example.com"
client_id = "cli"
scope = ["openid"]
serves = ["https://crates.example.com", "https://dav.example.com", "https://models.example.com/v1", "smtp://mail.example.com:587",
    "imaps://mail.example.com", "https://k8s.example.com:6443", "https://sts.amazonaws.com"]
aws_role_arn = "arn:aws:iam::123456789012:role/developer"
"#;

pub fn world() -> World {
    let mut world = World::bare();
    world.config(&ACCOUNT.replace("\n    ", " "));
    // Nothing of the machine's own: the variables that move a tool's files are not passed on, and PATH has no `keyring`.
    world.set("PATH", "/usr/bin:/bin");
    world
}

/// The whole path of the binary, as it stands in what is written.
pub fn us() -> String {
    fs::canonicalize(bin()).unwrap().display().to_string()
}

struct Case {
    tool: &'static str,
    file: &'static str,
    /// What people have there; `None`: nothing yet.
    mine: Option<&'static str>,
    /// What comes, line by line; `US` is our path.
    lines: &'static [&'static str],
    /// What is not this tool's file at all.
    odd: &'static str,
}

const CASES: &[Case] = &[
    Case {
        tool: "cargo",
        file: ".cargo/config.toml",
        mine: Some(
            "# mine\n[build]\njobs = 1\n\n[registries.corp]\n\tindex = \"sparse+https://crates.example.com/index/\" # ours\n\n\
             [registries.other]\nindex = \"sparse+https://other.example.com/\"\n[net]\n\toffline = false\n",
        ),
        lines: &["\tcredential-provider = [\"US\", \"cargo\"]"],
        odd: "[registries.corp\nindex = \"sparse+https://crates.example.com/index/\"\n",
    },
    Case {
        tool: "aws",
        file: ".aws/config",
        mine: Some("; mine\n[default]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 20\n"),
        lines: &["[profile work]", "credential_process = US aws --account work"],
        odd: "region = eu-central-1\n",
    },
    Case {
        tool: "aws",
        file: ".aws/config",
        mine: Some(
            "[profile work]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 20\n# end\n[profile x]\nregion = y\n",
        ),
        lines: &["credential_process = US aws --account work"],
        odd: "[profile work\n",
    },
    Case {
        tool: "aws",
        file: ".aws/config",
        mine: None,
        lines: &["[profile work]", "credential_process = US aws --account work"],
        odd: "[profile work]\nwords\n",
    },
    Case {
        tool: "pip",
        file: ".config/pip/pip.conf",
        mine: Some(
            "# mine\n[install]\nno-deps = no\n[global]\nindex-url =\n\thttps://oauth2@pypi.example.com/simple/\n\n[list]\n",
        ),
        lines: &["keyring-provider = subprocess"],
        odd: "[global]\nindex-url\n",
    },
    Case {
        tool: "pip",
        file: ".config/pip/pip.conf",
        mine: None,
        lines: &["[global]", "keyring-provider = subprocess"],
        odd: "[global\n",
    },
    Case {
        tool: "uv",
        file: ".config/uv/uv.toml",
        mine: Some("# mine\nnative-tls = true\n[[index]]\nurl = \"https://pypi.example.com/simple\"\n"),
        lines: &["keyring-provider = \"subprocess\""],
        odd: "native-tls = maybe\n",
    },
    Case {
        tool: "uv",
        file: ".config/uv/uv.toml",
        mine: None,
        lines: &["keyring-provider = \"subprocess\""],
        odd: "[[index]\n",
    },
    Case {
        tool: "rclone",
        file: ".config/rclone/rclone.conf",
        mine: Some(
            "[files]\ntype = webdav\nurl = https://dav.example.com/files\n\tvendor = other\n\n# mine\n[s3]\ntype = s3\n\
             [elsewhere]\ntype = webdav\nurl = https://other.example.com/\n",
        ),
        lines: &["\tbearer_token_command = US get https://dav.example.com/files"],
        odd: "[files\ntype = webdav\n",
    },
    Case {
        tool: "msmtp",
        file: ".msmtprc",
        mine: Some(
            "# mine\ndefaults\n\ttls on\n\tauth on\n\naccount work\n\thost mail.example.com\n\tport 587\n\n\
             account home\nhost mail.example.org\n\naccount default : work\n",
        ),
        lines: &["\tauth oauthbearer", "\tpasswordeval \"US get smtp://mail.example.com:587\""],
        odd: "account work\nhost mail.example.com\nport 587\nauth plain\n",
    },
    Case {
        tool: "mbsync",
        file: ".mbsyncrc",
        mine: Some(
            "# mine\nIMAPAccount work\nHost mail.example.com\nTLSType IMAPS\n\nIMAPStore far\nAccount work\n\n\
             IMAPAccount home\nHost mail.example.org\n",
        ),
        lines: &["AuthMechs XOAUTH2", "PassCmd \"US get imaps://mail.example.com\""],
        odd: "IMAPAccount work\nHost mail.example.com\nTLSType IMAPS\nPass secret\n",
    },
    Case {
        tool: "codex",
        file: ".codex/config.toml",
        mine: Some(
            "# mine\nmodel = \"m\"\n[model_providers.corp]\n\tbase_url = \"https://models.example.com/v1\"\n\
             [model_providers.other]\nbase_url = \"https://other.example.com/v1\"\n",
        ),
        lines: &[
            "[model_providers.corp.auth]",
            "command = \"US\"",
            "args = [\"get\", \"https://models.example.com/v1\"]",
            "timeout_ms = 30000",
            "refresh_interval_ms = 300000",
        ],
        odd: "model_providers.corp = { base_url = \"https://models.example.com/v1\" }\n",
    },
];

#[test]
fn what_was_there_keeps_its_bytes() {
    let world = world();
    for Case { tool, file, mine, lines, odd } in CASES {
        let path = world.path("home").join(file);
        let read = || fs::read_to_string(&path).ok();
        let put = |text: Option<&str>| {
            let _ = fs::remove_file(&path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            text.into_iter().for_each(|text| fs::write(&path, text).unwrap());
        };
        let lines: Vec<_> = lines.iter().map(|line| line.replace("US", &us())).collect();
        let crlf = mine.map(|mine| mine.replace('\n', "\r\n"));
        for before in [*mine, crlf.as_deref(), mine.map(str::trim_end)] {
            put(before);
            let shown = world.run(&["setup", tool, "--dry-run"]).expect(0).out;
            assert!(lines.iter().all(|line| shown.contains(&format!("+{line}"))), "{tool}: {shown}");
            assert_eq!(read().as_deref(), before, "{tool}: only shown");
            world.run(&["setup", tool]).expect(0).says(&["is written"]);
            let wired = read().unwrap();
            let without = |text: &str| {
                let ours = |line: &&str| lines.iter().any(|our| our == line) || line.contains("hallpass setup");
                text.lines()
                    .filter(|line| !ours(line))
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(without(&wired), without(before.unwrap_or_default()), "{tool}: {wired}");
            assert!(lines.iter().all(|our| wired.lines().any(|line| line == our)), "{tool}: {wired}");
            if before.is_some_and(|before| before.contains('\r')) {
                assert_eq!(wired.matches('\n').count(), wired.matches("\r\n").count(), "{tool}: {wired:?}");
            }
            world.run(&["setup", tool]).expect(0).says(&["says so already"]);
            assert_eq!(read().as_deref(), Some(wired.as_str()), "{tool}: twice is once");

            // Edited at the beginning, and right behind what is ours.
            let last = lines.last().unwrap();
            for (edited, left) in [
                (format!("# new\n{wired}"), Some(format!("# new\n{}", before.unwrap_or_default()))),
                (wired.replace(last, &format!("{last}\n# new")), None),
            ] {
                put(before);
                world.run(&["setup", tool]).expect(0);
                put(Some(&edited));
                world.run(&["setup", tool]).expect(0).says(&["says so already"]);
                assert_eq!(read().as_deref(), Some(edited.as_str()), "{tool}: nothing moves");
                world.run(&["unsetup", tool]).expect(0);
                let now = read().unwrap();
                assert!(left.is_none_or(|left| left == now), "{tool}: {now}");
                assert!(now.contains("# new") && !now.contains(&us()) && !now.contains("keyring"), "{tool}: {now}");
                let kept = before.unwrap_or_default().lines().all(|line| now.lines().any(|now| now == line));
                assert!(kept, "{tool}: {now}");
            }
            put(before);
            world.run(&["setup", tool]).expect(0);
            world.run(&["unsetup", tool]).expect(0);
            assert_eq!(read().as_deref(), before, "{tool}: byte for byte");
            world.run(&["unsetup", tool]).expect(0).says(&["nothing of hallpass"]);
        }
        put(Some(odd));
        let name = path.file_name().unwrap().to_str().unwrap();
        world.run(&["setup", tool]).refused(&[10], &[name, "hint"]);
        assert_eq!(read().as_deref(), Some(*odd), "{tool}: untouched");
        put(None);
    }
    let list = world.run(&["setup", "--list"]).expect(0).out;
    assert!(!list.contains("wired in"), "{list}");
}

#[test]
fn a_link_stays_one_and_a_mode_stays_itself() {
    let world = world();
    for (tool, file, text) in [
        ("msmtp", ".msmtprc", "account work\nhost mail.example.com\nport 587\n"),
        ("uv", ".config/uv/uv.toml", "native-tls = true\n"),
        ("aws", ".aws/config", ""),
    ] {
        let (path, real) = (world.path("home").join(file), world.path("home/dotfiles"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&real, text).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &path).unwrap();
        world.run(&["setup", tool]).expect(0);
        assert!(path.is_symlink() && fs::read_to_string(&real).unwrap() != text, "{tool}");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600, "{tool}");
        world.run(&["unsetup", tool]).expect(0);
        assert!(path.is_symlink() && fs::read_to_string(&real).unwrap() == text, "{tool}");
        // One that leads to what is not there yet, as folders of dotfiles have them.
        if tool != "msmtp" {
            fs::remove_file(&real).unwrap();
            world.run(&["setup", tool]).expect(0);
            assert!(path.is_symlink() && real.exists(), "{tool}");
            world.run(&["unsetup", tool]).expect(0);
            assert!(path.is_symlink() && !real.exists(), "{tool}");
        }
        fs::remove_file(&path).unwrap();
    }
    world.run(&["setup", "aws"]).expect(0);
    let mode = fs::metadata(world.path("home/.aws/config")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a new one is for its owner alone");
}
