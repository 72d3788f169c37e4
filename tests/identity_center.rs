//! AWS IAM Identity Center of our own: what its service descriptions say of names and types, and nothing beside them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::device_grants::GRANT;
use crate::forms::{encode, field, query};
use crate::grants::now;
use crate::world::World;

pub const ROLE: &str = "123456789012/ReadOnly";
pub const USER_CODE: &str = "MTRS-FWRJ";

/// What the service takes, and with whom a member is required.
const REGISTRATION: &[&str] = &["clientName!", "clientType!", "scopes", "redirectUris", "grantTypes", "issuerUrl"];
const DEVICE: &[&str] = &["clientId!", "clientSecret!", "startUrl!"];
const TOKEN: &[&str] = &[
    "clientId!",
    "clientSecret!",
    "grantType!",
    "deviceCode",
    "code",
    "refreshToken",
    "scope",
    "redirectUri",
    "codeVerifier",
];

#[derive(Default)]
struct Book {
    start_url: String,
    /// What each was registered with, and its secret.
    clients: Vec<(Value, String)>,
    /// The query that a code came of.
    codes: HashMap<String, Vec<(String, String)>>,
    polls: u32,
    refresh_token: Option<String>,
    access_tokens: Vec<String>,
    grants: Vec<String>,
    /// The queries that the portal gave keys for.
    keys: Vec<String>,
    /// The status and text with which the portal refuses.
    refusal: Option<(u16, &'static str)>,
    numbers: u32,
    complaints: Vec<String>,
}

/// One region of it, on one address.
pub struct Center {
    pub url: String,
    book: Arc<Mutex<Book>>,
    server: Arc<Server>,
}

impl Drop for Center {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

impl Center {
    pub fn start() -> Center {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}", server.server_addr().to_ip().unwrap());
        let book = Book { start_url: format!("{url}/start"), ..Book::default() };
        let center = Center { url, book: Arc::new(Mutex::new(book)), server: Arc::clone(&server) };
        let book = Arc::clone(&center.book);
        thread::spawn(move || {
            while let Ok(request) = server.recv() {
                let mut book = book.lock().unwrap();
                book.answer(request);
            }
        });
        center
    }
    pub fn start_url(&self) -> String {
        self.book(|book| book.start_url.clone())
    }
    /// The table of the account `work`.
    pub fn account(&self) -> String {
        format!(
            "[account.work]\nprovider = \"aws-identity-center\"\napi_url = \"{}\"\naws_start_url = \"{}\"\n\
             aws_role = \"{ROLE}\"\n",
            self.url,
            self.start_url()
        )
    }
    pub fn world(&self) -> World {
        let world = World::bare();
        world.config(&self.account());
        world
    }
    fn book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.book.lock().unwrap())
    }
    pub fn clients(&self) -> Vec<Value> {
        self.book(|book| book.clients.iter().map(|(wish, _)| wish.clone()).collect())
    }
    /// A client that is there already, with its secret.
    pub fn has_client(&self, id: &str, secret: &str) {
        let wish = json!({
            "id": id, "grantTypes": ["authorization_code", "refresh_token"], "redirectUris": ["http://127.0.0.1/oauth/callback"],
        });
        self.book(|book| book.clients.push((wish, secret.to_owned())));
    }
    pub fn client_secret(&self) -> String {
        self.book(|book| book.clients.last().unwrap().1.clone())
    }
    pub fn grants(&self) -> Vec<String> {
        self.book(|book| book.grants.clone())
    }
    pub fn keys(&self) -> Vec<String> {
        self.book(|book| book.keys.clone())
    }
    pub fn complaints(&self) -> Vec<String> {
        self.book(|book| book.complaints.clone())
    }
    pub fn refuses(&self, refusal: Option<(u16, &'static str)>) {
        self.book(|book| book.refusal = refusal);
    }
    /// Somebody has ended the session elsewhere.
    pub fn forgets(&self) {
        self.book(|book| {
            book.access_tokens.clear();
            book.refresh_token = None;
        });
    }
    /// It knows none of its clients any more, as after 90 days.
    pub fn forgets_clients(&self) {
        self.book(|book| book.clients.clear());
    }
    pub fn knows(&self, access_token: &str) -> bool {
        self.book(|book| book.access_tokens.iter().any(|token| token == access_token))
    }
}

impl Book {
    fn answer(&mut self, mut request: Request) {
        let mut text = String::new();
        request.as_reader().read_to_string(&mut text).unwrap();
        let url = request.url().to_owned();
        let path = url.split('?').next().unwrap_or_default();
        let said = match (request.method(), path) {
            (Method::Post, "/client/register") => self.body(&text, REGISTRATION).and_then(|body| self.register(body)),
            (Method::Post, "/device_authorization") => self.body(&text, DEVICE).and_then(|body| self.device(&body)),
            (Method::Post, "/token") => self.body(&text, TOKEN).and_then(|body| self.token(&body)),
            (Method::Get, "/authorize") => {
                let response = match self.authorize(&url) {
                    Some(to) => {
                        let header = Header::from_bytes("Location", to).unwrap();
                        Response::from_string("").with_status_code(302).with_header(header)
                    }
                    None => Response::from_string("invalid_request").with_status_code(400),
                };
                return drop(request.respond(response));
            }
            (Method::Get, "/federation/credentials") => self.portal(&request, &url),
            (Method::Post, "/logout") => self.logout(&request),
            _ => Err((404, json!({}))),
        };
        let (status, body) = match said {
            Ok(body) => (200, body),
            Err((status, body)) => (status, body),
        };
        let _ = request.respond(Response::from_string(body.to_string()).with_status_code(status));
    }

    fn mint(&mut self, what: &str) -> String {
        self.numbers += 1;
        format!("{what}-{}-of-the-center", self.numbers)
    }

    fn complain(&mut self, what: String) -> (u16, Value) {
        self.complaints.push(what.clone());
        (400, json!({ "error": "invalid_request", "error_description": what }))
    }

    /// A JSON object with these members, as far as they are known.
    fn body(&mut self, text: &str, members: &[&str]) -> Result<Map<String, Value>, (u16, Value)> {
        let Ok(Value::Object(body)) = serde_json::from_str(text) else {
            return Err(self.complain(format!("no JSON object: {text}")));
        };
        let known = |name: &str| members.iter().any(|member| member.trim_end_matches('!') == name);
        if let Some(odd) = body.keys().find(|name| !known(name)) {
            return Err(self.complain(format!("an unknown member: {odd}")));
        }
        let required = members.iter().filter_map(|member| member.strip_suffix('!'));
        if let Some(missing) = required.into_iter().find(|name| !body.contains_key(*name)) {
            return Err(self.complain(format!("no {missing}")));
        }
        Ok(body)
    }

    fn register(&mut self, body: Map<String, Value>) -> Result<Value, (u16, Value)> {
        if body["clientType"] != "public" {
            return Err((400, json!({ "error": "invalid_client_metadata" })));
        }
        if body.get("issuerUrl").is_some_and(|issuer| *issuer != self.start_url.as_str()) {
            return Err((
                400,
                json!({ "error": "invalid_request", "error_description": "Invalid issuer URL provided" }),
            ));
        }
        let (id, secret) = (self.mint("client"), self.mint("secret"));
        let mut wish = Value::Object(body);
        wish["id"] = id.clone().into();
        self.clients.push((wish, secret.clone()));
        Ok(json!({
            "clientId": id, "clientSecret": secret,
            "clientIdIssuedAt": now(), "clientSecretExpiresAt": now() + 90 * 86_400,
        }))
    }

    /// Whose secret it is, and what that client was registered with.
    fn client(&mut self, body: &Map<String, Value>) -> Result<Value, (u16, Value)> {
        let is_it =
            |(wish, secret): &&(Value, String)| wish["id"] == body["clientId"] && *secret == body["clientSecret"];
        let found = self.clients.iter().find(is_it).map(|(wish, _)| wish.clone());
        found.ok_or((401, json!({ "error": "invalid_client", "error_description": "Invalid client provided" })))
    }

    fn authorize(&mut self, url: &str) -> Option<String> {
        let asked = query(url);
        let has = |name: &str| field(&asked, name).unwrap_or_default().to_owned();
        let wish = self.clients.iter().find(|(wish, _)| wish["id"] == has("client_id").as_str())?.0.clone();
        let (redirect, state) = (has("redirect_uri"), has("state"));
        let mut portless = url::Url::parse(&redirect).ok()?;
        portless.set_port(None).ok()?;
        let is_right = has("response_type") == "code"
            && has("code_challenge_method") == "S256"
            && has("scopes") == "sso:account:access"
            && wish["redirectUris"] == json!([portless.as_str()])
            && field(&asked, "scope").is_none();
        if !is_right {
            self.complaints.push(format!("authorize: {url}"));
            return None;
        }
        let code = self.mint("code");
        self.codes.insert(code.clone(), asked);
        Some(format!("{redirect}?code={}&state={}", encode(&code), encode(&state)))
    }

    fn device(&mut self, body: &Map<String, Value>) -> Result<Value, (u16, Value)> {
        let wish = self.client(body)?;
        if wish["issuerUrl"] != body["startUrl"] {
            return Err(self.complain("another start URL".to_owned()));
        }
        let page = "https://device.sso.eu-central-1.amazonaws.com/";
        Ok(json!({
            "deviceCode": self.mint("device-code"), "userCode": USER_CODE, "verificationUri": page,
            "verificationUriComplete": format!("{page}?user_code={USER_CODE}"), "expiresIn": 600, "interval": 1,
        }))
    }

    fn token(&mut self, body: &Map<String, Value>) -> Result<Value, (u16, Value)> {
        let wish = self.client(body)?;
        let grant = body["grantType"].as_str().unwrap_or_default();
        if !wish["grantTypes"].as_array().is_some_and(|grants| grants.iter().any(|may| may == grant)) {
            return Err((400, json!({ "error": "unauthorized_client" })));
        }
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_good = match grant {
            "authorization_code" => self.codes.remove(&member("code")).is_some_and(|asked| {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(member("codeVerifier")));
                field(&asked, "code_challenge") == Some(&challenge)
                    && field(&asked, "redirect_uri") == Some(&member("redirectUri"))
            }),
            "refresh_token" => self.refresh_token.take().is_some_and(|token| token == member("refreshToken")),
            GRANT => {
                self.polls += 1;
                if self.polls == 1 {
                    return Err((400, json!({ "error": "authorization_pending", "error_description": null })));
                }
                member("deviceCode").starts_with("device-code")
            }
            _ => false,
        };
        if !is_good {
            return Err((400, json!({ "error": "invalid_grant", "error_description": "Invalid grant provided" })));
        }
        let (access, refresh) = (self.mint("access"), self.mint("refresh"));
        self.grants.push(grant.to_owned());
        self.access_tokens.push(access.clone());
        self.refresh_token = Some(refresh.clone());
        Ok(json!({ "accessToken": access, "tokenType": "Bearer", "expiresIn": 28_800, "refreshToken": refresh }))
    }

    /// The portal knows nobody without a token in its own header.
    fn bearer(&self, request: &Request) -> Result<String, (u16, Value)> {
        let header = request.headers().iter().find(|header| header.field.equiv("x-amz-sso_bearer_token"));
        let token = header.map(|header| header.value.to_string()).unwrap_or_default();
        let is_known = self.access_tokens.contains(&token);
        is_known.then_some(token).ok_or((401, json!({ "message": "Session token not found or invalid" })))
    }

    fn portal(&mut self, request: &Request, url: &str) -> Result<Value, (u16, Value)> {
        self.bearer(request)?;
        if let Some((status, message)) = self.refusal {
            return Err((status, json!({ "message": message })));
        }
        let asked = query(url);
        if asked.len() != 2 {
            return Err(self.complain(format!("the portal was asked {url}")));
        }
        let name = |name: &str| field(&asked, name).unwrap_or_default();
        self.keys.push(format!("{}/{}", name("account_id"), name("role_name")));
        let number = self.keys.len();
        Ok(json!({ "roleCredentials": {
            "accessKeyId": format!("ASIA{number}"), "secretAccessKey": format!("s/{number}+="),
            "sessionToken": format!("t{number}"), "expiration": (now() + 3600) * 1000,
        } }))
    }

    fn logout(&mut self, request: &Request) -> Result<Value, (u16, Value)> {
        self.bearer(request)?;
        self.access_tokens.clear();
        self.refresh_token = None;
        Ok(json!({}))
    }
}
