//! Links that a backend keeps: `connect`, as the whet seed asks for it.

use std::net::TcpListener;
use std::sync::Mutex;
#[cfg(unix)]
use std::time::Instant;

#[cfg(unix)]
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::callback::{get, listener, opened, redirect_uri, request};
use crate::forms::with;
use crate::runs::{Done, Running, done, until};
use crate::whet_backend::{Backend, KEPT, KEY, code};
use crate::world::{Behaviour, World};

/// One test at a time has the port that the page names.
static PORT: Mutex<()> = Mutex::new(());

fn command(world: &World, backend: &Backend, args: &[&str]) -> assert_cmd::Command {
    let mut command = world.hallpass(&[&["connect"], args].concat());
    command.env("BACKEND_BASE_URL", &backend.url).env("WHET_API_KEY", KEY);
    command
}

pub fn connect(world: &World, backend: &Backend, args: &[&str]) -> Done {
    done(&mut command(world, backend, args))
}

pub fn start(world: &World, backend: &Backend, args: &[&str]) -> Running {
    let mut command = world.command(&[&["connect"], args].concat());
    command.env("BACKEND_BASE_URL", &backend.url).env("WHET_API_KEY", KEY);
    Running::start(command)
}

/// Every file below the home, with what is in it.
pub fn files(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let (mut folders, mut found) = (vec![world.path("home")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push((path.clone(), std::fs::read(path).unwrap())) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_link_from_command_to_backend() {
    let (backend, world) = (Backend::start(), World::bare());
    let before = files(&world);
    let done = connect(&world, &backend, &["github", "--port", "0"]).expect(0);
    assert_eq!(done.out, "");
    let done = done.says(&["`github` is linked", "Acme", "cred_1"]);
    assert!(!done.err.contains('\u{7}') && done.err.contains("octo"), "{done:?}");
    let calls = backend.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.bearer.as_deref() == Some(KEY)));
    let page = opened(&world);
    assert_eq!(calls[0].body, json!({"redirect_uri": redirect_uri(&page)}));
    assert!(redirect_uri(&page).starts_with("http://localhost:") && redirect_uri(&page).ends_with("/callback"));
    let state = crate::forms::field(&crate::forms::query(&page), "state").unwrap().to_owned();
    assert_eq!(calls[1].body, json!({"code": code(&state), "state": state}));
    assert_eq!(files(&world), before, "no record, journal or trace of the link");
    for word in [KEY, KEPT] {
        assert!(!format!("{done:?}").contains(word) && !page.contains(word));
    }
    let shown = until("the page", || std::fs::read_to_string(world.path("browser/page")).ok());
    assert!(shown.contains("Linked") && !shown.contains("Signed in"), "{shown}");
}

#[test]
fn the_port_of_the_page_on_both_families() {
    let _alone = PORT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let running = start(&world, &backend, &["github"]);
    let page = opened(&world);
    assert_eq!(redirect_uri(&page), "http://localhost:11789/callback");
    let host = Some("localhost:11789");
    for address in ["127.0.0.1:11789", "[::1]:11789"] {
        if address.starts_with('[') && TcpListener::bind("[::1]:0").is_err() {
            crate::runs::skip("::1 is not here");
            continue;
        }
        assert_eq!(request(&format!("http://{address}/else"), "GET", host).status, 404);
        assert_eq!(request(&format!("http://{address}/callback?code=a&state=b"), "GET", host).status, 400);
        assert_eq!(request(&format!("http://{address}/callback?code=a&state=b"), "GET", Some("evil")).status, 421);
    }
    assert_eq!(backend.count("POST", "/finish"), 0, "none of these was relayed");
    // A second one finds the port taken, and is told by whom.
    let other = World::bare();
    let done = connect(&other, &backend, &["github"]).refused(&[5], &["11789", "--port"]);
    if cfg!(target_os = "linux") {
        assert!(done.err.contains("hallpass") && done.err.contains("process"), "{done:?}");
    }
    assert_eq!((backend.count("POST", "/start"), other.opened().len()), (1, 0));
    let back = crate::callback::approve(&page).replace("localhost", "127.0.0.1");
    let page = request(&back, "GET", host);
    assert_eq!(page.status, 200);
    page.is_sealed();
    running.end().expect(0);
}

#[test]
fn a_wrong_state_does_not_end_the_wait() {
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let running = start(&world, &backend, &["github", "--port", "0"]);
    let page = opened(&world);
    let back = crate::callback::approve(&page);
    for wrong in [with(&back, "state", Some("x")), with(&back, "state", None), format!("{back}&state=x")] {
        assert_eq!(get(&wrong).status, 400);
    }
    assert_eq!(request(&back, "POST", None).status, 405);
    assert_eq!(get(&back).status, 200);
    running.end().expect(0);
    assert_eq!((backend.count("POST", "/finish"), backend.links().len()), (1, 1));
}

#[test]
fn no_open_prints_the_address_alone() {
    let (backend, world) = (Backend::start(), World::bare());
    let mut command = world.command(&["connect", "github", "--no-open", "--port", "0"]);
    let output = world.path("out");
    command.env("BACKEND_BASE_URL", &backend.url).env("WHET_API_KEY", KEY);
    command.stdin(std::process::Stdio::null()).stdout(std::fs::File::create(&output).unwrap());
    command.stderr(std::fs::File::create(world.path("err")).unwrap());
    let running = Running::start_as_is(command);
    let text = || std::fs::read_to_string(&output).unwrap();
    let page = until("the address", || text().strip_suffix('\n').map(str::to_owned));
    let port = listener(&page).rsplit(':').next().unwrap().to_owned();
    assert_eq!(get(&crate::callback::approve(&page)).status, 200);
    running.end().expect(0);
    assert_eq!(text(), format!("{page}\n"), "one line");
    let err = std::fs::read_to_string(world.path("err")).unwrap();
    assert!(err.contains(&format!("ssh -L {port}:localhost:{port}")) && err.contains("is linked"), "{err}");
    assert_eq!(world.opened(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_timeout_says_auth_timeout_and_the_next_start_begins_anew() {
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let began = Instant::now();
    connect(&world, &backend, &["github", "--port", "0", "--timeout", "1"]).refused(&[5], &["auth.timeout", "github"]);
    assert!((1..60).contains(&began.elapsed().as_secs()));
    let late = crate::callback::approve(&opened(&world));
    let done = connect(&world, &backend, &["github", "--port", "0", "--timeout", "1s", "--json"]).expect(5);
    let error: Value = serde_json::from_str(&done.out).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("auth.timeout") && error["error"]["code"] == 5);
    // Ctrl-C, and then one that works; the first one's answer is refused by it.
    let running = start(&world, &backend, &["github", "--port", "0"]);
    until("the third page", || (world.opened().len() == 3).then_some(()));
    running.signal(Signal::INT);
    assert_eq!(running.end().code, None, "it dies of the signal");
    let running = start(&world, &backend, &["github", "--port", "0"]);
    let page = until("the fourth page", || world.opened().get(3).cloned());
    let (good, query) = (crate::callback::approve(&page), late.split_once('?').unwrap().1);
    assert_eq!(get(&format!("{}?{query}", good.split('?').next().unwrap())).status, 400);
    assert_eq!(get(&good).status, 200);
    running.end().expect(0);
    assert_eq!(backend.links().len(), 1);
}

#[test]
fn the_account_names_port_and_time() {
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.config(&format!("[account.team]\nprovider = \"whet\"\ntimeout = \"1s\"\nredirect_ports = [{free}]\n"));
    connect(&world, &backend, &["github"]).refused(&[5], &["auth.timeout"]);
    assert_eq!(redirect_uri(&opened(&world)), format!("http://localhost:{free}/callback"));
}

#[test]
fn a_denial_is_5_and_says_so() {
    let (backend, world) = (Backend::start(), World::bare());
    backend.deny();
    connect(&world, &backend, &["github", "--port", "0"]).refused(&[5], &["access_denied", "hallpass connect github"]);
    assert_eq!(backend.count("POST", "/finish"), 0);
    let shown = until("the page", || std::fs::read_to_string(world.path("browser/page")).ok());
    assert!(shown.contains("Not linked"), "{shown}");
}

#[test]
fn which_backend_and_which_key() {
    let (flag, variable, world) = (Backend::start(), Backend::start(), World::bare());
    let other_key = "another-key-0123456789";
    let run = |args: &[&str]| connect(&world, &variable, &[&["--list"], args].concat());
    run(&[]).expect(0);
    assert_eq!((flag.calls().len(), variable.calls().len()), (0, 2));
    let done = run(&["--backend-base-url", &flag.url, "--api-key", KEY]).expect(0);
    assert_eq!(done.err.lines().count(), 1, "one warning: {done:?}");
    assert!(done.err.contains("WHET_API_KEY") && !done.err.contains(KEY), "{done:?}");
    assert_eq!((flag.calls().len(), variable.calls().len()), (2, 2));
    // The flag's key wins over the variable's, and a key that is refused is named by its variable.
    let done = run(&["--api-key", other_key]).refused(&[4], &["WHET_API_KEY"]);
    assert!(!done.err.contains(other_key) && !done.err.contains(KEY), "{done:?}");
    assert_eq!(variable.calls().last().unwrap().bearer.as_deref(), Some(other_key));
    // No key at all: nobody is asked. Neither is the backend of the row, which listens on 3100.
    let mut bare = world.hallpass(&["connect", "github"]);
    done_of(bare.env("BACKEND_BASE_URL", &variable.url)).refused(&[4], &["WHET_API_KEY"]);
    done_of(command(&world, &variable, &["github"]).env_remove("WHET_API_KEY").env("WHET_TOKEN", "7a".repeat(32)))
        .refused(&[4], &["WHET_API_KEY"]);
    assert_eq!(variable.calls().len(), 3);
    done_of(bare.env_remove("BACKEND_BASE_URL")).refused(&[4], &["localhost:3100"]);
    for (url, code) in [("http://backend.example.com", 10), ("ftp://h", 10), ("https://h/?a=b", 10)] {
        run(&["--backend-base-url", url]).refused(&[code], &["--backend-base-url"]);
    }
    done_of(bare.env("WHET_API_KEY", "two words")).refused(&[2], &["WHET_API_KEY"]);
}

fn done_of(command: &mut assert_cmd::Command) -> Done {
    done(command)
}

#[test]
fn the_key_of_an_account_that_serves_the_backend() {
    let (backend, world) = (Backend::start(), World::bare());
    world.config(&format!("[account.backend]\nflow = \"token\"\nserves = [\"{}\"]\n", backend.url));
    let mut login = world.hallpass(&["login", "backend", "--token-stdin"]);
    done_of(login.write_stdin(KEY)).expect(0);
    let mut list = world.hallpass(&["connect", "--list"]);
    done_of(list.env("BACKEND_BASE_URL", &backend.url)).expect(0);
    assert_eq!(backend.calls()[0].bearer.as_deref(), Some(KEY));
    // It goes to that origin alone.
    let other = Backend::start();
    done_of(list.env("BACKEND_BASE_URL", &other.url)).refused(&[4], &[]);
    assert_eq!(other.calls().len(), 0);
}

#[test]
fn list_and_revoke() {
    let (backend, world) = (Backend::start(), World::bare());
    let out = connect(&world, &backend, &["--list"]).expect(0).out;
    assert!(out.contains("github  can be linked") && out.contains("jira  not configured"), "{out}");
    connect(&world, &backend, &["github", "--port", "0"]).expect(0);
    let out = connect(&world, &backend, &["--list"]).expect(0).out;
    assert!(out.contains("cred_1  github  octo") && !out.contains("revoked") && !out.contains('\u{7}'), "{out}");
    connect(&world, &backend, &["--revoke", "cred_1"]).expect(0).says(&["`cred_1` is revoked"]);
    let call = backend.calls().pop().unwrap();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("DELETE", "/oauth/credentials/cred_1"));
    assert_eq!((call.bearer.as_deref(), call.body, call.json), (Some(KEY), Value::Null, false));
    connect(&world, &backend, &["--revoke", "cred_1"]).expect(0);
    let out = connect(&world, &backend, &["--list"]).expect(0).out;
    assert!(out.contains("revoked 2026-11-22"), "kept for audit: {out}");
    connect(&world, &backend, &["--revoke", "cred_9"]).expect(0).says(&["is gone already"]);
    connect(&world, &backend, &["--revoke", "cred_1", "--api-key", "wrong"]).refused(&[4], &["WHET_API_KEY"]);
    for bad in ["a/b", "..", "a?b=c"] {
        connect(&world, &backend, &["--revoke", bad]).refused(&[2], &[]);
    }
    let done = connect(&world, &backend, &["--list", "--json"]).expect(0);
    let links: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(links["links"][0]["id"], "cred_1");
    backend.order(404, &[], "");
    let out = connect(&world, &backend, &["--list"]).expect(0).out;
    assert!(out.contains("names no platforms") && out.contains("cred_1"), "{out}");
    for (body, code) in [("<html>", 6), ("", 6), ("[]", 0)] {
        backend.order(200, &[], body);
        connect(&world, &backend, &["--list"]).expect(code);
    }
    for args in [[].as_slice(), &["--list", "github"], &["github", "--revoke", "x"], &["--list", "--revoke", "x"]] {
        connect(&world, &backend, args).refused(&[2], &[]);
    }
}
