//! `hallpass exec`: a command with tokens in its environment, and nowhere else
//!
//! The command takes this program's place (execve), so that signals and exit code are its own and nothing of ours stays
//! behind with a token in its memory.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Reply, Request, Target, Verb};

use super::chosen::chosen;
use crate::broker::{self, Caller};
use crate::config;
use crate::failure::{fail, fail_hint};
use crate::handover::become_it;
use crate::opener::program;
use crate::shown::shown;

/// A variable, and whose token it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    name: String,
    target: Target,
}

impl Variable {
    /// `VAR=ACCOUNT`, `VAR=URL`, or `VAR` for the default account.
    fn parse(text: &str) -> Result<Self> {
        let (name, whose) = text.split_once('=').map_or((text, None), |(name, whose)| (name, Some(whose)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) || name.as_bytes()[0].is_ascii_digit() {
            let what = format!("`{}` is no variable's name", shown(name));
            return Err(fail_hint(Exit::Usage, what, "write `-e VAR=ACCOUNT`"));
        }
        let target = match whose {
            Some(whose) => hallpass_protocol::target(whose)?,
            None => Target::Default,
        };
        Ok(Self { name: name.to_owned(), target })
    }
}

/// Runs the command with these variables, else with the one that its account's provider reads. Comes back only if it
/// cannot be started.
pub(super) fn run(caller: Caller<'_>, variables: &[String], command: &[OsString]) -> Result<Infallible> {
    let Some((name, args)) = command.split_first() else {
        return Err(fail(Exit::Usage, "there is no command to run"));
    };
    let path = located(name)?; // before anybody is asked to sign in
    let variables = match variables {
        [] => vec![of_provider(caller)?],
        _ => variables.iter().map(|text| Variable::parse(text)).collect::<Result<_>>()?,
    };
    let mut command = Command::new(path);
    command.args(args);
    for variable in &variables {
        command.env(&variable.name, token(caller, variable)?.expose());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, name);
    Err(fail(Exit::Usage, format!("`{}` cannot be run: {}", name.display(), become_it(command))))
}

/// The variable in which the provider's own programs look for a token.
fn of_provider(caller: Caller<'_>) -> Result<Variable> {
    let account = chosen(caller.paths, None, caller.account)?.account;
    match account.token_env {
        Some(name) => Ok(Variable { name, target: Target::Account(account.name) }),
        None => {
            let what = format!("which variable is to hold the token of account `{}`?", account.name);
            let hint = format!("`hallpass exec -e VAR={} -- COMMAND`", account.name);
            Err(fail_hint(Exit::Usage, what, hint))
        }
    }
}

fn token(caller: Caller<'_>, variable: &Variable) -> Result<Secret> {
    let request = Request::new(Verb::Get, variable.target.clone());
    let (account, secret) = match broker::answer(caller, &request) {
        Reply::Pass(credential) => (credential.account, credential.secret),
        other => return Err(other.failure(&request).into()),
    };
    let config = config::load(caller.paths)?;
    if config.account(&account).is_some_and(|(_, client)| client.no_exec) {
        let what = format!("account `{account}` gives its token to no program's environment: its `exec` is \"never\"");
        return Err(fail_hint(
            Exit::Refused,
            what,
            format!("`hallpass header {account} | curl -H @- ...` keeps it out"),
        ));
    }
    if secret.expose().contains('\0') {
        return Err(fail(Exit::Refused, format!("account `{account}`: the token has a NUL byte in it")));
    }
    Ok(secret)
}

/// A name is looked up on PATH; never in the working directory.
fn located(name: &OsStr) -> Result<OsString> {
    if Path::new(name).components().count() > 1 {
        return Ok(name.to_owned());
    }
    let found = name.to_str().and_then(program);
    found.map(OsString::from).ok_or_else(|| {
        let what = format!("there is no program `{}` on PATH", shown(&name.to_string_lossy()));
        fail_hint(Exit::Usage, what, "usage: `hallpass exec -e VAR=ACCOUNT -- COMMAND`")
    })
}

#[cfg(test)]
mod tests {
    use super::Variable;
    use hallpass_protocol::talk::Target;

    #[test]
    fn variables() {
        let target = |text| Variable::parse(text).map(|variable| variable.target).ok();
        assert_eq!(target("TOKEN=work"), Some(Target::Account("work".into())));
        assert_eq!(target("TOKEN"), Some(Target::Default));
        assert!(matches!(target("T=https://h.example/x"), Some(Target::Place(_))));
        for odd in ["", "=work", "1A=work", "A-B=work", "A B", "É=x"] {
            assert_eq!(target(odd), None, "{odd}");
        }
    }
}
