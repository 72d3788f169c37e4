//! The person's door: what somebody types in a terminal

mod chosen;
mod doors;
mod exec;
mod links;
mod login;
mod provider;
mod stdout;
mod wiring;
mod words;

use std::ffi::OsString;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use hallpass_protocol::talk::{Exit, Request, Target, Verb};
use serde_json::{Value, json};

use crate::broker::{self, Caller};
use crate::clock::now;
use crate::config;
use crate::doctor;
use crate::failure::{self, fail, fail_hint};
use crate::logout::Reach;
use crate::need::Need;
use crate::paths::Paths;
use crate::renew::Renewal;
use crate::why;
use crate::{enrol, environment, logout, setup, status, store, terminal};

use chosen::chosen;
use provider::{tenants, tokens};
use stdout::out;
use words::{Accounts, AccountsCommand, Cli, Command, Logout, usage};

/// Runs a command; the exit code.
pub(crate) fn run(program: &OsString, words: &[OsString]) -> Exit {
    let cli = match Cli::try_parse_from(std::iter::once(program).chain(words)) {
        Ok(cli) => cli,
        Err(why) if why.use_stderr() => {
            terminal::explain(&usage(&why));
            return Exit::Usage;
        }
        Err(help) => {
            let _ = help.print(); // a stdout that is closed is no reason to fail
            return Exit::Answered;
        }
    };
    match command(cli) {
        Ok(exit) => exit,
        Err(why) => {
            let failure = failure::of(&why);
            terminal::explain(&failure);
            failure.exit
        }
    }
}

fn command(cli: Cli) -> Result<Exit> {
    let paths = Paths::find(cli.config.as_deref())?;
    if let Some(tenant) = &cli.tenant {
        environment::check_slug(tenant)?;
    }
    if let Command::Login(login) = cli.command {
        // Its environment need not be known yet.
        let named = environment::named(&paths, cli.account, None)?;
        return login::sign_in(&paths, named.as_deref(), cli.api_url.as_deref(), cli.tenant, login);
    }
    let named = environment::named(&paths, cli.account, cli.api_url.as_deref())?;
    let named = named.as_deref();
    match cli.command {
        Command::Login(_) => Err(fail(Exit::Bug, "a sign-in came the wrong way")),
        Command::Logout(words) => sign_out(&paths, named, &words),
        Command::Status(shown) => show_status(&paths, shown.name.as_deref().or(named), shown.json),
        Command::Whoami(shown) => {
            let name = match shown.name {
                Some(name) => name,
                None => chosen(&paths, None, named)?.account.name,
            };
            whoami(&paths, &name, shown.json)
        }
        Command::Accounts(Accounts { command: Some(AccountsCommand::Use { name }) }) => {
            enrol::set_default(&paths, &name)?;
            terminal::say(&format!("`{name}` is the default account"));
            Ok(Exit::Answered)
        }
        Command::Accounts(_) => {
            let lines = status::states(&paths, None)?.into_iter().map(|state| {
                let default = if state.is_default { "  (default)" } else { "" };
                format!("{}  {}{default}", state.account.name, state.identity())
            });
            out(&lines.collect::<Vec<_>>())
        }
        Command::Why { tool, url } => {
            let Target::Place(place) = hallpass_protocol::target(&url)? else {
                return Err(fail(Exit::Usage, "the place is not a URL of the form https://host/path"));
            };
            let (lines, exit) = why::explain(&paths, &tool, &place, named, cli.tenant.as_deref())?;
            out(&lines)?;
            Ok(exit)
        }
        Command::Doctor(words) => {
            let name = words.name.as_deref().or(named);
            let findings = doctor::examine(&paths, name, cli.tenant.as_deref())?;
            out(&findings.iter().map(finding).collect::<Vec<_>>())?;
            Ok(doctor::exit(&findings))
        }
        Command::Token(words) => tokens(&paths, named, &words.command),
        Command::Connect(words) => links::connect(&paths, named, &words),
        Command::Tenants(words) => tenants(&paths, named, words.command.as_ref(), cli.tenant.as_deref()),
        Command::Refresh(words) => refresh(&paths, words.name.as_deref(), named),
        Command::Lock => {
            store::drop_cached_key(&paths.data);
            Ok(Exit::Answered)
        }
        Command::Link { dir } => wiring::link(&dir),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hallpass", &mut text);
            out(&[String::from_utf8_lossy(text.trim_ascii_end()).into_owned()])
        }
        Command::Setup(words) => match &words.tool {
            Some(tool) => wiring::wire(&paths, &setup::setup(&paths, tool, named)?, words.dry_run),
            None => out(&setup::list(&paths)?),
        },
        Command::Unsetup(words) => match setup::unsetup(&paths, &words.tool)? {
            Some(change) => wiring::wire(&paths, &change, words.dry_run),
            None => {
                terminal::say(&format!("nothing of hallpass is in the configuration of `{}`", words.tool));
                Ok(Exit::Answered)
            }
        },
        Command::Exec(words) => {
            let tenant = cli.tenant.as_deref();
            let caller = Caller { paths: &paths, account: named, command: "exec", tenant };
            match exec::run(caller, &words.env, &words.command)? {}
        }
        Command::Tool(tool) => {
            let odd = tool.words().iter().any(|word| word.to_str().is_none());
            let what = if odd { "an argument is not UTF-8" } else { "a tool's command came the wrong way" };
            Err(fail(if odd { Exit::Usage } else { Exit::Bug }, what))
        }
    }
}

fn finding(finding: &doctor::Finding) -> String {
    match &finding.trouble {
        None => format!("ok    {}", finding.what),
        Some(trouble) => {
            let next = trouble.hint.as_deref().map_or(String::new(), |hint| format!("\n      next: {hint}"));
            format!("FAIL  {}: {}{next}", finding.what, trouble.what)
        }
    }
}

fn sign_out(paths: &Paths, named: Option<&str>, words: &Logout) -> Result<Exit> {
    let names = if words.all {
        logout::everybody(paths)?
    } else {
        match words.name.as_deref().or(named) {
            Some(name) => vec![name.to_owned()],
            None => vec![chosen(paths, None, None)?.account.name],
        }
    };
    let reach = match (words.local, words.revoke) {
        (true, _) => Reach::Here,
        (_, true) => Reach::Everywhere,
        _ => Reach::Usual,
    };
    let mut exit = Exit::Answered;
    for name in &names {
        match logout::account(paths, name, reach) {
            Ok(done) => terminal::say(&done),
            Err(why) => {
                let failure = failure::of(&why);
                terminal::explain(&failure);
                exit = failure.exit;
            }
        }
    }
    if words.all {
        store::drop_cached_key(&paths.data);
    }
    Ok(exit)
}

fn show_status(paths: &Paths, name: Option<&str>, as_json: bool) -> Result<Exit> {
    let states = status::states(paths, name)?;
    if let Some(name) = name.filter(|_| states.is_empty()) {
        let what = format!("there is no account `{}`", crate::shown::shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    if as_json || config::load(paths)?.json {
        let list: Vec<Value> = states.iter().map(|state| state.json(paths)).collect();
        return out(&[json!({ "accounts": list }).to_string()]);
    }
    if states.is_empty() {
        let line = format!("no accounts in `{}`; `hallpass login URL` adds one", paths.config.display());
        return out(&[format!("{line}, or `hallpass login PROVIDER` (`hallpass login --help` lists them)")]);
    }
    out(&states.iter().map(|state| state.lines(paths).join("\n")).collect::<Vec<_>>())
}

fn whoami(paths: &Paths, name: &str, as_json: bool) -> Result<Exit> {
    let Some(state) = status::states(paths, Some(name))?.pop() else {
        return Err(fail_hint(
            Exit::Missing,
            format!("there is no account `{name}`"),
            "`hallpass accounts` lists them",
        ));
    };
    out(&[if as_json || config::load(paths)?.json { state.json(paths).to_string() } else { state.who() }])?;
    if let Some(warning) = state.warning() {
        terminal::say(&warning);
    }
    if state.exit() == Exit::SignIn {
        terminal::say(&format!("`hallpass login {name}`"));
    }
    Ok(state.exit())
}

fn refresh(paths: &Paths, name: Option<&str>, named: Option<&str>) -> Result<Exit> {
    let rule = chosen(paths, name, named)?;
    let account = &rule.account;
    let request = Request::new(Verb::Get, Target::Default);
    let mut need = Need::of(&request, account);
    let stored = broker::look(&paths.data, &account.name, rule.sealed)?;
    need.refused = stored.as_ref().and_then(|stored| need.token(&stored.value)).map(|token| token.id.clone());
    let renewal = Renewal { paths, rule: &rule, command: "refresh", now: now() };
    let session = renewal.renew(&need, Some("`refresh` does not sign in"))?;
    match need.token(&session).and_then(|token| token.expires_at) {
        Some(expires_at) => {
            let until = hallpass_protocol::time::rfc3339(expires_at);
            terminal::say(&format!("account `{}` has a new token, good until {until}", account.name));
        }
        None => terminal::say(&format!("account `{}` has a new token", account.name)),
    }
    Ok(Exit::Answered)
}
