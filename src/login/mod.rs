//! Signing in: which way fits, and what comes of it

pub(crate) mod browser;
mod client;
mod command;
mod device;
mod identity;
pub(crate) mod listener;
mod machine;
mod opened;
pub(crate) mod pages;
mod paste;
mod profile;
mod race;
mod refused;
mod response;
mod road;
mod subject;
mod taken;
mod token;

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use crate::account::Client;
use crate::discovery::{self, Server};
use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::http::Http;
use crate::hyperlink;
use crate::oauth::{self, AuthorizationRequest, Dpop, Grant, Grants, Proof};
use crate::shown::shown;
use crate::signals::Held;
use crate::terminal;
use crate::token::{How, Purpose, Session};
pub(crate) use client::{client_id, needs_table, no_client};
use listener::Callback;
use pages::Page;
use profile::Profile;
use response::Response;
use road::road;
pub(crate) use taken::{fresh_id, take};

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
    /// The token that is exchanged for another (RFC 8693), of the account that is configured for it.
    pub(crate) subject: Option<Secret>,
    /// The same for the token of who acts for that.
    pub(crate) actor: Option<Secret>,
    /// What the token is for, where nobody is asked.
    pub(crate) purpose: Purpose,
    /// Writes the page's address where it was asked for.
    pub(crate) url_to: fn(&str) -> Result<()>,
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
            subject: None,
            actor: None,
            purpose: Purpose::OWN,
            url_to: |url| {
                hyperlink::show(url);
                Ok(())
            },
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
    /// Known from the beginning, or registered on the way.
    client_id: OnceCell<String>,
    http: Arc<Http>,
    server: Option<Server>,
    /// The key that the new session's tokens are bound to.
    dpop: Option<Arc<Dpop>>,
    until: Instant,
}

/// What the token endpoint is asked with, for whoever asks on a thread of its own.
struct Asks {
    http: Arc<Http>,
    client: Client,
    server: Server,
    client_id: String,
    dpop: Option<Arc<Dpop>>,
}

impl Asks {
    fn grants(&self) -> Result<Grants<'_>> {
        grants(&self.http, &self.client, &self.server, &self.client_id, self.dpop.as_deref())
    }
}

/// Signs in the way the person asked for, else the account's, else the one that fits where we are.
pub(crate) fn sign_in(account: &str, client: &Client, wishes: &Wishes, now: u64) -> Result<SignedIn> {
    let flow = if wishes.flow == Flow::Auto { client.flow } else { wishes.flow };
    let client_id = client_id(client, wishes.client_id.as_deref()).map(|(id, _)| OnceCell::from(id));
    let mut attempt = Attempt {
        account,
        client,
        wishes,
        client_id: client_id.unwrap_or_default(),
        http: Arc::new(Http::new(&client.trust)?),
        server: None,
        dpop: None,
        until: browser::until(client.timeout),
    };
    if flow.is_machine() {
        attempt.client_id.get_or_init(String::new); // what is shown may be all the server wants; it registers nobody
    }
    if flow == Flow::Token {
        return Ok(SignedIn { session: token::session(&attempt, now)?, browser: None, _held: Held::begin() });
    }
    if client.dpop {
        let what = || format!("account `{account}`: there are no random bytes for a key");
        attempt.dpop = Some(Arc::new(Dpop::generate().ok_or_else(|| fail(Exit::Store, what()))?));
    }
    let all = flow == Flow::Device || attempt.client_id.get().is_none();
    attempt.server = Some(discovery::server(account, client, &attempt.http, all)?);
    let road = road(client, wishes, attempt.server());
    if !road.how.is_unattended() {
        terminal::say(&format!("signing in to account `{account}` by {}: {}", road.how.words(), road.why));
    }
    if road.how == How::Machine {
        let held = Held::begin();
        let session = attempt.session(machine::grant(&attempt, flow)?, How::Machine, None)?;
        return Ok(SignedIn { session, browser: None, _held: held });
    }
    race::sign_in(&attempt, &road)
}

impl Attempt<'_> {
    fn server(&self) -> &Server {
        self.server.as_ref().expect("discovered before any flow that needs it")
    }

    /// The client: configured, or registered now where the server takes anybody (RFC 7591). `redirect_uri`: where the
    /// browser will come back to.
    fn client_id(&self, redirect_uri: Option<&str>) -> Result<&str> {
        if let Some(id) = self.client_id.get() {
            return Ok(id);
        }
        if let Some(endpoint) = &self.server().registration_endpoint {
            let id = oauth::register(&self.http, endpoint, redirect_uri, &self.client.scope)
                .map_err(|trouble| self.no_token(trouble))?;
            return Ok(self.client_id.get_or_init(|| id));
        }
        let flow = if redirect_uri.is_some() { Flow::Browser } else { Flow::Device };
        Err(no_client(self.account, self.client, flow))
    }

    fn request(&self, redirect_uri: &str) -> Result<AuthorizationRequest> {
        let client_id = self.client_id(Some(redirect_uri))?;
        let request = AuthorizationRequest::new(self.account, self.client, self.server(), client_id, redirect_uri)?;
        match &self.server().push_to {
            Some(endpoint) => request.pushed(&self.grants()?, endpoint).map_err(|trouble| self.no_token(trouble)),
            None => Ok(request),
        }
    }

    fn show_url(&self, url: &str) -> Result<()> {
        let name = self.account;
        (self.wishes.url_to)(url).map_err(|why| {
            let failure = crate::failure::of(&why);
            fail_hint(failure.exit, format!("account `{name}`: {}", failure.what), failure.hint.unwrap_or_default())
        })
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
            let what = format!("account `{name}`: the sign-in was refused: {}", self.with_scope(why));
            fail_hint(Exit::Denied, what, format!("`hallpass login {name}` tries again"))
        })
    }

    fn grants(&self) -> Result<Grants<'_>> {
        grants(&self.http, self.client, self.server(), self.client_id(None)?, self.dpop.as_deref())
    }

    fn asks(&self) -> Result<Asks> {
        let (client, server) = (self.client.clone(), self.server().clone());
        let client_id = self.client_id(None)?.to_owned();
        Ok(Asks { http: Arc::clone(&self.http), client, server, client_id, dpop: self.dpop.clone() })
    }

    fn trade(&self, code: &Secret, request: &AuthorizationRequest, how: How) -> Result<Session> {
        let grant = self.grants()?.code(code, request).map_err(|trouble| self.no_token(trouble))?;
        self.session_of_code(grant, request, how)
    }

    fn session_of_code(&self, grant: Grant, request: &AuthorizationRequest, how: How) -> Result<Session> {
        let asked_for_id = self.client.scope.iter().any(|scope| scope == "openid");
        self.session(grant, how, asked_for_id.then(|| request.nonce.expose()))
    }

    fn session(&self, grant: Grant, how: How, nonce: Option<&str>) -> Result<Session> {
        let server = self.server();
        let mut session = Session {
            generation: 0,
            issuer: server.issuer.clone(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.revocation_endpoint.clone(),
            userinfo_endpoint: server.userinfo_endpoint.clone(),
            client_id: self.client_id(None)?.to_owned(),
            configured_client_id: self.client.client_id.clone(),
            serves: self.client.serves.clone(),
            refresh_token: None,
            dpop_key: self.dpop.as_ref().map(|dpop| dpop.secret.clone()),
            refresh_expires_at: None,
            scope: None,
            identity: None,
            subject: None,
            api_url: self.client.provider.as_ref().map(|provider| provider.api_url.clone()),
            tenant: self.wishes.tenant.clone(),
            how,
            signed_in_at: grant.asked_at,
            forced_at: None,
            tokens: Vec::new(),
        };
        take(&mut session, self.account, grant, &self.wishes.purpose, nonce)?;
        let profile = self.profile(&session);
        session.identity = session.identity.or(profile.identity);
        session.tenant = session.tenant.or(profile.tenant);
        Ok(session)
    }

    /// What the provider wants beside the token.
    fn headers(&self) -> Vec<(String, String)> {
        let header = self.client.provider.as_ref().and_then(|provider| provider.tenant_header.clone());
        header.zip(self.wishes.tenant.clone()).into_iter().collect()
    }

    /// Best effort: a sign-in does not fail for want of a name.
    fn profile(&self, session: &Session) -> Profile {
        let row = self.client.provider.as_ref();
        let is_known = session.identity.is_some() && row.is_none_or(|row| row.profile_tenant.is_none());
        // A bound token is of no use without a proof, and a client is nobody.
        let is_known = is_known || session.dpop_key.is_some() || self.client.flow == Flow::ClientCredentials;
        let (Some(endpoint), Some(token), false) = (&session.userinfo_endpoint, session.tokens.first(), is_known)
        else {
            return Profile::default();
        };
        match self.http.get(endpoint, Some(&token.secret), &self.headers()) {
            Ok(answer) if answer.status == 200 => Profile::read(&answer.body, row).of(session.subject.as_deref()),
            _ => Profile::default(),
        }
    }
}

fn grants<'a>(
    http: &'a Http,
    client: &Client,
    server: &'a Server,
    client_id: &'a str,
    dpop: Option<&'a Dpop>,
) -> Result<Grants<'a>> {
    let Server { issuer, token_endpoint, .. } = server;
    let proof = Proof::of(client, issuer, token_endpoint)?;
    Ok(Grants { http, token_endpoint, client_id, proof, dpop, life: client.token_life() })
}
