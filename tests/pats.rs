//! A provider's own server: its metadata, and personal access tokens to make, list and revoke.

use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tiny_http::{Header, Method, Response, Server, StatusCode};

use crate::idp::Idp;

/// Where the tokens are; another server of the same words differs in this line alone.
const PATS: &str = "/api/pats";

/// One request: method, path, Authorization, body.
pub type Asked = (String, String, String, Value);

pub struct Pats {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: Arc<Server>,
}

impl Drop for Pats {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

impl Pats {
    /// Signs in through `idp`; the tokens are here.
    pub fn start(idp: &Idp) -> Pats {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}", server.server_addr().to_ip().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let metadata = json!({
            "issuer": url,
            "device_authorization_endpoint": format!("{}/device/authorize", idp.issuer),
            "token_endpoint": format!("{}/token", idp.issuer),
            "userinfo_endpoint": format!("{}/userinfo", idp.issuer),
        });
        let (at, book) = (Arc::clone(&server), Arc::clone(&asked));
        thread::spawn(move || {
            while let Ok(mut request) = at.recv() {
                let path = request.url().to_owned();
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let (status, answer) = match (request.method(), path.as_str()) {
                    (_, path) if path.starts_with("/.well-known/") => (200, metadata.clone()),
                    (Method::Post, PATS) => (201, json!({ "id": 7, "token": "wh_pat_new", "scopes": ["repo:read"] })),
                    (Method::Get, PATS) => (
                        200,
                        json!({ "data": [
                            { "id": 7, "name": "ci\u{1b}[2J", "scopes": ["repo:read"], "expires_at": "2027-01-01T00:00:00Z",
                              "token": "canary" },
                        ] }),
                    ),
                    (Method::Delete, "/api/pats/7") => (204, Value::Null),
                    _ => (404, Value::Null),
                };
                if !path.starts_with("/.well-known/") {
                    let bearer = request.headers().iter().find(|header| header.field.equiv("Authorization"));
                    let bearer = bearer.map(|header| header.value.to_string()).unwrap_or_default();
                    let body = serde_json::from_str(&body).unwrap_or_default();
                    book.lock().unwrap().push((request.method().to_string(), path, bearer, body));
                }
                let text = if answer.is_null() { String::new() } else { answer.to_string() };
                let json = Header::from_bytes("Content-Type", "application/json").unwrap();
                let _ =
                    request.respond(Response::from_string(text).with_status_code(StatusCode(status)).with_header(json));
            }
        });
        Pats { url, asked, server }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}
