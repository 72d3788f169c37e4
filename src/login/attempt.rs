//! One attempt to sign in: its client, its server, what it asks, and the session that comes of it

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::client::no_client;
use super::listener::Callback;
use super::pages::Page;
use super::profile::Profile;
use super::response::Response;
use super::taken::take;
use super::wishes::Wishes;
use crate::account::Client;
use crate::discovery::Server;
use crate::failure::fail_hint;
use crate::flow::Flow;
use crate::http::Http;
use crate::oauth::{self, AuthorizationRequest, Dpop, Grant, Grants, Proof, Registered, Uses};
use crate::shown::shown;
use crate::signals::Held;
use crate::token::{How, Session};

/// A session that is not saved yet, and the browser that waits to hear of it.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(super) browser: Option<Callback>,
    /// From the moment the code is spent until this is dropped, nothing may cut us short.
    pub(super) _held: Held,
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
pub(super) struct Attempt<'a> {
    pub(super) account: &'a str,
    pub(super) client: &'a Client,
    pub(super) wishes: &'a Wishes,
    /// Known from the beginning, or registered on the way.
    pub(super) registered: OnceCell<Registered>,
    pub(super) http: Arc<Http>,
    pub(super) server: Option<Server>,
    /// The key that the new session's tokens are bound to.
    pub(super) dpop: Option<Arc<Dpop>>,
    pub(super) until: Instant,
}

/// What the token endpoint is asked with, for whoever asks on a thread of its own.
pub(super) struct Asks {
    pub(super) http: Arc<Http>,
    pub(super) client: Client,
    pub(super) server: Server,
    pub(super) registered: Registered,
    pub(super) dpop: Option<Arc<Dpop>>,
}

impl Asks {
    pub(super) fn grants(&self) -> Result<Grants<'_>> {
        grants(&self.http, &self.client, &self.server, &self.registered, self.dpop.as_deref())
    }
}

impl Attempt<'_> {
    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("discovered before any flow that needs it")
    }

    /// Whether the client is made on the way.
    pub(super) fn registers(&self) -> bool {
        self.registered.get().is_none()
    }

    pub(super) fn registered(&self) -> Result<&Registered> {
        self.client(None, true)
    }

    /// The client: configured, or registered now where the server takes anybody (RFC 7591), for a browser that comes back
    /// to `redirect_uri` and for codes for another `device`.
    pub(super) fn client(&self, redirect_uri: Option<&str>, device: bool) -> Result<&Registered> {
        let uses = Uses { redirect_uri, device, start_url: self.client.aws_start_url.as_deref() };
        if let Some(client) = self.registered.get() {
            return Ok(client);
        }
        if let Some(endpoint) = &self.server().registration_endpoint {
            let made = oauth::register(&self.http, endpoint, uses, &self.client.scope)
                .map_err(|trouble| self.no_token(trouble))?;
            return Ok(self.registered.get_or_init(|| made));
        }
        let flow = if uses.redirect_uri.is_some() { Flow::Browser } else { Flow::Device };
        Err(no_client(self.account, self.client, flow))
    }

    /// The request that a browser is sent with. `device`: its client may be asked to use codes for another device too.
    pub(super) fn request(&self, redirect_uri: &str, device: bool) -> Result<AuthorizationRequest> {
        let client_id = &self.client(Some(redirect_uri), device)?.id;
        let request = AuthorizationRequest::new(self.account, self.client, self.server(), client_id, redirect_uri)?;
        match &self.server().push_to {
            Some(endpoint) => request.pushed(&self.grants()?, endpoint).map_err(|trouble| self.no_token(trouble)),
            None => Ok(request),
        }
    }

    pub(super) fn show_url(&self, url: &str) -> Result<()> {
        let name = self.account;
        (self.wishes.url_to)(url).map_err(|why| {
            let failure = crate::failure::of(&why);
            fail_hint(failure.exit, format!("account `{name}`: {}", failure.what), failure.hint.unwrap_or_default())
        })
    }

    /// The code of a response, if it comes from the server that was asked (RFC 9207).
    pub(super) fn accept(&self, answer: &Response) -> Result<Secret> {
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

    pub(super) fn grants(&self) -> Result<Grants<'_>> {
        grants(&self.http, self.client, self.server(), self.registered()?, self.dpop.as_deref())
    }

    pub(super) fn asks(&self) -> Result<Asks> {
        let (client, server) = (self.client.clone(), self.server().clone());
        let registered = self.registered()?.clone();
        Ok(Asks { http: Arc::clone(&self.http), client, server, registered, dpop: self.dpop.clone() })
    }

    pub(super) fn trade(&self, code: &Secret, request: &AuthorizationRequest, how: How) -> Result<Session> {
        let grant = self.grants()?.code(code, request).map_err(|trouble| self.no_token(trouble))?;
        self.session_of_code(grant, request, how)
    }

    pub(super) fn session_of_code(&self, grant: Grant, request: &AuthorizationRequest, how: How) -> Result<Session> {
        let asked_for_id = self.client.scope.iter().any(|scope| scope == "openid");
        self.session(grant, how, asked_for_id.then(|| request.nonce.expose()))
    }

    pub(super) fn session(&self, grant: Grant, how: How, nonce: Option<&str>) -> Result<Session> {
        let (server, registered) = (self.server(), self.registered()?);
        let mut session = Session {
            generation: 0,
            issuer: server.issuer.clone(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.revocation_endpoint.clone(),
            userinfo_endpoint: server.userinfo_endpoint.clone(),
            client_id: registered.id.clone(),
            client_secret: registered.secret.clone(),
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
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let header = self.client.provider.as_ref().and_then(|provider| provider.tenant_header.clone());
        header.zip(self.wishes.tenant.clone()).into_iter().collect()
    }

    /// Best effort: a sign-in does not fail for want of a name.
    pub(super) fn profile(&self, session: &Session) -> Profile {
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
    registered: &'a Registered,
    dpop: Option<&'a Dpop>,
) -> Result<Grants<'a>> {
    let Server { issuer, token_endpoint, .. } = server;
    let proof = Proof::of(client, registered.secret.as_ref(), issuer, token_endpoint)?;
    let (life, camel) = (client.token_life(), client.aws_start_url.is_some());
    Ok(Grants { http, token_endpoint, client_id: &registered.id, proof, dpop, life, camel })
}
