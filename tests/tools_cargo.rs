//! cargo's credential provider: JSON lines, we speak first.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::idp::Idp;
use crate::tools::{Link, keeping};
use crate::world::World;

/// A provider that was started as cargo starts it.
struct Provider {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Provider {
    fn start(world: &World, interactive: &str) -> Provider {
        let mut command = world.command(&["--cargo-plugin"]);
        command.env("HALLPASS_INTERACTIVE", interactive);
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Provider { child, stdin, stdout };
        assert_eq!(provider.line(), "{\"v\":[1]}\n", "the greeting comes before anything was asked");
        provider
    }
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }
    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.stdin, "{question}").unwrap();
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{question}: {line:?}"))
    }
    /// cargo closes our stdin and wants exit code 0.
    #[track_caller]
    fn end(self) {
        let Provider { child, stdin, .. } = self;
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "cargo's person sees our stderr");
    }
}

fn question(url: &str, kind: &str) -> Value {
    let registry = json!({"index-url": url, "name": "corp", "headers": ["WWW-Authenticate: Cargo", "Date: now"]});
    json!({"v": 1, "registry": registry, "kind": kind, "operation": "read", "args": []})
}

const MINE: &str = "sparse+https://git.example.com/index/";

#[test]
fn one_process_answers_several_questions() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token");
    let mut cargo = Provider::start(&world, "never");
    let answer = cargo.ask(&question(MINE, "get"));
    let expiration = token["expires_at"].as_i64().unwrap() - 75;
    let bearer = format!("Bearer {}", token["secret"].as_str().unwrap());
    let ok = json!({"kind": "get", "token": bearer, "cache": "expires", "expiration": expiration, "operation_independent": true});
    assert_eq!(answer, json!({"Ok": ok}));
    assert_eq!(
        cargo.ask(&question("sparse+https://evil.example/", "get")),
        json!({"Err": {"kind": "url-not-supported"}})
    );
    assert_eq!(cargo.ask(&question(MINE, "frobnicate")), json!({"Err": {"kind": "operation-not-supported"}}));
    writeln!(cargo.stdin, "canary").unwrap();
    let odd = cargo.line();
    assert!(odd.contains("\"other\"") && !odd.contains("canary"), "{odd}");
    assert_eq!(cargo.ask(&question("registry+https://git.example.com/x", "get")), answer, "after an odd line too");
    cargo.end();
    Provider::start(&world, "never").end();
}

#[test]
fn a_token_has_more_than_cargos_minute_left() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(3600 - 70);
    let mut cargo = Provider::start(&world, "never");
    cargo.ask(&question(MINE, "get"));
    cargo.end();
    assert_eq!(idp.count("refresh_token"), 1, "70 s are too few, though more than the account's leeway");
}

#[test]
fn failures_are_answers() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let mut cargo = Provider::start(&world, "never");
    let answer = cargo.ask(&question(MINE, "get"));
    assert_eq!(answer["Err"]["kind"], "other", "{answer}");
    assert!(answer.to_string().contains("hallpass login work"), "{answer}");
    cargo.end();
}

#[test]
fn the_account_comes_inside_the_question() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add(&World::account("other", &idp, r#"["https://git.example.com"]"#));
    world.sign_in();
    world.with_person(&["login", "other"]).expect(0);
    let mut cargo = Provider::start(&world, "never");
    for account in ["work", "other"] {
        let mut asked = question(MINE, "get");
        asked["args"] = json!(["cargo", "--account", account]);
        let want = format!("Bearer {}", world.token_of(account));
        assert_eq!(cargo.ask(&asked)["Ok"]["token"], json!(want), "{account}");
        asked["registry"]["index-url"] = json!("sparse+https://evil.example/");
        assert_eq!(cargo.ask(&asked)["Err"]["kind"], "url-not-supported", "a name never widens");
    }
    cargo.end();
}

#[test]
fn a_login_signs_in_where_an_account_serves() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let mut cargo = Provider::start(&world, "always");
    let answer = cargo.ask(&question(MINE, "login"));
    assert_eq!(answer, json!({"Ok": {"kind": "login"}}), "no token in the answer to a login");
    assert_eq!(world.opened().len(), 1);
    let mut brought = question(MINE, "login");
    brought["token"] = json!("typed");
    let refused = cargo.ask(&brought);
    assert!(refused["Err"]["message"].as_str().unwrap().contains("hallpass login work"), "{refused}");
    let logout = cargo.ask(&question(MINE, "logout"));
    assert!(logout["Err"]["message"].as_str().unwrap().contains("hallpass logout work"), "{logout}");
    drop(cargo.stdin);
    assert!(cargo.child.wait().unwrap().success());
    assert!(idp.live_access_token(&world.token()));
}

#[test]
fn other_registries_are_kept_for_cargo_alone() {
    let world = keeping();
    let url = "sparse+https://crates.example.org/index/";
    let mut cargo = Provider::start(&world, "never");
    assert_eq!(cargo.ask(&question(url, "get")), json!({"Err": {"kind": "url-not-supported"}}));
    assert_eq!(
        cargo.ask(&question(url, "login")),
        json!({"Err": {"kind": "url-not-supported"}}),
        "nobody can be asked"
    );
    let mut login = question(url, "login");
    login["token"] = json!("cio\"token");
    assert_eq!(cargo.ask(&login), json!({"Ok": {"kind": "login"}}));
    let ok = json!({"kind": "get", "token": "cio\"token", "cache": "session", "operation_independent": true});
    assert_eq!(cargo.ask(&question(url, "get")), json!({"Ok": ok}), "as it came");
    let git = world.ask(&["git", "get"], "protocol=https\nhost=crates.example.org\n\n").expect(0);
    assert_eq!(git.out, "");
    assert_eq!(cargo.ask(&question(url, "logout")), json!({"Ok": {"kind": "logout"}}));
    assert_eq!(cargo.ask(&question(url, "get")), json!({"Err": {"kind": "url-not-supported"}}));
    cargo.end();
}

#[test]
fn by_its_program_name_too() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let done =
        Link::new(&world, "cargo-credential-hallpass").ask(&["--cargo-plugin"], question(MINE, "get").to_string());
    assert!(done.expect(0).out.contains(&world.token()), "the last line may lack its end");
}

/// crates.io and its kin want no scheme before the token.
#[test]
fn a_registry_may_want_the_token_alone() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.config(&(world.config_text() + "authorization = \"bare\"\n"));
    let token = world.token();
    let mut cargo = Provider::start(&world, "never");
    assert_eq!(cargo.ask(&question(MINE, "get"))["Ok"]["token"], json!(token));
    cargo.end();
    assert_eq!(world.run(&["header"]).expect(0).out, format!("Authorization: {token}\n"));
    let git = world.ask(&["git", "get"], "protocol=https\nhost=git.example.com\n\n").expect(0);
    assert!(git.out.contains(&format!("username=oauth2\npassword={token}\n")), "{git:?}");
    world.config(&world.config_text().replace("\"bare\"", "\"bear\""));
    world.run(&["get"]).refused(&[10], &["`authorization` is none of"]);
}

/// `cargo:token-from-stdout`, by the address that cargo gives: one line, and none where there is no token.
#[test]
fn a_token_for_cargos_own_provider() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let want = format!("{}\n", world.token());
    for index in [MINE, "registry+https://git.example.com/index", "https://git.example.com/index"] {
        let done = world.run(&["get", index]).expect(0);
        assert_eq!((done.out, done.err), (want.clone(), String::new()), "{index}");
    }
    world.run(&["get", "sparse+https://evil.example/"]).refused(&[3], &["https://evil.example"]);
    world.run(&["get", "sparse+sparse+https://git.example.com/"]).refused(&[3], &[]);
}

/// The program itself: it asks our `get` for the token of a registry, and sends it as it comes.
#[cfg(unix)]
#[test]
fn the_real_cargo_takes_it() {
    if !crate::runs::has("cargo") {
        return;
    }
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr().to_ip().unwrap());
    let (send, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let sent = request.headers().iter().find(|header| header.field.equiv("Authorization"));
            let sent = sent.map(|header| header.value.to_string());
            let config =
                format!("{{\"dl\":\"{url}\",\"api\":\"{url}\",\"auth-required\":true}}", url = "http://127.0.0.1:9");
            let (status, body) = match (&sent, request.url().ends_with("config.json")) {
                (None, _) => (401, String::new()),
                (_, true) => (200, config),
                _ => (404, String::new()),
            };
            if send.send(sent).is_err() {
                return;
            }
            let _ = request.respond(tiny_http::Response::from_string(body).with_status_code(status));
        }
    });
    let idp = Idp::start();
    let world = World::bare();
    world.config(&World::account("work", &idp, &format!("[\"{url}\"]")));
    world.sign_in();
    let home = world.path("home/cargo");
    std::fs::create_dir_all(home.join("src")).unwrap();
    let bin = crate::world::bin().into_string().unwrap();
    let provider = format!("[\"cargo:token-from-stdout\", \"{bin}\", \"get\", \"{{index_url}}\"]");
    let registry = format!("[registries.corp]\nindex = \"sparse+{url}/index/\"\ncredential-provider = {provider}\n");
    std::fs::write(home.join("config.toml"), registry).unwrap();
    let package =
        "[package]\nname = \"a\"\nversion = \"0.1.0\"\n[dependencies]\nb = { version = \"1\", registry = \"corp\" }\n";
    std::fs::write(home.join("Cargo.toml"), package).unwrap();
    std::fs::write(home.join("src/lib.rs"), "").unwrap();
    let mut command = world.program("cargo", &["generate-lockfile"]);
    let rustup = std::env::var_os("RUSTUP_HOME")
        .unwrap_or_else(|| std::path::Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".rustup").into());
    command.current_dir(&home).env("CARGO_HOME", &home).env("RUSTUP_HOME", rustup);
    let done: crate::runs::Done = command.output().unwrap().into();
    let sent: Vec<_> = heard.try_iter().collect();
    assert!(sent.contains(&Some(world.token())), "{sent:?}: {done:?}");
}
