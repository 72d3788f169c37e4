//! The demo's authorization server: PKCE, a consent page, refresh tokens that are good once, and every request counted.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tiny_http::{Header, Method, Request, Response, Server};
use url::Url;

use crate::grants::{CLIENT, Form, Grants, Kind, PERSON};

/// How long tokens live, unless [`AuthorizationServer::tokens_live`] says otherwise.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);
/// Time enough for a hundred callers to meet while a refresh is under way, as at a server far away.
const LATENCY: Duration = Duration::from_millis(150);
const WORKERS: usize = 6;

type Page = Response<Cursor<Vec<u8>>>;

pub(crate) struct AuthorizationServer {
    pub(crate) issuer: String,
    book: Mutex<Book>,
}

struct Book {
    grants: Grants,
    requests: usize,
    token_requests: usize,
}

/// What it has seen so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) token_requests: usize,
    /// Refresh tokens that came a second time; each ended its session.
    pub(crate) reuses: usize,
    /// The session has not been ended.
    pub(crate) alive: bool,
}

impl AuthorizationServer {
    pub(crate) fn start() -> Result<Arc<Self>> {
        let listener = Server::http("127.0.0.1:0").map_err(|why| anyhow!("no port for a server: {why}"))?;
        let issuer = format!("http://{}", listener.server_addr().to_ip().context("a server without an address")?);
        let book = Book { grants: Grants::new(&issuer, LIFE), requests: 0, token_requests: 0 };
        let (server, listener) = (Arc::new(Self { issuer, book: Mutex::new(book) }), Arc::new(listener));
        for _ in 0..WORKERS {
            let (server, listener) = (server.clone(), listener.clone());
            thread::spawn(move || {
                while let Ok(mut request) = listener.recv() {
                    let page = server.answer(&mut request);
                    let _ = request.respond(page); // a client that went away needs no answer
                }
            });
        }
        Ok(server)
    }

    /// The life of the tokens given out from now on.
    pub(crate) fn tokens_live(&self, life: Duration) {
        self.book().grants.life = life;
    }

    pub(crate) fn seen(&self) -> Seen {
        let Book { grants, requests, token_requests } = &*self.book();
        let (reuses, alive) = (grants.reuses, grants.alive());
        Seen { requests: *requests, token_requests: *token_requests, reuses, alive }
    }

    /// Whether a token is good now: what the git host and the Kubernetes API ask about whatever they are shown.
    pub(crate) fn knows(&self, token: &str, kind: Kind) -> bool {
        self.book().grants.knows(token, kind)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &mut Request) -> Page {
        self.book().requests += 1;
        let Ok(url) = Url::parse(&format!("{}{}", self.issuer, request.url())) else {
            return page(400, "no such page");
        };
        let mut body = String::new();
        if request.as_reader().take(64 << 10).read_to_string(&mut body).is_err() {
            return page(400, "that is no form");
        }
        let form: Form = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        match (request.method(), url.path()) {
            (Method::Get, "/.well-known/openid-configuration") => self.metadata(),
            (Method::Get, "/authorize") => self.consent(&url.query_pairs().into_owned().collect()),
            (Method::Post, "/allow") => self.allow(&form),
            (Method::Post, "/token") => self.token(&form),
            (Method::Get, "/userinfo") => self.userinfo(request),
            _ => page(404, "nothing here"),
        }
    }

    fn metadata(&self) -> Page {
        let issuer = &self.issuer;
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        data(200, &metadata)
    }

    /// The page with the button.
    fn consent(&self, query: &Form) -> Page {
        match self.book().grants.consider(query) {
            Ok(ticket) => page(
                200,
                &format!(
                    "<!doctype html><html lang=en><meta charset=utf-8>\
                     <meta name=viewport content=\"width=device-width\">\
                     <title>hallpass demo</title><h1>hallpass demo</h1>\
                     <p>May the program <b>{CLIENT}</b> on this machine act for <b>{PERSON}</b>?\
                     <form method=post action=/allow><input type=hidden name=ticket value={ticket}>\
                     <button>Allow</button></form></html>\n"
                ),
            )
            .with_header(header("Content-Type", "text/html; charset=utf-8")),
            Err(why) => page(400, why),
        }
    }

    /// The button was pressed: back to the program, with a code.
    fn allow(&self, form: &Form) -> Page {
        match form.get("ticket").and_then(|ticket| self.book().grants.allow(ticket)) {
            Some(back) => page(303, "").with_header(header("Location", back.as_str())),
            None => page(400, "this page was answered before"),
        }
    }

    fn token(&self, form: &Form) -> Page {
        self.book().token_requests += 1;
        thread::sleep(LATENCY);
        match self.book().grants.token(form) {
            Ok(tokens) => data(200, &tokens),
            Err(error) => data(400, &json!({ "error": error })),
        }
    }

    fn userinfo(&self, request: &Request) -> Page {
        let header_line = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let token = header_line.and_then(|header| header.value.as_str().strip_prefix("Bearer "));
        if token.is_some_and(|token| self.knows(token, Kind::Access)) {
            return data(200, &json!({ "sub": "1", "email": PERSON }));
        }
        page(401, "who are you?").with_header(header("WWW-Authenticate", "Bearer error=\"invalid_token\""))
    }
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("header lines here are ASCII")
}

fn page(status: u16, words: &str) -> Page {
    Response::from_string(words).with_status_code(status)
}

fn data(status: u16, value: &Value) -> Page {
    page(status, &value.to_string())
        .with_header(header("Content-Type", "application/json"))
        .with_header(header("Cache-Control", "no-store"))
}
