//! The token that is shown in place of a person, from wherever the configuration says

use std::io::Read;

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use hallpass_protocol::time::rfc3339;

use super::attempt::Attempt;
use super::machine::MAX_TOKEN;
use super::{command, identity};
use crate::claims;
use crate::clock::now;
use crate::failure::{fail, fail_hint};
use crate::oauth::{ACCESS_TOKEN, JWT};
use crate::paths::set;
use crate::shown::shown;
use crate::workload::{Named, Source};

/// A token, what kind it is (RFC 8693 3), and where it was had, in words.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) secret: Secret,
    pub(super) from: String,
    kind: String,
}

impl Brought {
    pub(super) fn pair(&self) -> (&Secret, &str) {
        (&self.secret, &self.kind)
    }
}

/// What is exchanged or asserted.
pub(super) fn subject(attempt: &Attempt<'_>) -> Result<Brought> {
    token(attempt, "subject", &attempt.client.machine.subject, attempt.wishes.subject.as_ref())
}

/// Who acts for it, if anybody does.
pub(super) fn actor(attempt: &Attempt<'_>) -> Result<Option<Brought>> {
    let source = &attempt.client.machine.actor;
    match source.is_empty() {
        true => Ok(None),
        false => token(attempt, "actor", source, attempt.wishes.actor.as_ref()).map(Some),
    }
}

/// `role`: how the configuration's keys for it begin.
fn token(attempt: &Attempt<'_>, role: &str, source: &Source, brought: Option<&Secret>) -> Result<Brought> {
    let name = attempt.account;
    let odd = |what: String| fail(Exit::Config, format!("account `{name}`: {what}"));
    let (secret, from, usual) = if let Some(secret) = brought {
        let (from, kind) = match &source.account {
            Some(account) => (format!("the token of account `{account}`"), ACCESS_TOKEN),
            None => ("the token that its tool brought".to_owned(), JWT),
        };
        (secret.clone(), from, kind)
    } else if let Some(workload) = source.workload() {
        let (secret, from) = identity::fetch(attempt, role, workload, source)?;
        (secret, from, JWT)
    } else if let Some(named) = source.named {
        return Err(nobody_there(name, role, named));
    } else if let Some(file) = &source.file {
        let mut text = zeroize::Zeroizing::new(String::new());
        let read = std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN + 1).read_to_string(&mut text));
        read.map_err(|why| odd(format!("`{role}_token_file` `{}` cannot be read: {why}", file.display())))?;
        (Secret::new(text.trim()), format!("the token in `{}`", file.display()), ACCESS_TOKEN)
    } else if let Some(variable) = &source.env {
        let value = set(variable).ok_or_else(|| odd(format!("{variable}, its `{role}_token_env`, is not set")))?;
        (Secret::new(value.trim()), format!("the token in {variable}"), ACCESS_TOKEN)
    } else if let Some(words) = &source.command {
        let what = format!("account `{name}`: its `{role}_token_command`");
        let said = command::output(&what, words, attempt.until, "try it by hand")?;
        (said, format!("the token of its `{role}_token_command`"), ACCESS_TOKEN)
    } else {
        let what = format!("account `{name}`: no token is named that could be shown to its server");
        let keys =
            ["account", "token", "token_file", "token_env", "token_command"].map(|key| format!("`{role}_{key}`"));
        return Err(fail_hint(Exit::Config, what, format!("name one: {}", keys.join(", "))));
    };
    if !secret.is_one_line() || secret.expose().is_empty() || secret.expose().len() as u64 > MAX_TOKEN {
        return Err(odd(format!("{from} is no token: it is empty, too long, or more than one line")));
    }
    check(name, role, source, &secret, &from)?;
    let kind = source.kind.clone().unwrap_or_else(|| usual.to_owned());
    Ok(Brought { secret, from, kind })
}

/// What its own words already rule out need not be sent.
fn check(name: &str, role: &str, source: &Source, secret: &Secret, from: &str) -> Result<()> {
    if let Some(end) = claims::expiry(secret).filter(|end| *end <= now()) {
        let what = format!("account `{name}`: {from} expired at {}", rfc3339(end));
        return Err(fail_hint(Exit::SignIn, what, "a job's identity ends soon: let it be issued anew"));
    }
    let found = claims::audiences(secret);
    if let Some(wanted) = source.audience.as_ref().filter(|wanted| !found.is_empty() && !found.contains(wanted)) {
        let what = format!(
            "account `{name}`: {from} is for the audience `{}`, and its `{role}_token_audience` is `{}`",
            shown(&found.join(", ")),
            shown(wanted)
        );
        return Err(fail_hint(Exit::Config, what, "let it be issued for that audience"));
    }
    Ok(())
}

fn nobody_there(name: &str, role: &str, named: Named) -> anyhow::Error {
    let (what, hint) = match named {
        Named::Caller => (
            "a token that the tool brings is exchanged for its own, and none was brought".to_owned(),
            "the kubelet brings one where `tokenAttributes` in its configuration says so".to_owned(),
        ),
        Named::Ci => (
            "no CI service is found whose job this could be".to_owned(),
            format!(
                "GitHub Actions, GitLab, Buildkite and CircleCI are; elsewhere `{role}_token_file` or `{role}_token_env`"
            ),
        ),
        Named::One(workload) => (
            format!("this is not {}: {} is not set", workload.words(), workload.variable()),
            format!("`{role}_token_file`, `{role}_token_env` or `{role}_token_command` say where else its token is"),
        ),
    };
    fail_hint(Exit::Config, format!("account `{name}`: {what}"), hint)
}
