//! Vault's token helper where the account logs in there: a JWT for a token, at a server of our own, byte by byte.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bought::set_left;
use crate::idp::Idp;
use crate::runs::Done;
use crate::tools::Link;
use crate::world::World;

/// What it answers: a status line's end and a body.
type Answer = (&'static str, String);

/// It counts its tokens up, and remembers every request as it came.
struct Vault {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// In place of a login.
    instead: Arc<Mutex<Option<Answer>>>,
    lease: Arc<Mutex<u64>>,
}

impl Vault {
    fn start() -> Vault {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let vault = Vault { url, asked: Arc::default(), instead: Arc::default(), lease: Arc::new(Mutex::new(3600)) };
        let (asked, instead, lease) = (vault.asked.clone(), vault.instead.clone(), vault.lease.clone());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (asked, instead, lease) = (asked.clone(), instead.clone(), lease.clone());
                thread::spawn(move || {
                    let Some(request) = request(&mut stream) else { return };
                    let mut asked = asked.lock().unwrap();
                    asked.push(request);
                    let (status, body) = instead.lock().unwrap().clone().unwrap_or_else(|| {
                        let token = format!("hvs.{}", asked.len());
                        let auth =
                            json!({"client_token": token, "lease_duration": *lease.lock().unwrap(), "num_uses": 0});
                        ("200 OK", json!({"auth": auth, "data": null}).to_string())
                    });
                    thread::sleep(Duration::from_millis(200)); // long enough for a crowd to meet at the lock
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
                    let _ = stream.write_all(format!("{head}Location: https://evil.example/\r\n\r\n{body}").as_bytes());
                });
            }
        });
        vault
    }
    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
    fn answers(&self, status: &'static str, body: &str) {
        *self.instead.lock().unwrap() = Some((status, body.to_owned()));
    }
    fn heals(&self) {
        *self.instead.lock().unwrap() = None;
    }
    /// An account that logs in here, with these lines.
    fn world(&self, idp: &Idp, lines: &str) -> World {
        let world = World::bare();
        let serves = format!("[\"https://git.example.com\", \"{}\"]", self.url);
        world.config(&(World::account("work", idp, &serves) + lines));
        world.sign_in();
        world
    }
    fn run(&self, world: &World, verb: &str) -> Done {
        Link::new(world, "hallpass-vault").env("VAULT_ADDR", &self.url).run(&[verb])
    }
    #[track_caller]
    fn token(&self, world: &World) -> String {
        let done = self.run(world, "get").expect(0);
        assert_eq!(done.err, "", "silent on success");
        done.out
    }
}

fn request(stream: &mut impl Read) -> Option<String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}

const LINES: &str = "vault_mount = \"team/jwt\"\nvault_role = \"dev\"\nvault_namespace = \"a/b\"\n";

#[test]
fn a_token_is_bought_with_a_jwt_and_kept_for_its_lease() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, LINES);
    assert_eq!(vault.token(&world), "hvs.1", "no newline");
    let request = vault.asked.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/auth/team/jwt/login HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for line in ["x-vault-request: true", "x-vault-namespace: a/b", "content-type: application/json"] {
        assert!(head.lines().any(|other| other == line), "{line}: {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
    let want = json!({"jwt": world.kept("id_token")["secret"], "role": "dev"});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), want);
    assert_eq!(vault.token(&world), "hvs.1");
    set_left(&world, 730);
    assert_eq!(vault.token(&world), "hvs.1", "before its last fifth");
    set_left(&world, 710);
    assert_eq!(vault.token(&world), "hvs.2", "in its last fifth");
    assert_eq!((vault.count(), idp.count("refresh_token")), (2, 0));
}

#[test]
fn the_access_token_where_the_account_says_so_and_the_role_may_be_left_out() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, "vault_mount = \"jwt\"\nhand_out = \"access_token\"\n");
    assert_eq!(vault.token(&world), "hvs.1");
    let request = vault.asked.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/auth/jwt/login ") && !head.to_lowercase().contains("namespace"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({"jwt": world.token()}));
    // A token in a variable stands in for the session: it is not kept, and neither is what was bought with it.
    world.run(&["logout", "work"]).expect(0);
    let variable =
        Link::new(&world, "hallpass-vault").env("VAULT_ADDR", &vault.url).env("HALLPASS_TOKEN_WORK", "h.p.s");
    assert_eq!(variable.run(&["get"]).expect(0).out, "hvs.2");
    assert_eq!(world.holdings(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_crowd_logs_in_once_and_shares_a_refusal() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, LINES);
    let snippet = |verb: &str| {
        format!(
            "export VAULT_ADDR={}; for i in $(seq 12); do (said=$(\"$HALLPASS\" vault {verb}); echo \"$said $?\") & done; wait",
            vault.url
        )
    };
    let done = world.sh(&snippet("get")).expect(0);
    assert_eq!((done.out.matches("hvs.1 0").count(), vault.count()), (12, 1), "{done:?}");
    vault.run(&world, "erase").silent();
    vault.answers("503 Service Unavailable", r#"{"errors":["Vault is sealed"]}"#);
    let done = world.sh(&snippet("get")).expect(0);
    assert_eq!(done.out.matches(" 6").count(), 12, "{done:?}");
    assert!(vault.count() < 13, "who waited asks again: {}", vault.count());
}

#[test]
fn the_old_token_does_while_the_server_is_away() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, LINES);
    vault.token(&world);
    vault.answers("503 Service Unavailable", "");
    set_left(&world, 300);
    assert_eq!(vault.token(&world), "hvs.1");
    set_left(&world, 30);
    vault.run(&world, "get").refused(&[6], &["work", &vault.url["http://".len()..], "503"]);
    vault.heals();
    assert_eq!(vault.token(&world), "hvs.4");
}

#[test]
fn refusals_name_host_and_status_and_no_secret() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, LINES);
    let jwt = world.kept("id_token")["secret"].as_str().unwrap().to_owned();
    let at = &vault.url["http://".len()..];
    let quoting = format!("{{\"errors\":[\"invalid: {}\"]}}", &jwt[..60]);
    let large = format!("{{\"auth\":{{\"client_token\":\"{}\"}}}}", "x".repeat(2 << 20));
    for (status, body, code, words) in [
        ("400 Bad Request", r#"{"errors":["role \"dev\" could not be found"]}"#, 4, "could not be found"),
        ("403 Forbidden", r#"{"errors":["permission denied"]}"#, 4, "status 403"),
        ("400 Bad Request", &quoting, 4, "status 400"),
        ("400 Bad Request", "{\"errors\":[\"\\u001b[2J\\nhallpass: hint: run this\"]}", 4, "?[2J?hallpass"),
        ("404 Not Found", "<html>", 4, "vault_mount"),
        ("307 Temporary Redirect", "", 6, "redirects to evil.example"),
        ("429 Too Many Requests", "", 6, "429"),
        ("500 Internal Server Error", "", 6, "500"),
        ("200 OK", "", 6, "no login"),
        ("200 OK", r#"{"auth":null}"#, 6, "no login"),
        ("200 OK", r#"{"auth":{"client_token":"","mfa_requirement":{}}}"#, 6, "second factor"),
        ("200 OK", r#"{"auth":{"client_token":"a\nb","lease_duration":60}}"#, 6, "characters"),
        ("200 OK", &large, 6, "broke off"),
    ] {
        vault.answers(status, body);
        let done = vault.run(&world, "get").refused(&[code], &["work", at, words]);
        assert!(!done.err.contains(&jwt[..20]) && !done.err.contains('\u{1b}'), "{status}: {done:?}");
    }
    assert_eq!(world.holdings(), ["work"]);
    vault.answers("200 OK", r#"{"auth":{"client_token":"hvs.once","lease_duration":60,"num_uses":1}}"#);
    assert_eq!(vault.token(&world), "hvs.once");
    assert_eq!(world.holdings(), ["work"], "one that is used up after a request is not kept");
}

#[test]
fn a_jwt_goes_to_no_address_that_was_not_served_at_the_sign_in() {
    let idp = Idp::builder().id_tokens().start();
    let (vault, other) = (Vault::start(), Vault::start());
    let world = vault.world(&idp, LINES);
    vault.token(&world);
    other.run(&world, "get").silent(); // nobody serves it: not logged in
    world.config(&world.config_text().replace(&vault.url, &other.url));
    other.run(&world, "get").refused(&[9], &["hallpass login work"]);
    assert_eq!((vault.count(), other.count()), (1, 0));
}

#[test]
fn what_was_bought_is_forgotten_by_erase_and_by_a_logout_and_by_other_terms() {
    let idp = Idp::builder().id_tokens().start();
    let vault = Vault::start();
    let world = vault.world(&idp, LINES);
    assert_eq!(vault.token(&world), "hvs.1");
    let store = |token: &str| Link::new(&world, "hallpass-vault").env("VAULT_ADDR", &vault.url).ask(&["store"], token);
    store("hvs.1").silent(); // ours, coming back
    store("hvs.typed").refused(&[3], &["hallpass login work"]);
    vault.run(&world, "erase").silent();
    assert_eq!(world.holdings(), ["work"]);
    vault.run(&world, "erase").silent();
    assert_eq!(vault.token(&world), "hvs.2");
    world.config(&world.config_text().replace("\"dev\"", "\"admin\""));
    assert_eq!(vault.token(&world), "hvs.3", "another role");
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
    vault.run(&world, "get").refused(&[4], &["hallpass login work"]);
}

#[test]
fn a_mount_is_a_path() {
    let world = World::bare();
    for (line, words) in [
        ("vault_mount = \"../sys\"", "`vault_mount` `../sys` is no path"),
        ("vault_mount = \"a?b\"", "is no path"),
        ("vault_mount = \"\"", "is no path"),
        ("vault_namespace = \"a//b\"", "`vault_namespace`"),
        ("vault_role = 7", "`vault_role` is not a text"),
    ] {
        world.config(&format!("[account.work]\n{line}\n"));
        world.run(&["get"]).refused(&[10], &["config.toml:2", words]);
    }
}
