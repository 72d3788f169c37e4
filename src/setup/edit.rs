//! One change of one file: put in, taken out, and whether it stands there

use serde::{Deserialize, Serialize};

use super::format::sections::{self, Syntax};
use super::format::{block, json, kubeconfig, kuberc, toml};

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
            Self::User { name, exec, .. } => kubeconfig::set_user(text, name, exec),
            Self::Permit { program } => kuberc::allow(text, program),
        }
    }

    pub(super) fn take(&self, text: &str, tool: &str) -> Result<String, String> {
        match self {
            Self::Block { body, .. } => block::take(text, tool, Some(body)).map_err(str::to_owned),
            Self::Member { path, value } => json::unset(text, path, value).map_err(str::to_owned),
            Self::Key { table, key, value } => toml::unset(text, table, key, value),
            Self::Line { syntax, section, key, value } => sections::unset(text, *syntax, section, key, value),
            Self::User { name, exec, whole } => kubeconfig::unset_user(text, name, exec, *whole),
            Self::Permit { program } => kuberc::disallow(text, program),
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
        matches!(self, Self::Block { .. }) || self.says().contains("hallpass")
    }

    /// What it has the file say.
    pub(super) fn says(&self) -> &str {
        match self {
            Self::Block { body, .. } => body,
            Self::Member { value, .. } | Self::Key { value, .. } | Self::Line { value, .. } => value,
            Self::User { exec, .. } => exec,
            Self::Permit { program } => program,
        }
    }
}

fn has_line(text: &str, begins: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(begins))
}

#[cfg(test)]
mod tests {
    use super::{Edit, Syntax};

    const EXEC: &str = "command: /opt/hallpass\nargs: [kubectl]\n";

    fn edits() -> Vec<Edit> {
        let key = |table: &[&str]| Edit::Key {
            table: table.iter().map(|name| (*name).to_owned()).collect(),
            key: "credential-provider".to_owned(),
            value: "[\"hallpass\"]".to_owned(),
        };
        let line = |syntax, section| Edit::line(syntax, section, "key", "two words");
        vec![
            Edit::block("ours\n", None),
            Edit::Member { path: vec!["a".to_owned(), "b".to_owned()], value: "1".to_owned() },
            key(&[]),
            key(&["registries", "corp"]),
            line(Syntax::Ini, "a"),
            line(Syntax::Plain, "a"),
            line(Syntax::Msmtp, "account a"),
            line(Syntax::Mbsync, "IMAPAccount a"),
            Edit::User { name: "me".to_owned(), exec: EXEC.to_owned(), whole: true },
            Edit::User { name: "me".to_owned(), exec: EXEC.to_owned(), whole: false },
            Edit::Permit { program: "/opt/hallpass".to_owned() },
        ]
    }

    /// Files of every kind, cut off and cut into at every letter: each is refused or understood, and what is put in stands
    /// there, comes out again, and takes no letter of the rest along.
    #[test]
    fn no_text_is_too_odd() {
        let texts = [
            "# é\n[registries]\ncorp = { index = \"ï\" } # c\n[a.'b']\nx = [1,\n 2]\n[registries.corp.z]\ny = \"\"\"\nq\"\"\"\n",
            "[registries.corp]\r\n\tindex = \"i\"\r\nother.key = 1\r\n\r\n[[x]]\r\n",
            "registries.corp.index = 'i'\n\u{feff}k: v\n",
            "{\"a\": {\"c\": [1, \"é\"]}, \"b\": {}}\n",
            "[a]\nx = 1\n  more\n\n; c\n[b]\naccount a\nhost h\n\nIMAPAccount a\nHost \"h\"\n",
            "account a : b\n\thost h # é\n\naccount c\nIMAPAccount a\n\tHost h",
            "kind: Config\nusers:\n- name: \"me\"\n  user:\n    as: 'it''s\n      long' # é\n- user: {}\n  name: x\nlist: [a, b]\n",
            "users:\n  -   name: me\n      user: {}\n  - name: b\n    user: |\n      text\n    z: ~\ncredentialPluginAllowlist: []\n",
            "users:\n- user:\n    exec:\n      command: /opt/hallpass\n      args:\n      - kubectl\n  name: me\ncredentialPluginAllowlist:\n- name: y",
        ];
        let mut understood = 0;
        for text in texts {
            for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
                let after = &text[(at + letter.len_utf8()).min(text.len())..];
                let head = &text[..at];
                for odd in [
                    head.to_owned(),
                    after.to_owned(),
                    format!("{head}{after}"),
                    format!("{head}\n{letter}{after}"),
                    format!("{head}: [{after}"),
                ] {
                    for edit in edits() {
                        let _ = edit.take(&odd, "git");
                        let Ok(put) = edit.put(&odd, "git") else { continue };
                        understood += 1;
                        assert!(edit.stands(&put, "git"), "{edit:?}\n{odd}\n--\n{put}");
                        let left =
                            edit.take(&put, "git").unwrap_or_else(|why| panic!("{why}: {edit:?}\n{odd}\n--\n{put}"));
                        assert!(!edit.stands(&left, "git"), "{edit:?}\n{odd}\n--\n{put}\n--\n{left}");
                    }
                }
            }
        }
        assert!(understood > 1000, "{understood}");
    }
}
