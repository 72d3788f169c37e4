//! Reads the tables of `config.toml`

use std::collections::BTreeMap;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use toml_edit::{Document, Item, Table};

use super::values::Values;
use super::words::{Config, Keep};
use super::{keys, machine};
use crate::account::{Account, Client, is_name, token_variable};
use crate::failure::fail;
use crate::paths::Paths;
use crate::provider::{self, CLIENT_SECRET, Row};
use crate::shown::shown;

const TOP: &[&str] = &["default", "output", "keep", "account"];

/// Reads the whole file.
pub(super) fn read(paths: &Paths, text: &str) -> Result<Config> {
    Tables(Values { paths, text }).read()
}

/// The configuration without a file: the rows that need none.
pub(super) fn none() -> Result<Config> {
    let mut config = Config::default();
    add_rows(&mut config)?;
    Ok(config)
}

/// The accounts that rows make by themselves, where none of their name is configured.
fn add_rows(config: &mut Config) -> Result<()> {
    for name in provider::BUILT_IN {
        if config.accounts.contains_key(*name) {
            continue;
        }
        if let Some(row) = provider::row(name, None)? {
            let (account, client) = from_row(name, row)?;
            config.accounts.insert((*name).to_owned(), (account, Client { built_in: true, ..client }));
        }
    }
    Ok(())
}

/// An account as its provider's row makes it.
pub(super) fn from_row(name: &str, row: Row) -> Result<(Account, Client)> {
    let Row { provider, account: text } = row;
    let paths = Paths {
        config: format!("integrations/providers/{}.toml", provider.name).into(),
        named: false,
        data: "".into(),
    };
    let document =
        Document::parse(text.as_str()).map_err(|why| fail(Exit::Bug, format!("a provider row: {}", why.message())))?;
    let mut account = Account::new(name);
    account.token_env.clone_from(&provider.token_env);
    account.api_url = Some(provider.api_url.clone());
    account.tenant_header.clone_from(&provider.tenant_header);
    let mut account = (account, Client { timeout: 300, provider: Some(provider), ..Client::default() });
    let table = document.as_table().get("account").and_then(Item::as_table).unwrap_or(document.as_table());
    keys::fill(&Values { paths: &paths, text: &text }, table, &mut account)?;
    Ok(account)
}

struct Tables<'a>(Values<'a>);

impl Tables<'_> {
    fn read(&self) -> Result<Config> {
        let document = Document::parse(self.0.text).map_err(|why| {
            let what = why.message().lines().next().unwrap_or("it is not TOML").to_owned();
            let at = why.span().and_then(|span| self.0.text.get(span)).unwrap_or_default().trim();
            let at = if at.is_empty() || at.contains('\n') { String::new() } else { format!(": `{}`", shown(at)) };
            self.0.error(why.span(), what + &at)
        })?;
        let mut config = Config::default();
        self.0.known(document.as_table(), TOP, "")?;
        for (key, item) in document.as_table().iter() {
            match key {
                "default" => config.default = Some(self.0.string(key, item)?),
                "output" => config.json = self.0.choice(key, item, &[("text", false), ("json", true)])?,
                "keep" => {
                    let words = [("sealed", Keep::Sealed), ("always", Keep::Always), ("never", Keep::Never)];
                    config.keep = self.0.choice(key, item, &words)?;
                }
                _ => config.accounts = self.accounts(item)?,
            }
        }
        add_rows(&mut config)?;
        if let Some(name) = config.default.as_deref().filter(|name| !config.accounts.contains_key(*name)) {
            let span = document.get("default").and_then(Item::span);
            return Err(self
                .0
                .error(span, format!("`default` names the account `{}`, which is not here", shown(name))));
        }
        Ok(config)
    }

    fn accounts(&self, item: &Item) -> Result<BTreeMap<String, (Account, Client)>> {
        let mut accounts = BTreeMap::new();
        let Some(tables) = item.as_table_like() else {
            return Err(self.0.error(item.span(), "accounts are tables: `[account.NAME]`"));
        };
        for (name, item) in tables.iter() {
            if !is_name(name) {
                let what = format!("`{}` is no account name: up to 64 of a-z, 0-9, `_` and `-`", shown(name));
                return Err(self.0.error(item.span(), what));
            }
            let Some(table) = item.as_table() else {
                return Err(self
                    .0
                    .error(item.span(), format!("`account.{name}` is no table: write `[account.{name}]`")));
            };
            accounts.insert(name.to_owned(), self.account(name, table)?);
        }
        self.no_shared_variable(&accounts, item)?;
        Ok(accounts)
    }

    fn account(&self, name: &str, table: &Table) -> Result<(Account, Client)> {
        self.0.known(table, &[keys::KEYS, machine::KEYS, &["ci"]].concat(), &format!(" of account `{name}`"))?;
        let named = |key: &str| table.get(key).map(|item| self.0.string(key, item)).transpose();
        let api_url = match table.get("api_url") {
            Some(item) => Some(self.0.endpoint("api_url", item)?),
            None => None,
        };
        let Some(provider) = named("provider")? else {
            if let Some(item) = table.get("api_url") {
                return Err(self.0.error(item.span(), "`api_url` goes with a `provider`"));
            }
            let mut account = (Account::new(name), Client { timeout: 300, ..Client::default() });
            keys::fill(&self.0, table, &mut account)?;
            return machine::in_ci(&self.0, name, table, account, |table, account| keys::fill(&self.0, table, account));
        };
        let error = |why: anyhow::Error| self.0.error(table.get("provider").and_then(Item::span), why.to_string());
        let row = provider::row(&provider, api_url.as_deref()).map_err(error)?.ok_or_else(|| {
            let what = format!("provider `{provider}` needs to know its `api_url`");
            self.0.error(table.get("provider").and_then(Item::span), what)
        })?;
        // A token that a person brings needs no client.
        let is_spared = |key: &str| key == CLIENT_SECRET && table.get("flow").and_then(Item::as_str) == Some("token");
        if let Some(key) = row.provider.needs.iter().find(|key| !table.contains_key(key) && !is_spared(key)) {
            let what = format!("account `{name}`: provider `{provider}` needs its `{key}`");
            return Err(self.0.error(table.get("provider").and_then(Item::span), what));
        }
        let mut account = from_row(name, row)?;
        keys::fill(&self.0, table, &mut account)?;
        machine::in_ci(&self.0, name, table, account, |table, account| keys::fill(&self.0, table, account))
    }

    /// `HALLPASS_TOKEN_MY_APP` must not mean two accounts.
    fn no_shared_variable(&self, accounts: &BTreeMap<String, (Account, Client)>, item: &Item) -> Result<()> {
        let mut seen = BTreeMap::new();
        for name in accounts.keys() {
            if let Some(other) = seen.insert(token_variable(name), name) {
                let what = format!("accounts `{other}` and `{name}` share the variable `{}`", token_variable(name));
                return Err(self.0.error(item.span(), what));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Paths};

    fn read(text: &str) -> Result<Config, String> {
        let paths = Paths { config: "c.toml".into(), named: false, data: "d".into() };
        super::read(&paths, text).map_err(|why| why.to_string())
    }

    #[test]
    fn a_whole_account() {
        let config = read(
            "default = \"work\"\n[account.work]\nissuer = \"https://id.example.com\"\nclient_id = \"cli\"\n\
             scope = [\"openid\"]\nserves = [\"https://git.example.com\"]\nleeway = \"2m\"\nrefresh_ahead = 0.5\n",
        )
        .expect("a configuration");
        let (account, client) = config.account("work").expect("the account");
        assert_eq!((account.leeway, account.ahead, client.timeout), (120, 50, 300));
    }

    #[test]
    fn errors_name_file_line_and_the_nearest_key() {
        for (text, words) in [
            ("x = 1\n", "c.toml:1: unknown key `x`"),
            (
                "[account.work]\n\nisuer = \"https://h\"\n",
                "c.toml:3: unknown key `isuer` of account `work`; did you mean `issuer`?",
            ),
            (
                "[account.work]\nissuer = \"http://id.example.com\"\n",
                "c.toml:2: `issuer` `http://id.example.com` is http://",
            ),
            ("[account.work]\nserves = [\"https://a\",\n\"http://b\"]\n", "c.toml:3: `serves`: `http://b`"),
            ("[account.Work]\n", "c.toml:1: `Work` is no account name"),
            ("default = \"x\"\n", "c.toml:1: `default` names the account `x`"),
            ("[account.a-b]\n[account.a_b]\n", "share the variable `HALLPASS_TOKEN_A_B`"),
            ("keep = \"some\"\n", "c.toml:1: `keep` is none of \"sealed\""),
            ("a = \n", "c.toml:1: "),
            (
                "[account.work]\nredirect_uri = \"http://evil.example/\"\n",
                "c.toml:2: `redirect_uri` is not on this machine",
            ),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.starts_with("c.toml:") && why.contains(words), "{text:?}: {why}");
        }
    }
}
