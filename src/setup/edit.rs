//! One change of one file: put in, taken out, and whether it stands there

use serde::{Deserialize, Serialize};

use super::format::sections::{self, Syntax};
use super::format::{block, json, kubernetes, toml};

/// One change of a file. Notes keep it, so that it can be taken out whatever the configuration says by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Edit {
    /// Lines between two comments, at the end. `alone` must not begin a line elsewhere.
    Block { body: String, alone: Option<String> },
    /// A member of a JSON object, with its value as JSON.
    Member { path: Vec<String>, value: String },
    /// A key in a TOML table that is there, with its value as TOML.
    Key { table: Vec<String>, key: String, value: String },
    /// A line in a section.
    Line { syntax: Syntax, section: String, key: String, value: String },
    /// A user's plugin in a kubeconfig; `whole`: the user is there for it alone.
    User { name: String, exec: String, whole: bool },
    /// A program in a kuberc's list.
    Permit { program: String },
}

impl Edit {
    pub(super) fn block(body: &str, alone: Option<&str>) -> Self {
        Self::Block { body: body.to_owned(), alone: alone.map(str::to_owned) }
    }

    pub(super) fn line(syntax: Syntax, section: &str, key: &str, value: &str) -> Self {
        Self::Line { syntax, section: section.to_owned(), key: key.to_owned(), value: value.to_owned() }
    }

    pub(super) fn put(&self, text: &str, tool: &str) -> Result<String, String> {
        match self {
            Self::Block { body, alone } => match alone.as_deref().filter(|alone| has_line(text, alone)) {
                Some(alone) => Err(format!("it has a line `{alone}` already, and there can be only one")),
                None => Ok(block::put(text, tool, body)),
            },
            Self::Member { path, value } => match json::get(text, path)? {
                Some(there) if there != value => {
                    Err(format!("it has `{}` already, with something else", path.join(".")))
                }
                _ => json::set(text, path, value).map_err(str::to_owned),
            },
            Self::Key { table, key, value } => toml::set(text, table, key, value),
            Self::Line { syntax, section, key, value } => sections::set(text, *syntax, section, key, value),
            Self::User { name, exec, .. } => kubernetes::set_user(text, name, exec),
            Self::Permit { program } => kubernetes::allow(text, program),
        }
    }

    pub(super) fn take(&self, text: &str, tool: &str) -> Result<String, String> {
        match self {
            Self::Block { body, .. } => block::take(text, tool, Some(body)).map_err(str::to_owned),
            Self::Member { path, value } => json::unset(text, path, value).map_err(str::to_owned),
            Self::Key { table, key, value } => toml::unset(text, table, key, value),
            Self::Line { syntax, section, key, value } => sections::unset(text, *syntax, section, key, value),
            Self::User { name, exec, whole } => kubernetes::unset_user(text, name, exec, *whole),
            Self::Permit { program } => kubernetes::disallow(text, program),
        }
    }

    /// Whether the text says so already.
    pub(super) fn stands(&self, text: &str, tool: &str) -> bool {
        match self {
            Self::Block { body, .. } => block::stands(text, tool, body),
            _ => self.put(text, tool).is_ok_and(|put| put == text),
        }
    }

    /// Whether it can be nobody's but ours, where no note says so.
    pub(super) fn names_us(&self) -> bool {
        match self {
            Self::Block { .. } | Self::User { .. } | Self::Permit { .. } => true,
            Self::Member { value, .. } | Self::Key { value, .. } | Self::Line { value, .. } => {
                value.contains("hallpass")
            }
        }
    }
}

fn has_line(text: &str, begins: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(begins))
}
