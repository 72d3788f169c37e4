//! The bare token on one line, for `$(hallpass get)`
//!
//! ```text
//! argv   hallpass get [ACCOUNT|URL] [--min-ttl 10m]     stdout TOKEN
//!                     [--audience NAME] [--resource URI] [--scope SCOPE]...         a narrower one
//! argv   hallpass header [ACCOUNT|URL]                  stdout Authorization: Bearer TOKEN
//!                                                              X-Tenant: acme          where the account has one
//! argv   hallpass header URL --method GET               stdout Authorization: DPoP TOKEN       where it is bound to a key
//!                            [--dpop-nonce NONCE]              DPoP: PROOF
//! ```
//!
//! stdin is never read: a script that is piped into a shell must survive `$(hallpass get)`. One line and nothing
//! else, for `cargo:token-from-stdout` refuses a second and msmtp drops it. That one names its registry as cargo 1.95 does:
//! `hallpass get {index_url}` is run with `sparse+https://crates.example/`. `get --json` answers as [`crate::json`].

use std::collections::BTreeSet;

use crate::json;
use crate::place::Place;
use crate::talk::{Call, Credential, Exit, Failure, Kind, Protocol, Reply, Request, ShownWith, Step, Target, Verb};

/// The token, or the whole header line (for `curl -H @-`).
#[derive(Debug)]
pub(crate) struct Plain;

impl Protocol for Plain {
    fn names(&self) -> &'static [&'static str] {
        &["get", "header"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match Words::read(call.args) {
            Ok(words) => {
                let target = match words.what {
                    None => Target::Default,
                    Some(what) => match target(what) {
                        Ok(target) => target,
                        Err(failure) => return Step::fail(failure),
                    },
                };
                Step::ask(Request {
                    min_life: words.min_life,
                    audience: words.audience.map(str::to_owned),
                    resource: words.resource.map(str::to_owned),
                    shown_with: words.shown_with(),
                    scope: scopes(words.scope.iter().copied()),
                    ..Request::new(Verb::Get, target)
                })
            }
            Err(failure) => Step::fail(failure),
        }
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        if Words::read(call.args).is_ok_and(|words| words.json) {
            return json::answer(request, reply);
        }
        let credential = match reply {
            Reply::Pass(credential) => credential,
            Reply::Kept(kept) if call.name == "get" && kept.secret.is_one_line() => {
                return Step::answer(format!("{}\n", kept.secret.expose()));
            }
            other => return Step::fail(other.failure(request)),
        };
        let account = &credential.account;
        if !credential.secret.is_one_line() {
            let what = format!("account `{account}`: the token has a line break in it");
            return Step::fail(Failure::new(Exit::Refused, what));
        }
        match call.name {
            "header" => header(credential),
            _ if credential.kind == Kind::Dpop => {
                let what = format!("account `{account}`: its token is bound to a key, and good only beside a proof");
                Step::fail(Failure::new(Exit::Refused, what).hint("`hallpass header URL --method GET`"))
            }
            _ => Step::answer(format!("{}\n", credential.secret.expose())),
        }
    }
}

fn header(credential: &Credential) -> Step {
    match credential.kind {
        Kind::Dpop => {
            let mut lines = format!("Authorization: DPoP {}\n", credential.secret.expose());
            for (name, value) in &credential.headers {
                lines += &format!("{name}: {value}\n");
            }
            Step::answer(lines)
        }
        Kind::Bearer => {
            let authorization = match credential.authorization() {
                Ok(value) => value,
                Err(failure) => return Step::fail(failure),
            };
            let mut lines = format!("Authorization: {}\n", authorization.expose());
            for (name, value) in &credential.headers {
                lines += &format!("{name}: {value}\n");
            }
            Step::answer(lines)
        }
        Kind::IdToken | Kind::Aws => {
            let what = format!("account `{}`: only an access token belongs in a header", credential.account);
            Step::fail(Failure::new(Exit::Refused, what))
        }
    }
}

/// An account by name or a place by URL, as a person types it, or cargo (`sparse+https://...`).
///
/// # Errors
/// Text with `://` that is no usable URL.
pub fn target(text: &str) -> Result<Target, Failure> {
    if !text.contains("://") {
        return Ok(Target::Account(text.to_owned()));
    }
    let place =
        Place::from_url(text.strip_prefix("sparse+").or_else(|| text.strip_prefix("registry+")).unwrap_or(text));
    place.map(Target::Place).map_err(|why| Failure::new(Exit::Usage, format!("that URL is not usable: {why}")))
}

/// Whether a text can name a resource (RFC 8707 2): an absolute URI without a fragment.
#[must_use]
pub fn is_resource(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(plain)
        && !rest.is_empty()
        && rest.chars().all(|letter| letter.is_ascii_graphic() && letter != '#')
}

/// Scopes as a request has them: one space between, in alphabetical order, each once.
pub(crate) fn scopes<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let words: BTreeSet<&str> = words.flat_map(|word| word.split(' ')).filter(|word| !word.is_empty()).collect();
    // RFC 6749 3.3
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    (!words.is_empty() && words.iter().all(plain)).then(|| words.into_iter().collect::<Vec<_>>().join(" "))
}

#[derive(Default)]
struct Words<'a> {
    what: Option<&'a str>,
    json: bool,
    min_life: Option<u64>,
    audience: Option<&'a str>,
    resource: Option<&'a str>,
    scope: Vec<&'a str>,
    method: Option<&'a str>,
    nonce: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn shown_with(&self) -> Option<ShownWith> {
        let nonce = self.nonce.map(str::to_owned);
        Some(ShownWith { method: self.method?.to_owned(), url: self.what?.to_owned(), nonce })
    }

    fn read(args: &'a [String]) -> Result<Self, Failure> {
        let usage = |what: String| {
            Failure::new(Exit::Usage, what).hint(
                "usage: `hallpass get [ACCOUNT|URL] [--json] [--min-ttl 10m] [--audience NAME] [--resource URI] \
                 [--scope SCOPE]...`",
            )
        };
        let mut words = Self::default();
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (arg, None),
            };
            let mut value = |what: &str| {
                let value = inline.or_else(|| args.next()).filter(|value| !value.is_empty());
                value.ok_or_else(|| usage(format!("`{name}` needs {what}")))
            };
            match name {
                "--json" if inline.is_none() => words.json = true,
                "--min-ttl" => {
                    let value = value("a time, as in 10m")?;
                    words.min_life = Some(seconds(value).ok_or_else(|| usage("`--min-ttl` is not a time".into()))?);
                }
                "--audience" => words.audience = Some(value("a name")?),
                "--resource" => {
                    let value = value("a URI")?;
                    if !is_resource(value) {
                        return Err(usage("`--resource` is no absolute URI without a fragment".into()));
                    }
                    words.resource = Some(value);
                }
                "--method" => words.method = Some(value("a method, as in GET")?),
                "--dpop-nonce" => words.nonce = Some(value("what the server gave")?),
                "--scope" => words.scope.push(value("a scope")?),
                _ if arg.starts_with('-') => return Err(usage("there is an option that `get` does not know".into())),
                _ if words.what.is_some() => return Err(usage("only one account or URL can be named".into())),
                _ => words.what = Some(arg),
            }
        }
        if !words.scope.is_empty() && scopes(words.scope.iter().copied()).is_none() {
            return Err(usage("`--scope` has a character in it that no scope has".into()));
        }
        Ok(words)
    }
}

/// `90`, `90s`, `10m`, `2h`, `1d` in seconds.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::{Plain, seconds};
    use crate::talk::{Call, Exit, Protocol, Target, Then};

    fn start(args: &[&str]) -> Then {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Plain.start(&Call { name: "get", args: &args, env: &|_| None, now: 0 }).then
    }

    #[test]
    fn what_is_asked_for() {
        let target = |args: &[&str]| match start(args) {
            Then::Ask(request) => Some(request.target),
            _ => None,
        };
        assert_eq!(target(&[]), Some(Target::Default));
        assert_eq!(target(&["work"]), Some(Target::Account("work".into())));
        for url in ["https://h.example/x", "sparse+https://h.example/x", "registry+https://h.example/x"] {
            assert!(matches!(target(&[url]), Some(Target::Place(place)) if place.scheme == "https"), "{url}");
        }
        for odd in [&["--frobnicate"][..], &["a", "b"], &["--min-ttl"], &["--min-ttl", "x"], &["https://a@b/"]] {
            assert!(matches!(start(odd), Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
    }

    #[test]
    fn times() {
        for (text, value) in
            [("90", Some(90)), ("10m", Some(600)), ("2h", Some(7200)), ("", None), ("m", None), ("-1", None)]
        {
            assert_eq!(seconds(text), value, "{text}");
        }
    }
}
