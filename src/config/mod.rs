//! `config.toml`: read strictly, written without losing a comment
//!
//! An unknown key, a wrong type or an unusable value is an error that names file, line and, where one is near, the
//! key that was probably meant.

mod keys;
mod machine;
mod tables;
mod values;
mod words;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::account::{Account, Client};
use crate::failure::fail;
use crate::paths::Paths;
use crate::provider::Row;
pub(crate) use words::{Config, Keep};

/// More than a configuration ever has; a file that is larger is not one.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the file; there need not be one, unless somebody named it.
pub(crate) fn load(paths: &Paths) -> Result<Config> {
    match text(paths)? {
        Some(text) => tables::read(paths, &text),
        None if paths.named => Err(fail(Exit::Config, format!("there is no file `{}`", paths.config.display()))),
        None => tables::none(),
    }
}

/// An account as its provider's row makes it, before anything is configured.
pub(crate) fn of_row(name: &str, row: Row) -> Result<(Account, Client)> {
    tables::from_row(name, row)
}

/// The file as text.
pub(crate) fn text(paths: &Paths) -> Result<Option<String>> {
    let broken = |why: String| fail(Exit::Config, format!("`{}` {why}", paths.config.display()));
    let found = match std::fs::metadata(&paths.config) {
        Ok(found) => found,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(broken(format!("cannot be read: {why}"))),
    };
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(broken("is not a file of at most 8 MiB".into()));
    }
    let bytes = std::fs::read(&paths.config).map_err(|why| broken(format!("cannot be read: {why}")))?;
    String::from_utf8(bytes).map(Some).map_err(|_| broken("is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::place::Pattern;
    use toml_edit::{Document, Item};

    use super::of_row;
    use crate::flow::Flow;
    use crate::provider::{self, ROWS};

    /// What `provider::row` reads of `[provider]`; another key would be read by nobody.
    const KEYS: &[&str] = &[
        "api_url",
        "api_url_env",
        "api_suffix",
        "client",
        "client_page",
        "client_id_env",
        "needs",
        "prompt",
        "token_env",
        "token_alphabet",
        "token_length",
        "token_life",
        "token_page",
        "profile_name",
        "profile_email",
        "profile_tenant",
        "check_endpoint",
        "proactive_auth",
        "tenant_header",
        "tenants_endpoint",
        "pats_endpoint",
        "pat_days",
        "pat_longest_days",
    ];

    /// Reading a row checks what reading `config.toml` checks: endpoints, places, redirect URIs, ports, keys.
    #[test]
    fn every_row_is_an_account() {
        let mut claimed: Vec<(&str, String)> = Vec::new();
        for row in ROWS {
            let name = row.name;
            let document = Document::parse(row.text).expect(name);
            let provider = document.get("provider").and_then(Item::as_table).expect(name);
            for (key, _) in provider.iter() {
                assert!(KEYS.contains(&key), "{name}: nobody reads `{key}`");
            }
            let account = document.get("account").and_then(Item::as_table).expect(name);
            for secret in ["client_id", "client_secret_file", "api_url", "provider", "tenant"] {
                assert!(!account.contains_key(secret), "{name}: `{secret}` is a person's own");
            }
            let has_own = provider.contains_key("api_url");
            let moved = if has_own { None } else { Some("https://h.example/a/path") };
            let row = provider::row(name, moved).expect(name).expect(name);
            assert!(!row.account.contains('{'), "{name}: a template is left: {}", row.account);
            let (account, client) = of_row(name, row).expect(name);
            let row = client.provider.as_ref().expect(name);
            assert!(!account.username.is_empty() && !client.serves.is_empty(), "{name}");
            let pages = [&row.client_page, &row.token_page];
            assert!(pages.iter().all(|page| page.as_ref().is_none_or(|page| !page.contains('{'))), "{name}");
            assert!(
                row.needs
                    .iter()
                    .all(|key| ["client_secret_file", "username", "aws_start_url", "aws_role"].contains(&key.as_str())),
                "{name}"
            );
            match client.flow {
                Flow::Token => assert!(row.token_page.is_some(), "{name}: where does its token come from?"),
                _ => assert!(client.issuer.is_some() || client.token_endpoint.is_some(), "{name}"),
            }
            if has_own {
                claimed.extend(client.serves.iter().map(|place| (name, place.clone())));
            }
        }
        for (name, place) in &claimed {
            let covered = place.replace("*.", "any.");
            let covered = hallpass_protocol::place::Place::from_url(&covered).expect(name);
            for (other, pattern) in claimed.iter().filter(|(other, _)| other != name) {
                let pattern = Pattern::parse(pattern).expect(other);
                assert!(pattern.covers(&covered).is_none(), "{name} and {other} both claim {place}");
            }
        }
    }
}
