//! New accounts: `hallpass login URL --issuer ... --client-id ...` writes the table
//!
//! The rest of `config.toml` keeps its comments and its order.

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::{Exit, Target};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::account::is_name;
use crate::choice::Choice;
use crate::config::{self, text};
use crate::failure::{fail, fail_hint};
use crate::http::check_endpoint;
use crate::paths::Paths;
use crate::routes;
use crate::shown::shown;

/// What a new account needs to be told.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) scope: Vec<String>,
}

/// The account for `login URL`, written if it is new. `None` when an existing account is meant.
pub(crate) fn account(paths: &Paths, what: Option<&str>, named: Option<&str>, new: &New) -> Result<Option<String>> {
    let asked = new.issuer.is_some() || new.client_id.is_some() || !new.scope.is_empty();
    let Some(url) = what.filter(|what| what.contains("://")) else {
        return match asked {
            true => Err(fail(
                Exit::Usage,
                "`--issuer`, `--client-id` and `--scope` make a new account for a URL: `hallpass login URL --issuer ...`",
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
    let (Some(issuer), Some(client_id)) = (&new.issuer, &new.client_id) else {
        let what = format!("no account serves {place}, and a new one needs to know its authorization server");
        return Err(fail_hint(Exit::Config, what, format!("`hallpass login {place} --issuer URL --client-id ID`")));
    };
    if let Err(why) = check_endpoint(issuer) {
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
    edit(paths, |document| {
        let accounts = document.entry("account").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let mut table = Table::new();
        table["issuer"] = value(issuer);
        table["client_id"] = value(client_id);
        if !new.scope.is_empty() {
            table["scope"] = value(new.scope.iter().collect::<toml_edit::Array>());
        }
        table["serves"] = value(std::iter::once(url).collect::<toml_edit::Array>());
        accounts[&name] = Item::Table(table);
    })?;
    Ok(Some(name))
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
    let folder = paths.config.parent().unwrap_or(Path::new("."));
    let unwritable = |why: std::io::Error| broken(format!("cannot be written: {why}"));
    crate::store::make_folder(folder)?;
    // Aside and renamed: a configuration cut in half would lock the person out. A link keeps pointing where it does.
    let target = std::fs::canonicalize(&paths.config).unwrap_or_else(|_| paths.config.clone());
    let aside = target.with_extension(format!("toml.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&aside)
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, document.to_string().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&aside, &target))
        .map_err(unwritable)
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
