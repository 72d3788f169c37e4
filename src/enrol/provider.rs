//! New accounts of a provider: `hallpass login github`, `hallpass login gitlab --api-url https://git.example.com`

use anyhow::Result;
use hallpass_protocol::place::{Pattern, Place};
use hallpass_protocol::talk::{Exit, Target};
use toml_edit::value;

use super::{New, edit, name_for, table_of};
use crate::account::{Client, is_name};
use crate::config;
use crate::discovery;
use crate::environment;
use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::http::{Http, check_endpoint};
use crate::login;
use crate::paths::Paths;
use crate::provider::{self, CLIENT_SECRET};
use crate::shown::shown;
use crate::store;

/// Whether a name is a provider's that has no account yet, or is to have another.
pub(crate) fn is_new(paths: &Paths, name: &str, named: Option<&str>) -> bool {
    let Ok(config) = config::load(paths) else { return false };
    let is_free = |name: &str| config.account(name).is_none();
    provider::names().any(|row| row == name) && (is_free(name) || named.is_some_and(is_free))
}

/// The provider whose own a place is, account or not.
pub(super) fn of_place(place: &Place) -> Option<&'static str> {
    provider::names().find(|name| {
        let row = provider::row(name, None).ok().flatten();
        let client = row.and_then(|row| config::of_row(name, row).ok()).map(|(_, client)| client);
        let serves = client.map(|client| client.serves).unwrap_or_default();
        serves.iter().any(|entry| Pattern::parse(entry).is_ok_and(|pattern| pattern.covers(place).is_some()))
    })
}

/// The account for `login PROVIDER [--api-url URL]` or `login PLACE --provider PROVIDER`, written if it is new.
pub(crate) fn of_provider(
    paths: &Paths,
    provider: &str,
    api_url: Option<&str>,
    named: Option<&str>,
    new: &New,
) -> Result<String> {
    if new.issuer.is_some() {
        let what = format!("where `{}` is, `--api-url` says, and not `--issuer`", shown(provider));
        return Err(fail(Exit::Usage, what));
    }
    if let (Some(api_url), None) = (api_url, &new.serves)
        && let Some(name) = environment::find(paths, api_url, named, Some(provider))?
    {
        return Ok(name);
    }
    let Some(row) = provider::row(provider, api_url)? else {
        let what = format!("provider `{provider}` has many environments, and none was named");
        return Err(fail_hint(Exit::Config, what, format!("`hallpass login {provider} --api-url URL`")));
    };
    let here = row.provider.api_url.clone();
    if let Err(why) = check_endpoint(&here) {
        return Err(fail(Exit::Config, format!("`--api-url` {why}")));
    }
    let served = new.serves.as_deref().map(Pattern::parse).transpose();
    served
        .map_err(|why| fail(Exit::Config, format!("`{}`: {why}", shown(new.serves.as_deref().unwrap_or_default()))))?;
    // Where a variable moves the provider's own account, its name must go on to mean what the variable says.
    let may_be_own = row.provider.api_url_env.is_none();
    let config = config::load(paths)?;
    // The first one has the provider's own name.
    let is_first = may_be_own
        && config.account(provider).is_none_or(|(_, client)| client.built_in)
        && !store::records(&paths.data)?.iter().any(|record| record.name == provider);
    let name = match (named, &new.serves) {
        (Some(named), _) => named.to_owned(),
        (None, Some(place)) => name_for(&host_of(place)?),
        (None, None) if is_first => provider.to_owned(),
        (None, None) => name_for(&format!("{provider}-{}", host_of(&here)?)),
    };
    if !is_name(&name) || config.account(&name).is_some_and(|(_, client)| !client.built_in) {
        let what = format!("`{}` is taken or no account name", shown(&name));
        return Err(fail_hint(Exit::Usage, what, "choose another: `--account NAME`"));
    }
    let without_client = new.brings_token && row.provider.needs.iter().any(|key| key == CLIENT_SECRET);
    let (_, client) = config::of_row(&name, row)?;
    is_complete(paths, &name, &client, api_url.map(|_| here.as_str()), new)?; // before anything is written: what claims a place must be able to answer
    edit(paths, |document| {
        let table = table_of(document, &name);
        table["provider"] = value(provider);
        if api_url.is_some() {
            table["api_url"] = value(&here);
        }
        if without_client {
            table["flow"] = value("token");
        }
        if let Some(client_id) = &new.client_id {
            table["client_id"] = value(client_id);
        }
        if !new.scope.is_empty() {
            table["scope"] = value(new.scope.iter().collect::<toml_edit::Array>());
        }
        if let Some(place) = &new.serves {
            table["serves"] = value(std::iter::once(place).collect::<toml_edit::Array>());
        }
    })?;
    Ok(name)
}

/// Whether somebody could sign in to it; else, what is to be done first.
fn is_complete(paths: &Paths, name: &str, client: &Client, api_url: Option<&str>, new: &New) -> Result<()> {
    let needs = client.provider.iter().flat_map(|provider| &provider.needs).map(String::as_str);
    let needs: Vec<_> = needs.filter(|key| !new.brings_token || *key != CLIENT_SECRET).collect();
    if !needs.is_empty() {
        return Err(login::needs_table(name, client, api_url, &needs, paths));
    }
    let known = new.brings_token
        || client.flow == Flow::Token
        || client.registration_endpoint.is_some()
        || login::client_id(client, new.client_id.as_deref()).is_some();
    if known {
        return Ok(());
    }
    let server = client
        .issuer
        .is_some()
        .then(|| discovery::server(name, client, &Http::new(&client.trust)?, true))
        .transpose()?;
    match server.and_then(|server| server.registration_endpoint) {
        Some(_) => Ok(()),
        None => Err(login::no_client(name, client, client.flow)),
    }
}

/// Host and port of an address.
fn host_of(url: &str) -> Result<String> {
    let Target::Place(place) = hallpass_protocol::target(url)? else { return Ok(String::new()) };
    let place = place.to_string();
    let rest = place.split_once("://").map_or("", |(_, rest)| rest);
    Ok(rest.split('/').next().unwrap_or_default().to_owned())
}
