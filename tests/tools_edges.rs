//! The edge cases of `integrations/protocols/README.md` that have no better place, and the table itself.

use serde_json::{Value, json};

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::done;
use crate::tables::{Known, rows};
use crate::tools::Link;
use crate::world::World;

#[test]
fn docker_hub_by_each_of_its_names() {
    let idp = Idp::start();
    let world = World::bare();
    world.config(&World::account(
        "work",
        &idp,
        r#"["https://index.docker.io", "https://docker.io", "https://reg.example:5000"]"#,
    ));
    world.sign_in();
    let token = world.token();
    for server in
        ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "reg.example:5000", "https://reg.example:5000"]
    {
        let done = world.ask(&["docker", "get"], server).expect(0);
        let answer: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(
            answer,
            json!({"ServerURL": server, "Username": "oauth2", "Secret": token}),
            "the key comes back as it came"
        );
    }
    for server in ["reg.example", "reg.example:5001", "http://reg.example:5000"] {
        assert!(world.ask(&["docker", "get"], server).expect(1).out.starts_with("credentials not found"), "{server}");
    }
}

/// `cargo login` asks for a token first where the index wants one, and then logs in.
#[test]
fn a_cargo_login_after_its_question() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let registry = json!({"index-url": "sparse+https://git.example.com/index/", "name": "corp"});
    let lines = ["get", "login"]
        .map(|kind| json!({"v": 1, "registry": registry, "kind": kind, "operation": "read"}).to_string() + "\n");
    let mut command = world.hallpass(&["--cargo-plugin"]);
    let done = done(command.env("HALLPASS_INTERACTIVE", "always").write_stdin(lines.concat())).expect(0);
    let answers: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[1]["Ok"]["token"], json!(format!("Bearer {}", world.token())));
    assert_eq!((&answers[2], world.opened().len()), (&json!({"Ok": {"kind": "login"}}), 1));
}

/// A token that lives for a minute has an end in the future all the same.
#[test]
fn no_tool_is_told_of_an_end_that_is_over() {
    let idp = Idp::builder().lifetime(60).start();
    let world = World::signed_in(&idp);
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let before = now();
    let answer = world.ask(&["bazel", "get"], r#"{"uri":"https://git.example.com/a"}"#).expect(0);
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    assert!(answer["expires"].as_str().unwrap() > crate::kubectl::rfc3339(before as i64).as_str(), "{answer}");
    let answer = world.ask(&["json", "get"], r#"{"url":"https://git.example.com/a"}"#).expect(0);
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    assert!(answer["expires_at"].as_u64().unwrap() > before, "{answer}");
    world.shift(100);
    world.ask(&["bazel", "get"], r#"{"uri":"https://git.example.com/a"}"#).expect(0);
    assert_eq!(idp.count("refresh_token"), 1, "one that has ended is not shown");
}

/// go asks again after a 404 of a host that needs no token at all: what is good stays.
#[test]
fn a_404_refreshes_nothing_for_go() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(120);
    for status in ["404 Not Found", "410 Gone", "401 Unauthorized"] {
        let done = world.ask(&["goauth", "https://git.example.com/mod"], format!("HTTP/1.1 {status}\n\n")).expect(0);
        assert!(done.out.contains(&world.token()), "{status}");
    }
    assert_eq!(idp.count("refresh_token"), 0);
}

/// Two accounts, two hosts: each URL has the block of its own account and no other.
#[test]
fn go_hears_of_one_account_at_a_time() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add(&World::account("other", &idp, r#"["https://go.example.org"]"#));
    world.sign_in();
    world.with_person(&["login", "other"]).expect(0);
    for (host, account) in [("git.example.com", "work"), ("go.example.org", "other")] {
        let ask =
            || world.ask(&["goauth", &format!("https://{host}/mod")], "HTTP/1.1 401 Unauthorized\n\n").expect(0).out;
        let want = format!("https://{host}\n\nAuthorization: Bearer {}\n\n", world.token_of(account));
        assert_eq!((ask(), ask()), (want.clone(), want), "and the same again");
    }
}

/// A refresh that brings no new id_token: the old one is over, and nothing takes its place.
#[test]
fn google_is_given_no_id_token_that_has_expired() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let old = world.kept("id_token")["secret"].as_str().unwrap().to_owned();
    world.shift(4000);
    idp.always(At::Token, Fault::NoIdTokenOnRefresh);
    let mut command = world.hallpass(&["google"]);
    let done = done(command.env("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0")).expect(0);
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&answer["success"], done.err.as_str()), (&json!(false), ""), "{answer}");
    assert!(!done.out.contains(&old), "{done:?}");
}

/// Larger than a page, a pipe's atomic write and the longest line of some readers.
#[test]
fn a_long_token_comes_through_every_door() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = "t".repeat(20_000);
    let place = "https://git.example.com";
    let kubelet = r#"{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"git.example.com/a"}"#;
    let cargo = r#"{"v":1,"registry":{"index-url":"https://git.example.com"},"kind":"get","operation":"read"}"#;
    for (args, stdin) in [
        (&["get"][..], ""),
        (&["header"], ""),
        (&["headers"], ""),
        (&["git", "get"], "protocol=https\nhost=git.example.com\n\n"),
        (&["kubectl"], ""),
        (&["docker", "get"], "git.example.com"),
        (&["cargo"], cargo),
        (&["terraform", "get", "git.example.com"], ""),
        (&["bazel", "get"], r#"{"uri":"https://git.example.com/a"}"#),
        (&["goauth", place], "HTTP/1.1 401 Unauthorized\n\n"),
        (&["pnpm"], ""),
        (&["keyring", "get", place, "me"], ""),
        (&["kubelet"], kubelet),
        (&["askpass", "Password for 'https://git.example.com': "], ""),
        (&["json", "get"], r#"{"account":"work"}"#),
    ] {
        let mut command = world.hallpass(args);
        let done = done(command.env("HALLPASS_TOKEN_WORK", &token).write_stdin(stdin)).expect(0);
        assert!(
            done.out.contains(&token) && done.out.len() < 64 << 10 && done.err.is_empty(),
            "{args:?}: {:.200}",
            done.err
        );
    }
}

/// What is kept is said in UTF-8, whatever Python or the locale think of it.
#[test]
fn keyring_says_utf_8() {
    let world = crate::tools::keeping();
    let keyring = |encoding: &str| {
        Link::new(&world, "keyring").env("PATH", "/nowhere").env("PYTHONIOENCODING", encoding).env("LC_ALL", "C")
    };
    keyring("utf-8").ask(&["set", "https://pypi.example.org", "zoë"], "pässwörd\n").silent();
    for encoding in ["utf-8", "latin-1"] {
        let done = keyring(encoding).run(&["get", "https://pypi.example.org", "zoë"]).expect(0);
        assert_eq!(done.out, "pässwörd\n", "{encoding}");
    }
}

/// How many edge cases each section of the table has.
const SECTIONS: [usize; 13] = [12, 12, 10, 7, 7, 9, 9, 7, 8, 4, 9, 6, 3];

#[test]
fn every_edge_case_names_tests_that_exist() {
    let known = Known::find();
    let mut seen = Vec::new();
    for row in rows("protocols/README.md").iter().filter(|row| row[0].starts_with(|c: char| c.is_ascii_digit())) {
        let [number, case, shown] = &row[..] else { panic!("not three cells: {row:?}") };
        let (section, item) = number.split_once(' ').unwrap().0.split_once('.').unwrap();
        seen.push((section.parse::<usize>().unwrap(), item.parse::<usize>().unwrap()));
        assert!(!case.is_empty(), "{row:?}");
        assert!(!known.named(shown).is_empty() || shown.starts_with("none: "), "neither a test nor a reason: {row:?}");
    }
    let all = SECTIONS.iter().enumerate().flat_map(|(at, count)| (1..=*count).map(move |item| (at + 1, item)));
    assert_eq!(seen, all.collect::<Vec<_>>());
}
