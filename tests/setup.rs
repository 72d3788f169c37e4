//! `setup` and `unsetup`: a tool wired by one command, and its file given back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::idp::Idp;
use crate::runs::has;
use crate::world::World;

const MINE: &str = "# mine\n[user]\n\tname = Hal\n[alias]\n\tst = status";

fn git(world: &World, stdin: &str) -> String {
    let snippet = format!("printf '{}' | git credential fill", stdin.replace('\n', "\\n"));
    world.sh(&format!("GIT_TERMINAL_PROMPT=0 {snippet}")).out
}

#[test]
fn git_is_wired_asks_and_is_itself_again() {
    if !has("git") {
        return;
    }
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let file = world.path("home/.gitconfig");
    let question = "protocol=https\nhost=git.example.com\n\n";
    for before in [None, Some(""), Some(MINE), Some("[user]\n\tname = Hal\n"), Some("[user]\r\n\tname = Hal\r\n")] {
        let _ = fs::remove_file(&file);
        if let Some(text) = before {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let shown = world.run(&["setup", "git", "--dry-run"]).expect(0).out;
        assert!(shown.contains("+[credential \"https://git.example.com\"]"), "{shown}");
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), before, "only shown");
        let done = world.run(&["setup", "git"]).expect(0);
        assert_eq!(done.out, "");
        let wired = fs::read_to_string(&file).unwrap();
        assert!(wired.starts_with(before.unwrap_or_default()), "{wired}");
        world.run(&["setup", "git"]).expect(0).says(&["says so already"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), wired, "twice is once");
        assert!(git(&world, question).contains(&format!("password={}\n", world.token())));
        assert!(!git(&world, "protocol=https\nhost=elsewhere.example.com\n\n").contains("password"));
        assert!(world.run(&["setup", "--list"]).expect(0).out.contains("wired in"));
        if before.is_some() {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        }
        world.run(&["unsetup", "git"]).expect(0);
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), before, "byte for byte");
        assert!(world.run(&["setup", "--list"]).expect(0).out.contains("not wired"));
        world.run(&["unsetup", "git"]).expect(0).says(&["nothing of hallpass"]);
    }
}

#[test]
fn what_somebody_edited_since_stays() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let file = world.path("home/.gitconfig");
    let edited = |edit: &dyn Fn(String) -> String| {
        fs::write(&file, format!("{MINE}\n")).unwrap();
        world.run(&["setup", "git"]).expect(0);
        fs::write(&file, edit(fs::read_to_string(&file).unwrap())).unwrap();
        world.run(&["unsetup", "git"]).expect(0);
        fs::read_to_string(&file).unwrap()
    };
    assert_eq!(
        edited(&|text| format!("[core]\n\tpager = less\n{text}[x]\n\ty = z\n")),
        format!("[core]\n\tpager = less\n{MINE}\n[x]\n\ty = z\n")
    );
    let inside = edited(&|text| text.replacen("\thelper =\n", "\thelper =\n\tusername = hal\n", 1));
    assert_eq!(inside, format!("{MINE}\n\tusername = hal\n"));
    // The marks broken: said, and nothing touched.
    fs::write(&file, MINE).unwrap();
    world.run(&["setup", "git"]).expect(0);
    let broken = fs::read_to_string(&file).unwrap().replace("<<< hallpass", "<<<");
    fs::write(&file, &broken).unwrap();
    for command in ["setup", "unsetup"] {
        world.run(&[command, "git"]).refused(&[10], &[".gitconfig", "by hand"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
}

#[test]
fn links_paths_and_private_places() {
    let idp = Idp::start();
    let mut world = World::new(&idp);
    // A file that is a link stays one; git's own variable names another.
    let real = world.path("home/dotfiles");
    fs::write(&real, MINE).unwrap();
    std::os::unix::fs::symlink(&real, world.path("home/.gitconfig")).unwrap();
    world.run(&["setup", "git"]).expect(0);
    assert!(fs::symlink_metadata(world.path("home/.gitconfig")).unwrap().is_symlink());
    let wired = fs::read_to_string(&real).unwrap();
    assert!(wired.contains("[credential \"https://git.example.com:8443/team\"]"), "{wired}");
    assert_eq!(wired.matches("useHttpPath = true").count(), 1, "only where a path is served: {wired}");
    assert!(!wired.contains("smtp") && !wired.contains("imaps"), "{wired}");
    world.run(&["unsetup", "git"]).expect(0);
    assert_eq!(fs::read_to_string(&real).unwrap(), MINE);
    let other = world.path("home/other");
    world.set("GIT_CONFIG_GLOBAL", &other);
    world.config("[account.warmhub]\nprovider = \"warmhub\"\napi_url = \"https://hub.example.com\"\n");
    world.run(&["setup", "git"]).expect(0);
    let wired = fs::read_to_string(&other).unwrap();
    assert!(wired.contains("[http \"https://hub.example.com\"]\n\tproactiveAuth = auto\n"), "{wired}");
    // Wired there, it is taken out there.
    world.unset("GIT_CONFIG_GLOBAL");
    world.run(&["unsetup", "git"]).expect(0);
    assert!(!other.exists() && fs::read_to_string(&real).unwrap() == MINE);
}

/// Private places of this host answer 404 to those who bring nothing: git asks before its first request.
#[test]
fn a_host_that_hides_its_private_places_is_told_at_once() {
    if !has("git") {
        return;
    }
    let version = String::from_utf8(std::process::Command::new("git").arg("version").output().unwrap().stdout).unwrap();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or_default();
    if minor < 46 {
        crate::runs::skip("git is older than 2.46");
        return;
    }
    let world = World::bare();
    let server = std::sync::Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
    let hub = format!("http://{}", server.server_addr().to_ip().unwrap());
    world.config(&format!("[account.warmhub]\nprovider = \"warmhub\"\napi_url = \"{hub}\"\n"));
    world.run(&["setup", "git"]).expect(0);
    let at = server.clone();
    let first = std::thread::spawn(move || {
        let request = at.recv().unwrap();
        let bearer = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let bearer = bearer.map(|header| header.value.to_string());
        let _ = request.respond(tiny_http::Response::empty(404));
        bearer
    });
    let mut command = world.program("git", &["ls-remote", &format!("{hub}/private.git")]);
    command.env("WH_TOKEN", "wh_pat_for_git").env("GIT_TERMINAL_PROMPT", "0").env("no_proxy", "*");
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it answered 404");
    let sent = first.join().unwrap().expect("an Authorization header in the first request");
    use base64::Engine;
    let basic = base64::prelude::BASE64_STANDARD.encode("oauth2:wh_pat_for_git");
    assert!(sent == format!("Basic {basic}") || sent == "Bearer wh_pat_for_git", "{sent}");
}

#[test]
fn what_cannot_be_wired_is_said() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.run(&["setup", "frobnicate"]).refused(&[2], &["frobnicate", "git"]);
    world.run(&["setup"]).refused(&[2], &[]);
    world.run(&["setup", "git", "--account", "nobody"]).refused(&[3], &["nobody"]);
    world.add("[account.mail]\nissuer = \"https://id.example.com\"\nserves = [\"imaps://mail.example.com\"]\n");
    world.run(&["setup", "git", "--account", "mail"]).refused(&[10], &["mail", "serves"]);
    fs::create_dir(world.path("home/.gitconfig")).unwrap();
    world.run(&["setup", "git"]).refused(&[10], &[".gitconfig"]);
}

/// Each of the others: its file as it was made or found, wired, wired again, given back; and its name for us.
#[test]
fn every_tool_is_wired_and_unwired() {
    let idp = Idp::start();
    let mut world = World::signed_in(&idp);
    fs::create_dir(world.path("bin")).unwrap();
    world.run(&["link", world.path("bin").to_str().unwrap()]).expect(0);
    world.set("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    let bin = |name: &str| world.path("bin").join(name).display().to_string();
    let json = "{\n\t\"auths\": {\"x.example.com\": {}},\n\t\"psFormat\": \"table\"\n}\n";
    for (tool, file, mine, says) in [
        (
            "docker",
            ".docker/config.json",
            json,
            vec!["\"git.example.com\": \"hallpass\"".to_owned(), "\"git.example.com:8443\"".to_owned()],
        ),
        (
            "terraform",
            ".terraformrc",
            "plugin_cache_dir = \"/x\"\n",
            vec!["credentials_helper \"hallpass\" {".to_owned()],
        ),
        ("vault", ".vault", "", vec![format!("token_helper = \"{}\"", bin("hallpass-vault"))]),
        ("openbao", ".bao", "", vec![format!("token_helper = \"{}\"", bin("hallpass-vault"))]),
        (
            "bazel",
            ".bazelrc",
            "build -c opt",
            vec![format!("common --credential_helper=git.example.com={}", bin("hallpass-bazel"))],
        ),
        (
            "pnpm",
            ".npmrc",
            "registry=https://r.example/\n",
            vec![format!("//git.example.com:8443/team/:tokenHelper={}", bin("hallpass-npm"))],
        ),
        ("go", ".config/go/env", "GOPROXY=direct\n", vec!["goauth;netrc\n".to_owned()]),
    ] {
        let path = world.path("home").join(file);
        for before in [None, Some(mine)] {
            let _ = fs::remove_file(&path);
            if let Some(text) = before {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
            }
            world.run(&["setup", tool]).expect(0);
            let wired = fs::read_to_string(&path).unwrap();
            for words in &says {
                assert!(wired.contains(words), "{tool}: no {words}: {wired}");
            }
            world.run(&["setup", tool]).expect(0).says(&["says so already"]);
            assert_eq!(fs::read_to_string(&path).unwrap(), wired, "{tool}");
            // Edited elsewhere since: the edit stays.
            let edited = match tool {
                "docker" => wired.replacen('{', "{\n\t\"mine\": 1,", 1),
                _ => format!("# mine\n{wired}"),
            };
            fs::write(&path, &edited).unwrap();
            world.run(&["unsetup", tool]).expect(0);
            let left = fs::read_to_string(&path).unwrap();
            assert!(left.contains("mine") && !left.contains("hallpass"), "{tool}: {left}");
            fs::write(&path, before.unwrap_or_default()).unwrap();
            if before.is_none() {
                fs::remove_file(&path).unwrap();
            }
            world.run(&["setup", tool]).expect(0);
            world.run(&["unsetup", tool]).expect(0);
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), before, "{tool}: byte for byte");
        }
    }
    assert!(!world.path("home/.terraform.d/plugins/terraform-credentials-hallpass").exists(), "it was made, and goes");
    world.run(&["setup", "terraform"]).expect(0);
    assert!(world.path("home/.terraform.d/plugins/terraform-credentials-hallpass").is_symlink());
    fs::write(world.path("home/.vault"), "token_helper = \"/other\"\n").unwrap();
    world.run(&["setup", "vault"]).refused(&[10], &[".vault", "token_helper", "by hand"]);
    fs::create_dir_all(world.path("home/.docker")).unwrap();
    fs::write(world.path("home/.docker/config.json"), "[]").unwrap();
    world.run(&["setup", "docker"]).refused(&[10], &["config.json", "JSON object"]);
    assert_eq!(fs::read_to_string(world.path("home/.docker/config.json")).unwrap(), "[]");
}
