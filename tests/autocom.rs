//! autocom: three ways to sign in that end in the same place.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::answer::Answer;
use crate::autocom_server::{AUTHORIZE, PROFILE, Platform, TOKEN};
#[cfg(target_os = "linux")]
use crate::autocom_server::{CONFIGURED, Redirects};
#[cfg(target_os = "linux")]
use crate::callback::redirect_uri;
use crate::forms::{field, query};
use crate::record;
use crate::runs::{Done, ECHO_T, done};
use crate::world::World;

/// Where the platform's page says that personal access tokens are made.
const PAT_PAGE: &str = "Settings, Security, Personal access tokens";

/// Runs it with these variables and this on stdin, a person being there.
pub fn with(world: &World, variables: &[(&str, &str)], args: &[&str], stdin: &str) -> Done {
    let mut command = world.hallpass(args);
    command.env("HALLPASS_INTERACTIVE", "always").envs(variables.iter().copied());
    done(command.write_stdin(stdin))
}

/// Signs in with a personal access token on stdin; gives the token.
pub fn sign_in_by_pat(world: &World, platform: &Platform, more: &[&str]) -> String {
    let pat = platform.pat();
    let args = [["login", "autocom", "--token-stdin"].as_slice(), more].concat();
    with(world, &[], &args, &format!("{pat}\n")).expect(0);
    pat
}

/// Makes every token of an account this much older.
pub fn age(world: &World, account: &str, seconds: i64) {
    let mut old = world.record_of(account);
    record::shift(&mut old, seconds);
    record::write(&world.data(account), &old);
}

pub fn json(done: Done) -> Value {
    serde_json::from_str(&done.expect(0).out).unwrap()
}

/// Each door hands out this token, and the tenant `acme` where it can; the platform takes what `header` says.
#[track_caller]
pub fn every_door_gives(world: &World, platform: &Platform, variables: &[(&str, &str)], token: &str) {
    let place = format!("{}/orders?page=2", platform.api_url());
    let lines = format!("Authorization: Bearer {token}\nX-Tenant: acme\n");
    for what in [[].as_slice(), &["autocom"], &[&place]] {
        let run = |door: &[&str]| with(world, variables, &[door, what].concat(), "").expect(0).out;
        assert_eq!(run(&["get"]), format!("{token}\n"), "{what:?}");
        assert_eq!(run(&["header"]), lines, "{what:?}");
        let answer: Value = serde_json::from_str(&run(&["get", "--json"])).unwrap();
        assert_eq!((&answer["token"], &answer["headers"]["X-Tenant"]), (&token.into(), &"acme".into()), "{what:?}");
    }
    for question in [r#"{"account":"autocom"}"#.to_owned(), format!(r#"{{"url":"{place}"}}"#)] {
        let answer = json(with(world, variables, &["json", "get"], &question));
        assert_eq!((&answer["account"], &answer["token"]), (&"autocom".into(), &token.into()), "{question}");
        assert_eq!((&answer["token_type"], &answer["username"]), (&"Bearer".into(), &"oauth2".into()), "{question}");
        assert_eq!(answer["headers"], serde_json::json!({ "X-Tenant": "acme" }), "{question}");
    }
    let cluster = serde_json::json!({ "server": format!("{}/cluster", platform.api_url()) });
    let info = serde_json::json!({ "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
        "spec": { "interactive": false, "cluster": cluster } })
    .to_string();
    let kubernetes = [variables, &[("KUBERNETES_EXEC_INFO", info.as_str())]].concat();
    assert_eq!(json(with(world, &kubernetes, &["kubectl"], ""))["status"]["token"], token);
    let exec = with(world, variables, &[&["exec", "-e", "T=autocom", "--"][..], &ECHO_T].concat(), "").expect(0);
    assert_eq!(exec.out.trim_end(), token);
    let host = platform.api.strip_prefix("http://").unwrap();
    let question = format!("protocol=http\nhost={host}\npath=api/v1/app.git\n\n");
    assert_eq!(Answer::of(with(world, variables, &["git", "get"], &question)).secret(), token);
    // As `curl -H @-` would send it.
    let mut request = ureq::get(format!("{}{PROFILE}", platform.api));
    for line in lines.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    assert_eq!(request.call().unwrap().status(), 200);
}

#[test]
fn the_browser_signs_in() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "acme"]).expect(0);
    platform.has_no_complaints();
    assert_eq!((world.opened().len(), platform.clients("authorization_code").len()), (1, 1), "one click and no more");
    let token = world.token();
    assert!(platform.lives(&token));
    every_door_gives(&world, &platform, &[], &token);
    assert!(world.run(&["status"]).expect(0).out.contains("by browser"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_code_is_pasted_back() {
    if !crate::runs::has("setsid") {
        return;
    }
    let platform = Platform::with(Redirects::Listed, true);
    let world = World::bare();
    world.config(&format!("{}client_id = \"{CONFIGURED}\"\n", platform.account("autocom")));
    let command = "exec \"$HALLPASS\" login autocom --no-browser --tenant acme";
    let mut terminal = crate::terminal::Terminal::run(&world, command);
    let url = terminal.url(&format!("{}/oauth", platform.api));
    assert_eq!(redirect_uri(&url), "http://127.0.0.1:8765/callback", "the first listed port, though nothing listens");
    let callback = crate::callback::approve(&url);
    let code = field(&query(&callback), "code").unwrap().to_owned();
    terminal.keys(&format!("{code}\n"));
    let shown = terminal.end().expect(0).out;
    assert!(shown.contains("does not load") && shown.contains("never into a web page"), "{shown}");
    platform.has_no_complaints();
    assert_eq!(world.opened(), [""; 0]);
    let token = world.token();
    assert!(platform.lives(&token));
    every_door_gives(&world, &platform, &[], &token);
    assert!(world.run(&["status"]).expect(0).out.contains("by paste-back"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_platform_may_show_the_code_itself() {
    use crate::autocom_server::{OUT_OF_BAND, YOUR_CODE};
    if !crate::runs::has("setsid") {
        return;
    }
    for flag in ["", "--no-browser"] {
        let platform = Platform::with(Redirects::Listed, true);
        let world = World::bare();
        let more = format!("client_id = \"{CONFIGURED}\"\nredirect_uri = \"{OUT_OF_BAND}\"\n");
        world.config(&format!("{}{more}", platform.account("autocom")));
        let command = format!("exec \"$HALLPASS\" login autocom {flag}");
        let mut terminal = crate::terminal::Terminal::run(&world, &command);
        let url = terminal.url(&format!("{}/oauth", platform.api));
        assert_eq!(redirect_uri(&url), OUT_OF_BAND);
        let page = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        terminal.keys(&format!("{}\n", page.strip_prefix(YOUR_CODE).unwrap()));
        let shown = terminal.end().expect(0).out;
        assert!(!shown.contains("does not load"), "other words: {shown}");
        assert_eq!(world.opened(), [""; 0]);
        assert!(platform.lives(&world.token()));
    }
}

#[test]
fn a_personal_access_token_signs_in() {
    let platform = Platform::start();
    for (flag, on_stdin) in
        [("--token-stdin", true), ("--with-token", true), ("--with-token", false), ("--token", false)]
    {
        let world = platform.world("");
        let pat = platform.pat();
        let (words, stdin) = if on_stdin { (vec![flag], pat.as_str()) } else { (vec![flag, &pat], "") };
        let args = [["login", "autocom", "--tenant", "acme"].as_slice(), &words].concat();
        let done = with(&world, &[], &args, stdin).expect(0);
        assert!(!done.err.contains(&pat) && done.out.is_empty(), "{flag}: {done:?}");
        assert_eq!(done.err.matches("--token-stdin").count(), usize::from(!on_stdin), "a warning: {done:?}");
        every_door_gives(&world, &platform, &[], &pat);
        assert_eq!(world.record_of("autocom")["tenant"], "acme");
        assert_eq!(world.holdings(), ["autocom"], "{flag}: what follows is never an account's name");
        assert_eq!(world.opened(), [""; 0]);
    }
}

#[test]
fn a_token_in_the_environment_needs_no_sign_in() {
    let platform = Platform::start();
    let world = platform.world("tenant = \"acme\"");
    let pat = platform.pat();
    every_door_gives(&world, &platform, &[("AUTOCOM_TOKEN", &pat)], &pat);
    assert_eq!(world.holdings(), [""; 0]);
}

#[test]
fn the_authorization_request_is_what_the_page_says() {
    let platform = Platform::start();
    let world = platform.world("");
    for _ in 0..2 {
        world.with_person(&["login", "autocom"]).expect(0);
    }
    let urls = world.opened();
    let asked: Vec<_> = urls.iter().map(|url| query(url)).collect();
    assert!(urls[0].starts_with(&format!("{}{AUTHORIZE}?", platform.api)), "{urls:?}");
    let mut keys: Vec<_> = asked[0].iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    let page = ["client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "state"];
    assert_eq!(keys, page);
    for key in ["state", "code_challenge"] {
        let of = |at: usize| field(&asked[at], key).unwrap();
        assert!(of(0).len() >= 43 && of(0) != of(1), "{key}: {urls:?}");
    }
    let verifiers: Vec<_> =
        platform.seen(TOKEN).iter().map(|seen| field(&seen.form, "code_verifier").unwrap().len()).collect();
    assert_eq!(verifiers, [43, 43], "256 bits each");
}

#[test]
fn the_profile_is_asked_once_and_its_failure_costs_nothing() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "acme"]).expect(0);
    let asked = platform.seen(PROFILE);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, Some(format!("Bearer {}", world.token())));
    assert_eq!(asked[0].tenant, ["acme"]);
    let faults = [(500, "oops"), (401, ""), (404, "{}"), (200, "<html>"), (200, "{\"data\":null}"), (200, "[]")];
    for (status, body) in faults {
        platform.answers(PROFILE, status, body);
        let world = platform.world("");
        world.with_person(&["login", "autocom"]).expect(0);
        assert!(platform.lives(&world.token()), "{status} {body}");
        world.run(&["whoami"]).expect(0);
    }
    drop(platform);
    let who = world.run(&["whoami"]).expect(0).out;
    assert!(who.contains("hal@example.com"), "captured at the sign-in: {who}");
}

#[test]
fn a_bad_token_is_4_and_an_older_session_is_untouched() {
    let platform = Platform::start();
    for signed_in in [false, true] {
        let world = platform.world("");
        if signed_in {
            world.with_person(&["login", "autocom"]).expect(0);
        }
        let before = fs::read(world.data("autocom")).ok();
        let bad = "autocom-pat-0123456789-of-nobody-9876543210";
        let mut calls = platform.seen(PROFILE).len();
        for fault in [None, Some(401), Some(403)] {
            if let Some(status) = fault {
                platform.answers(PROFILE, status, "no");
            }
            let done =
                with(&world, &[], &["login", "autocom", "--token-stdin"], bad).refused(&[4], &["autocom", PAT_PAGE]);
            assert!(!done.err.contains(bad), "{done:?}");
            calls += 1;
            assert_eq!(platform.seen(PROFILE).len(), calls, "asked, and once");
            assert_eq!(fs::read(world.data("autocom")).ok(), before);
        }
        platform.heal();
    }
}

#[test]
fn a_token_that_cannot_be_checked_is_6_and_not_kept() {
    let platform = Platform::start();
    let world = platform.world("");
    let pat = sign_in_by_pat(&world, &platform, &[]);
    let before = fs::read(world.data("autocom")).unwrap();
    for (status, body) in [(500, "oops"), (503, ""), (302, ""), (200, "<html>")] {
        platform.answers(PROFILE, status, body);
        let other = platform.pat();
        with(&world, &[], &["login", "autocom", "--token-stdin"], &other)
            .refused(&[6], &["autocom", "nothing was saved"]);
        assert_eq!(fs::read(world.data("autocom")).unwrap(), before);
    }
    drop(platform);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::bare();
    world.config(&format!("[account.autocom]\nprovider = \"autocom\"\napi_url = \"http://{gone}/api/v1\"\n"));
    with(&world, &[], &["login", "autocom", "--token-stdin"], &pat).refused(&[6], &["autocom"]);
    assert_eq!(world.holdings(), [""; 0]);
}
