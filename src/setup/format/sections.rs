//! Files of lines in sections (INI, and what mail programs make of it): a line put in or taken out
//!
//! ```text
//! Ini, Plain   [name]            key = value     (Ini: a line further in goes on with the one before)
//! Msmtp        account name      key value       until the next account
//! Mbsync       IMAPAccount name  Key value       until an empty line
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::insert::{cut, insert};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::setup) enum Syntax {
    /// As Python's configparser reads it: pip, AWS.
    Ini,
    /// Without lines that go on: rclone.
    Plain,
    Msmtp,
    Mbsync,
}

#[derive(Debug)]
pub(in crate::setup) struct Section {
    /// The words of its header, `account work`, or what stands between the brackets.
    pub(in crate::setup) name: String,
    entries: Vec<Entry>,
    /// Where its next line goes.
    end: usize,
    /// What its lines begin with.
    indent: String,
}

#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    lines: Range<usize>,
}

impl Section {
    pub(in crate::setup) fn get(&self, key: &str) -> Option<&str> {
        let key = normal(key);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

pub(in crate::setup) fn read(text: &str, syntax: Syntax) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open = false;
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let lines = start..start + line.len();
        start = lines.end;
        let bare = line.trim_start_matches('\u{feff}').trim();
        if bare.is_empty() {
            open &= syntax != Syntax::Mbsync;
            continue;
        }
        if syntax.is_comment(bare) {
            continue;
        }
        let odd = || format!("line {} is not understood", number + 1);
        if let Some(name) = syntax.header(bare).map_err(|()| odd())? {
            sections.push(Section { name, entries: Vec::new(), end: lines.end, indent: String::new() });
            open = true;
            continue;
        }
        let Some(section) = sections.last_mut().filter(|_| open) else {
            match syntax {
                Syntax::Ini | Syntax::Plain => return Err(odd()), // it stands in no section
                Syntax::Msmtp | Syntax::Mbsync => continue,
            }
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        section.end = lines.end;
        if syntax == Syntax::Ini
            && !indent.is_empty()
            && let Some(last) = section.entries.last_mut()
        {
            last.lines.end = lines.end;
            last.value = format!("{}\n{bare}", last.value);
            continue;
        }
        let (key, value) = syntax.entry(bare).ok_or_else(odd)?;
        section.indent = indent.to_owned();
        section.entries.push(Entry { key, value, lines });
    }
    Ok(sections)
}

/// The text with this line in this section. A section that is missing is made, where it can be told what begins it.
pub(in crate::setup) fn set(text: &str, syntax: Syntax, name: &str, key: &str, value: &str) -> Result<String, String> {
    let sections = read(text, syntax)?;
    let mut found = sections.iter().filter(|section| section.name == name);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!("it has `{name}` twice")),
        (Some(section), None) => match section.get(key) {
            Some(there) if there == value => Ok(text.to_owned()),
            Some(_) => Err(format!("`{name}` has `{key}` already, with something else")),
            None => Ok(insert(text, section.end, &format!("{}{}\n", section.indent, syntax.line(key, value)))),
        },
        (None, _) if matches!(syntax, Syntax::Ini | Syntax::Plain) => {
            let gap = if text.trim().is_empty() { "" } else { "\n" };
            Ok(insert(text, text.len(), &format!("{gap}[{name}]\n{}\n", syntax.line(key, value))))
        }
        (None, _) => Err(format!("it has no `{name}`")),
    }
}

/// The text without this line, if it still says so.
pub(in crate::setup) fn unset(
    text: &str,
    syntax: Syntax,
    name: &str,
    key: &str,
    value: &str,
) -> Result<String, String> {
    let sections = read(text, syntax)?;
    let mut entries = sections.iter().filter(|section| section.name == name).flat_map(|section| &section.entries);
    let ours = entries.find(|entry| entry.key == normal(key) && entry.value == value);
    Ok(ours.map_or_else(|| text.to_owned(), |entry| cut(text, entry.lines.clone())))
}

impl Syntax {
    fn is_comment(self, line: &str) -> bool {
        line.starts_with('#') || (matches!(self, Self::Ini | Self::Plain) && line.starts_with(';'))
    }

    /// The name of the section that a line begins; an error where it only begins to.
    fn header(self, line: &str) -> Result<Option<String>, ()> {
        match self {
            Self::Ini | Self::Plain => match line.strip_prefix('[') {
                Some(rest) => rest.split_once(']').map(|(name, _)| Some(words(name))).ok_or(()),
                None => Ok(None),
            },
            Self::Msmtp => {
                let begins = matches!(line.split_whitespace().next(), Some("account" | "defaults"));
                let name = line.split(':').next().unwrap_or_default();
                Ok(begins.then(|| words(name)))
            }
            Self::Mbsync => {
                let first = line.split_whitespace().next().unwrap_or_default();
                Ok(first.eq_ignore_ascii_case("IMAPAccount").then(|| words(line)))
            }
        }
    }

    fn entry(self, line: &str) -> Option<(String, String)> {
        let (key, value) = match self {
            Self::Ini | Self::Plain => line.split_once(['=', ':'])?,
            Self::Msmtp | Self::Mbsync => line.split_once(char::is_whitespace).unwrap_or((line, "")),
        };
        let value = value.trim();
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let inner = inner.filter(|_| matches!(self, Self::Msmtp | Self::Mbsync));
        Some((normal(key.trim()), inner.unwrap_or(value).to_owned()))
    }

    fn line(self, key: &str, value: &str) -> String {
        match self {
            Self::Ini | Self::Plain => format!("{key} = {value}"),
            Self::Msmtp | Self::Mbsync if value.contains(' ') => format!("{key} \"{value}\""),
            Self::Msmtp | Self::Mbsync => format!("{key} {value}"),
        }
    }
}

/// pip reads `keyring_provider` as `keyring-provider`, mbsync any case; none of them means something else by it.
fn normal(key: &str) -> String {
    key.to_ascii_lowercase().replace('_', "-")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::{Syntax, read, set, unset};

    #[test]
    fn a_line_comes_and_goes() {
        for (syntax, name, before, after) in [
            (Syntax::Ini, "global", "", "[global]\nkey = v w\n"),
            (Syntax::Ini, "global", "[global]\n", "[global]\nkey = v w\n"),
            (Syntax::Ini, "global", "# c\n[a]\nx=1", "# c\n[a]\nx=1\n\n[global]\nkey = v w\n"),
            (
                Syntax::Ini,
                "a",
                "[a]\r\nx = 1\r\n  more\r\n; c\r\n\r\n[b]\r\n",
                "[a]\r\nx = 1\r\n  more\r\nkey = v w\r\n; c\r\n\r\n[b]\r\n",
            ),
            (Syntax::Plain, "a", "[ a ]\n  x = 1\n[b]\ny: 2\n", "[ a ]\n  x = 1\n  key = v w\n[b]\ny: 2\n"),
            (
                Syntax::Msmtp,
                "account a",
                "defaults\ntls on\naccount a : b\n\thost h\n\naccount c\n",
                "defaults\ntls on\naccount a : b\n\thost h\n\tkey \"v w\"\n\naccount c\n",
            ),
            (
                Syntax::Mbsync,
                "IMAPAccount a",
                "Sync All\n\nIMAPAccount a\nHost h\n\nHost i\n",
                "Sync All\n\nIMAPAccount a\nHost h\nkey \"v w\"\n\nHost i\n",
            ),
        ] {
            let wired = set(before, syntax, name, "key", "v w").expect(before);
            assert_eq!(wired, after);
            assert_eq!(set(&wired, syntax, name, "key", "v w").as_deref(), Ok(after), "twice is once");
            assert!(set(&wired, syntax, name, "key", "other").is_err());
            assert_eq!(unset(&wired, syntax, name, "key", "other").as_deref(), Ok(after), "not ours any more");
            let left = unset(&wired, syntax, name, "key", "v w").expect(&wired);
            assert!(left.starts_with(before.trim_end()) && !left.contains("key"), "{left:?}");
        }
    }

    #[test]
    fn what_is_odd_is_left_alone() {
        for odd in ["[a\n", "x = 1\n", "[a]\nx\n", "[a]\n[a]\n"] {
            assert!(set(odd, Syntax::Ini, "a", "key", "v").is_err(), "{odd}");
        }
        assert!(set("account b\n", Syntax::Msmtp, "account a", "key", "v").is_err());
        let section = read("[a]\nx = 1\n", Syntax::Ini).expect("a section").remove(0);
        assert_eq!((section.get("x"), section.get("y")), (Some("1"), None));
    }
}
