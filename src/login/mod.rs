//! Signing in: which way fits, and what comes of it

pub(crate) mod browser;
mod device;
pub(crate) mod listener;
pub(crate) mod pages;
mod paste;
mod response;
mod token;

use std::time::Instant;

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde::Deserialize;

use crate::account::{Client, Flow, OUT_OF_BAND};
use crate::claims::Claims;
use crate::discovery::{self, Server};
use crate::failure::{fail, fail_hint};
use crate::http::Http;
use crate::oauth::{self, AuthorizationRequest, Grant, Grants, Trouble};
use crate::paths::set;
use crate::shown::shown;
use crate::signals::Held;
use crate::token::{How, Session, Token, TokenKind};
use listener::Callback;
use pages::Page;
use response::Response;

/// What the person asked for on the command line, or nothing.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) flow: Flow,
    pub(crate) port: Option<u16>,
    /// Whether to open a browser; if not, the page's address is the one line on stdout.
    pub(crate) open: bool,
    /// The tenant: flag, else configuration.
    pub(crate) tenant: Option<String>,
    /// A client id given on the command line.
    pub(crate) client_id: Option<String>,
    /// A token given on the command line.
    pub(crate) token: Option<Secret>,
    /// Writes the page's address where it was asked for.
    pub(crate) url_to: fn(&str),
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            flow: Flow::Auto,
            port: None,
            open: true,
            tenant: None,
            client_id: None,
            token: None,
            url_to: |url| crate::terminal::say(url),
        }
    }
}

/// A session that is not saved yet, and the browser that waits to hear of it.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    browser: Option<Callback>,
    /// From the moment the code is spent until this is dropped, nothing may cut us short.
    _held: Held,
}

impl SignedIn {
    /// The session is on disk: the browser may say so.
    pub(crate) fn saved(self) {
        if let Some(browser) = self.browser {
            browser.finish(Page::Done);
        }
    }

    /// It could not be saved.
    pub(crate) fn lost(self) {
        if let Some(browser) = self.browser {
            browser.finish(Page::Failed);
        }
    }
}

/// One attempt to sign in.
struct Attempt<'a> {
    account: &'a str,
    client: &'a Client,
    wishes: &'a Wishes,
    client_id: Option<String>,
    http: Http,
    server: Option<Server>,
    until: Instant,
}

/// Signs in the way the person asked for, else the account's, else through the browser.
pub(crate) fn sign_in(account: &str, client: &Client, wishes: &Wishes, now: u64) -> Result<SignedIn> {
    let flow = if wishes.flow == Flow::Auto { client.flow } else { wishes.flow };
    let http = Http::new(client.ca_file.as_deref())?;
    let client_id = client_id(client, wishes);
    let mut attempt =
        Attempt { account, client, wishes, client_id, http, server: None, until: browser::until(client.timeout) };
    if flow == Flow::Token {
        return Ok(SignedIn { session: token::session(&attempt, now)?, browser: None, _held: Held::begin() });
    }
    attempt.server = Some(discovery::server(account, client, &attempt.http, flow == Flow::Device)?);
    let shown_by_server = flow == Flow::Auto && client.redirect_uri.as_deref() == Some(OUT_OF_BAND);
    if flow == Flow::Paste || shown_by_server {
        if !crate::terminal::is_ours() {
            return Err(paste::needs_a_terminal(account));
        }
        let (code, request) = paste::code(&attempt)?;
        let held = Held::begin();
        let session = attempt.trade(&code, &request, How::Paste)?;
        return Ok(SignedIn { session, browser: None, _held: held });
    }
    let server = attempt.server();
    let only_device = server.authorization_endpoint.is_none() && server.device_authorization_endpoint.is_some();
    if flow == Flow::Device || (flow == Flow::Auto && only_device) {
        let (grant, held) = device::grant(&attempt)?;
        let session = attempt.session(grant, How::Device, None)?;
        return Ok(SignedIn { session, browser: None, _held: held });
    }
    let (code, request, callback) = browser::code(&attempt)?;
    let held = Held::begin();
    match attempt.trade(&code, &request, How::Browser) {
        Ok(session) => Ok(SignedIn { session, browser: Some(callback), _held: held }),
        Err(why) => {
            callback.finish(Page::Failed);
            Err(why)
        }
    }
}

/// Flag, the provider's variable, ours, the configuration, the build. For a sign-in only: a refresh uses the id that the
/// session was made with.
fn client_id(client: &Client, wishes: &Wishes) -> Option<String> {
    let provider = client.provider.as_ref();
    let from_environment = || provider.and_then(|provider| provider.client_id_env.as_deref()).and_then(set);
    let built_in = || provider.and_then(|provider| provider.built_in_client_id).map(str::to_owned);
    let named = wishes.client_id.clone().or_else(from_environment).or_else(|| set("HALLPASS_CLIENT_ID"));
    named.or_else(|| client.client_id.clone()).or_else(built_in)
}

impl Attempt<'_> {
    fn server(&self) -> &Server {
        self.server.as_ref().expect("discovered before any flow that needs it")
    }

    fn client_id(&self) -> Result<&str> {
        self.client_id.as_deref().ok_or_else(|| {
            let what = format!("account `{}` has no client_id", self.account);
            let variable = self.client.provider.as_ref().and_then(|provider| provider.client_id_env.as_deref());
            let or = variable.map_or(String::new(), |variable| format!(", or set {variable}"));
            let redirects = listener::redirect_uris(self.client).join(" ");
            let hint = format!("register a public client with the redirect URI {redirects}; then `--client-id ID`{or}");
            fail_hint(Exit::Config, what, hint)
        })
    }

    fn request(&self, redirect_uri: &str) -> Result<AuthorizationRequest> {
        AuthorizationRequest::new(self.account, self.client, self.server(), self.client_id()?, redirect_uri)
    }

    fn show_url(&self, url: &str) {
        (self.wishes.url_to)(url);
    }

    /// The code of a response, if it comes from the server that was asked (RFC 9207).
    fn accept(&self, answer: &Response) -> Result<Secret> {
        let (name, server) = (self.account, self.server());
        let wrong = match &answer.iss {
            Some(iss) if !server.issuer.is_empty() && *iss != server.issuer => {
                format!("says that it is from `{}` (iss), and not from `{}`", shown(iss), server.issuer)
            }
            None if server.says_iss && answer.whole => "does not say which server it is from (iss)".to_owned(),
            _ => String::new(),
        };
        if !wrong.is_empty() {
            let what = format!("account `{name}`: the answer {wrong}");
            return Err(fail_hint(Exit::Refused, what, format!("`hallpass login {name}` starts anew")));
        }
        answer.outcome.clone().map_err(|why| {
            let what = format!("account `{name}`: the sign-in was refused: {why}");
            fail_hint(Exit::Denied, what, format!("`hallpass login {name}` tries again"))
        })
    }

    fn grants(&self) -> Result<Grants<'_>> {
        Ok(Grants {
            http: &self.http,
            token_endpoint: &self.server().token_endpoint,
            client_id: self.client_id()?,
            secret: oauth::client_secret(self.client)?,
        })
    }

    fn trade(&self, code: &Secret, request: &AuthorizationRequest, how: How) -> Result<Session> {
        let grant = self.grants()?.code(code, request).map_err(|trouble| self.no_token(trouble))?;
        let asked_for_id = self.client.scope.iter().any(|scope| scope == "openid");
        self.session(grant, how, asked_for_id.then(|| request.nonce.expose()))
    }

    /// A sign-in that got as far as the token endpoint and no further.
    fn no_token(&self, trouble: Trouble) -> anyhow::Error {
        let name = self.account;
        let (exit, why) = match trouble {
            Trouble::Ended(words) => (Exit::Denied, format!("the server gave no token: {words}")),
            Trouble::Refused(words) => {
                let what = format!("account `{name}`: the server refuses its client: {words}");
                return fail_hint(
                    Exit::Config,
                    what,
                    "check `client_id`, `client_secret_file`, `redirect_uri` and `scope`",
                );
            }
            Trouble::Later(why) | Trouble::Busy(why, _) | Trouble::Lost(why) | Trouble::Unfit { why, .. } => {
                (Exit::Network, format!("no token: {why}"))
            }
        };
        fail_hint(exit, format!("account `{name}`: {why}"), format!("`hallpass login {name}` tries again"))
    }

    fn session(&self, grant: Grant, how: How, nonce: Option<&str>) -> Result<Session> {
        let server = self.server();
        let mut session = Session {
            generation: 0,
            issuer: server.issuer.clone(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.revocation_endpoint.clone(),
            userinfo_endpoint: server.userinfo_endpoint.clone(),
            client_id: self.client_id()?.to_owned(),
            configured_client_id: self.client.client_id.clone(),
            serves: self.client.serves.clone(),
            refresh_token: None,
            scope: None,
            identity: None,
            subject: None,
            tenant: self.wishes.tenant.clone(),
            how,
            signed_in_at: grant.asked_at,
            forced_at: None,
            tokens: Vec::new(),
        };
        take(&mut session, self.account, grant, None, nonce)?;
        if session.identity.is_none() {
            session.identity = self.ask_who(&session);
        }
        Ok(session)
    }

    /// What the provider wants beside the token.
    fn headers(&self) -> Vec<(String, String)> {
        let header = self.client.provider.as_ref().and_then(|provider| provider.tenant_header.clone());
        header.zip(self.wishes.tenant.clone()).into_iter().collect()
    }

    /// Best effort: a sign-in does not fail for want of a name.
    fn ask_who(&self, session: &Session) -> Option<String> {
        let token = session.tokens.first()?;
        let answer = self.http.get(session.userinfo_endpoint.as_deref()?, Some(&token.secret), &self.headers()).ok()?;
        (answer.status == 200).then(|| identity(&answer.body)).flatten()
    }
}

/// Puts a grant into a session: new tokens in the old ones' place, a refresh token only if there is a new one.
///
/// Every time in a session is by the clock of this machine, right or wrong: it is what tools compare with. So the end
/// that an id_token names by its server's clock is brought over to ours.
pub(crate) fn take(
    session: &mut Session,
    account: &str,
    grant: Grant,
    audience: Option<&str>,
    nonce: Option<&str>,
) -> Result<()> {
    let Grant { asked_at, servers_time, .. } = grant;
    let mut tokens = vec![Token {
        kind: TokenKind::AccessToken,
        audience: audience.map(str::to_owned),
        secret: grant.access_token,
        id: fresh_id(),
        obtained_at: asked_at,
        expires_at: grant.expires_in.map(|life| asked_at.saturating_add(life)),
        dead: false,
    }];
    if let Some(secret) = grant.id_token {
        let claims = Claims::check(&secret, &session.issuer, &session.client_id, nonce, servers_time)?;
        if session.subject.as_ref().is_some_and(|subject| *subject != claims.sub) {
            let what =
                format!("account `{account}`: the server answered for another person than the one who signed in");
            return Err(fail(Exit::Refused, what));
        }
        session.identity = Some(shown(&claims.identity()));
        session.subject = Some(claims.sub);
        tokens.push(Token {
            kind: TokenKind::IdToken,
            audience: None,
            secret,
            id: fresh_id(),
            obtained_at: asked_at,
            expires_at: Some(asked_at.saturating_add(claims.exp.saturating_sub(servers_time))),
            dead: false,
        });
    }
    for token in tokens {
        session.tokens.retain(|old| (old.kind, &old.audience) != (token.kind, &token.audience));
        session.tokens.push(token);
    }
    if grant.refresh_token.is_some() {
        session.refresh_token = grant.refresh_token;
    }
    if grant.scope.is_some() {
        session.scope = grant.scope;
    }
    Ok(())
}

/// A name for a token that says nothing about it: 16 hex digits.
pub(crate) fn fresh_id() -> String {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    format!("{:016x}", u64::from_le_bytes(bytes))
}

/// Whom a userinfo answer names; some servers wrap it in `data`.
fn identity(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct UserInfo {
        email: Option<String>,
        preferred_username: Option<String>,
        name: Option<String>,
        sub: Option<String>,
        data: Option<Box<UserInfo>>,
    }
    fn name(info: UserInfo) -> Option<String> {
        let named = info.email.or(info.preferred_username).or(info.name).or(info.sub);
        named.or_else(|| name(*info.data?))
    }
    name(serde_json::from_slice(body).ok()?).map(|name| shown(&name))
}
