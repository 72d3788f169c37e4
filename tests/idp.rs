//! An authorization server of our own on loopback: strict rotation, every call recorded, faults to order.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tiny_http::{Header, Request, Response, Server};

use crate::answers::{Answer, At, Call, Fault};
use crate::book::Book;
use crate::device_grants::{self, Device, Poll};
use crate::forms::{as_form, field, parse, query};
use crate::grants::{Grants, State};
use crate::relay::Relay;

pub struct Builder {
    lifetime: i64,
    latency: Duration,
    grace: Duration,
    id_tokens: bool,
    promises_iss: bool,
    device: Option<Device>,
    registers: bool,
    pushed: bool,
    requires_push: bool,
    well_known_resource: bool,
    under: &'static str,
    paths: &'static [(&'static str, At)],
    forms: bool,
}

pub struct Idp {
    pub issuer: String,
    book: Arc<Mutex<Book>>,
    server: Arc<Server>,
}

const WORKERS: usize = 6;

impl Builder {
    pub fn lifetime(mut self, seconds: i64) -> Self {
        self.lifetime = seconds;
        self
    }
    pub fn latency(mut self, millis: u64) -> Self {
        self.latency = Duration::from_millis(millis);
        self
    }
    /// A spent refresh token gets the same answer again for so long; without it the server is strict.
    pub fn grace(mut self, seconds: u64) -> Self {
        self.grace = Duration::from_secs(seconds);
        self
    }
    pub fn id_tokens(mut self) -> Self {
        self.id_tokens = true;
        self
    }
    /// Metadata that does not promise RFC 9207's `iss`.
    pub fn without_iss_promise(mut self) -> Self {
        self.promises_iss = false;
        self
    }
    /// A server that knows the device flow.
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }
    /// A server that registers any client.
    pub fn registers(mut self) -> Self {
        self.registers = true;
        self
    }
    /// A server where authorization requests can be pushed, or have to be.
    pub fn pushed(mut self, required: bool) -> Self {
        (self.pushed, self.requires_push) = (true, required);
        self
    }
    /// Its resource `/mcp` names its metadata in the challenge alone.
    pub fn resource_by_challenge(mut self) -> Self {
        self.well_known_resource = false;
        self
    }
    /// Its issuer has this path.
    pub fn under(mut self, path: &'static str) -> Self {
        self.under = path;
        self
    }
    /// Its endpoints are at these paths too.
    pub fn paths(mut self, paths: &'static [(&'static str, At)]) -> Self {
        self.paths = paths;
        self
    }
    /// It answers a form with a form, whatever was asked for.
    pub fn forms(mut self) -> Self {
        self.forms = true;
        self
    }
    pub fn start(self) -> Idp {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let back = server.server_addr().to_ip().unwrap();
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}{}", front.local_addr().unwrap(), self.under);
        let relay = Relay::start(front, back);
        let mut grants = Grants::new(&issuer, self.lifetime, self.id_tokens);
        grants.grace = self.grace;
        let book = Arc::new(Mutex::new(Book {
            grants,
            device: self.device,
            calls: Vec::new(),
            once: HashMap::new(),
            always: HashMap::new(),
            complaints: Vec::new(),
            held: Vec::new(),
            promises_iss: self.promises_iss,
            registered: self.registers.then(Vec::new),
            pushed: self.pushed.then(HashMap::new),
            requires_push: self.requires_push,
            well_known_resource: self.well_known_resource,
            latency: self.latency,
            under: self.under.trim_end_matches('/'),
            paths: self.paths,
            forms: self.forms,
        }));
        for _ in 0..WORKERS {
            let (server, book, relay) = (server.clone(), book.clone(), relay.clone());
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    serve(request, &book, &relay);
                }
            });
        }
        Idp { issuer, book, server }
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.book.lock().unwrap().held.clear();
        (0..WORKERS).for_each(|_| self.server.unblock());
    }
}

impl Idp {
    pub fn start() -> Idp {
        Idp::builder().start()
    }
    pub fn builder() -> Builder {
        Builder {
            lifetime: 3600,
            latency: Duration::ZERO,
            grace: Duration::ZERO,
            id_tokens: false,
            promises_iss: true,
            device: None,
            registers: false,
            pushed: false,
            requires_push: false,
            well_known_resource: true,
            under: "",
            paths: &[],
            forms: false,
        }
    }
    fn book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.book.lock().unwrap())
    }
    /// The next request at this endpoint goes wrong.
    pub fn once(&self, at: At, fault: Fault) {
        self.book(|book| book.once.entry(at).or_default().push_back(fault));
    }
    /// Every request at this endpoint goes wrong, until `heal`.
    pub fn always(&self, at: At, fault: Fault) {
        self.book(|book| book.always.insert(at, fault));
    }
    pub fn heal(&self) {
        self.book(|book| {
            book.always.clear();
            book.once.clear();
        });
    }
    pub fn calls(&self, at: At) -> Vec<Call> {
        self.book(|book| book.calls.iter().filter(|call| call.at == at).cloned().collect())
    }
    pub fn authorize_calls(&self) -> usize {
        self.calls(At::Authorize).len()
    }
    /// From now on a token request is answered after this many milliseconds.
    pub fn set_latency(&self, millis: u64) {
        self.book(|book| book.latency = Duration::from_millis(millis));
    }
    /// How many token requests came with this grant type.
    pub fn count(&self, grant: &str) -> usize {
        self.calls(At::Token).iter().filter(|call| field(&call.form, "grant_type") == Some(grant)).count()
    }
    /// From now on every poll for a device's code is answered so.
    pub fn decide(&self, poll: Poll) {
        self.book(|book| book.device.as_mut().unwrap().decide(poll));
    }
    /// The pauses of a device: from its code to the first poll, then from poll to poll.
    pub fn pauses(&self) -> Vec<Duration> {
        let mut calls = self.calls(At::Device);
        let polls = self.calls(At::Token).into_iter();
        calls.extend(polls.filter(|call| field(&call.form, "grant_type") == Some(device_grants::GRANT)));
        calls.windows(2).map(|pair| pair[1].when - pair[0].when).collect()
    }
    pub fn every_call(&self) -> usize {
        self.book(|book| book.calls.len())
    }
    pub fn family_alive(&self) -> bool {
        self.book(|book| book.grants.family_alive())
    }
    pub fn reuses(&self) -> usize {
        self.book(|book| book.grants.reuses)
    }
    /// Refresh tokens that were exchanged for new ones, and how often a spent one passed within grace.
    pub fn rotations(&self) -> (usize, usize) {
        self.book(|book| (book.grants.rotations, book.grants.replays))
    }
    /// The tokens of a new session, as after a sign-in.
    pub fn begin(&self) -> Value {
        self.book(|book| book.grants.begin("cli", None))
    }
    /// Whether this refresh token was exchanged for the newest one.
    pub fn is_predecessor(&self, refresh_token: &str) -> bool {
        self.book(|book| book.grants.is_predecessor(refresh_token))
    }
    /// Which session, counted from the first, an access token belongs to.
    pub fn session_of(&self, access_token: &str) -> Option<usize> {
        self.book(|book| book.grants.session_of(access_token))
    }
    pub fn state(&self, refresh_token: &str) -> State {
        self.book(|book| book.grants.state(refresh_token))
    }
    pub fn live_access_token(&self, token: &str) -> bool {
        self.book(|book| book.grants.live(token))
    }
    pub fn revoke_access_tokens(&self) {
        self.book(|book| book.grants.revoke_access_tokens());
    }
    pub fn kill_family(&self, refresh_token: &str) {
        self.book(|book| book.grants.revoke(refresh_token));
    }
    pub fn add_pat(&self, pat: &str) {
        self.book(|book| book.grants.add_pat(pat));
    }
    /// What clients that registered themselves asked for.
    pub fn registered(&self) -> Vec<Value> {
        self.book(|book| book.registered.clone().unwrap_or_default())
    }
    pub fn secrets(&self) -> Vec<String> {
        self.book(|book| book.grants.secrets())
    }
    pub fn complaints(&self) -> Vec<String> {
        self.book(|book| book.complaints.clone())
    }
}

fn serve(mut request: Request, book: &Mutex<Book>, relay: &Relay) {
    let path = request.url().split('?').next().unwrap_or("").to_owned();
    let (under, paths, forms) = {
        let book = book.lock().unwrap();
        (book.under, book.paths, book.forms)
    };
    let path = path.strip_prefix(under).unwrap_or("another's");
    let at = match path {
        path if paths.iter().any(|(at, _)| *at == path) => paths.iter().find(|(at, _)| *at == path).unwrap().1,
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => At::Metadata,
        "/authorize" => At::Authorize,
        "/token" => At::Token,
        "/revoke" => At::Revoke,
        "/userinfo" => At::Userinfo,
        "/device/authorize" => At::Device,
        "/device" => At::DevicePage,
        "/register" => At::Register,
        "/par" => At::Push,
        "/mcp" | "/mcp/tools" => At::Mcp,
        "/.well-known/oauth-protected-resource/mcp" if book.lock().unwrap().well_known_resource => At::McpMetadata,
        "/.well-known/oauth-protected-resource/here" => At::McpMetadata,
        _ => {
            let _ = request.respond(Response::empty(404));
            return;
        }
    };
    let mut body = String::new();
    let _ = request.as_reader().read_to_string(&mut body);
    let form = if body.is_empty() { query(request.url()) } else { parse(&body) };
    let authorization = request.headers().iter().find(|h| h.field.equiv("Authorization"));
    let bearer = authorization.and_then(|h| h.value.as_str().strip_prefix("Bearer ").map(str::to_owned));
    let basic = authorization.and_then(|h| h.value.as_str().strip_prefix("Basic ").map(str::to_owned));
    let dpop = request.headers().iter().find(|h| h.field.equiv("DPoP")).map(|h| h.value.to_string());
    let json = serde_json::from_str(&body).unwrap_or_default();
    let latency = book.lock().unwrap().latency;
    let (answer, peer): (Answer, Option<SocketAddr>) = {
        let mut book = book.lock().unwrap();
        let line = format!("{} {}", request.method(), request.url());
        let call = Call { at, line, form, bearer, basic, dpop, json, when: Instant::now() };
        book.calls.push(call.clone());
        let fault = book.once.get_mut(&at).and_then(VecDeque::pop_front).or_else(|| book.always.get(&at).cloned());
        (book.answer(&call, fault), request.remote_addr().copied())
    };
    if at == At::Token {
        thread::sleep(latency);
    }
    match answer {
        Answer::Say(status, headers, body) => {
            let body = if forms && matches!(at, At::Token | At::Device) { as_form(&body) } else { body };
            let mut response = Response::from_string(body).with_status_code(status);
            for (name, value) in headers {
                response.add_header(Header::from_bytes(name, value).unwrap());
            }
            let _ = request.respond(response);
        }
        Answer::Hang => book.lock().unwrap().held.push(request),
        Answer::Cut => relay.cut(peer.unwrap()),
    }
}
