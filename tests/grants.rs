//! What the authorization server has given out: codes, families of refresh tokens, access tokens.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::forms::field;

type Form = [(String, String)];

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

struct Code {
    client: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    used: bool,
}

struct Refresh {
    family: usize,
    spent: bool,
    /// What it was first spent for, and when.
    answer: Option<(Instant, Value)>,
}

/// What the server knows of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Newest,
    /// Spent, and the session lives on under another.
    Spent,
    /// Its session has ended, or never was.
    Ended,
}

#[derive(Default)]
pub struct Grants {
    pub issuer: String,
    lifetime: i64,
    id_tokens: bool,
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
    access: HashMap<String, (usize, bool)>,
    families: Vec<bool>,
    pats: Vec<String>,
    serial: u64,
    pub reuses: usize,
    /// For so long after its use a spent refresh token gets the same answer again.
    pub grace: Duration,
    /// How often that happened.
    pub replays: usize,
    pub rotations: usize,
    secrets: Vec<String>,
}

impl Grants {
    pub fn new(issuer: &str, lifetime: i64, id_tokens: bool) -> Grants {
        Grants { issuer: issuer.into(), lifetime, id_tokens, ..Grants::default() }
    }

    /// 64 hex digits nobody has seen before; remembered, so that a canary test can look for them.
    pub fn secret(&mut self) -> String {
        self.serial += 1;
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let digest = Sha256::digest(format!("{} {} {} {nanos}", self.issuer, std::process::id(), self.serial));
        let secret: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.secrets.push(secret.clone());
        secret
    }

    pub fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }

    pub fn family_alive(&self) -> bool {
        self.families.last().copied().unwrap_or(false)
    }

    pub fn live(&self, token: &str) -> bool {
        self.pats.iter().any(|pat| pat == token)
            || self.access.get(token).is_some_and(|(family, alive)| *alive && self.families[*family])
    }

    pub fn revoke_access_tokens(&mut self) {
        self.access.values_mut().for_each(|(_, alive)| *alive = false);
    }

    pub fn add_pat(&mut self, pat: &str) {
        self.pats.push(pat.into());
        self.secrets.push(pat.into());
    }

    /// A code for this authorization request, or what is wrong with the request.
    pub fn authorize(&mut self, query: &Form) -> Result<String, String> {
        let want = |key: &str| field(query, key).filter(|v| !v.is_empty()).ok_or(format!("no {key}"));
        if want("response_type")? != "code" {
            return Err("response_type is not code".into());
        }
        if want("code_challenge_method")? != "S256" {
            return Err("code_challenge_method is not S256".into());
        }
        if want("code_challenge")?.len() != 43 || want("state")?.len() < 22 {
            return Err("challenge or state too short".into());
        }
        let code = Code {
            client: want("client_id")?.into(),
            redirect_uri: want("redirect_uri")?.into(),
            challenge: want("code_challenge")?.into(),
            nonce: field(query, "nonce").map(str::to_owned),
            used: false,
        };
        let name = self.secret();
        self.codes.insert(name.clone(), code);
        Ok(name)
    }

    /// The answer to a token request: Ok(tokens) or Err(error code of RFC 6749).
    pub fn token(&mut self, form: &Form) -> Result<Value, &'static str> {
        let client = field(form, "client_id").unwrap_or("").to_owned();
        match field(form, "grant_type") {
            Some("authorization_code") => {
                let verifier = field(form, "code_verifier").unwrap_or("");
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                let code = field(form, "code").and_then(|code| self.codes.get_mut(code)).ok_or("invalid_grant")?;
                let fits = !code.used
                    && code.client == client
                    && code.challenge == challenge
                    && Some(code.redirect_uri.as_str()) == field(form, "redirect_uri");
                if !fits {
                    return Err("invalid_grant");
                }
                code.used = true;
                let nonce = code.nonce.clone();
                Ok(self.begin(&client, nonce))
            }
            Some("refresh_token") => {
                let name = field(form, "refresh_token").unwrap_or("");
                let Some(refresh) = self.refresh.get_mut(name) else { return Err("invalid_grant") };
                let family = refresh.family;
                if let Some((when, answer)) = &refresh.answer
                    && refresh.spent
                    && when.elapsed() < self.grace
                    && self.families[family]
                {
                    self.replays += 1;
                    return Ok(answer.clone());
                }
                if refresh.spent {
                    self.reuses += 1;
                    self.families[family] = false;
                }
                refresh.spent = true;
                if !self.families[family] {
                    return Err("invalid_grant");
                }
                self.rotations += 1;
                let answer = self.tokens(family, &client, None);
                self.refresh.get_mut(name).unwrap().answer = Some((Instant::now(), answer.clone()));
                Ok(answer)
            }
            Some("client_credentials") => Ok(self.derived(field(form, "scope").unwrap_or("all"))),
            Some("urn:ietf:params:oauth:grant-type:token-exchange") => {
                let subject = field(form, "subject_token").unwrap_or("");
                let actor = field(form, "actor_token");
                let is_odd = |token: &str, kind: &str| !self.live(token) || field(form, kind).is_none();
                if is_odd(subject, "subject_token_type") || actor.is_some_and(|it| is_odd(it, "actor_token_type")) {
                    return Err("invalid_request");
                }
                let mut answer = self.derived(field(form, "scope").unwrap_or("all"));
                answer["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:access_token");
                Ok(answer)
            }
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
                if !self.live(field(form, "assertion").unwrap_or("")) {
                    return Err("invalid_grant");
                }
                Ok(self.derived(field(form, "scope").unwrap_or("all")))
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    /// The first tokens of a new family.
    pub fn begin(&mut self, client: &str, nonce: Option<String>) -> Value {
        self.families.push(true);
        self.tokens(self.families.len() - 1, client, nonce)
    }

    /// An access token that nothing refreshes.
    fn derived(&mut self, scope: &str) -> Value {
        self.families.push(true);
        let access = self.secret();
        self.access.insert(access.clone(), (self.families.len() - 1, true));
        json!({ "access_token": access, "token_type": "Bearer", "expires_in": self.lifetime, "scope": scope })
    }

    fn tokens(&mut self, family: usize, client: &str, nonce: Option<String>) -> Value {
        let (access, refresh) = (self.secret(), self.secret());
        self.access.insert(access.clone(), (family, true));
        self.refresh.insert(refresh.clone(), Refresh { family, spent: false, answer: None });
        let mut answer = json!({
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
            "expires_in": self.lifetime, "scope": "openid offline_access",
        });
        if self.id_tokens {
            answer["id_token"] = json!(self.id_token(client, nonce));
        }
        answer
    }

    /// Well formed, signed with nonsense: a client that got it straight from us over its own connection need not care.
    pub fn id_token(&mut self, client: &str, nonce: Option<String>) -> String {
        let mut claims = json!({
            "iss": self.issuer, "sub": "user-1", "aud": client, "iat": now(), "exp": now() + self.lifetime,
            "name": "Hal Pass", "email": "hal@example.com", "jti": self.serial,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"1"}"#);
        let token =
            format!("{head}.{}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()), URL_SAFE_NO_PAD.encode([7; 64]));
        self.secrets.push(token.clone());
        token
    }

    /// The refresh token stays good after its use, as where servers do not rotate.
    pub fn unspend(&mut self, token: &str) {
        if let Some(refresh) = self.refresh.get_mut(token) {
            refresh.spent = false;
        }
    }

    pub fn is_predecessor(&self, refresh_token: &str) -> bool {
        let answer = self.refresh.get(refresh_token).and_then(|refresh| refresh.answer.as_ref());
        let next = answer.and_then(|(_, answer)| answer["refresh_token"].as_str());
        next.is_some_and(|next| self.state(next) == State::Newest)
    }

    pub fn session_of(&self, access_token: &str) -> Option<usize> {
        self.access.get(access_token).map(|(family, _)| *family)
    }

    pub fn state(&self, refresh_token: &str) -> State {
        match self.refresh.get(refresh_token) {
            Some(refresh) if !self.families[refresh.family] => State::Ended,
            Some(refresh) if refresh.spent => State::Spent,
            Some(_) => State::Newest,
            None => State::Ended,
        }
    }

    pub fn revoke(&mut self, token: &str) {
        if let Some(refresh) = self.refresh.get(token) {
            self.families[refresh.family] = false;
        }
        if let Some((_, alive)) = self.access.get_mut(token) {
            *alive = false;
        }
    }
}

#[test]
fn the_server_itself_is_strict() {
    let pairs =
        |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let mut grants = Grants::new("http://127.0.0.1:1", 3600, false);
    let verifier = "v".repeat(43);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let mut asked = pairs(&[
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("code_challenge", &challenge),
        ("state", &"s".repeat(22)),
        ("client_id", "cli"),
        ("redirect_uri", "http://127.0.0.1:2/callback"),
    ]);
    let code = grants.authorize(&asked).unwrap();
    asked[1].1 = "plain".into();
    assert!(grants.authorize(&asked).is_err());
    let exchange = |verifier: &str, uri: &str| {
        pairs(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", "cli"),
            ("code_verifier", verifier),
            ("redirect_uri", uri),
        ])
    };
    let uri = "http://127.0.0.1:2/callback";
    assert_eq!(grants.token(&exchange("wrong", uri)), Err("invalid_grant"));
    assert_eq!(grants.token(&exchange(&verifier, "http://127.0.0.1:3/callback")), Err("invalid_grant"));
    let tokens = grants.token(&exchange(&verifier, uri)).unwrap();
    assert_eq!(grants.token(&exchange(&verifier, uri)), Err("invalid_grant"), "a code works once");
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = pairs(&[
        ("grant_type", "refresh_token"),
        ("client_id", "cli"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ]);
    assert!(grants.live(access) && grants.token(&refresh).is_ok() && grants.family_alive());
    assert_eq!(grants.token(&refresh), Err("invalid_grant"), "reuse kills the family");
    assert!(!grants.family_alive() && !grants.live(access));
    assert_eq!(grants.reuses, 1);
}

#[test]
fn grace_gives_the_same_answer_for_a_while() {
    let mut grants = Grants { grace: Duration::from_secs(60), ..Grants::new("http://127.0.0.1:1", 3600, false) };
    let name = grants.begin("cli", None)["refresh_token"].as_str().unwrap().to_owned();
    let form = [("grant_type", "refresh_token"), ("client_id", "cli"), ("refresh_token", &name)];
    let form: Vec<_> = form.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    assert_eq!(grants.state(&name), State::Newest);
    let first = grants.token(&form).unwrap();
    assert_eq!(grants.state(&name), State::Spent);
    assert_eq!(grants.token(&form).unwrap(), first);
    assert_eq!((grants.rotations, grants.replays, grants.reuses), (1, 1, 0));
    grants.grace = Duration::ZERO;
    assert_eq!(grants.token(&form), Err("invalid_grant"));
    assert_eq!((grants.state(&name), grants.reuses), (State::Ended, 1));
}
