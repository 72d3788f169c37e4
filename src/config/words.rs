//! The configuration in our words

use std::collections::BTreeMap;

use crate::account::{Account, Client};

/// The whole configuration. Absent means empty.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) default: Option<String>,
    pub(crate) json: bool,
    pub(crate) keep: Keep,
    pub(crate) accounts: BTreeMap<String, (Account, Client)>,
}

/// What to do with a credential that a tool brings for a place no account serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Keep {
    /// Only in a sealed store.
    #[default]
    Sealed,
    Always,
    Never,
}

impl Config {
    /// The default account: the one that is named so, else the only one that is configured.
    pub(crate) fn default_account(&self) -> Option<&str> {
        let mut configured = self.accounts.iter().filter(|(_, (_, client))| !client.built_in).map(|(name, _)| name);
        let sole = match (configured.next(), configured.next()) {
            (Some(sole), None) => Some(sole),
            _ => None,
        };
        self.default.as_ref().or(sole).map(String::as_str)
    }

    /// The account and its client.
    pub(crate) fn account(&self, name: &str) -> Option<&(Account, Client)> {
        self.accounts.get(name)
    }
}
