//! Links to other platforms, kept by a provider's backend
//!
//! ```text
//!   start    we say where the browser is to come back to; the backend mints the authorize URL
//!   browser  the person agrees on the platform's page, and comes back with code and state
//!   finish   we relay both; the backend, which has the PKCE verifier, trades the code and keeps the tokens
//! ```
//!
//! Nothing of a link is written here: not a record, not a mark.

mod backend;
mod holder;
mod link;
mod shape;

use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde_json::{Value, json};

use crate::account::Client;
use crate::config;
use crate::failure::{fail, fail_hint};
use crate::http::check_endpoint;
use crate::hyperlink;
use crate::login::browser::Opening;
use crate::login::listener::{Callback, Listener};
use crate::login::pages::Page;
use crate::paths::Paths;
use crate::provider::Connect;
use crate::shown::{printable, shown};
use crate::signals::Held;
use crate::terminal::say;
use crate::whereabouts::tunnel;
use backend::Backend;
pub(crate) use link::{Link, Links, Platform};
use shape::{check_word, page};

/// Which backend, and with what key, where the person said so.
#[derive(Debug, Default)]
pub(crate) struct Whom<'a> {
    /// An account of the provider.
    pub(crate) account: Option<&'a str>,
    pub(crate) backend_url: Option<&'a str>,
    pub(crate) key: Option<Secret>,
}

/// How to link.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) port: Option<u16>,
    /// Whether to open a browser; if not, the page's address is the one line on stdout.
    pub(crate) open: bool,
    /// Seconds.
    pub(crate) timeout: Option<u64>,
    /// Writes the page's address where it was asked for.
    pub(crate) url_to: fn(&str) -> Result<()>,
}

/// A backend, and those who know it.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    row: Connect,
    backend: Backend,
}

/// What the backend answered to a start.
struct Started {
    url: String,
    state: Secret,
    /// Seconds.
    life: Option<u64>,
}

impl Connection {
    /// Finds the backend and the key for it; asks nobody yet.
    pub(crate) fn find(paths: &Paths, whom: &Whom<'_>) -> Result<Self> {
        let (client, row) = keeper(paths, whom.account)?;
        let backend = Backend::find(paths, &client, &row, whom.backend_url, whom.key.clone())?;
        Ok(Self { client, row, backend })
    }

    /// The variable that a key is better in than on the command line.
    pub(crate) fn key_variable(&self) -> &str {
        &self.row.api_key_env
    }

    /// Links an account of a platform.
    pub(crate) fn link(&self, platform: &str, wishes: &Wishes) -> Result<Link> {
        check_word(platform, "platform")?;
        let mut listener = self.listen(wishes.port)?;
        let started = self.start(platform, &listener.redirect_uri())?;
        let seconds = wishes.timeout.unwrap_or(self.client.timeout);
        let seconds = started.life.map_or(seconds, |life| life.min(seconds));
        self.show(platform, &started.url, &listener.redirect_uri(), seconds, wishes)?;
        let Some(callback) = wait(&mut listener, &started, seconds, wishes.open, self.client.browser.as_deref())?
        else {
            let what = format!("auth.timeout: `{platform}` was not linked within {seconds} s");
            return Err(fail_hint(Exit::Denied, what, format!("`hallpass connect {platform}` starts anew")));
        };
        drop(listener);
        let held = Held::begin(); // the backend may have the code by now: its answer is worth the wait
        let link = self.finish(platform, &started.state, &callback);
        callback.finish(if link.is_ok() { Page::Linked } else { Page::NotLinked });
        held.end();
        link
    }

    /// The port of the account, else of the provider, unless the person named one.
    fn listen(&self, port: Option<u16>) -> Result<Listener> {
        let url = url::Url::parse(&self.row.redirect_uri)
            .map_err(|_| fail(Exit::Bug, "the provider row's `redirect_uri` is not a URL"))?;
        let ports = match (port, self.client.redirect_ports.as_slice()) {
            (Some(port), _) => vec![port],
            (None, []) => self.row.redirect_ports.clone(),
            (None, ports) => ports.to_vec(),
        };
        Listener::on(&url, &ports).ok_or_else(|| {
            let taken = ports.iter().map(|port| match holder::of(*port) {
                Some((pid, command)) => format!("{port} is taken by `{command}` (process {pid})"),
                None => format!("{port} is taken"),
            });
            let what = format!("no callback port available: {}", taken.collect::<Vec<_>>().join(", "));
            fail_hint(Exit::Denied, what, "end that program, or choose another port: `--port PORT`")
        })
    }

    fn start(&self, platform: &str, redirect_uri: &str) -> Result<Started> {
        let body = json!({ self.row.field("redirect_uri"): redirect_uri });
        let said = self.backend.ask("start", platform, Some(&body), &[])?;
        if said.status == 404 {
            return Err(self.unknown(platform));
        }
        let Some(answer) = said.json() else {
            let what = format!("{} cannot link `{platform}`: {}", self.backend.name(), said.words());
            let hint = format!("its OAuth client is configured in {}", self.row.clients_page);
            return Err(fail_hint(Exit::Config, what, hint));
        };
        let odd = |why: &str| fail(Exit::Refused, format!("{}: the page it names {why}", self.backend.name()));
        let text = link::text(answer, self.row.field("authorize_url")).unwrap_or_default();
        let url = page(&text).map_err(odd)?;
        let one = |name: &str| {
            let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            found.next().filter(|value| !value.is_empty() && found.next().is_none())
        };
        let state = one("state").ok_or_else(|| odd("has no state in it, or several"))?;
        let elsewhere = |uri: &String| uri != redirect_uri && check_endpoint(uri).is_ok() && uri.starts_with("http://");
        if let Some(uri) = one("redirect_uri").filter(elsewhere) {
            let why = format!("comes back to {} and not to {redirect_uri}", printable(&uri));
            return Err(odd(&why));
        }
        let life = link::at(answer, self.row.field("expires_in")).and_then(Value::as_u64).filter(|life| *life > 0);
        Ok(Started { url: text, state: Secret::new(state), life })
    }

    fn unknown(&self, platform: &str) -> anyhow::Error {
        let known = self.platforms().unwrap_or_default();
        let list: Vec<_> = known.iter().map(|platform| platform.name.as_str()).collect();
        let hint = match list.as_slice() {
            [] => "`hallpass connect --list` shows what can be linked".to_owned(),
            list => format!("there are {}", list.join(", ")),
        };
        fail_hint(Exit::Missing, format!("{} has no platform `{platform}`", self.backend.name()), hint)
    }

    fn show(&self, platform: &str, url: &str, redirect_uri: &str, seconds: u64, wishes: &Wishes) -> Result<()> {
        if wishes.open {
            say(&format!("link `{platform}` in the browser; if none opens, go to"));
            hyperlink::show(url);
            return Ok(());
        }
        (wishes.url_to)(url)?;
        say(&format!("open this page and agree; waiting {seconds} s for it at {redirect_uri}"));
        if let Some(port) = url::Url::parse(redirect_uri).ok().and_then(|url| url.port()) {
            let tunnel = tunnel(&port.to_string());
            say(&format!("hint: if the browser is on another machine, run there first: `{tunnel}`"));
        }
        Ok(())
    }

    /// Relays what the browser brought.
    fn finish(&self, platform: &str, state: &Secret, callback: &Callback) -> Result<Link> {
        let again = format!("`hallpass connect {platform}` starts anew");
        let code = match &callback.answer.outcome {
            Ok(code) => code,
            Err(why) => {
                return Err(fail_hint(Exit::Denied, format!("`{platform}` was not linked: {why}"), again));
            }
        };
        let field = |name| self.row.field(name);
        let mut body = json!({ field("code"): code.expose(), field("state"): state.expose() });
        if let Some(iss) = &callback.answer.iss {
            body[field("iss")] = iss.as_str().into();
        }
        let said = self.backend.ask("finish", platform, Some(&body), &[code, state])?;
        match said.json() {
            Some(answer) => Ok(Link::of(&self.row, answer, Some(platform))),
            None if said.is_good() => {
                let what = format!("{} answered what cannot be read", self.backend.name());
                Err(fail_hint(Exit::Network, what, "`hallpass connect --list` shows whether it is linked"))
            }
            None => {
                let what = format!("`{platform}` was not linked: {}", said.words());
                Err(fail_hint(Exit::Denied, what, again))
            }
        }
    }

    /// What can be linked, and what is.
    pub(crate) fn list(&self) -> Result<Links> {
        let platforms = self.platforms()?;
        let said = self.backend.ask("links", "", None, &[])?;
        let answer = said.json().ok_or_else(|| self.backend.odd(&said))?;
        let links = link::items(answer, self.row.field("links"));
        Ok(Links { platforms, links: links.iter().map(|link| Link::of(&self.row, link, None)).collect() })
    }

    fn platforms(&self) -> Result<Vec<Platform>> {
        let said = self.backend.ask("platforms", "", None, &[])?;
        if said.status == 404 {
            return Ok(Vec::new()); // a backend may not tell
        }
        let answer = said.json().ok_or_else(|| self.backend.odd(&said))?;
        let platforms = link::items(answer, self.row.field("platforms"));
        Ok(platforms.iter().filter_map(|platform| Platform::of(&self.row, platform)).collect())
    }

    /// Revokes a link; false if it was gone already.
    pub(crate) fn revoke(&self, id: &str) -> Result<bool> {
        check_word(id, "link")?;
        let said = self.backend.ask("revoke", id, None, &[])?;
        match said.status {
            404 | 410 => Ok(false),
            _ if said.is_good() => Ok(true),
            _ => Err(self.backend.odd(&said)),
        }
    }
}

/// The account whose provider has a backend that keeps links: the one named, else the default one, else any.
fn keeper(paths: &Paths, named: Option<&str>) -> Result<(Client, Connect)> {
    let mut config = config::load(paths)?;
    let keeps = |name: &str| config.account(name)?.1.provider.as_ref()?.connect.clone();
    let names = config.accounts.iter().filter(|(_, (_, client))| !client.built_in).chain(config.accounts.iter());
    let chosen = match named {
        Some(name) => Some(name.to_owned()),
        None => {
            let default = config.default_account().filter(|name| keeps(name).is_some());
            default
                .or_else(|| names.map(|(name, _)| name.as_str()).find(|name| keeps(name).is_some()))
                .map(str::to_owned)
        }
    };
    let name = chosen.ok_or_else(|| fail(Exit::Missing, "no provider has a backend that keeps links"))?;
    let row = keeps(&name);
    match (row, config.accounts.remove(&name)) {
        (Some(row), Some((_, client))) => Ok((client, row)),
        (_, found) => {
            let what = match found {
                Some(_) => format!("the provider of account `{name}` keeps no links"),
                None => format!("there is no account `{}`", shown(&name)),
            };
            Err(fail_hint(Exit::Missing, what, "`hallpass connect PLATFORM --account NAME` names one that does"))
        }
    }
}

/// Waits for the browser; `None` when the time is over.
fn wait(
    listener: &mut Listener,
    started: &Started,
    seconds: u64,
    open: bool,
    own: Option<&[String]>,
) -> Result<Option<Callback>> {
    let mut opening = Opening::begin(&started.url, open, own, "open the page above by hand");
    let held = Held::begin();
    let until = Instant::now() + Duration::from_secs(seconds);
    let answered = listener.wait(&started.state, until, || {
        if held.came() {
            say("cancelled");
            return Err(fail(Exit::Int, "cancelled"));
        }
        if let Some(words) = opening.look() {
            say(&words);
        }
        Ok(())
    });
    held.end(); // a Ctrl-C ends us here
    answered
}
