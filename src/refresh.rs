//! Spends a refresh token, once, and puts what came of it on disk before anything else happens
//!
//! The caller holds the record's lock. The intent is on disk before the request leaves, so that a process that dies in
//! between leaves word for the next one; signals wait from there to the commit.

use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Failure};
use hallpass_protocol::time::rfc3339;

use crate::account::Client;
use crate::failure::{self, fail_hint};
use crate::http::Http;
use crate::login;
use crate::need::{Need, YOUNG, no_such_token};
use crate::oauth::{self, Grant, Grants, Trouble};
use crate::signals::Held;
use crate::store::{Intent, Shelf, Writer};
use crate::terminal;
use crate::token::{How, Session, Token};

/// A request whose answer was lost is sent again this often, within this time (seconds) of the first: a server that
/// rotated and could not tell us lets its predecessor pass for a while, if at all.
const REPLAYS: u32 = 2;
const REPLAY_TIME: u64 = 10;

/// The same for the attempts of one process, by a clock that nobody sets.
const REPLAY_SPAN: Duration = Duration::from_secs(REPLAY_TIME);

/// One refresh of one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refresh<'a> {
    /// The account's name.
    pub(crate) name: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) need: &'a Need,
    /// What a waiting process may tell its person that we are doing.
    pub(crate) command: &'a str,
    pub(crate) now: u64,
}

/// How it ended, where it did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The session, with a token that will do.
    Good(Box<Session>),
    /// Only a person can help, and why.
    SignIn(Failure),
}

impl Refresh<'_> {
    /// Refreshes. `pending` is the intent that an earlier process left without an outcome.
    pub(crate) fn run(self, session: Session, shelf: &Shelf, pending: Option<Intent>) -> Result<Outcome> {
        let Self { name, need, now, .. } = self;
        let usable = need.usable(&session, now);
        let Some(token) = session.refresh_token.clone() else { return Ok(self.cannot(session, usable)) };
        self.check_endpoint(&session)?;
        if !usable && self.was_of_no_use(&session) {
            return Err(no_such_token(name, need));
        }
        let fingerprint = fingerprint(&token);
        let attempt = match pending.filter(|intent| intent.refresh == fingerprint) {
            None => 1,
            // Somebody sent it and heard nothing. While the access token works nothing is lost by waiting.
            Some(_) if usable => return Ok(Outcome::Good(Box::new(session))),
            Some(intent) if now.saturating_sub(intent.since) >= REPLAY_TIME => 1,
            Some(intent) if intent.attempt > REPLAYS => {
                return Err(self.lost("its server has not answered three times in ten seconds"));
            }
            Some(intent) => intent.attempt + 1,
        };
        let _held = Held::begin(); // until the commit nothing may cut us short
        match self.spend(&session, shelf, &token, &fingerprint, attempt) {
            Ok(Spent::Grant(grant, writer)) => self.commit(session, grant, writer),
            Ok(Spent::Ended(words)) => self.ended(session, shelf, &words),
            // What is in hand is good: the trouble shows again when it is not.
            Ok(Spent::Not(_)) | Err(_) if usable => Ok(Outcome::Good(Box::new(session))),
            Ok(Spent::Not(why)) => Err(self.lost(&why)),
            Err(why) => Err(why),
        }
    }

    fn spend<'s>(
        self,
        session: &Session,
        shelf: &'s Shelf,
        token: &Secret,
        fingerprint: &str,
        mut attempt: u32,
    ) -> Result<Spent<'s>> {
        let http = Http::new(self.client.ca_file.as_deref())?;
        let grants = Grants {
            http: &http,
            token_endpoint: &session.token_endpoint,
            client_id: &session.client_id,
            secret: oauth::client_secret(self.client)?,
            life: self.client.token_life(),
        };
        let extra = oauth::resource(self.client, self.need.audience.as_deref());
        let began = Instant::now();
        loop {
            let intent = Intent {
                generation: session.generation + 1,
                refresh: fingerprint.to_owned(),
                attempt,
                since: self.now,
                pid: std::process::id(),
                command: self.command.chars().take(32).collect(),
            };
            let writer = shelf.begin(&intent)?;
            match grants.refresh(token, &extra) {
                Ok(grant) => return Ok(Spent::Grant(grant, writer)),
                // It may have been spent: the intent stays on disk. Sent again only if nothing else is left.
                Err(Trouble::Lost(why)) => {
                    let too_late = attempt > REPLAYS || began.elapsed() >= REPLAY_SPAN;
                    if too_late || self.need.usable(session, self.now) {
                        return Ok(Spent::Not(why));
                    }
                    attempt += 1;
                }
                Err(trouble) => {
                    writer.abandon();
                    return match trouble {
                        Trouble::Ended(words) => Ok(Spent::Ended(words)),
                        Trouble::Refused(words) => Err(fail_hint(
                            Exit::Config,
                            format!("account `{}`: the token endpoint refuses its client: {words}", self.name),
                            "check `client_id`, `client_secret_file` and `scope`; the session is kept",
                        )),
                        Trouble::Later(why) | Trouble::Lost(why) => Ok(Spent::Not(why)),
                    };
                }
            }
        }
    }

    fn commit(self, mut session: Session, grant: Grant, writer: Writer<'_>) -> Result<Outcome> {
        let Self { name, need, now, .. } = self;
        session.generation += 1;
        let old = session.clone();
        let refresh_token = grant.refresh_token.clone();
        if let Err(why) = login::take(&mut session, name, grant, need.audience.as_deref(), None, now) {
            // Whatever else is wrong with the answer: the old refresh token is spent, and this is the new one.
            writer.commit(&Session { refresh_token: refresh_token.or(old.refresh_token.clone()), ..old })?;
            return Err(why);
        }
        if let Err(why) = writer.commit(&session) {
            // The answer is in hand and goes out; the journal keeps what could not take its place.
            terminal::explain(&failure::of(&why));
        }
        match need.token(&session) {
            Some(token) if token.is_usable(now) => Ok(Outcome::Good(Box::new(session))),
            Some(token) if token.obtained_at == now => {
                let what = format!("account `{name}`: its server gives out tokens that have expired already");
                Err(fail_hint(Exit::Network, what, "is this machine's clock right?"))
            }
            _ => Err(no_such_token(name, need)),
        }
    }

    /// The server does not know the refresh token any more. It alone is dropped, and only the one that was refused:
    /// the record was read under the lock.
    fn ended(self, mut session: Session, shelf: &Shelf, words: &str) -> Result<Outcome> {
        session.refresh_token = None;
        session.generation += 1;
        shelf.save(&session, session.generation)?;
        if self.need.usable(&session, self.now) {
            return Ok(Outcome::Good(Box::new(session)));
        }
        let what = format!("account `{}`: its session has ended ({words})", self.name);
        Ok(Outcome::SignIn(Failure::new(Exit::SignIn, what)))
    }

    fn cannot(self, session: Session, usable: bool) -> Outcome {
        if usable {
            return Outcome::Good(Box::new(session));
        }
        let refused = self.need.token(&session).is_some_and(|token| token.dead) || self.need.refused.is_some();
        let state = if refused { "refused" } else { "expired" };
        let name = self.name;
        let what = match (session.how, self.need.token(&session).and_then(|token| token.expires_at)) {
            (How::Token, Some(end)) if !refused => {
                format!("account `{name}`: its piped token expired at {}", rfc3339(end))
            }
            _ => format!("account `{name}`: credentials {state}, sign in again (they cannot be refreshed)"),
        };
        Outcome::SignIn(Failure::new(Exit::SignIn, what))
    }

    /// The refresh token goes where it came from and nowhere else.
    fn check_endpoint(self, session: &Session) -> Result<()> {
        let moved = |configured: &Option<String>, then: &str| configured.as_deref().is_some_and(|now| now != then);
        let client = self.client;
        let other = if moved(&client.issuer, &session.issuer) {
            "issuer"
        } else if moved(&client.token_endpoint, &session.token_endpoint) {
            "token_endpoint"
        } else if moved(&client.client_id, &session.client_id) && client.client_id != session.configured_client_id {
            "client_id"
        } else {
            return Ok(());
        };
        let what = format!("account `{}`: its `{other}` has changed since you signed in", self.name);
        Err(fail_hint(Exit::Refused, what, format!("if you changed it, `hallpass login {}`", self.name)))
    }

    /// A refresh a moment ago brought no token of this kind (some servers give an id_token only at the sign-in):
    /// another would bring none either, for every caller anew.
    fn was_of_no_use(self, session: &Session) -> bool {
        let age = |token: &Token| self.now.saturating_sub(token.obtained_at);
        let others = session.tokens.iter().filter(|token| token.audience == self.need.audience);
        let just_now = others.map(age).min().is_some_and(|newest| newest < YOUNG);
        just_now && self.need.token(session).is_none_or(|token| !token.dead && age(token) >= YOUNG)
    }

    fn lost(self, why: &str) -> anyhow::Error {
        let what = format!("account `{}`: no new token: {why}", self.name);
        fail_hint(Exit::Network, what, "try again; the session is kept")
    }
}

enum Spent<'a> {
    Grant(Grant, Writer<'a>),
    Ended(String),
    Not(String),
}

/// Which refresh token is meant, without saying anything about it.
fn fingerprint(token: &Secret) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.expose().as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
