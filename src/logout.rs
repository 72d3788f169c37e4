//! Signing out: the server is told first, then the record goes
//!
//! A server that cannot be told does not keep the session here alive: it is forgotten all the same, and that is said.

use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::account::{Account, Client};
use crate::bought;
use crate::config;
use crate::failure::{fail, fail_hint};
use crate::http::Http;
use crate::lock::{self, Lock, Waited};
use crate::oauth::{Grants, Proof};
use crate::paths::Paths;
use crate::routes;
use crate::shown::shown;
use crate::store::{self, Stored};
use crate::token::{How, Session, TokenKind};
use crate::trust::Trust;

/// Every account that has a record, configured or not.
pub(crate) fn everybody(paths: &Paths) -> Result<Vec<String>> {
    let mut names: Vec<_> = store::records(&paths.data)?.into_iter().map(|found| found.name).collect();
    names.retain(|name| !name.starts_with('+')); // kept passwords are not sessions
    names.dedup();
    Ok(names)
}

/// Who is told of a sign-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody.
    Here,
    /// The server, of a session that was made here.
    Usual,
    /// The server, of pasted tokens too.
    Everywhere,
}

/// Signs one account out; what to tell the person.
pub(crate) fn account(paths: &Paths, name: &str, reach: Reach) -> Result<String> {
    let config = config::load(paths);
    let records = store::records(&paths.data)?;
    let sealed = records.iter().any(|found| found.name == name && found.sealed);
    let has_record = records.iter().any(|found| found.name == name);
    let known = config.as_ref().is_ok_and(|config| config.account(name).is_some());
    if !has_record && !known {
        let what = format!("there is no account `{}`", shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    let (account, client) = config.ok().and_then(|config| config.account(name).cloned()).unzip();
    if has_record {
        store::make_folder(&paths.data)?;
    }
    let _lock = if has_record { Some(lock(paths, name)?) } else { None };
    // A record that cannot be read cannot be revoked either; it goes all the same.
    let load = || store::load(&paths.data, name, sealed, store::BACKGROUND).unwrap_or_default();
    let mut stored: Option<Stored<Session>> = load();
    // A refresh that was cut short before its rename has left the token that is to be revoked beside the record.
    if let Some(Stored { value, shelf }) = &stored
        && shelf.settle(value.generation).is_ok()
    {
        stored = load();
    }
    let told = match &stored {
        // Others may use a token that was pasted in: it is revoked only when that is asked for.
        Some(stored) if reach == Reach::Everywhere || (reach == Reach::Usual && stored.value.how != How::Token) => {
            revoke(&stored.value, client.as_ref())
        }
        _ => Ok(false),
    };
    // Another machine that shares this folder has a session of its own, sealed with another key.
    let only = stored.as_ref().map(|stored| stored.shelf.kind());
    let was_there = store::remove(&paths.data, name, only.as_ref())?;
    bought::forget(paths, name)?;
    routes::forget(paths);
    let key = only.as_ref().map_or(Ok(()), |kind| store::drop_unused_key(&paths.data, kind));
    let mut words = match (was_there, &told) {
        (false, _) => format!("account `{name}` was not signed in"),
        (true, Ok(true)) => format!("account `{name}` is signed out, here and at the server"),
        (true, _) => format!("account `{name}` is signed out here"),
    };
    if let Some((variable, _)) = account.as_ref().and_then(Account::token_from_environment) {
        words += &format!("; {variable} is still set and goes on to answer for it");
    }
    if let Err(why) = key {
        words += &format!("; the key stays behind, which opens nothing now: {why}");
    }
    match told {
        Ok(_) => Ok(words),
        Err(why) => Err(fail_hint(
            Exit::Network,
            format!("{words}, but not revoked at the server: {why}"),
            "end the session on the server's own page if it matters",
        )),
    }
}

fn lock(paths: &Paths, name: &str) -> Result<Lock> {
    let path = store::beside(&paths.data, name, "lock");
    match Lock::wait(&path, "logout", Instant::now() + Duration::from_secs(45), || Ok(None::<()>))? {
        Waited::Lock(lock) => Ok(lock),
        _ => Err(fail(Exit::Busy, format!("account `{name}`: {}", lock::holder(&path)))),
    }
}

/// The refresh token first: with it gone, most servers drop the rest. Whether anything was revoked.
fn revoke(session: &Session, client: Option<&Client>) -> Result<bool, String> {
    let Some(endpoint) = &session.revocation_endpoint else { return Ok(false) };
    let words = |why: anyhow::Error| why.to_string();
    let http = Http::new(client.map_or(&Trust::default(), |client| &client.trust)).map_err(words)?;
    let secret = session.client_secret.as_ref();
    let proof = client.map(|client| Proof::of(client, secret, &session.issuer, &session.token_endpoint));
    let proof = proof.transpose().map_err(words)?.unwrap_or(Proof::None);
    let grants = Grants {
        http: &http,
        token_endpoint: &session.token_endpoint,
        client_id: &session.client_id,
        proof,
        dpop: None,
        life: None,
        camel: client.is_some_and(|client| client.aws_start_url.is_some()),
    };
    if let Some(token) = &session.refresh_token {
        grants.revoke(endpoint, token, "refresh_token")?;
    }
    for token in session.tokens.iter().filter(|token| token.kind == TokenKind::AccessToken && !token.dead) {
        grants.revoke(endpoint, &token.secret, "access_token")?;
    }
    Ok(true)
}
