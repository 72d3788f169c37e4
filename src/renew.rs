//! The cold half of a token's life: refreshed under the lock, or signed in for
//!
//! The order in which things happen is the promise that a session is never lost: take the lock, read the record again
//! (another process may have been here), refresh and save, and only then answer. A person thinking holds another lock,
//! so that a live session is never blocked by it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Failure, Request, Target, Verb};

use crate::account::{Account, Client};
use crate::choice::{Choice, Rule};
use crate::clock::now;
use crate::config;
use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::lock::{self, Lock, Waited};
use crate::log;
use crate::login::Wishes;
use crate::need::{Need, YOUNG, no_such_token};
use crate::paths::Paths;
use crate::refresh::{Outcome, Refresh};
use crate::routes;
use crate::shown::shown;
use crate::store::{self, Intent, Stored};
use crate::token::{Freshness, How, Purpose, Session, Token};
use crate::{presence, signin};

/// A refresh is one request of at most 20 s, or several that begin within ten; whoever waits longer waits for something
/// that hangs.
const LOCK_TIME: Duration = Duration::from_secs(45);

/// One caller a minute refreshes ahead.
const AHEAD_TIME: Duration = Duration::from_secs(60);

/// The account that needs a token, and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) rule: &'a Rule,
    /// The door, for those who wait for us: `git`, `get`.
    pub(crate) command: &'a str,
    pub(crate) now: u64,
}

impl Renewal<'_> {
    /// A session that meets the need: refreshed, or signed in for where a person may be asked.
    pub(crate) fn renew(self, need: &Need, no_prompt: Option<&'static str>) -> Result<Session> {
        log::note(|| format!("{}: account `{}` needs another token", self.command, self.rule.account.name));
        let began = SystemTime::now();
        let stored = self.load(self.rule.sealed)?.map(|stored| stored.value);
        let seen = stored.as_ref().map(|session| session.generation);
        let brought = stored.is_some_and(|session| session.how == How::Token);
        let lock = match self.take_lock(need, seen, self.patience(need))? {
            Waited::Lock(lock) => lock,
            Waited::Answer(session) => return Ok(session),
            Waited::TooLong => return Err(self.waited_too_long(self.patience(need))),
        };
        let locked = Self { now: now(), ..self }; // we may have waited for a good part of a token's life
        let why = match locked.refresh(need, self.rule.sealed, began)? {
            Outcome::Good(session) => return Ok(*session),
            Outcome::SignIn(why) => why,
        };
        drop(lock);
        locked.sign_in(need, why, brought, no_prompt)
    }

    /// Refreshes while the token is still good, if nobody else does and none has tried within a minute. In line: a
    /// process left behind to do it could be killed with the only refresh token in its hands.
    pub(crate) fn ahead(self, need: &Need) -> Option<Session> {
        let mark = self.beside("ahead");
        let set_mark = || {
            let mut options = OpenOptions::new();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.write(true).create_new(true).open(&mark).is_ok()
        };
        if !set_mark() && (!is_older(&mark, AHEAD_TIME) || std::fs::remove_file(&mark).is_err() || !set_mark()) {
            return None;
        }
        let _lock = Lock::try_take(&self.beside("lock"), self.command).ok()??;
        // Fresh only if another process was quicker; a token in its last fifth is what we are here for.
        let now_fresh = |session: &Session| {
            need.token(session).is_some_and(|token| token.freshness(self.now, need.wants) == Freshness::Fresh)
        };
        let session = self.load(self.rule.sealed).ok()??;
        if now_fresh(&session.value) {
            return Some(session.value);
        }
        match self.spend(need, session, SystemTime::now()) {
            Ok(Outcome::Good(session)) => Some(*session),
            _ => None,
        }
    }

    /// A tool says that this token was refused: it is not handed out again, and the refresh token stays.
    pub(crate) fn mark_refused(self, secret: &Secret) -> Result<()> {
        let held = |session: &Session| session.tokens.iter().position(|token| token.secret == *secret && !token.dead);
        if self.load(self.rule.sealed)?.is_none_or(|stored| held(&stored.value).is_none()) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let Some(stored) = self.load(self.rule.sealed)? else { return Ok(()) };
        let (Stored { value: mut session, shelf }, pending) = self.settled(stored)?;
        // With a refresh under way whose end is unknown, what is on disk must stay: it says so.
        let (Some(at), None) = (held(&session), pending) else { return Ok(()) };
        if self.brake(&session, &session.tokens[at]).is_err() {
            return Ok(());
        }
        session.tokens[at].dead = true;
        session.forced_at = Some(self.now);
        session.generation += 1;
        shelf.save(&session, session.generation)
    }

    /// A server's refusal of a token that is not worn out is no reason to rotate it for everybody: it is said and not
    /// acted on. So is one that follows another within a minute.
    pub(crate) fn brake(self, session: &Session, token: &Token) -> Result<()> {
        let name = &self.rule.account.name;
        // A clock that was set back makes nothing young for years.
        let age = self.now.abs_diff(token.obtained_at);
        let forced_lately = session.forced_at.is_some_and(|forced_at| self.now.abs_diff(forced_at) < YOUNG);
        if token.dead || (age >= YOUNG && !forced_lately) {
            return Ok(());
        }
        let what = format!("account `{name}`: the server refused a token that is {age} s old: it has no access there");
        Err(fail_hint(
            Exit::SignIn,
            what,
            format!("check its rights; `hallpass login {name}` signs in as somebody else"),
        ))
    }

    fn sign_in(self, need: &Need, why: Failure, brought: bool, no_prompt: Option<&'static str>) -> Result<Session> {
        let account = &self.rule.account;
        let name = &account.name;
        let client = self.client()?;
        // A token that a person brought comes from elsewhere, and a tool's stdin is not theirs to bring it by.
        if (brought || client.flow == Flow::Token) && !client.is_unattended() {
            return Err(why.hint(self.way_in(&client)).into());
        }
        // A person takes longer than that.
        let too_short = need.patience.map(|_| "its tool does not wait for a person");
        let no_prompt = no_prompt.or(too_short);
        let asked = if client.is_unattended() { Ok(()) } else { presence::may_ask(no_prompt, client.interactive) };
        if let Err(reason) = asked {
            let what = format!("{}, and nobody can be asked now: {reason}", why.what);
            return Err(why.with(what).hint(self.way_in(&client)).into());
        }
        let Brought { subject, actor } = of_accounts(self.paths, &client, self.command, no_prompt)?;
        let wishes = Wishes {
            tenant: account.tenant.clone(),
            subject,
            actor,
            purpose: if client.flow.is_machine() { need.purpose.clone() } else { Purpose::OWN },
            ..Wishes::default()
        };
        let met = |session: &Session| need.is_met(session, now());
        let session = signin::lazily(self.paths, account, &client, &wishes, self.command, met)?;
        if need.token(&session).is_some() || need.purpose == Purpose::OWN {
            return Ok(session);
        }
        // The sign-in gave a token for the account; one for a named audience is bought with the new refresh token.
        let _lock = self.lock()?;
        let sealed = store::sealed_names(&self.paths.data)?.contains(name);
        match self.refresh(need, sealed, SystemTime::now())? {
            Outcome::Good(session) => Ok(*session),
            Outcome::SignIn(_) => Err(no_such_token(name, need)),
        }
    }

    /// What a person can do: the command, the variable, and where a token comes from.
    fn way_in(self, client: &Client) -> String {
        let Account { name, token_env, .. } = &self.rule.account;
        let or = token_env.as_ref().map_or(String::new(), |variable| format!(", or set {variable}"));
        let page = client.provider.as_ref().and_then(|provider| provider.token_page.as_deref());
        let from = page.map_or(String::new(), |page| format!("; a token comes from {page}"));
        format!("`hallpass login {name}`{or}{from}")
    }

    /// Reads the record again and refreshes it if it still needs to be. Under the lock.
    fn refresh(self, need: &Need, sealed: bool, began: SystemTime) -> Result<Outcome> {
        match self.load(sealed)? {
            Some(stored) if need.is_met(&stored.value, self.now) => Ok(Outcome::Good(Box::new(stored.value))),
            Some(stored) => self.spend(need, stored, began),
            None => {
                let what = format!("account `{}` is not signed in", self.rule.account.name);
                Ok(Outcome::SignIn(Failure::new(Exit::SignIn, what)))
            }
        }
    }

    /// `began`: when the caller came, who may have waited since.
    fn spend(self, need: &Need, stored: Stored<Session>, began: SystemTime) -> Result<Outcome> {
        let before = stored.value.generation;
        let (Stored { value: mut session, shelf }, pending) = self.settled(stored)?;
        if session.generation > before && need.is_met(&session, self.now) {
            return Ok(Outcome::Good(Box::new(session)));
        }
        if session.generation < shelf.seen() {
            // Its refresh token has been spent since: sending it again would end the session everywhere.
            let what = format!(
                "account `{}`: its record is older than the last one, as if put back from a backup",
                self.rule.account.name
            );
            return Ok(match need.usable(&session, self.now) {
                true => Outcome::Good(Box::new(session)),
                false => Outcome::SignIn(Failure::new(Exit::SignIn, what)),
            });
        }
        if need.refused.is_some() {
            session.forced_at = Some(self.now);
        }
        let client = self.client()?;
        let name = &self.rule.account.name;
        let setback = self.beside("setback");
        Refresh { name, client: &client, need, command: self.command, setback: &setback, began, now: self.now }
            .run(session, &shelf, pending)
    }

    /// After what an earlier holder of the lock left behind has been dealt with.
    fn settled(self, stored: Stored<Session>) -> Result<(Stored<Session>, Option<Intent>)> {
        let generation = stored.value.generation;
        let pending = stored.shelf.settle(generation)?;
        let newer = self.load(stored.shelf.is_sealed())?.filter(|newer| newer.value.generation > generation);
        Ok((newer.unwrap_or(stored), pending))
    }

    /// How long this caller may wait for a lock: not until its tool has given up on it.
    fn patience(self, need: &Need) -> Duration {
        let before_it_ends = |seconds: u64| Duration::from_secs(seconds.saturating_sub(1).max(1));
        need.patience.map_or(LOCK_TIME, before_it_ends).min(LOCK_TIME)
    }

    fn take_lock(self, need: &Need, seen: Option<u64>, patience: Duration) -> Result<Waited<Session>> {
        store::make_folder(&self.paths.data)?;
        Lock::wait(&self.beside("lock"), self.command, Instant::now() + patience, || {
            // A newer generation that works is the answer, whatever the leeway: else one-minute tokens make a storm.
            let Some(Stored { value: session, .. }) = self.load(self.rule.sealed)? else { return Ok(None) };
            let newer = seen.is_none_or(|seen| session.generation > seen);
            Ok((newer && need.usable(&session, now())).then_some(session))
        })
    }

    fn lock(self) -> Result<Lock> {
        match Lock::wait(&self.beside("lock"), self.command, Instant::now() + LOCK_TIME, || Ok(None::<()>))? {
            Waited::Lock(lock) => Ok(lock),
            _ => Err(self.waited_too_long(LOCK_TIME)),
        }
    }

    fn load(self, sealed: bool) -> Result<Option<Stored<Session>>> {
        store::load(&self.paths.data, &self.rule.account.name, sealed, store::BACKGROUND)
    }

    fn client(self) -> Result<Client> {
        let name = &self.rule.account.name;
        let found = config::load(self.paths)?.account(name).map(|(_, client)| client.clone());
        found.ok_or_else(|| fail(Exit::Config, format!("account `{name}` is not in `{}`", self.paths.config.display())))
    }

    fn beside(self, suffix: &str) -> PathBuf {
        store::beside(&self.paths.data, &self.rule.account.name, suffix)
    }

    fn waited_too_long(self, patience: Duration) -> anyhow::Error {
        let holder = lock::holder(&self.beside("lock"));
        let what = format!("account `{}`: waited {} s: {holder}", self.rule.account.name, patience.as_secs());
        fail_hint(Exit::Busy, what, "is it stopped? end it and try again")
    }
}

/// The tokens of other accounts that a sign-in shows.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) subject: Option<Secret>,
    pub(crate) actor: Option<Secret>,
}

/// Those, where an account's token is had in exchange for them (RFC 8693).
pub(crate) fn of_accounts(
    paths: &Paths,
    client: &Client,
    command: &str,
    no_prompt: Option<&'static str>,
) -> Result<Brought> {
    if client.flow != Flow::TokenExchange {
        return Ok(Brought::default());
    }
    let of = |key: &str, account: &Option<String>| {
        account.as_deref().map(|name| token_of(paths, key, name, command, no_prompt)).transpose()
    };
    Ok(Brought {
        subject: of("subject_account", &client.machine.subject.account)?,
        actor: of("actor_account", &client.machine.actor.account)?,
    })
}

fn token_of(paths: &Paths, key: &str, name: &str, command: &str, no_prompt: Option<&'static str>) -> Result<Secret> {
    let Choice::Account(rule) = routes::find(paths, &Target::Account(name.to_owned()), None, None)? else {
        return Err(fail(Exit::Config, format!("`{key}` names `{}`, which is no account", shown(name))));
    };
    if let Some((_, secret)) = rule.account.token_from_environment() {
        return Ok(secret);
    }
    let renewal = Renewal { paths, rule: &rule, command, now: now() };
    if renewal.client()?.flow == Flow::TokenExchange {
        let what = format!("`{key}` names `{name}`, whose own token is had by exchange");
        return Err(fail_hint(Exit::Config, what, "name the account that somebody signs in to"));
    }
    let need = Need::of(&Request::new(Verb::Get, Target::Default), &rule.account);
    let session = renewal.renew(&need, no_prompt)?;
    match need.token(&session) {
        Some(token) => Ok(token.secret.clone()),
        None => Err(no_such_token(name, &need)),
    }
}

fn is_older(mark: &Path, than: Duration) -> bool {
    let modified = std::fs::metadata(mark).and_then(|found| found.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).map_or(true, |age| age >= than))
}
