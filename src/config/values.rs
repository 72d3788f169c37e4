//! Reads single values of `config.toml`, each error with its line

use std::ops::Range;

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::{Exit, Failure};
use toml_edit::{Item, Table, Value};

use crate::flow::OUT_OF_BAND;
use crate::http::{check_endpoint, check_issuer};
use crate::paths::Paths;
use crate::shown::shown;

/// The file that is being read.
pub(super) struct Values<'a> {
    pub(super) paths: &'a Paths,
    pub(super) text: &'a str,
}

impl Values<'_> {
    pub(super) fn known(&self, table: &Table, keys: &[&str], of: &str) -> Result<()> {
        for (key, item) in table.iter() {
            if keys.contains(&key) {
                continue;
            }
            let span = table.get_key_value(key).and_then(|(key, _)| key.span()).or_else(|| item.span());
            let nearest = keys.iter().min_by_key(|known| distance(key, known));
            let near = nearest.filter(|known| distance(key, known) <= 1 + known.len() / 3);
            let meant = near.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
            return Err(self.error(span, format!("unknown key `{}`{of}{meant}", shown(key))));
        }
        Ok(())
    }

    pub(super) fn string(&self, key: &str, item: &Item) -> Result<String> {
        let text = item.as_str().ok_or_else(|| self.error(item.span(), format!("`{key}` is not a text in quotes")))?;
        if text.chars().any(char::is_control) {
            return Err(self.error(item.span(), format!("`{key}` has a control character in it")));
        }
        Ok(text.to_owned())
    }

    pub(super) fn strings(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        let odd = || self.error(item.span(), format!("`{key}` is not a list of texts: `[\"a\", \"b\"]`"));
        let list = item.as_array().ok_or_else(odd)?;
        list.iter()
            .map(|value| {
                let text = value.as_str().filter(|text| !text.chars().any(char::is_control));
                text.map(str::to_owned).ok_or_else(odd)
            })
            .collect()
    }

    pub(super) fn yes(&self, key: &str, item: &Item) -> Result<bool> {
        item.as_bool().ok_or_else(|| self.error(item.span(), format!("`{key}` is neither true nor false")))
    }

    /// A text, or a list of them.
    pub(super) fn one_or_more(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        if item.is_array() { self.strings(key, item) } else { Ok(vec![self.string(key, item)?]) }
    }

    /// Absolute, and without a fragment (RFC 8707 2).
    pub(super) fn resources(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        let list = self.one_or_more(key, item)?;
        match list.iter().find(|text| !hallpass_protocol::is_resource(text)) {
            None => Ok(list),
            Some(odd) => {
                let what = format!(
                    "`{key}`: `{}` is no absolute URI without a fragment; for another name there is `audience`",
                    shown(odd)
                );
                Err(self.error(item.span(), what))
            }
        }
    }

    pub(super) fn serves(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        let list = self.strings(key, item)?;
        for entry in &list {
            if let Err(why) = Pattern::parse(entry) {
                let span = item.as_array().and_then(|list| list.iter().find(|value| value.as_str() == Some(entry)));
                let span = span.and_then(Value::span).or_else(|| item.span());
                return Err(self.error(span, format!("`{key}`: `{}` is no place: {why}", shown(entry))));
            }
        }
        Ok(list)
    }

    /// An `https` URL, or `http` on this machine: anything else would show tokens to the network.
    pub(super) fn endpoint(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.string(key, item)?;
        match if key == "issuer" { check_issuer(&text) } else { check_endpoint(&text) } {
            Ok(()) => Ok(text),
            Err(why) if text.contains('@') => Err(self.error(item.span(), format!("`{key}` {why}"))),
            Err(why) => Err(self.error(item.span(), format!("`{key}` `{}` {why}", shown(&text)))),
        }
    }

    /// The path of a mount or a namespace: words between slashes, which go into a URL or a header as they are.
    pub(super) fn path(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.string(key, item)?;
        let path = text.trim_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_word = |word: &str| !matches!(word, "" | "." | "..") && word.bytes().all(plain);
        match path.split('/').all(is_word) {
            true => Ok(path.to_owned()),
            false => Err(self
                .error(item.span(), format!("`{key}` `{}` is no path such as \"jwt\" or \"team/jwt\"", shown(&text)))),
        }
    }

    pub(super) fn redirect(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.string(key, item)?;
        if text == OUT_OF_BAND {
            return Ok(text);
        }
        let url = url::Url::parse(&text).ok();
        let here =
            url.as_ref().filter(|url| url.scheme() == "http" && url.fragment().is_none()).and_then(url::Url::host_str);
        match here {
            Some("127.0.0.1" | "localhost" | "[::1]") => Ok(text),
            _ if url.as_ref().is_some_and(|url| url.fragment().is_some()) => {
                Err(self.error(item.span(), format!("`{key}` has a fragment, which no redirect URI has")))
            }
            _ => {
                let what = format!("`{key}` is not on this machine: `http://127.0.0.1/callback` takes any free port");
                Err(self.error(item.span(), what))
            }
        }
    }

    pub(super) fn ports(&self, key: &str, item: &Item) -> Result<Vec<u16>> {
        let odd = || self.error(item.span(), format!("`{key}` is not a list of ports: `[8765, 8766]`"));
        let port = |value: &Value| {
            value.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0).ok_or_else(odd)
        };
        item.as_array().ok_or_else(odd)?.iter().map(port).collect()
    }

    /// A file beside the configuration, unless the path is absolute.
    pub(super) fn file(&self, key: &str, item: &Item) -> Result<std::path::PathBuf> {
        let text = self.string(key, item)?;
        let folder = self.paths.config.parent().unwrap_or(&self.paths.config);
        Ok(folder.join(text))
    }

    pub(super) fn seconds(&self, key: &str, item: &Item) -> Result<u64> {
        let seconds = match item.as_integer() {
            Some(seconds) => u64::try_from(seconds).ok(),
            None => item.as_str().and_then(hallpass_protocol::seconds),
        };
        let a_year = 366 * 86_400;
        seconds
            .filter(|seconds| *seconds <= a_year)
            .ok_or_else(|| self.error(item.span(), format!("`{key}` is not a time such as \"60s\", \"5m\" or \"2h\"")))
    }

    pub(super) fn hundredths(&self, key: &str, item: &Item) -> Result<u64> {
        let part = item.as_float().or_else(|| item.as_integer().map(|part| part as f64));
        match part {
            Some(part) if (0.0..=0.9).contains(&part) => Ok((part * 100.0).round() as u64),
            _ => Err(self.error(item.span(), format!("`{key}` is not a part of the token's life from 0 to 0.9"))),
        }
    }

    pub(super) fn choice<T: Copy>(&self, key: &str, item: &Item, words: &[(&str, T)]) -> Result<T> {
        let found = item.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let list: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.error(item.span(), format!("`{key}` is none of {}", list.join(", ")))
        })
    }

    pub(super) fn error(&self, span: Option<Range<usize>>, what: impl Into<String>) -> anyhow::Error {
        let before = span.map_or("", |span| self.text.get(..span.start).unwrap_or_default());
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Failure::new(Exit::Config, format!("{}: {}", self.paths.config_line(line), what.into())).into()
    }
}

/// Edit distance (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn near_and_far() {
        assert_eq!(distance("isuer", "issuer"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
