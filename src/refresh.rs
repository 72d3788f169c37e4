//! Spends a refresh token, once, and puts what came of it on disk before anything else happens
//!
//! The caller holds the record's lock. The intent is on disk before the request leaves, so that a process that dies in
//! between leaves word for the next one; signals wait from there to the commit.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Failure};
use hallpass_protocol::time::rfc3339;

use crate::account::Client;
use crate::clock::now;
use crate::failure::{self, fail_hint};
use crate::http::Http;
use crate::login;
use crate::need::{Need, YOUNG, no_such_token};
use crate::oauth::{self, Dpop, Grant, Grants, Proof, Trouble};
use crate::setback;
use crate::shown::shown;
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
    /// Where a failure is left for the others.
    pub(crate) setback: &'a Path,
    /// When the caller came: it may have waited since.
    pub(crate) began: SystemTime,
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
        // The token stays: it may be this machine's clock that is wrong.
        if let Some(end) = session.refresh_expires_at.filter(|end| *end <= now) {
            let what = format!("account `{name}`: its session ended at {}, as its server had said", rfc3339(end));
            return Ok(match usable {
                true => Outcome::Good(Box::new(session)),
                false => Outcome::SignIn(Failure::new(Exit::SignIn, what)),
            });
        }
        self.check_scope(&session)?;
        if !usable && self.was_of_no_use(&session) {
            return Err(no_such_token(name, need));
        }
        let fingerprint = fingerprint(&token);
        let (attempt, since) = match pending.filter(|intent| intent.refresh == fingerprint) {
            None => (1, now),
            // Somebody sent it and heard nothing. While the access token works nothing is lost by waiting.
            Some(_) if usable => return Ok(Outcome::Good(Box::new(session))),
            // One of the future was written before somebody set the clock back.
            Some(intent) if now.abs_diff(intent.since) >= REPLAY_TIME => (1, now),
            Some(intent) if intent.attempt > REPLAYS => {
                return Err(self.lost("its server has not answered three times in ten seconds").into());
            }
            Some(intent) => (intent.attempt + 1, intent.since),
        };
        match setback::shared(self.setback, self.began) {
            Some(_) if usable => return Ok(Outcome::Good(Box::new(session))),
            Some(failure) => return told(failure),
            None => {}
        }
        let _held = Held::begin(); // until the commit nothing may cut us short
        let intent = Intent {
            generation: session.generation + 1,
            refresh: fingerprint,
            attempt,
            since,
            pid: std::process::id(),
            command: self.command.chars().take(32).collect(),
        };
        match self.spend(&session, shelf, &token, intent) {
            Ok(Spent::Grant(grant, writer)) => self.commit(session, grant, writer),
            Ok(Spent::Unfit(why, token, writer)) => {
                let generation = session.generation + 1;
                let session = Session { generation, refresh_token: Some(token), refresh_expires_at: None, ..session };
                writer.commit(&session)?;
                if usable { Ok(Outcome::Good(Box::new(session))) } else { Err(self.lost(&why).into()) }
            }
            Ok(Spent::Ended(words)) => self.ended(session, shelf, &words),
            Ok(Spent::Not(failure, pause)) => {
                setback::leave(self.setback, &failure, pause);
                // What is in hand is good: the trouble shows again when it is not.
                if usable { Ok(Outcome::Good(Box::new(session))) } else { told(failure) }
            }
            Err(_) if usable => Ok(Outcome::Good(Box::new(session))),
            Err(why) => Err(why),
        }
    }

    fn key(self, key: &Secret) -> Result<Dpop> {
        let what = || format!("account `{}`: the key that its session is bound to cannot be read", self.name);
        let hint = || format!("`hallpass login {}`", self.name);
        Dpop::read(key).ok_or_else(|| fail_hint(Exit::SignIn, what(), hint()))
    }

    fn spend<'s>(self, session: &Session, shelf: &'s Shelf, token: &Secret, mut intent: Intent) -> Result<Spent<'s>> {
        let http = Http::new(&self.client.trust)?;
        let dpop = session.dpop_key.as_ref().map(|key| self.key(key)).transpose()?;
        let grants = Grants {
            http: &http,
            token_endpoint: &session.token_endpoint,
            client_id: &session.client_id,
            proof: Proof::of(self.client, session.client_secret.as_ref(), &session.issuer, &session.token_endpoint)?,
            dpop: dpop.as_ref(),
            life: self.client.token_life(),
            camel: self.client.aws_start_url.is_some(),
        };
        let purpose = &self.need.purpose;
        let mut extra = oauth::resource(self.client, purpose);
        extra.extend(purpose.scope.as_deref().map(|scope| ("scope", scope)));
        let began = Instant::now();
        loop {
            let writer = shelf.begin(&intent)?;
            match grants.refresh(token, &extra) {
                Ok(grant) => return Ok(Spent::Grant(grant, writer)),
                // It may have been spent: the intent stays on disk. Sent again only if nothing else is left.
                Err(Trouble::Lost(why)) => {
                    let too_late = intent.attempt > REPLAYS || began.elapsed() >= REPLAY_SPAN;
                    if too_late || self.need.usable(session, self.now) {
                        return Ok(Spent::Not(self.lost(&why), 0));
                    }
                    intent.attempt += 1;
                }
                Err(Trouble::Unfit { why, refresh_token: Some(token) }) => return Ok(Spent::Unfit(why, token, writer)),
                Err(trouble) => {
                    writer.abandon();
                    return Ok(match trouble {
                        Trouble::Ended(words) => Spent::Ended(words),
                        // A client that was registered for this session alone has an end too: AWS forgets it after 90 days.
                        Trouble::Refused(words) if session.client_secret.is_some() => {
                            let what = format!(
                                "account `{}`: its server does not know its client any more: {words}",
                                self.name
                            );
                            Spent::Not(Failure::new(Exit::SignIn, what), 0)
                        }
                        Trouble::Refused(words) => Spent::Not(self.refused(&words), 0),
                        // The refresh token stays: it may be something else that the server does not like. A 403 is a gateway's
                        // more often than not.
                        Trouble::Unsaid(400, why) => {
                            let what = format!("account `{}`: its session may have ended: {why}", self.name);
                            Spent::Not(Failure::new(Exit::SignIn, what), 0)
                        }
                        Trouble::Busy(why, pause) => {
                            let until = rfc3339(now().saturating_add(pause.min(setback::LONGEST)));
                            Spent::Not(self.lost(&format!("{why}; it is left alone until {until}")), pause)
                        }
                        Trouble::Unsaid(_, why)
                        | Trouble::Later(why)
                        | Trouble::Lost(why)
                        | Trouble::Unfit { why, .. } => Spent::Not(self.lost(&why), 0),
                    });
                }
            }
        }
    }

    fn commit(self, mut session: Session, grant: Grant, writer: Writer<'_>) -> Result<Outcome> {
        let Self { name, need, .. } = self;
        session.generation += 1;
        let old = session.clone();
        let (refresh_token, asked_at) = (grant.refresh_token.clone(), grant.asked_at);
        if let Err(why) = login::take(&mut session, name, grant, &need.purpose, None) {
            // Whatever else is wrong with the answer: the old refresh token is spent, and this is the new one.
            let refresh_token = refresh_token.or(old.refresh_token.clone());
            writer.commit(&Session { refresh_token, refresh_expires_at: None, ..old })?;
            return Err(why);
        }
        if let Err(why) = writer.commit(&session) {
            // The answer is in hand and goes out; the journal keeps what could not take its place.
            terminal::explain(&failure::of(&why));
        }
        match need.token(&session) {
            Some(token) if token.is_usable(asked_at) => Ok(Outcome::Good(Box::new(session))),
            Some(token) if token.obtained_at == asked_at => {
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

    /// What was not granted cannot be had by asking for less (RFC 6749 6), and asking could end the session.
    fn check_scope(self, session: &Session) -> Result<()> {
        let beyond = self.need.purpose.scope.as_deref().map(|scope| session.beyond(scope)).unwrap_or_default();
        if beyond.is_empty() {
            return Ok(());
        }
        let what = format!("account `{}` was not granted the scope `{}`", self.name, shown(&beyond.join(" ")));
        let hint = format!("add it to its `scope`, then `hallpass login {}`", self.name);
        Err(fail_hint(Exit::SignIn, what, hint))
    }

    /// A refresh a moment ago brought no token of this kind (some servers give an id_token only at the sign-in):
    /// another would bring none either, for every caller anew.
    fn was_of_no_use(self, session: &Session) -> bool {
        let age = |token: &Token| self.now.abs_diff(token.obtained_at);
        let others = session.tokens.iter().filter(|token| token.is_for(&self.need.purpose));
        let just_now = others.map(age).min().is_some_and(|newest| newest < YOUNG);
        just_now && self.need.token(session).is_none_or(|token| !token.dead && age(token) >= YOUNG)
    }

    fn refused(self, words: &str) -> Failure {
        let what = format!("account `{}`: the token endpoint refuses its client: {words}", self.name);
        Failure::new(Exit::Config, what)
            .hint("check `client_id`, `client_secret_file` and `scope`; the session is kept")
    }

    fn lost(self, why: &str) -> Failure {
        let what = format!("account `{}`: no new token: {why}", self.name);
        Failure::new(Exit::Network, what).hint("try again; the session is kept")
    }
}

/// Where a person can help, one is asked if one is there.
fn told(failure: Failure) -> Result<Outcome> {
    if failure.exit == Exit::SignIn { Ok(Outcome::SignIn(failure)) } else { Err(failure.into()) }
}

enum Spent<'a> {
    Grant(Grant, Writer<'a>),
    /// A token that cannot be used, and the refresh token that came with it.
    Unfit(String, Secret, Writer<'a>),
    Ended(String),
    /// Nobody is to ask again for so many seconds.
    Not(Failure, u64),
}

/// Which refresh token is meant, without saying anything about it.
fn fingerprint(token: &Secret) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.expose().as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
