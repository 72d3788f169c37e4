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
    /// The account and its client.
    pub(crate) fn account(&self, name: &str) -> Option<&(Account, Client)> {
        self.accounts.get(name)
    }
}
