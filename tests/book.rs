//! What the authorization server knows, and what it says of that, well or badly.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tiny_http::Request;

use crate::answers::{Answer, At, Call, Fault, json_answer};
use crate::device_grants::{self, Device};
use crate::forms::{encode, field};
use crate::grants::Grants;

pub struct Book {
    pub grants: Grants,
    /// None: this server has no device flow.
    pub device: Option<Device>,
    pub calls: Vec<Call>,
    pub once: HashMap<At, VecDeque<Fault>>,
    pub always: HashMap<At, Fault>,
    /// What clients did wrong; a test asserts that it is empty.
    pub complaints: Vec<String>,
    pub held: Vec<Request>,
    pub promises_iss: bool,
    /// The redirect URIs of clients that registered themselves; `None`: nobody may.
    pub registered: Option<Vec<Value>>,
    /// Requests that were pushed, until a browser names them; `None`: none are taken.
    pub pushed: Option<HashMap<String, Vec<(String, String)>>>,
    /// Whether a browser must name one.
    pub requires_push: bool,
    /// Whether the resource's metadata is where its address alone leads.
    pub well_known_resource: bool,
    pub latency: Duration,
    /// The path of the issuer, and what else is where.
    pub under: &'static str,
    pub paths: &'static [(&'static str, At)],
    /// Answers are forms.
    pub forms: bool,
}

impl Book {
    pub fn answer(&mut self, call: &Call, fault: Option<Fault>) -> Answer {
        let mut answer = match &fault {
            Some(Fault::Status(status, headers, body)) => {
                let headers = headers.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
                return Answer::Say(*status, headers, (*body).into());
            }
            Some(Fault::Html200) => {
                let page = "<!doctype html><title>Sign in to the captive portal</title>".into();
                return Answer::Say(200, vec![("Content-Type", "text/html".into())], page);
            }
            Some(Fault::Hang) => return Answer::Hang,
            Some(Fault::CloseBeforeReading) => return Answer::Cut,
            Some(Fault::InvalidGrant | Fault::ExpiredCode) => {
                return json_answer(400, &json!({"error": "invalid_grant", "error_description": "it is gone"}));
            }
            _ => match call.at {
                At::Metadata => self.metadata(&fault),
                At::Authorize => self.authorize(call, &fault),
                At::Token => self.token(call, &fault),
                At::Revoke => {
                    self.grants.revoke(field(&call.form, "token").unwrap_or(""));
                    json_answer(200, &json!({}))
                }
                At::Userinfo => match &call.bearer {
                    Some(token) if self.grants.live(token) => {
                        json_answer(200, &json!({"sub": "user-1", "name": "Hal Pass", "email": "hal@example.com"}))
                    }
                    _ => Answer::Say(
                        401,
                        vec![("WWW-Authenticate", "Bearer error=\"invalid_token\"".into())],
                        String::new(),
                    ),
                },
                At::Device | At::DevicePage => self.device(call),
                At::Register => self.register(call),
                At::Push => self.push(call),
                At::Mcp => match &call.bearer {
                    Some(token) if self.grants.live(token) => json_answer(200, &json!({"hello": "there"})),
                    _ => {
                        let at = format!("{}/.well-known/oauth-protected-resource/here", self.grants.issuer);
                        let challenge = format!("Bearer resource_metadata=\"{at}\", scope=\"mcp:read\"");
                        Answer::Say(401, vec![("WWW-Authenticate", challenge)], String::new())
                    }
                },
                At::McpMetadata => {
                    let issuer = &self.grants.issuer;
                    let servers = json!([issuer]);
                    let resource = json!({ "resource": format!("{issuer}/mcp"), "authorization_servers": servers,
                        "scopes_supported": ["mcp:read", "mcp:write"] });
                    json_answer(200, &resource)
                }
            },
        };
        if matches!(fault, Some(Fault::CloseBeforeAnswer)) {
            answer = Answer::Cut;
        }
        answer
    }

    fn metadata(&self, fault: &Option<Fault>) -> Answer {
        let named = &self.grants.issuer;
        let issuer = named.trim_end_matches('/');
        let mut metadata = json!({
            "issuer": named,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.promises_iss,
        });
        if self.registered.is_some() {
            metadata["registration_endpoint"] = json!(format!("{issuer}/register"));
        }
        if self.pushed.is_some() {
            metadata["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/par"));
            metadata["require_pushed_authorization_requests"] = json!(self.requires_push);
        }
        if let Some(device) = &self.device {
            metadata["device_authorization_endpoint"] = json!(format!("{issuer}/device/authorize"));
            metadata["grant_types_supported"].as_array_mut().unwrap().push(json!(device_grants::GRANT));
            if device.only_way {
                metadata.as_object_mut().unwrap().remove("authorization_endpoint");
            }
        }
        match fault {
            Some(Fault::WrongIssuerInMetadata) => metadata["issuer"] = json!("https://other.example.com"),
            Some(Fault::PlainHttpEndpoint) => metadata["token_endpoint"] = json!("http://id.example.com/token"),
            _ => {}
        }
        json_answer(200, &metadata)
    }

    fn authorize(&mut self, call: &Call, fault: &Option<Fault>) -> Answer {
        let mut form = call.form.clone();
        if let Some(name) = field(&call.form, "request_uri") {
            let named = self.pushed.as_mut().and_then(|pushed| pushed.remove(name));
            let fits = named.filter(|named| field(named, "client_id") == field(&call.form, "client_id"));
            match fits.filter(|_| call.form.len() == 2) {
                Some(named) => form = named,
                None => {
                    self.complaints.push("authorize: a request_uri that is not (or no longer) known".into());
                    return Answer::Say(400, Vec::new(), String::new());
                }
            }
        } else if self.requires_push {
            self.complaints.push("authorize: a request that was not pushed".into());
            return Answer::Say(400, Vec::new(), String::new());
        }
        let code = match self.grants.authorize(&form) {
            Ok(code) => code,
            Err(why) => {
                self.complaints.push(format!("authorize: {why}"));
                return Answer::Say(400, Vec::new(), why);
            }
        };
        let state = field(&form, "state").unwrap_or("");
        let state = if matches!(fault, Some(Fault::WrongState)) { "not-the-state-you-sent-at-all" } else { state };
        let outcome = match fault {
            Some(Fault::Deny) => "error=access_denied&error_description=no+<script>alert(1)</script>".to_owned(),
            _ => format!("code={}", encode(&code)),
        };
        let iss = match fault {
            Some(Fault::NoIss) => String::new(),
            Some(Fault::WrongIss) => format!("&iss={}", encode("https://other.example.com")),
            _ => format!("&iss={}", encode(&self.grants.issuer)),
        };
        let target = field(&form, "redirect_uri").unwrap_or("");
        let joint = if target.contains('?') { '&' } else { '?' };
        let location = format!("{target}{joint}{outcome}&state={}{iss}", encode(state));
        Answer::Say(302, vec![("Location", location)], String::new())
    }

    fn register(&mut self, call: &Call) -> Answer {
        let Some(registered) = &mut self.registered else { return Answer::Say(404, Vec::new(), String::new()) };
        registered.push(call.json.clone());
        let mut client = call.json.clone();
        client["client_id"] = json!(format!("registered-{}", registered.len()));
        json_answer(201, &client)
    }

    fn push(&mut self, call: &Call) -> Answer {
        let name = format!("urn:ietf:params:oauth:request_uri:{}", self.grants.secret());
        let Some(pushed) = &mut self.pushed else { return Answer::Say(404, Vec::new(), String::new()) };
        let mut keys: Vec<_> = call.form.iter().map(|(key, _)| key).collect();
        keys.sort();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            self.complaints.push("push: a parameter came twice".into());
        }
        pushed.insert(name.clone(), call.form.clone());
        json_answer(201, &json!({ "request_uri": name, "expires_in": 60 }))
    }

    fn device(&mut self, call: &Call) -> Answer {
        let Some(device) = &mut self.device else { return Answer::Say(404, Vec::new(), String::new()) };
        if call.at == At::DevicePage {
            let status = if device.visit(&call.form) { 200 } else { 404 };
            return Answer::Say(status, Vec::new(), "the page where a code is confirmed".into());
        }
        let code = self.grants.secret();
        json_answer(200, &device.begin(&call.form, &self.grants.issuer, &code))
    }

    fn token(&mut self, call: &Call, fault: &Option<Fault>) -> Answer {
        let mut keys: Vec<_> = call.form.iter().map(|(key, _)| key).collect();
        keys.sort();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            self.complaints.push("token: a parameter came twice".into());
        }
        let polled = match &mut self.device {
            Some(device) if field(&call.form, "grant_type") == Some(device_grants::GRANT) => {
                if let Err((status, error)) = device.poll(&call.form, &mut self.complaints) {
                    return json_answer(status, &error);
                }
                Some(self.grants.begin(field(&call.form, "client_id").unwrap_or(""), None))
            }
            _ => None,
        };
        let tokens = polled.map_or_else(|| self.grants.token(&named(call)), Ok);
        let mut tokens = match tokens {
            Ok(tokens) => tokens,
            Err(error) => return json_answer(400, &json!({"error": error})),
        };
        let refresh = field(&call.form, "grant_type") == Some("refresh_token");
        let fields = tokens.as_object_mut().unwrap();
        if call.dpop.is_some() {
            fields.insert("token_type".into(), json!("DPoP"));
        }
        match fault {
            Some(Fault::TokenWithNewline) => {
                let token = format!("{}\nhost=evil.example", fields["access_token"].as_str().unwrap());
                fields.insert("access_token".into(), json!(token));
            }
            Some(Fault::TokenOfAnotherType) => drop(fields.insert("token_type".into(), json!("mac"))),
            Some(Fault::Bearer) => drop(fields.insert("token_type".into(), json!("Bearer"))),
            Some(Fault::Bound) => drop(fields.insert("token_type".into(), json!("DPoP"))),
            Some(Fault::NoAccessToken) => drop(fields.remove("access_token")),
            Some(Fault::Clock(off)) => {
                if let Some(token) = fields.get("id_token").and_then(Value::as_str) {
                    let token = shifted(token, *off);
                    fields.insert("id_token".into(), json!(token));
                }
                let Answer::Say(status, mut headers, body) = json_answer(200, &tokens) else { unreachable!() };
                headers.push(("Date", http_date(crate::grants::now() + off)));
                return Answer::Say(status, headers, body);
            }
            Some(Fault::MissingExpiresIn) => drop(fields.remove("expires_in")),
            Some(Fault::StringExpiresIn) => {
                let life = fields["expires_in"].to_string();
                fields.insert("expires_in".into(), json!(life));
            }
            Some(Fault::NoRefreshTokenInAnswer) => {
                // A server that does not rotate: the old one stays good.
                fields.remove("refresh_token");
                self.grants.unspend(field(&call.form, "refresh_token").unwrap_or(""));
            }
            Some(Fault::NoIdTokenOnRefresh) if refresh => drop(fields.remove("id_token")),
            Some(Fault::WrongNonce) => {
                let client = field(&call.form, "client_id").unwrap_or("");
                let token = self.grants.id_token(client, Some("not-your-nonce".into()));
                fields.insert("id_token".into(), json!(token));
            }
            _ => {}
        }
        json_answer(200, &tokens)
    }
}

/// The form, with the client that a header names.
fn named(call: &Call) -> Vec<(String, String)> {
    let mut form = call.form.clone();
    let pair = call.basic.as_ref().and_then(|basic| STANDARD.decode(basic).ok()).unwrap_or_default();
    if let Some((client, _)) = String::from_utf8_lossy(&pair).split_once(':') {
        form.push(("client_id".into(), client.into()));
    }
    form
}

/// The id_token that a server would have given whose clock is off.
fn shifted(token: &str, off: i64) -> String {
    let parts: Vec<_> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    for name in ["iat", "exp"] {
        claims[name] = (claims[name].as_i64().unwrap() + off).into();
    }
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

/// RFC 9110 5.6.7, by `date`.
fn http_date(seconds: i64) -> String {
    let format = "+%a, %d %b %Y %H:%M:%S GMT";
    let mut date = std::process::Command::new("date");
    // GNU's way, else that of the BSDs.
    let gnu = date.env("LC_ALL", "C").args(["-u", "-d", &format!("@{seconds}"), format]).output().unwrap();
    let answer = if gnu.status.success() {
        gnu
    } else {
        let seconds = seconds.to_string();
        std::process::Command::new("date").env("LC_ALL", "C").args(["-u", "-r", &seconds, format]).output().unwrap()
    };
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}
