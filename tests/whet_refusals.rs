//! What a backend refuses, says too much of or gets wrong.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::callback::{get, opened};
use crate::runs::{done, until};
use crate::whet::{connect, files, start};
use crate::whet_backend::{Backend, KEPT, KEY};
use crate::world::{Behaviour, World};

#[test]
fn no_redirect_is_followed_with_the_key() {
    let (backend, elsewhere, world) = (Backend::start(), Backend::start(), World::bare());
    for (args, status) in [(["github", "--timeout=9"], 307), (["--list", "--json"], 302), (["--revoke", "cred_1"], 308)]
    {
        backend.order(status, &[("Location", &format!("{}/oauth/platforms", elsewhere.url))], "");
        let done = connect(&world, &backend, &args).expect(6).says(&["goes nowhere else"]);
        assert!(!done.err.contains(KEY));
    }
    assert_eq!((elsewhere.calls().len(), world.opened().len()), (0, 0));
}

#[test]
fn what_the_backend_refuses() {
    let (backend, world) = (Backend::start(), World::bare());
    let run = |platform: &str| connect(&world, &backend, &[platform, "--port", "0"]);
    run("gitlab").refused(&[3], &["gitlab", "github, slack, jira"]);
    let done = run("jira").refused(&[10], &["Settings, Connected accounts", "for jira"]);
    assert!(!done.err.contains('\u{1b}'), "{done:?}");
    for bad in ["../credentials", "a/b", "..", "a?b", ""] {
        run(bad).refused(&[2], &[]);
    }
    for status in [429, 500, 503] {
        backend.order(status, &[], "{}");
        run("github").refused(&[6], &[&status.to_string()]);
    }
    backend.order(401, &[], json!({"message": format!("{KEY} is not known")}));
    let done = run("github").refused(&[4], &["WHET_API_KEY"]);
    assert!(!done.err.contains(KEY), "{done:?}");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    connect(&world, &backend, &["github", "--port", "0", "--backend-base-url", &url])
        .refused(&[6], &["BACKEND_BASE_URL"]);
    assert_eq!(world.opened(), [""; 0], "no browser for any of these");
}

#[test]
fn only_a_plain_page_is_opened() {
    let (backend, world) = (Backend::start(), World::bare());
    for page in [
        "javascript:alert(1)?state=x",
        "file:///etc/passwd?state=x",
        "http://platform.example.com/?state=x",
        "https://platform.example.com/\u{1b}]0;x\u{7}?state=x",
        "https://platform.example.com/\nx?state=x",
        "https://platform.example.com/authorize",
        "https://platform.example.com/authorize?state=x&state=y",
        "https://platform.example.com/authorize?state=x&redirect_uri=http://localhost:1/callback",
        "",
    ] {
        for args in [["github", "--port=0"].as_slice(), &["github", "--port=0", "--no-open"]] {
            backend.order(200, &[], json!({"authorize_url": page}));
            let done = connect(&world, &backend, args).refused(&[9], &["the page it names"]);
            assert!(done.out.is_empty() && !done.err.contains('\u{1b}'), "{page}: {done:?}");
        }
    }
    assert_eq!(world.opened(), [""; 0]);
}

#[test]
fn a_finish_that_fails() {
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let words = |body: String| json!({"message": body}).to_string();
    for (status, exit) in [(400, 5), (401, 4), (500, 6)] {
        let before = world.opened().len();
        let running = start(&world, &backend, &["github", "--port", "0"]);
        let page = until("a page", || world.opened().get(before).cloned());
        let back = crate::callback::approve(&page);
        let code = crate::forms::field(&crate::forms::query(&back), "code").unwrap().to_owned();
        backend.order(status, &[], words(format!("{code} is no good")));
        assert!(get(&back).body.contains("Not linked"));
        let done = running.end().refused(&[exit], &[]);
        assert!(!done.err.contains(&code), "{done:?}");
    }
    assert_eq!(backend.links().len(), 0);
}

#[test]
fn a_backend_that_tells_too_much_is_not_repeated() {
    let (backend, world) = (Backend::start(), World::bare());
    world.browser(Behaviour::Ignore);
    let running = start(&world, &backend, &["github", "--port", "0", "--json"]);
    let back = crate::callback::approve(&opened(&world));
    backend.order(200, &[], json!({"id": 7, "account": "octocat", "access_token": KEPT, "refresh_token": KEPT}));
    assert_eq!(get(&back).status, 200);
    let done = running.end().expect(0);
    let link: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&link["platform"], &link["account"], &link["id"]), (&json!("github"), &json!("octocat"), &json!("7")));
    assert!(!format!("{done:?}").contains(KEPT));
    assert!(files(&world).iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains(KEPT)));
}

/// The token of a link never comes here, under whatever name it is asked for.
#[test]
fn the_token_of_a_link_is_kept_by_the_backend() {
    let (backend, world) = (Backend::start(), World::bare());
    connect(&world, &backend, &["github", "--port", "0"]).expect(0);
    let mut command = world.hallpass(&["get", "github"]);
    done(command.env("WHET_API_KEY", KEY)).refused(&[3], &["github", "kept by the backend"]);
    let plain = world.run(&["get", "github"]).refused(&[3], &["github"]);
    assert!(!plain.err.contains("backend"), "nobody links anything here: {plain:?}");
}

#[test]
fn without_a_word_the_backend_is_on_port_3100() {
    if std::net::TcpStream::connect("127.0.0.1:3100").is_ok() {
        crate::runs::skip("another program holds 3100");
        return;
    }
    let world = World::bare();
    let mut command = world.hallpass(&["connect", "github"]);
    done(command.env("WHET_API_KEY", KEY)).refused(&[6], &["localhost:3100"]);
}
