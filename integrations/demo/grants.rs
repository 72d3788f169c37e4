//! What the demo's authorization server has given out, and what it is still good for.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use url::Url;

/// Who signs in here.
pub(crate) const PERSON: &str = "alice@example.com";
/// The only client.
pub(crate) const CLIENT: &str = "hallpass-demo";

/// The fields of a query or a form.
pub(crate) type Form = HashMap<String, String>;

pub(crate) struct Grants {
    issuer: String,
    /// How long tokens live that are given out now.
    pub(crate) life: Duration,
    /// Refresh tokens that came a second time.
    pub(crate) reuses: usize,
    /// Consent pages that nobody has answered yet, by the ticket on their button.
    pages: HashMap<String, Asked>,
    codes: HashMap<String, Asked>,
    refresh_tokens: HashMap<String, Refresh>,
    tokens: HashMap<String, Token>,
    /// Whether each session is alive.
    sessions: Vec<bool>,
}

/// An authorization request that was in order.
struct Asked {
    redirect_uri: Url,
    state: String,
    challenge: String,
    nonce: Option<String>,
}

struct Refresh {
    session: usize,
    spent: bool,
}

struct Token {
    session: usize,
    kind: Kind,
    ends: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Id,
}

impl Grants {
    pub(crate) fn new(issuer: &str, life: Duration) -> Self {
        Self {
            issuer: issuer.to_owned(),
            life,
            reuses: 0,
            pages: HashMap::new(),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            tokens: HashMap::new(),
            sessions: Vec::new(),
        }
    }

    /// Whether this token is still good.
    pub(crate) fn knows(&self, token: &str, kind: Kind) -> bool {
        let found = self.tokens.get(token).filter(|token| token.kind == kind && token.ends > Instant::now());
        found.is_some_and(|token| self.sessions[token.session])
    }

    /// Whether the last session that began is alive.
    pub(crate) fn alive(&self) -> bool {
        self.sessions.last().copied().unwrap_or(false)
    }

    /// A ticket for the consent page, or what is wrong with the authorization request.
    pub(crate) fn consider(&mut self, query: &Form) -> Result<String, &'static str> {
        let is = |key: &str, value: &str| query.get(key).is_some_and(|given| given == value);
        if !is("response_type", "code") || !is("client_id", CLIENT) || !is("code_challenge_method", "S256") {
            return Err("response_type, client_id or code_challenge_method is not what this server knows");
        }
        let here = |uri: &Url| uri.scheme() == "http" && matches!(uri.host_str(), Some("127.0.0.1" | "[::1]"));
        let redirect_uri = query.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
        let redirect_uri = redirect_uri.filter(here).ok_or("redirect_uri is not on this machine")?;
        let challenge = query.get("code_challenge").filter(|text| text.len() == 43).ok_or("no code_challenge")?.clone();
        let state = query.get("state").ok_or("no state")?.clone();
        let ticket = secret();
        let nonce = query.get("nonce").cloned();
        self.pages.insert(ticket.clone(), Asked { redirect_uri, state, challenge, nonce });
        Ok(ticket)
    }

    /// Where the answer goes after the button was pressed; a ticket is good once.
    pub(crate) fn allow(&mut self, ticket: &str) -> Option<Url> {
        let asked = self.pages.remove(ticket)?;
        let code = secret();
        let mut back = asked.redirect_uri.clone();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked.state)
            .append_pair("iss", &self.issuer);
        self.codes.insert(code, asked);
        Some(back)
    }

    /// The answer to a token request, or the error code of RFC 6749.
    pub(crate) fn token(&mut self, form: &Form) -> Result<Value, &'static str> {
        if form.get("client_id").is_none_or(|client| client != CLIENT) {
            return Err("invalid_client");
        }
        let granted = match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.trade(form),
            Some("refresh_token") => self.refresh(form),
            _ => return Err("unsupported_grant_type"),
        };
        granted.map(|(session, nonce)| self.tokens(session, nonce.as_deref())).ok_or("invalid_grant")
    }

    /// A code for a session; it works once, and only for the program that asked (PKCE).
    fn trade(&mut self, form: &Form) -> Option<(usize, Option<String>)> {
        let asked = self.codes.remove(form.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form.get("code_verifier")?.as_bytes()));
        if asked.challenge != challenge || asked.redirect_uri.as_str() != form.get("redirect_uri")? {
            return None;
        }
        self.sessions.push(true);
        Some((self.sessions.len() - 1, asked.nonce))
    }

    /// A refresh token is good once. A second time means that two hold it, one of them a thief: the session ends.
    fn refresh(&mut self, form: &Form) -> Option<(usize, Option<String>)> {
        let refresh = self.refresh_tokens.get_mut(form.get("refresh_token")?)?;
        if std::mem::replace(&mut refresh.spent, true) {
            self.reuses += 1;
            self.sessions[refresh.session] = false;
        }
        self.sessions[refresh.session].then_some((refresh.session, None))
    }

    fn tokens(&mut self, session: usize, nonce: Option<&str>) -> Value {
        let (access, refresh, id) = (secret(), secret(), self.id_token(nonce));
        let ends = Instant::now() + self.life;
        self.tokens.insert(access.clone(), Token { session, kind: Kind::Access, ends });
        self.tokens.insert(id.clone(), Token { session, kind: Kind::Id, ends });
        self.refresh_tokens.insert(refresh.clone(), Refresh { session, spent: false });
        json!({
            "access_token": access, "refresh_token": refresh, "id_token": id, "token_type": "Bearer",
            "expires_in": self.life.as_secs(), "scope": "openid offline_access",
        })
    }

    /// Its signature is nonsense: both who take it, hallpass and the Kubernetes API, have it from this server itself.
    fn id_token(&self, nonce: Option<&str>) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut claims = json!({
            "iss": self.issuer, "sub": "1", "aud": CLIENT, "email": PERSON, "jti": secret(),
            "iat": now.as_secs(), "exp": (now + self.life).as_secs(),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"RS256","typ":"JWT"}"#), part(&claims.to_string()), part("signature"))
    }
}

/// 64 hex digits that nobody can guess.
fn secret() -> String {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
