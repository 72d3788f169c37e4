//! A backend that keeps links to other platforms, and the page of such a platform. What is not published stands first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tiny_http::{Header, Request, Response, Server};

use crate::forms::{encode, field, query};

/// Method, and the path around the platform's name or the link's id.
const START: (&str, &str, &str) = ("POST", "/oauth/", "/start");
const FINISH: (&str, &str, &str) = ("POST", "/oauth/", "/finish");
const PLATFORMS: (&str, &str, &str) = ("GET", "/oauth/platforms", "");
const LINKS: (&str, &str, &str) = ("GET", "/oauth/credentials", "");
const REVOKE: (&str, &str, &str) = ("DELETE", "/oauth/credentials/", "");
/// The names of fields.
const REDIRECT_URI: &str = "redirect_uri";
const AUTHORIZE_URL: &str = "authorize_url";
const REVOKED_AT: &str = "revoked_at";

/// The backend's Bearer key.
pub const KEY: &str = "backend-key-canary-0123456789";
/// What the platform gave the backend, which no client may see.
pub const KEPT: &str = "platform-token-canary-9876543210";
const VERIFIER: &str = "verifier-canary-0123456789-0123456789-0123456789";

#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub bearer: Option<String>,
    pub body: Value,
    /// Whether it says that it brings JSON.
    pub json: bool,
}

/// Status, headers and body of an answer to order.
pub type Order = (u16, Vec<(&'static str, String)>, String);

#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    orders: VecDeque<Order>,
    /// The half-finished links: platform, state, redirect URI.
    rows: Vec<(String, String, String)>,
    links: Vec<Value>,
    deny: bool,
    started: usize,
}

pub struct Backend {
    pub url: String,
    book: Arc<Mutex<Book>>,
    server: Arc<Server>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        (0..2).for_each(|_| self.server.unblock());
    }
}

impl Backend {
    pub fn start() -> Backend {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}", server.server_addr().to_ip().unwrap());
        let book = Arc::new(Mutex::new(Book::default()));
        for _ in 0..2 {
            let (server, book, url) = (server.clone(), book.clone(), url.clone());
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    serve(request, &book, &url);
                }
            });
        }
        Backend { url, book, server }
    }
    /// The next call that brings a key is answered so.
    pub fn order(&self, status: u16, headers: &[(&'static str, &str)], body: impl ToString) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.book.lock().unwrap().orders.push_back((status, headers, body.to_string()));
    }
    /// The person says no on the platform's page.
    pub fn deny(&self) {
        self.book.lock().unwrap().deny = true;
    }
    /// Every call, the platform's page aside.
    pub fn calls(&self) -> Vec<Call> {
        self.book.lock().unwrap().calls.clone()
    }
    pub fn count(&self, method: &str, end: &str) -> usize {
        self.calls().iter().filter(|call| call.method == method && call.path.ends_with(end)).count()
    }
    pub fn links(&self) -> Vec<Value> {
        self.book.lock().unwrap().links.clone()
    }
}

/// What stands where the platform or the id stands.
fn part<'a>((method, before, after): (&str, &str, &str), call: &'a Call) -> Option<&'a str> {
    let part = call.path.strip_prefix(before)?.strip_suffix(after)?;
    (call.method == method && !part.contains('/')).then_some(part)
}

fn serve(mut request: Request, book: &Mutex<Book>, url: &str) {
    let mut body = String::new();
    let _ = request.as_reader().read_to_string(&mut body);
    let authorization = request.headers().iter().find(|header| header.field.equiv("Authorization"));
    let call = Call {
        method: request.method().to_string(),
        path: request.url().to_owned(),
        bearer: authorization.and_then(|header| header.value.as_str().strip_prefix("Bearer ").map(str::to_owned)),
        body: serde_json::from_str(&body).unwrap_or(Value::Null),
        json: request.headers().iter().any(|header| header.field.equiv("Content-Type")),
    };
    let mut book = book.lock().unwrap();
    let (status, headers, body) = match call.path.starts_with("/platform/authorize?") {
        true => book.page(&call.path),
        false => book.answer(&call, url),
    };
    drop(book);
    let mut response = Response::from_string(body).with_status_code(status);
    for (name, value) in headers {
        response.add_header(Header::from_bytes(name, value).unwrap());
    }
    let _ = request.respond(response);
}

impl Book {
    /// The platform asks the person, and sends the browser back.
    fn page(&self, path: &str) -> Order {
        let asked = query(path);
        let (back, state) = (field(&asked, "redirect_uri").unwrap(), field(&asked, "state").unwrap());
        let answer = if self.deny { "error=access_denied".into() } else { format!("code={}", code(state)) };
        (302, vec![("Location", format!("{back}?{answer}&state={state}"))], String::new())
    }

    fn answer(&mut self, call: &Call, url: &str) -> Order {
        self.calls.push(call.clone());
        if let Some(order) = self.orders.pop_front() {
            return order;
        }
        let say = |status: u16, body: Value| (status, vec![], body.to_string());
        if call.bearer.as_deref() != Some(KEY) {
            return say(401, json!({"error": "auth.invalid_key", "message": "this key is not known"}));
        }
        if let Some(platform) = part(START, call) {
            return match platform {
                "github" | "slack" => say(200, self.begin(platform, call, url)),
                "jira" => say(409, json!({"error": "oauth.no_client", "message": "no client \u{1b}[31mfor jira"})),
                _ => say(404, json!({"error": "oauth.no_adapter"})),
            };
        }
        if let Some(platform) = part(FINISH, call) {
            let row = |row: &&(String, String, String)| row.0 == platform && call.body["state"] == row.1.as_str();
            let Some((_, state, _)) = self.rows.iter().find(row).cloned() else {
                return say(400, json!({"error": "oauth.state", "message": "this state is not known"}));
            };
            self.rows.retain(|row| row.1 != state);
            if call.body["code"] != code(&state).as_str() {
                return say(400, json!({"error": "oauth.code", "message": "the platform refused the code"}));
            }
            let link = json!({"id": format!("cred_{}", self.links.len() + 1), "platform": platform,
                "account": "octo\u{7}cat", "organization": "Acme", REVOKED_AT: null, "refresh_token": KEPT});
            self.links.push(link.clone());
            return say(201, public(&link));
        }
        if part(PLATFORMS, call).is_some() {
            let platforms = json!([{"name": "github"}, {"name": "slack", "configured": true},
                {"name": "jira", "configured": false}]);
            return say(200, json!({"platforms": platforms}));
        }
        if part(LINKS, call).is_some() {
            return say(200, json!({"credentials": self.links.iter().map(public).collect::<Vec<_>>()}));
        }
        if let Some(id) = part(REVOKE, call) {
            return match self.links.iter_mut().find(|link| link["id"] == id) {
                Some(link) => {
                    link[REVOKED_AT] = "2026-11-22T15:00:00Z".into();
                    (204, vec![], String::new())
                }
                None => say(404, json!({"error": "not_found"})),
            };
        }
        say(404, json!({"error": "not_found"}))
    }

    /// A new state; the platform's half-finished ones are cleaned up.
    fn begin(&mut self, platform: &str, call: &Call, url: &str) -> Value {
        self.rows.retain(|row| row.0 != platform);
        self.started += 1;
        let state = format!("state-{}-0123456789abcdef", self.started);
        let back = call.body[REDIRECT_URI].as_str().unwrap().to_owned();
        let challenge: String = Sha256::digest(VERIFIER).iter().map(|byte| format!("{byte:02x}")).collect();
        let page = format!(
            "{url}/platform/authorize?client_id=whet&redirect_uri={}&state={state}&code_challenge={challenge}",
            encode(&back)
        );
        self.rows.push((platform.to_owned(), state, back));
        json!({AUTHORIZE_URL: page, "expires_in": 600})
    }
}

/// The code that belongs to a state.
pub fn code(state: &str) -> String {
    format!("code-for-{state}")
}

/// A link without what only the backend may know.
fn public(link: &Value) -> Value {
    let mut link = link.clone();
    link.as_object_mut().unwrap().remove("refresh_token");
    link
}
