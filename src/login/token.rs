//! A token that the person brings: from stdin, or typed unseen

use std::io::{IsTerminal, Read};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use zeroize::Zeroizing;

use super::attempt::Attempt;
use super::command;
use super::machine::MAX_TOKEN;
use super::profile::Profile;
use super::taken::fresh_id;
use crate::claims;
use crate::discovery;
use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::terminal::ask_unseen;
use crate::token::{How, Session, Token, TokenKind};

/// Reads the token, tries it where the server has a place to try it, and makes a session of it.
pub(super) fn session(attempt: &Attempt<'_>, now: u64) -> Result<Session> {
    let name = attempt.account;
    let secret = read(attempt)?;
    if secret.expose().is_empty() || !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(fail_hint(
            Exit::Usage,
            format!("account `{name}`: that is no token: it is empty, or more than one word"),
            format!("pipe it to `hallpass login {name} --token-stdin`; {}", where_from(attempt.client)),
        ));
    }
    let client = attempt.client;
    if let Some(Err(why)) = client.provider.as_ref().map(|provider| provider.fits(secret.expose())) {
        return Err(fail_hint(
            Exit::Usage,
            format!("account `{name}`: that is no token of its provider: {why}"),
            where_from(client),
        ));
    }
    let known = client.issuer.is_some() || client.token_endpoint.is_some();
    let server = known.then(|| discovery::server(name, client, &attempt.http, false)).transpose()?;
    let userinfo = server.as_ref().map_or(client.userinfo_endpoint.clone(), |server| server.userinfo_endpoint.clone());
    let profile = match &userinfo {
        Some(endpoint) => try_out(attempt, endpoint, &secret)?,
        None => Profile::default(),
    };
    let expires_at = claims::expiry(&secret);
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(fail(Exit::SignIn, format!("account `{name}`: that token has expired already")));
    }
    Ok(Session {
        client_secret: None,
        generation: 0,
        issuer: server.as_ref().map(|server| server.issuer.clone()).unwrap_or_default(),
        token_endpoint: String::new(),
        revocation_endpoint: server.as_ref().and_then(|server| server.revocation_endpoint.clone()),
        userinfo_endpoint: userinfo,
        client_id: attempt.registered.get().map(|client| client.id.clone()).unwrap_or_default(),
        configured_client_id: client.client_id.clone(),
        serves: client.serves.clone(),
        refresh_token: None,
        dpop_key: None,
        refresh_expires_at: None,
        scope: None,
        identity: profile.identity,
        subject: None,
        api_url: client.provider.as_ref().map(|provider| provider.api_url.clone()),
        tenant: attempt.wishes.tenant.clone().or(profile.tenant),
        how: How::Token,
        signed_in_at: now,
        forced_at: None,
        tokens: vec![Token {
            kind: TokenKind::AccessToken,
            audience: None,
            resource: None,
            scope: None,
            secret,
            id: fresh_id(),
            obtained_at: now,
            expires_at,
            dead: false,
        }],
    })
}

fn read(attempt: &Attempt<'_>) -> Result<Secret> {
    if let Some(secret) = &attempt.wishes.token {
        return Ok(secret.clone());
    }
    // What was piped in is newer than what a command remembers.
    if let (Some(words), false) = (&attempt.client.token_command, attempt.wishes.flow == Flow::Token) {
        let what = format!("account `{}`: its `token_command`", attempt.account);
        let next = format!("try it by hand, or pipe a token to `hallpass login {} --token-stdin`", attempt.account);
        return command::output(&what, words, attempt.until, &next);
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return ask_unseen(&format!("token for account `{}` (not shown): ", attempt.account), attempt.until);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let broken = |why: std::io::Error| fail(Exit::Usage, format!("stdin cannot be read: {why}"));
    stdin.lock().take(MAX_TOKEN + 1).read_to_end(&mut bytes).map_err(broken)?;
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() as u64 <= MAX_TOKEN);
    let text = text.ok_or_else(|| fail(Exit::Usage, "stdin is not a token"))?;
    Ok(Secret::new(text.trim()))
}

/// Where a person gets a token.
fn where_from(client: &crate::account::Client) -> String {
    match client.provider.as_ref().and_then(|provider| provider.token_page.as_deref()) {
        Some(page) => format!("a token comes from {page}"),
        None => "is it whole, and for this server?".to_owned(),
    }
}

/// Whose token it is, from the server that gave it.
fn try_out(attempt: &Attempt<'_>, endpoint: &str, secret: &Secret) -> Result<Profile> {
    let name = attempt.account;
    let answer = attempt.http.get(endpoint, Some(secret), &attempt.headers()).map_err(|why| {
        fail_hint(
            Exit::Network,
            format!("account `{name}`: cannot reach {}", why.why()),
            "try again; nothing was saved",
        )
    })?;
    match answer.status {
        200 if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&answer.body).is_ok() => {
            Ok(Profile::read(&answer.body, attempt.client.provider.as_ref()))
        }
        _ if answer.lacks_scope() => Ok(Profile::default()),
        401 | 403 => Err(fail_hint(
            Exit::SignIn,
            format!("account `{name}`: the server does not accept this token"),
            format!("nothing was saved; {}", where_from(attempt.client)),
        )),
        status => {
            let what = format!(
                "account `{name}`: {} answered {status} when the token was tried",
                crate::http::endpoint(endpoint)
            );
            Err(fail_hint(Exit::Network, what, "try again; nothing was saved"))
        }
    }
}
