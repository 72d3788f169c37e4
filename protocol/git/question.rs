//! What git writes to a helper

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{Kept, Refused, Request, Target, Verb};

/// The most bytes of one line: what git documents for helpers, newline included.
const MAX_LINE: usize = 65_535;

/// The prefix of our `state[]` lines (git hands those of other helpers to us too), and of those that name a token.
const STATE: &str = "hallpass:";
pub(super) const STATE_ID: &str = "hallpass:1:";

/// A question as git wrote it.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    protocol: Option<&'a str>,
    host: Option<&'a str>,
    path: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<&'a str>,
    authtype: Option<&'a str>,
    credential: Option<&'a str>,
    expiry: Option<u64>,
    refresh_token: Option<&'a str>,
    ephemeral: bool,
    capabilities: Vec<&'a str>,
    challenge: Vec<&'a str>,
    state: Vec<&'a str>,
}

impl<'a> Question<'a> {
    /// Reads up to the first blank line. Unknown keys are skipped, the last duplicate wins, an empty list value
    /// clears the list, and a line without `=` is skipped: all as git does or documents.
    pub(super) fn read(input: &'a str) -> Result<Self, &'static str> {
        let mut question = Self::default();
        for line in input.split('\n') {
            if line.len() >= MAX_LINE {
                return Err("a line is longer than 65,535 bytes");
            }
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                break;
            }
            // To the end in any case, which is many bytes at a time.
            if line.bytes().fold(false, |found, byte| found | matches!(byte, b'\r' | 0)) {
                return Err("a value has a carriage return or a NUL in it");
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            match key {
                "protocol" => question.protocol = Some(value),
                "host" => question.host = Some(value),
                "path" => question.path = Some(value),
                "username" => question.username = Some(value),
                "password" => question.password = Some(value),
                "authtype" => question.authtype = Some(value),
                "credential" => question.credential = Some(value),
                "password_expiry_utc" => question.expiry = value.parse().ok().filter(|expiry| *expiry > 0),
                "oauth_refresh_token" => question.refresh_token = Some(value),
                "ephemeral" => question.ephemeral = matches!(value, "1" | "true" | "yes" | "on"),
                "capability[]" => push(&mut question.capabilities, value),
                "wwwauth[]" => push(&mut question.challenge, value),
                "state[]" => push(&mut question.state, value),
                "url" => question.url(value)?,
                _ => {}
            }
        }
        Ok(question)
    }

    /// All of the place as one URL. git takes it apart before it asks a helper; other callers do not.
    fn url(&mut self, url: &'a str) -> Result<(), &'static str> {
        let (protocol, rest) = url.split_once("://").ok_or("`url=` is not a URL")?;
        // Taken as it stands: an escape could hide a line break, and git's own hosts have none.
        if rest.contains(['%', '\\', '#', '?']) {
            return Err("`url=` has an escape, a query or a backslash in it");
        }
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if user.is_some_and(|user| user.contains('@')) {
            return Err("`url=` has more than one `@` in it");
        }
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((username, "")) => (Some(username), None),
            Some((username, password)) => (Some(username), Some(password)),
            None => (None, None),
        };
        (self.protocol, self.host, self.path) = (Some(protocol), Some(host), path);
        (self.username, self.password) = (username.or(self.username), password.or(self.password));
        Ok(())
    }

    pub(super) fn request(&self, verb: &str) -> Option<Request> {
        let (scheme, host) = (self.protocol?, self.host?);
        if host.is_empty() || scheme == "cert" {
            return None;
        }
        let place = Place::from_parts(scheme, host, self.path).ok()?;
        let secret = self.credential.or(self.password).map(Secret::new);
        let verb = match verb {
            "get" => Verb::Get,
            "store" => Verb::Store(Box::new(Kept {
                username: self.username.map(str::to_owned),
                secret: secret?,
                authtype: self.credential.and(self.authtype).map(str::to_owned),
                expires_at: self.expiry,
                refresh_token: self.refresh_token.map(Secret::new),
                ephemeral: self.ephemeral,
            })),
            "erase" => Verb::Erase(secret),
            _ => return None,
        };
        let owned = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect();
        Some(Request {
            username: self.username.map(str::to_owned),
            refused: self.refused(),
            challenge: owned(&self.challenge),
            capabilities: owned(&self.capabilities),
            ..Request::new(verb, Target::Place(place))
        })
    }

    /// The second round of one git command: our state comes back, or, at a POST after a GET that worked, only
    /// the `authtype` of our first answer.
    fn refused(&self) -> Option<Refused> {
        let ours = self.state.iter().find(|state| state.starts_with(STATE));
        match ours.map(|state| state.strip_prefix(STATE_ID)) {
            Some(Some(id)) => Some(Refused::Id(id.to_owned())),
            Some(None) => Some(Refused::Last),
            None => self.authtype.map(|_| Refused::Last),
        }
    }
}

fn push<'a>(list: &mut Vec<&'a str>, value: &'a str) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value);
    }
}
