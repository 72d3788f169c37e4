//! `config.toml`: read strictly, written without losing a comment
//!
//! An unknown key, a wrong type or an unusable value is an error that names file, line and, where one is near, the
//! key that was probably meant.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::{Exit, Failure};
use toml_edit::{Document, Item, Table, Value};

use crate::account::{Account, Client, Flow, HandOut, Interactive, Spelling, StoreWish, is_name};
use crate::failure::fail;
use crate::paths::Paths;

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

/// More than a configuration ever has; a file that is larger is not one.
const MAX_BYTES: u64 = 8 << 20;

const TOP: &[&str] = &["default", "output", "keep", "account"];
const KEYS: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "client_id",
    "client_secret_file",
    "scope",
    "resource",
    "audience",
    "serves",
    "username",
    "hand_out",
    "authorization",
    "flow",
    "redirect_uri",
    "redirect_ports",
    "ca_file",
    "store",
    "leeway",
    "refresh_ahead",
    "timeout",
    "interactive",
];

impl Config {
    /// Reads the file; there need not be one.
    pub(crate) fn load(paths: &Paths) -> Result<Self> {
        Ok(match text(paths)? {
            Some(text) => Reader { paths, text: &text }.read()?,
            None if paths.named => {
                return Err(fail(Exit::Config, format!("there is no file `{}`", paths.config.display())));
            }
            None => Self::default(),
        })
    }

    /// The account and its client.
    pub(crate) fn account(&self, name: &str) -> Option<&(Account, Client)> {
        self.accounts.get(name)
    }
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

struct Reader<'a> {
    paths: &'a Paths,
    text: &'a str,
}

impl Reader<'_> {
    fn read(&self) -> Result<Config> {
        let document = Document::parse(self.text).map_err(|why| {
            let what = why.message().lines().next().unwrap_or("it is not TOML").to_owned();
            let at = why.span().and_then(|span| self.text.get(span)).unwrap_or_default().trim();
            let at = if at.is_empty() || at.contains('\n') { String::new() } else { format!(": `{}`", shown(at)) };
            self.error(why.span(), what + &at)
        })?;
        let mut config = Config::default();
        self.known(document.as_table(), TOP, "")?;
        for (key, item) in document.as_table().iter() {
            match key {
                "default" => config.default = Some(self.string(key, item)?),
                "output" => config.json = self.choice(key, item, &[("text", false), ("json", true)])?,
                "keep" => {
                    let words = [("sealed", Keep::Sealed), ("always", Keep::Always), ("never", Keep::Never)];
                    config.keep = self.choice(key, item, &words)?;
                }
                _ => config.accounts = self.accounts(item)?,
            }
        }
        if let Some(name) = config.default.as_deref().filter(|name| !config.accounts.contains_key(*name)) {
            let span = document.get("default").and_then(Item::span);
            return Err(self.error(span, format!("`default` names the account `{}`, which is not here", shown(name))));
        }
        Ok(config)
    }

    fn accounts(&self, item: &Item) -> Result<BTreeMap<String, (Account, Client)>> {
        let mut accounts = BTreeMap::new();
        let Some(tables) = item.as_table_like() else {
            return Err(self.error(item.span(), "accounts are tables: `[account.NAME]`"));
        };
        for (name, item) in tables.iter() {
            if !is_name(name) {
                let what = format!("`{}` is no account name: up to 64 of a-z, 0-9, `_` and `-`", shown(name));
                return Err(self.error(item.span(), what));
            }
            let Some(table) = item.as_table() else {
                return Err(self.error(item.span(), format!("`account.{name}` is no table: write `[account.{name}]`")));
            };
            accounts.insert(name.to_owned(), self.account(name, table)?);
        }
        self.no_shared_variable(&accounts, item)?;
        Ok(accounts)
    }

    fn account(&self, name: &str, table: &Table) -> Result<(Account, Client)> {
        self.known(table, KEYS, &format!(" of account `{name}`"))?;
        let mut account = Account {
            name: name.to_owned(),
            username: "oauth2".to_owned(),
            form: Spelling::Auto,
            hand_out: HandOut::Auto,
            leeway: 60,
            ahead: 20,
            store: StoreWish::Auto,
        };
        let mut client = Client { timeout: 300, ..Client::default() };
        for (key, item) in table.iter() {
            match key {
                "issuer" => client.issuer = Some(self.endpoint(key, item)?),
                "authorization_endpoint" => client.authorization_endpoint = Some(self.endpoint(key, item)?),
                "token_endpoint" => client.token_endpoint = Some(self.endpoint(key, item)?),
                "revocation_endpoint" => client.revocation_endpoint = Some(self.endpoint(key, item)?),
                "userinfo_endpoint" => client.userinfo_endpoint = Some(self.endpoint(key, item)?),
                "client_id" => client.client_id = Some(self.string(key, item)?),
                "client_secret_file" => client.client_secret_file = Some(self.file(key, item)?),
                "scope" => client.scope = self.strings(key, item)?,
                "resource" => client.resource = Some(self.string(key, item)?),
                "audience" => client.audience = Some(self.string(key, item)?),
                "serves" => client.serves = self.serves(key, item)?,
                "username" => {
                    account.username = self.string(key, item)?;
                    if account.username.is_empty() {
                        let what = "`username` is empty: git drops the token of a user without a name";
                        return Err(self.error(item.span(), what));
                    }
                }
                "hand_out" => {
                    let words = [("access_token", HandOut::AccessToken), ("id_token", HandOut::IdToken)];
                    account.hand_out = self.choice(key, item, &words)?;
                }
                "authorization" => {
                    let words = [("auto", Spelling::Auto), ("basic", Spelling::Basic), ("bearer", Spelling::Bearer)];
                    account.form = self.choice(key, item, &words)?;
                }
                "flow" => {
                    let words = [
                        ("auto", Flow::Auto),
                        ("browser", Flow::Browser),
                        ("paste", Flow::Paste),
                        ("token", Flow::Token),
                    ];
                    client.flow = self.choice(key, item, &words)?;
                }
                "redirect_uri" => client.redirect_uri = Some(self.redirect(key, item)?),
                "redirect_ports" => client.redirect_ports = self.ports(key, item)?,
                "ca_file" => client.ca_file = Some(self.file(key, item)?),
                "store" => {
                    let words =
                        [("auto", StoreWish::Auto), ("keychain", StoreWish::Keychain), ("file", StoreWish::File)];
                    account.store = self.choice(key, item, &words)?;
                }
                "leeway" => account.leeway = self.seconds(key, item)?,
                "timeout" => client.timeout = self.seconds(key, item)?.max(1),
                "refresh_ahead" => account.ahead = self.hundredths(key, item)?,
                _ => {
                    let words =
                        [("auto", Interactive::Auto), ("never", Interactive::Never), ("always", Interactive::Always)];
                    client.interactive = self.choice(key, item, &words)?;
                }
            }
        }
        Ok((account, client))
    }

    fn known(&self, table: &Table, keys: &[&str], of: &str) -> Result<()> {
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

    fn string(&self, key: &str, item: &Item) -> Result<String> {
        let text = item.as_str().ok_or_else(|| self.error(item.span(), format!("`{key}` is not a text in quotes")))?;
        if text.chars().any(char::is_control) {
            return Err(self.error(item.span(), format!("`{key}` has a control character in it")));
        }
        Ok(text.to_owned())
    }

    fn strings(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        let odd = || self.error(item.span(), format!("`{key}` is not a list of texts: `[\"a\", \"b\"]`"));
        let list = item.as_array().ok_or_else(odd)?;
        list.iter()
            .map(|value| {
                let text = value.as_str().filter(|text| !text.chars().any(char::is_control));
                text.map(str::to_owned).ok_or_else(odd)
            })
            .collect()
    }

    fn serves(&self, key: &str, item: &Item) -> Result<Vec<String>> {
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
    fn endpoint(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.string(key, item)?;
        match check_endpoint(&text) {
            Ok(()) => Ok(text),
            Err(why) if text.contains('@') => Err(self.error(item.span(), format!("`{key}` {why}"))),
            Err(why) => Err(self.error(item.span(), format!("`{key}` `{}` {why}", shown(&text)))),
        }
    }

    fn redirect(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.string(key, item)?;
        let url = url::Url::parse(&text).ok();
        let here =
            url.as_ref().filter(|url| url.scheme() == "http" && url.fragment().is_none()).and_then(url::Url::host_str);
        match here {
            Some("127.0.0.1" | "localhost" | "[::1]") => Ok(text),
            _ => {
                let what = format!("`{key}` is not on this machine: `http://127.0.0.1/callback` takes any free port");
                Err(self.error(item.span(), what))
            }
        }
    }

    fn ports(&self, key: &str, item: &Item) -> Result<Vec<u16>> {
        let odd = || self.error(item.span(), format!("`{key}` is not a list of ports: `[8765, 8766]`"));
        let port = |value: &Value| {
            value.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0).ok_or_else(odd)
        };
        item.as_array().ok_or_else(odd)?.iter().map(port).collect()
    }

    /// A file beside the configuration, unless the path is absolute.
    fn file(&self, key: &str, item: &Item) -> Result<std::path::PathBuf> {
        let text = self.string(key, item)?;
        let folder = self.paths.config.parent().unwrap_or(&self.paths.config);
        Ok(folder.join(text))
    }

    fn seconds(&self, key: &str, item: &Item) -> Result<u64> {
        let seconds = match item.as_integer() {
            Some(seconds) => u64::try_from(seconds).ok(),
            None => item.as_str().and_then(hallpass_protocol::seconds),
        };
        let a_year = 366 * 86_400;
        seconds
            .filter(|seconds| *seconds <= a_year)
            .ok_or_else(|| self.error(item.span(), format!("`{key}` is not a time such as \"60s\", \"5m\" or \"2h\"")))
    }

    fn hundredths(&self, key: &str, item: &Item) -> Result<u64> {
        let part = item.as_float().or_else(|| item.as_integer().map(|part| part as f64));
        match part {
            Some(part) if (0.0..=0.9).contains(&part) => Ok((part * 100.0).round() as u64),
            _ => Err(self.error(item.span(), format!("`{key}` is not a part of the token's life from 0 to 0.9"))),
        }
    }

    fn choice<T: Copy>(&self, key: &str, item: &Item, words: &[(&str, T)]) -> Result<T> {
        let found = item.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let list: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.error(item.span(), format!("`{key}` is none of {}", list.join(", ")))
        })
    }

    /// `HALLPASS_TOKEN_MY_APP` must not mean two accounts.
    fn no_shared_variable(&self, accounts: &BTreeMap<String, (Account, Client)>, item: &Item) -> Result<()> {
        let mut seen = BTreeMap::new();
        for name in accounts.keys() {
            if let Some(other) = seen.insert(token_variable(name), name) {
                let what = format!("accounts `{other}` and `{name}` share the variable `{}`", token_variable(name));
                return Err(self.error(item.span(), what));
            }
        }
        Ok(())
    }

    fn error(&self, span: Option<Range<usize>>, what: impl Into<String>) -> anyhow::Error {
        let before = span.map_or("", |span| self.text.get(..span.start).unwrap_or_default());
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Failure::new(Exit::Config, format!("{}: {}", self.paths.config_line(line), what.into())).into()
    }
}

/// Whether a URL may be sent a secret.
pub(crate) fn check_endpoint(text: &str) -> std::result::Result<(), &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user name, a password or a fragment in it");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if hallpass_protocol::place::is_loopback(host) => Ok(()),
        ("http", _) => Err("is http:// and not on this machine: use https://"),
        _ => Err("is not an https:// URL"),
    }
}

/// The variable that stands in for an account's session: `HALLPASS_TOKEN_MY_APP` for `my-app`.
pub(crate) fn token_variable(account: &str) -> String {
    let name =
        account.bytes().map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() as char } else { '_' });
    name.fold("HALLPASS_TOKEN_".to_owned(), |mut variable, letter| {
        variable.push(letter);
        variable
    })
}

/// Text from a file or the command line inside a message: no control characters, and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(80)
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect::<Vec<_>>() } else { vec![letter] })
        .collect();
    if text.chars().count() > 80 { clean + "…" } else { clean }
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
    use super::{Config, Paths, Reader, distance, token_variable};

    fn read(text: &str) -> Result<Config, String> {
        let paths = Paths { config: "c.toml".into(), named: false, data: "d".into() };
        Reader { paths: &paths, text }.read().map_err(|why| why.to_string())
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

    #[test]
    fn near_and_far() {
        assert_eq!(distance("isuer", "issuer"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(token_variable("my-app"), "HALLPASS_TOKEN_MY_APP");
    }
}
