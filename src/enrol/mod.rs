//! New accounts: `hallpass login URL --issuer ... --client-id ...` writes the table
//!
//! The rest of `config.toml` keeps its comments and its order.

mod provider;

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::{Exit, Target};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::account::{Client, is_name};
use crate::choice::Choice;
use crate::config::{self, text};
use crate::discovery;
use crate::failure::{fail, fail_hint};
use crate::http::{Http, check_issuer};
use crate::login;
use crate::paths::Paths;
use crate::resource::{self, Resource};
use crate::routes;
use crate::shown::shown;
use crate::store;
use crate::textfile;
use crate::trust::Trust;
pub(crate) use provider::{is_new, of_provider};

/// What a new account needs to be told.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) scope: Vec<String>,
    /// The place that an account of a provider is to serve, instead of the provider's own.
    pub(crate) serves: Option<String>,
    /// Its token comes from the person: no client is needed.
    pub(crate) brings_token: bool,
}

/// The account for `login URL`, written if it is new. `None` when an existing account is meant.
pub(crate) fn account(paths: &Paths, what: Option<&str>, named: Option<&str>, new: &New) -> Result<Option<String>> {
    let asked = new.issuer.is_some() || new.client_id.is_some() || !new.scope.is_empty();
    let Some(url) = what.filter(|what| what.contains("://")) else {
        // For an account that is there, a client id is for this sign-in alone.
        return match new.issuer.is_some() || !new.scope.is_empty() {
            true => Err(fail(
                Exit::Usage,
                "`--issuer` and `--scope` make a new account for a URL: `hallpass login URL --issuer ...`",
            )),
            false => Ok(None),
        };
    };
    let Target::Place(place) = hallpass_protocol::target(url)? else { return Ok(None) };
    // A file that was named and is not there yet is about to be made.
    let paths = &Paths { named: false, ..paths.clone() };
    if let Choice::Account(rule) = routes::find(paths, &Target::Place(place.clone()), named, None)? {
        if asked {
            let what = format!("account `{}` serves {place} already", rule.account.name);
            return Err(fail_hint(
                Exit::Usage,
                what,
                format!("`hallpass login {}`, or change `config.toml`", rule.account.name),
            ));
        }
        return Ok(None);
    }
    let http = Http::new(&Trust::default())?;
    let resource = match &new.issuer {
        Some(_) => None,
        None => resource::of(url, &http)?,
    };
    let Some(issuer) = new.issuer.as_ref().or(resource.as_ref().map(|resource| &resource.issuer)) else {
        let what = format!("no account serves {place}, and a new one needs to know its authorization server");
        let hint = match provider::of_place(&place) {
            Some(provider) => format!("`hallpass login {provider}`: it is a place of `{provider}`"),
            None => format!("`hallpass login {place} --issuer URL --client-id ID`"),
        };
        return Err(fail_hint(Exit::Config, what, hint));
    };
    if let Err(why) = check_issuer(issuer) {
        return Err(fail(Exit::Config, format!("`--issuer` {why}")));
    }
    if let Err(why) = Pattern::parse(url) {
        return Err(fail(Exit::Config, format!("{place}: {why}")));
    }
    let name = match named {
        Some(name) => name.to_owned(),
        None => name_for(&place.host),
    };
    if !is_name(&name) {
        return Err(fail(
            Exit::Usage,
            format!("`{}` is no account name: up to 64 of a-z, 0-9, `_` and `-`", shown(&name)),
        ));
    }
    if config::load(paths)?.account(&name).is_some() {
        let what = format!("there is an account `{name}` already, which does not serve {place}");
        return Err(fail_hint(Exit::Usage, what, "choose another name: `--account NAME`, or add it to `serves`"));
    }
    let known = Client { issuer: Some(issuer.clone()), client_id: new.client_id.clone(), ..Client::default() };
    if login::client_id(&known, None).is_none() {
        let server = discovery::server(&name, &known, &http, true)?;
        if server.registration_endpoint.is_none() {
            let what =
                format!("no account serves {place}, and a new one needs a client: `{issuer}` registers none by itself");
            let or = match server.reads_documents {
                true => ", or publish a document that describes one, whose https address is its ID",
                false => "",
            };
            let hint = format!(
                "register a public client with the redirect URI http://127.0.0.1/callback{or}; then `hallpass login \
                 {place} --issuer {issuer} --client-id ID`"
            );
            return Err(fail_hint(Exit::Config, what, hint));
        }
    }
    let (serves, of_resource) = match resource.as_ref() {
        Some(Resource { resource, scope, .. }) => (resource.as_str(), scope.as_slice()),
        None => (url, [].as_slice()),
    };
    let scope = if new.scope.is_empty() { of_resource } else { &new.scope };
    edit(paths, |document| {
        let table = table_of(document, &name);
        table["issuer"] = value(issuer);
        if let Some(client_id) = &new.client_id {
            table["client_id"] = value(client_id);
        }
        if !scope.is_empty() {
            table["scope"] = value(scope.iter().collect::<toml_edit::Array>());
        }
        if resource.is_some() {
            table["resource"] = value(serves);
        }
        table["serves"] = value(std::iter::once(serves).collect::<toml_edit::Array>());
    })?;
    Ok(Some(name))
}

/// Makes a tenant the account's own.
pub(crate) fn set_tenant(paths: &Paths, name: &str, slug: &str) -> Result<()> {
    let built_in = config::load(paths)?.account(name).is_some_and(|(_, client)| client.built_in);
    edit(paths, |document| {
        let table = table_of(document, name);
        if built_in {
            table["provider"] = value(name);
        }
        table["tenant"] = value(slug);
    })
}

/// The table of an account, made if it is not there.
fn table_of<'a>(document: &'a mut DocumentMut, name: &str) -> &'a mut Item {
    // What was the default by being the only one stays it.
    let only = document.get("account").and_then(Item::as_table_like).filter(|accounts| accounts.len() == 1);
    let only = only.and_then(|accounts| Some(accounts.iter().next()?.0.to_owned())).filter(|only| only != name);
    if let (Some(only), None) = (only, document.get("default")) {
        document["default"] = value(only);
    }
    let accounts = document.entry("account").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    if accounts.get(name).is_none() {
        accounts[name] = Item::Table(Table::new());
    }
    &mut accounts[name]
}

/// Makes an account the default one.
pub(crate) fn set_default(paths: &Paths, name: &str) -> Result<()> {
    if config::load(paths)?.account(name).is_none() {
        let what = format!("there is no account `{}`", shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    edit(paths, |document| document["default"] = value(name))
}

/// `git.example.com` as `git-example-com`.
fn name_for(host: &str) -> String {
    let letters = host.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    letters.collect::<String>().trim_matches('-').chars().take(64).collect()
}

fn edit(paths: &Paths, change: impl FnOnce(&mut DocumentMut)) -> Result<()> {
    let old = text(paths)?.unwrap_or_default();
    let broken = |why: String| fail(Exit::Config, format!("`{}` {why}", paths.config.display()));
    let mut document: DocumentMut = old.parse().map_err(|_| broken("is not TOML".into()))?;
    change(&mut document);
    if let Some(folder) = paths.config.parent() {
        store::make_folder(folder)?;
    }
    textfile::write(&paths.config, &document.to_string(), textfile::Mode::Private)
}

#[cfg(test)]
mod tests {
    use super::name_for;

    #[test]
    fn names() {
        assert_eq!(name_for("git.example.com"), "git-example-com");
        assert_eq!(name_for("[::1]"), "1");
    }
}
