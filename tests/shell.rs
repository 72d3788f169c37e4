//! The plain doors: get, header, json; closed streams, program names, exit codes.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::idp::Idp;
use crate::runs::done;
use crate::world::{BIN, SERVES, World};

#[test]
fn get_is_the_token_and_a_newline() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token")["secret"].as_str().unwrap().to_owned();
    for args in [
        ["get"].as_slice(),
        &["get", "work"],
        &["get", "https://git.example.com"],
        &["get", "https://git.example.com/some/repo.git"],
        &["get", "--account", "work"],
        &["--account", "work", "get"],
    ] {
        let done = world.run(args).expect(0);
        assert_eq!((done.out, done.err), (format!("{token}\n"), String::new()), "{args:?}");
    }
    for args in [["header"].as_slice(), &["header", "work"], &["header", "https://git.example.com/x"]] {
        let done = world.run(args).expect(0);
        assert_eq!((done.out, done.err), (format!("Authorization: Bearer {token}\n"), String::new()), "{args:?}");
    }
    let answer: Value = serde_json::from_str(&world.run(&["get", "--json"]).expect(0).out).unwrap();
    assert_eq!(answer["token"], json!(token));
}

#[test]
fn json_is_asked_by_url_or_account() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for question in [json!({"account": "work"}), json!({"url": "https://git.example.com/a"})] {
        let done = world.ask(&["json", "get"], question.to_string()).expect(0);
        let answer: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!((&answer["token"], &answer["account"]), (&json!(token), &json!("work")), "{question}");
        assert!(answer["token_type"].as_str().unwrap().eq_ignore_ascii_case("bearer"));
        assert!(!answer["expires_at"].is_null());
        assert_eq!(done.err, "");
    }
    for question in [
        json!({"url": "https://evil.example/"}).to_string(),
        json!({"url": "https://evil.example/", "account": "work"}).to_string(),
        json!({"url": "https://git.example.com@evil.example/"}).to_string(),
        json!({"account": "nosuch"}).to_string(),
        json!({"account": ["work"]}).to_string(),
        "{\"url\":\"https://evil.example\",\"url\":\"https://git.example.com\"}".into(),
        "{\"url\":\"https://git.example.com\\u0000\"}".into(),
        "[".repeat(10_000),
        "not json".into(),
        String::new(),
    ] {
        let done = world.ask(&["json", "get"], question.clone());
        assert!(
            !done.out.contains(&token) && done.code != Some(0) && done.code != Some(1),
            "{question:.100}: {done:?}"
        );
    }
    let old = token;
    world.shift(120);
    world.ask(&["json", "erase"], json!({"account": "work", "token": old}).to_string()).expect(0);
    assert_ne!(world.token(), old);
}

#[test]
fn the_exit_code_tells_what_is_missing() {
    let world = World::bare();
    world.run(&["get"]).refused(&[3], &["hallpass login"]);
    world.run(&["header"]).refused(&[3], &[]);
    world.run(&["get", "nosuch"]).refused(&[3], &["nosuch"]);
    world.run(&["frobnicate"]).expect(2);
    world.run(&["get", "--frobnicate"]).expect(2);
    let idp = Idp::start();
    let world = World::new(&idp);
    world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
    world.run(&["get", "https://git.example.com"]).refused(&[4], &["work", "hallpass login work"]);
    world.sign_in();
    for url in [
        "https://evil.example",
        "http://git.example.com",
        "https://git.example.com:1",
        "https://git.example.com.evil.example/",
    ] {
        for args in [["get", url].as_slice(), &["header", url], &["--account", "work", "get", url]] {
            world.run(args).refused(&[3], &[]);
        }
        let done = done(world.hallpass(&["get", url]).env("HALLPASS_ACCOUNT", "work"));
        done.refused(&[3], &[]);
    }
}

#[test]
fn two_accounts_need_a_name_or_a_default() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add(&World::account("home", &idp, r#"["https://home.example.com"]"#));
    world.sign_in();
    world.with_person(&["login", "home"]).expect(0);
    world.run(&["get"]).refused(&[3], &["hallpass accounts use"]);
    let (work, home) = (world.run(&["get", "work"]).expect(0).out, world.run(&["get", "home"]).expect(0).out);
    assert_ne!(work, home);
    let named = |account: &str| done(world.hallpass(&["get"]).env("HALLPASS_ACCOUNT", account));
    assert_eq!((named("home").out, named("work").out), (home.clone(), work.clone()));
    named("nosuch").refused(&[3], &["nosuch"]);
    assert_eq!(done(world.hallpass(&["get", "--account", "work"]).env("HALLPASS_ACCOUNT", "home")).out, work);
    assert_eq!(world.run(&["get", "https://home.example.com/x"]).out, home);
    world.run(&["accounts", "use", "home"]).expect(0);
    assert_eq!(world.run(&["get"]).expect(0).out, home);
    assert!(world.config_text().contains("[account.work]"));
    assert_eq!(world.run(&["get", "https://git.example.com"]).expect(0).out, work, "the default widens nothing");
    world.run(&["accounts", "use", "nosuch"]).refused(&[3], &["nosuch"]);
}

#[test]
fn the_longest_path_then_the_default_answers() {
    let idp = Idp::start();
    let world = World::bare();
    world.config(&format!(
        "# my accounts\ndefault = \"a\"\n{}{}{}",
        World::account("a", &idp, r#"["https://h.example.com"]"#),
        World::account("b", &idp, r#"["https://h.example.com/team"]"#),
        World::account("c", &idp, r#"["https://h.example.com"]"#)
    ));
    for name in ["a", "b", "c"] {
        world.with_person(&["login", name]).expect(0);
    }
    let [a, b, c] = ["a", "b", "c"].map(|name| world.run(&["get", name]).expect(0).out);
    let get = |url: &str| world.run(&["get", url]).expect(0).out;
    assert_eq!(get("https://h.example.com/"), a);
    assert_eq!(get("https://h.example.com/team/x"), b);
    assert_eq!(get("https://h.example.com/teams"), a);
    assert_eq!(world.run(&["get", "--account", "c", "https://h.example.com/"]).expect(0).out, c);
    world.run(&["accounts", "use", "c"]).expect(0);
    assert_eq!(get("https://h.example.com/"), c);
    assert!(world.config_text().starts_with("# my accounts\n"), "comments survive");
}

#[test]
fn a_wildcard_covers_subdomains_only() {
    let idp = Idp::start();
    let world = World::bare();
    world.config(&World::account("work", &idp, r#"["https://*.example.com"]"#));
    world.sign_in();
    for url in ["https://a.example.com", "https://a.b.example.com/x"] {
        world.run(&["get", url]).expect(0);
    }
    for url in [
        "https://example.com",
        "https://.example.com",
        "https://aexample.com",
        "https://a.example.com.evil.example",
        "http://a.example.com",
        "https://a.example.com:8443",
    ] {
        let done = world.run(&["get", url]);
        assert!(done.code != Some(0) && done.out.is_empty(), "{url}: {done:?}");
    }
}

#[test]
fn what_an_exact_host_leaves_is_a_wildcard_s() {
    let idp = Idp::start();
    let world = World::bare();
    let accounts = [("team", "git.example.com/team"), ("near", "*.b.example.com"), ("far", "*.example.com")];
    let table = |(name, serves): &(&str, &str)| World::account(name, &idp, &format!(r#"["https://{serves}"]"#));
    world.config(&accounts.iter().map(table).collect::<String>());
    for (name, _) in accounts {
        world.run(&["login", name]).expect(0);
    }
    let [team, near, far] = accounts.map(|(name, _)| world.run(&["get", name]).expect(0).out);
    for round in ["by the configuration", "by the routes"] {
        for (url, token) in [
            ("https://git.example.com/team/x", &team),
            ("https://git.example.com/other", &far),
            ("https://a.b.example.com", &near),
            ("https://a.c.example.com", &far),
        ] {
            assert_eq!(&world.run(&["get", url]).expect(0).out, token, "{url}, {round}");
        }
        world.run(&["get", "--account", "far", "https://a.b.example.com"]).expect(0);
        assert_eq!(world.data("routes").exists(), round == "by the routes");
        world.settle();
    }
}

#[test]
fn a_token_in_the_environment_is_bound_to_its_account() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let get = |args: &[&str], token: &str, stdin: &str| {
        done(world.hallpass(args).env("HALLPASS_TOKEN_WORK", token).write_stdin(stdin))
    };
    let token = "env-token-0123456789abcdefghijklmnopqrstuv";
    assert_eq!(get(&["get"], token, "").expect(0).out, format!("{token}\n"));
    assert_eq!(get(&["header"], token, "").expect(0).out, format!("Authorization: Bearer {token}\n"));
    assert!(get(&["git", "get"], token, "protocol=https\nhost=git.example.com\n\n").out.contains(token));
    assert!(get(&["kubectl"], token, "").out.contains(token));
    assert_eq!(get(&["git", "get"], token, "protocol=https\nhost=evil.example\n\n").out, "");
    get(&["get", "https://evil.example"], token, "").refused(&[3], &[]);
    get(&["get"], "", "").refused(&[4], &["hallpass login work"]);
    get(&["get"], "two\nlines", "").refused(&[2, 4, 9, 10], &["HALLPASS_TOKEN_WORK"]);
    let expired = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE2MDAwMDAwMDB9.c2ln";
    get(&["get"], expired, "").refused(&[4], &["HALLPASS_TOKEN_WORK"]);
    assert_eq!(world.holdings(), [""; 0], "never saved");
    assert_eq!(idp.every_call(), 0);
    world.sign_in();
    assert_eq!(get(&["get"], token, "").expect(0).out, format!("{token}\n"), "the variable wins over the store");
}

#[test]
fn closed_streams_are_no_panic() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for door in ["get", "header", "git get <q", "kubectl", "status", "accounts", "--help", "--version"] {
        std::fs::write(world.path("home/q"), "protocol=https\nhost=git.example.com\n\n").unwrap();
        for end in [">&-", "| head -c0", "| true", ">/dev/full", "2>&-", "<&- >&- 2>&-"] {
            if end == ">/dev/full" && !std::path::Path::new("/dev/full").exists() {
                continue;
            }
            let done = world.sh(&format!("\"$HALLPASS\" {door} {end}; echo \"end=${{PIPESTATUS[0]}}\""));
            assert!(!done.err.contains("panicked") && !done.err.contains(&token), "{door} {end}: {done:?}");
            for bad in ["end=1\n", "end=101\n", "end=134\n"] {
                assert!(!done.out.ends_with(bad), "{door} {end}: {done:?}");
            }
        }
        assert!(!world.sh(&format!("\"$HALLPASS\" {door} 2>&-")).expect(0).out.is_empty(), "{door}");
    }
    world.shift(4000);
    world.sh("\"$HALLPASS\" get >&-");
    assert_eq!(world.token(), world.kept("access_token")["secret"], "the refresh was saved all the same");
    assert_eq!(idp.count("refresh_token"), 1);
}

#[test]
fn a_failure_is_seen_by_set_e() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let done = world.sh("set -e; T=$(\"$HALLPASS\" get); echo unreachable");
    assert_eq!((done.code, done.out.as_str()), (Some(4), ""));
}

#[test]
fn the_program_name_chooses_the_door() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    std::fs::create_dir(world.path("links")).unwrap();
    world.run(&["link", world.path("links").to_str().unwrap()]).expect(0);
    symlink(BIN, world.path("home/git-credential-hallpass")).unwrap();
    symlink(BIN, world.path("home/hallpass-kubectl")).unwrap();
    let run = |path: std::path::PathBuf, args: &[&str], stdin: &str| {
        let mut command = Command::new(path);
        world.dress(&mut command).args(args);
        done(assert_cmd::Command::from_std(command).write_stdin(stdin)).expect(0)
    };
    let question = "protocol=https\nhost=git.example.com\n\n";
    for folder in ["home", "links"] {
        let answer = run(world.path(folder).join("git-credential-hallpass"), &["get"], question);
        assert!(answer.out.contains(&format!("password={token}\n")), "{folder}: {answer:?}");
    }
    let answer = run(world.path("home/git-credential-hallpass"), &["--account", "work", "get"], question);
    assert!(answer.out.contains(&token), "options come before the operation: {answer:?}");
    let answer = run(world.path("home/hallpass-kubectl"), &[], "");
    assert!(answer.out.contains("ExecCredential"), "{answer:?}");
    world.run(&["link", world.path("links").to_str().unwrap()]).expect(0);
}

#[test]
fn git_finds_it_by_its_path_alone() {
    if !crate::runs::has("git") {
        return;
    }
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for helper in [BIN.to_owned(), format!("!'{BIN}' git"), format!("{BIN} git"), format!("{BIN} --account work git")] {
        let helper = format!("credential.helper={helper}");
        let mut command = world.program("git", &["-c", "credential.helper=", "-c", &helper, "credential", "fill"]);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        let mut command = assert_cmd::Command::from_std(command);
        let done = done(command.write_stdin("protocol=https\nhost=git.example.com\n")).expect(0);
        assert!(done.out.contains(&format!("username=oauth2\npassword={}\n", world.token())), "{helper}: {done:?}");
    }
}

#[test]
fn a_token_goes_nowhere_over_plain_http() {
    let idp = Idp::start();
    let world = World::bare();
    let serves = SERVES.replace("https://git.example.com\"", "http://git.example.com\"");
    world.config(&World::account("work", &idp, &serves));
    world.with_person(&["login", "work"]).expect_any(&[0, 9, 10]);
    let answer = world.ask(&["git", "get"], "protocol=http\nhost=git.example.com\n\n");
    assert_eq!(answer.out, "");
}
