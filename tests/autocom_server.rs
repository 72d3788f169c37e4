//! autocom's platform on loopback, as its page describes it: a Passport authorization server and the API beside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tiny_http::{Header, Request, Response, Server};

use crate::forms::{encode, field, parse, query};
use crate::grants::Grants;
use crate::world::World;

/// What the page says.
pub const API: &str = "/api/v1";
pub const AUTHORIZE: &str = "/oauth/authorize";
pub const TOKEN: &str = "/oauth/token";
pub const PROFILE: &str = "/api/v1/profile";
pub const TENANT_HEADER: &str = "X-Tenant";
pub const PORTS: [u16; 5] = [8765, 8766, 8767, 8768, 8769];
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// What it leaves open: where the tenants are, and what the answers look like. Laravel wraps them in `data`.
pub const TENANTS: &str = "/api/v1/tenants";
fn profile() -> Value {
    json!({ "data": { "id": 7, "name": "Hal Pass", "email": "hal@example.com" } })
}
fn tenants() -> Value {
    json!({ "data": [{ "slug": "acme", "name": "Acme Inc." }, { "slug": "globex", "name": "Globex" }] })
}
/// Nor does the page name this.
pub const REVOKE: &str = "/oauth/revoke";
/// The page that shows the code itself, once the platform has it.
pub const YOUR_CODE: &str = "your code is ";

/// The clients that are registered, all of them public.
pub const CONFIGURED: &str = "client-of-the-configuration";
pub const FROM_FLAG: &str = "client-of-the-flag";
pub const FROM_VARIABLE: &str = "client-of-the-variable";
pub const OF_THE_BUILD: &str = "client-of-the-build";

/// The redirect URIs that are registered for a client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// The five of the page, to the letter.
    Listed,
    /// Any port of the loopback address (RFC 8252 7.3), so that tests do not meet at the five.
    AnyPort,
}

/// One request as the platform saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub form: Vec<(String, String)>,
    pub authorization: Option<String>,
    /// Every `X-Tenant` that came, so that two are not one.
    pub tenant: Vec<String>,
}

struct Book {
    grants: Grants,
    redirects: Redirects,
    refresh_tokens: bool,
    says_life: bool,
    slow: bool,
    seen: Vec<Seen>,
    faults: HashMap<&'static str, (u16, &'static str)>,
    complaints: Vec<String>,
}

pub struct Platform {
    /// `http://127.0.0.1:PORT`, the page's `<api>`.
    pub api: String,
    book: Arc<Mutex<Book>>,
    server: Arc<Server>,
}

const WORKERS: usize = 4;

impl Drop for Platform {
    fn drop(&mut self) {
        self.is_slow(false);
        (0..WORKERS).for_each(|_| self.server.unblock());
    }
}

impl Platform {
    pub fn start() -> Platform {
        Platform::with(Redirects::AnyPort, true)
    }
    pub fn with(redirects: Redirects, refresh_tokens: bool) -> Platform {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let api = format!("http://{}", server.server_addr().to_ip().unwrap());
        let book = Arc::new(Mutex::new(Book {
            grants: Grants::new(&api, 3600, false),
            redirects,
            refresh_tokens,
            says_life: true,
            slow: false,
            seen: Vec::new(),
            faults: HashMap::new(),
            complaints: Vec::new(),
        }));
        for _ in 0..WORKERS {
            let (server, book) = (server.clone(), book.clone());
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    serve(request, &book);
                }
            });
        }
        Platform { api, book, server }
    }

    /// What a person gives to `--api-url`.
    pub fn api_url(&self) -> String {
        format!("{}{API}", self.api)
    }
    /// The table of an account here, as a person would write it.
    pub fn account(&self, name: &str) -> String {
        format!("[account.{name}]\nprovider = \"autocom\"\napi_url = \"{}\"\n", self.api_url())
    }
    /// A world with the account `autocom`, which binds no listed port, and whatever else its table says.
    pub fn world(&self, more: &str) -> World {
        let world = World::bare();
        let client = format!("client_id = \"{CONFIGURED}\"\nredirect_ports = []");
        world.config(&format!("{}{client}\n{more}\n", self.account("autocom")));
        world
    }

    fn book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.book.lock().unwrap())
    }
    /// Every request to this path is answered so, until `heal`.
    pub fn answers(&self, path: &'static str, status: u16, body: &'static str) {
        self.book(|book| book.faults.insert(path, (status, body)));
    }
    pub fn heal(&self) {
        self.book(|book| book.faults.clear());
    }
    /// Whether a token request waits for its answer until the end of the test.
    pub fn is_slow(&self, slow: bool) {
        self.book(|book| book.slow = slow);
    }
    /// From now on its tokens come without `expires_in`.
    pub fn says_no_life(&self) {
        self.book(|book| book.says_life = false);
    }
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.book(|book| book.seen.iter().filter(|seen| seen.path == path).cloned().collect())
    }
    pub fn every_call(&self) -> usize {
        self.book(|book| book.seen.len())
    }
    /// The tenants that requests to this path named, in order; none is "".
    pub fn tenants_at(&self, path: &str) -> Vec<String> {
        self.seen(path).iter().map(|seen| seen.tenant.join(",")).collect()
    }
    /// The client ids of the token requests with this grant type.
    pub fn clients(&self, grant: &str) -> Vec<String> {
        let asked = self.seen(TOKEN).into_iter().filter(|seen| field(&seen.form, "grant_type") == Some(grant));
        asked.map(|seen| field(&seen.form, "client_id").unwrap_or("").to_owned()).collect()
    }
    /// A personal access token, as the platform's page would have made it.
    pub fn pat(&self) -> String {
        self.book(|book| {
            let pat = format!("autocom-pat-{}", book.grants.secret());
            book.grants.add_pat(&pat);
            pat
        })
    }
    pub fn lives(&self, token: &str) -> bool {
        self.book(|book| book.grants.live(token))
    }
    /// What clients did that the platform would not forgive.
    #[track_caller]
    pub fn has_no_complaints(&self) {
        assert_eq!(self.book(|book| book.complaints.clone()), [""; 0]);
    }
}

impl Book {
    fn answer(&mut self, seen: &Seen) -> (u16, Vec<(&'static str, String)>, String) {
        let json =
            |status: u16, body: &Value| (status, vec![("Content-Type", "application/json".into())], body.to_string());
        if let Some((status, body)) = self.faults.get(seen.path.as_str()) {
            return (*status, Vec::new(), (*body).to_owned());
        }
        match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", AUTHORIZE) => match self.authorize(&seen.form) {
                Ok(code) if code.starts_with(YOUR_CODE) => (200, Vec::new(), code),
                Ok(location) => (302, vec![("Location", location)], String::new()),
                Err(why) => {
                    self.complaints.push(format!("authorize: {why}"));
                    (400, Vec::new(), why)
                }
            },
            ("POST", TOKEN) => {
                if seen.authorization.is_some() || field(&seen.form, "client_secret").is_some() {
                    self.complaints.push("token: a public client has no secret".into());
                }
                match self.grants.token(&seen.form) {
                    Ok(mut tokens) => {
                        if !self.refresh_tokens {
                            tokens.as_object_mut().unwrap().remove("refresh_token");
                        }
                        if !self.says_life {
                            tokens.as_object_mut().unwrap().remove("expires_in");
                        }
                        json(200, &tokens)
                    }
                    Err(error) => json(400, &json!({ "error": error, "message": "no" })),
                }
            }
            ("GET", PROFILE | TENANTS) => {
                let bearer = seen.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
                if !bearer.is_some_and(|token| self.grants.live(token)) {
                    return json(401, &json!({ "message": "Unauthenticated." }));
                }
                json(200, &if seen.path == PROFILE { profile() } else { tenants() })
            }
            ("POST", REVOKE) => {
                self.grants.revoke(field(&seen.form, "token").unwrap_or(""));
                json(200, &json!({}))
            }
            _ => json(404, &json!({ "message": "Not found." })),
        }
    }

    /// Where the browser is sent, or the page that shows the code.
    fn authorize(&mut self, asked: &[(String, String)]) -> Result<String, String> {
        let client = field(asked, "client_id").unwrap_or("");
        if ![CONFIGURED, FROM_FLAG, FROM_VARIABLE, OF_THE_BUILD].contains(&client) {
            return Err(format!("no such client: {client}"));
        }
        let redirect = field(asked, "redirect_uri").unwrap_or("");
        let listed = PORTS.iter().any(|port| redirect == format!("http://127.0.0.1:{port}/callback"));
        let any_port = redirect.starts_with("http://127.0.0.1:") && redirect.ends_with("/callback");
        if redirect == OUT_OF_BAND {
            return Ok(format!("{YOUR_CODE}{}", self.grants.authorize(asked)?));
        }
        if !listed && (self.redirects == Redirects::Listed || !any_port) {
            return Err(format!("not a registered redirect URI: {redirect}"));
        }
        let code = self.grants.authorize(asked)?;
        Ok(format!("{redirect}?code={}&state={}", encode(&code), encode(field(asked, "state").unwrap_or(""))))
    }
}

fn serve(mut request: Request, book: &Mutex<Book>) {
    let mut body = String::new();
    let _ = request.as_reader().read_to_string(&mut body);
    let headers = |name: &'static str| {
        let named = request.headers().iter().filter(move |header| header.field.equiv(name));
        named.map(|header| header.value.to_string()).collect::<Vec<_>>()
    };
    let seen = Seen {
        method: request.method().to_string(),
        path: request.url().split('?').next().unwrap_or("").to_owned(),
        form: if body.is_empty() { query(request.url()) } else { parse(&body) },
        authorization: headers("Authorization").into_iter().next(),
        tenant: headers(TENANT_HEADER),
    };
    let (status, headers, text) = {
        let mut book = book.lock().unwrap();
        book.seen.push(seen.clone());
        book.answer(&seen)
    };
    while seen.path == TOKEN && book.lock().unwrap().slow {
        thread::sleep(std::time::Duration::from_millis(10));
    }
    let mut response = Response::from_string(text).with_status_code(status);
    for (name, value) in headers {
        response.add_header(Header::from_bytes(name, value).unwrap());
    }
    let _ = request.respond(response);
}
