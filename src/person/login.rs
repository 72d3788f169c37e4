//! `hallpass login`: what was typed, made into wishes

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::chosen::chosen;
use super::stdout::address;
use super::words::Login;
use crate::clock::now;
use crate::failure::fail_hint;
use crate::flow::Flow;
use crate::login::Wishes;
use crate::paths::Paths;
use crate::token::{How, Purpose};
use crate::{config, enrol, environment, renew, signin, store, terminal};

pub(super) fn sign_in(
    paths: &Paths,
    named: Option<&str>,
    api_url: Option<&str>,
    tenant: Option<String>,
    login: Login,
) -> Result<Exit> {
    let client_id = login.client_id.clone();
    let mut new = enrol::New {
        issuer: login.issuer,
        client_id: login.client_id,
        scope: login.scope,
        serves: None,
        brings_token: login.with_token.is_some() || login.token.is_some(),
    };
    let name = match (login.provider.as_deref(), login.what.as_deref()) {
        (Some(provider), Some(place)) if place.contains("://") => {
            new.serves = Some(place.to_owned());
            enrol::of_provider(paths, provider, api_url, named, &new)?
        }
        (Some(provider), _) => {
            let what = "`--provider` says who signs in for a place: `hallpass login URL --provider NAME`";
            return Err(fail_hint(Exit::Usage, what, format!("`hallpass login {provider}` for its own places")));
        }
        (None, Some(provider)) if enrol::is_new(paths, provider, named) => {
            enrol::of_provider(paths, provider, api_url, named, &new)?
        }
        (None, what) => match (enrol::account(paths, what, named, &new)?, api_url) {
            (Some(name), _) => name,
            (None, None) => chosen(paths, what, named)?.account.name,
            (None, Some(api_url)) => for_environment(paths, what, api_url, named, &new)?,
        },
    };
    let config = config::load(paths)?;
    let Some((account, client)) = config.account(&name) else {
        return Err(fail_hint(
            Exit::Missing,
            format!("there is no account `{name}`"),
            "`hallpass accounts` lists them",
        ));
    };
    let mut client = client.clone();
    if let Some(seconds) = login.timeout {
        client.timeout = seconds;
    }
    // What follows `--with-token` is a token, whatever it was meant to be, and never an account's name.
    let token = login.token.or_else(|| login.with_token.clone().flatten());
    if token.is_some() {
        terminal::say(&format!(
            "a token on the command line can be seen by others: pipe it to `hallpass login {name} --token-stdin`"
        ));
    }
    let renew::Brought { subject, actor } = renew::of_accounts(paths, &client, "login", None)?;
    let wishes = Wishes {
        flow: match (login.paste, login.with_token.is_some() || token.is_some()) {
            (true, _) => Flow::Paste,
            _ if login.device => Flow::Device,
            (_, true) => Flow::Token,
            _ => Flow::Auto,
        },
        port: login.port,
        open: !login.no_open,
        tenant: tenant.or_else(|| account.tenant.clone()),
        client_id,
        token: token.map(Secret::new),
        subject,
        actor,
        purpose: Purpose::OWN,
        url_to: if login.no_open { address } else { Wishes::default().url_to },
    };
    let (session, kind) = signin::by_person(paths, account, &client, &wishes, now())?;
    let who = session.identity.as_ref().map_or(String::new(), |identity| format!(" as {identity}"));
    let kept = store::in_words(&paths.data, &name, &kind);
    let at = account.api_url.as_ref().map_or(String::new(), |url| format!(" ({})", crate::shown::shown(url)));
    terminal::say(&format!("signed in to account `{name}`{at}{who}; kept {kept}"));
    if let (Some(configured), Some(made)) = (&account.tenant, &session.tenant)
        && configured != made
    {
        let words = format!("the configuration's tenant `{configured}` goes before `{made}`, the one of this sign-in");
        terminal::say(&format!("{words}; `hallpass tenants use {made}` changes it"));
    }
    let missing = session.missing_scopes(&client.scope);
    if !missing.is_empty() {
        terminal::say(&format!("the server did not grant every scope that was asked for: not {}", missing.join(", ")));
    }
    let ends = session.how == How::Token && session.tokens.iter().any(|token| token.expires_at.is_some());
    if ends && client.provider.as_ref().is_some_and(|provider| provider.pats_endpoint.is_some()) {
        terminal::advise("it ends and cannot be refreshed; `hallpass token create NAME` makes tokens that last longer");
    }
    Ok(Exit::Answered)
}

/// An account's own provider, or a provider by name.
fn for_environment(
    paths: &Paths,
    what: Option<&str>,
    api_url: &str,
    named: Option<&str>,
    new: &enrol::New,
) -> Result<String> {
    let config = config::load(paths)?;
    let known = what.and_then(|what| config.account(what));
    let provider = known.and_then(|(_, client)| client.provider.as_ref()).map(|provider| provider.name.clone());
    match provider.or_else(|| what.map(ToString::to_string)) {
        Some(provider) => enrol::of_provider(paths, &provider, Some(api_url), named, new),
        None => environment::account(paths, api_url, named),
    }
}
