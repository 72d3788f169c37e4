//! The person's door: what somebody types in a terminal

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Failure, Request, Target, Verb};
use serde_json::{Value, json};

use crate::account::Flow;
use crate::broker::now;
use crate::choice::{Choice, Rule};
use crate::failure::{self, fail, fail_hint};
use crate::login::Wishes;
use crate::need::Need;
use crate::paths::{Paths, set};
use crate::renew::Renewal;
use crate::{enrol, logout, routes, signin, status, store, terminal};

const AFTER_HELP: &str = "\
Tools:
  hallpass git get|store|erase      git's credential helper:  git config --global credential.helper '!hallpass git'
  hallpass kubectl                  a kubeconfig's exec plugin
  hallpass get [ACCOUNT|URL]        the token on one line:    curl -H \"Authorization: Bearer $(hallpass get)\" ...
  hallpass header [ACCOUNT|URL]     the header line:          hallpass header | curl -H @- https://...
  hallpass json get|store|erase     JSON on stdin and stdout
  hallpass store|erase              git's key=value on stdin

Examples:
  hallpass login https://git.example.com --issuer https://id.example.com --client-id my-client
  hallpass status
  TOKEN=$(hallpass get work)

Exit codes: 0 answered, 2 usage, 3 no account or credential for this, 4 sign in first, 5 sign-in denied or abandoned,
6 network or server, 7 store, 8 waited too long, 9 refused for safety, 10 configuration, 129/130/143 interrupted";

/// Sign in once; every tool that can ask a helper for a credential gets a fresh one.
#[derive(Parser)]
#[command(name = "hallpass", version, after_help = AFTER_HELP)]
struct Cli {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The account, where several could be meant
    #[arg(long, global = true, value_name = "NAME")]
    account: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign in to an account, or to a new one for a URL
    Login(Login),
    /// Revoke the session at the server and forget it
    Logout(Logout),
    /// Every account: signed in or not, until when, kept where (offline)
    Status(Shown),
    /// Who is signed in (offline)
    Whoami(Shown),
    /// List the accounts, or choose the default one
    Accounts(Accounts),
    /// Get a new token now, whatever the old one's age
    Refresh(Named),
    /// Forget the cached key: sealed sessions need the keychain again
    Lock,
    /// Make the program names that tools look for (git-credential-hallpass, ...) in a folder
    Link {
        /// A folder on PATH
        dir: PathBuf,
    },
    /// Print a token for a script
    #[command(
        after_help = "Options: --json, --min-ttl TIME (as in 10m). `hallpass get -` reads git's question from stdin."
    )]
    Get(Words),
    /// Print the Authorization header line
    Header(Words),
    /// Answer git: get, store, erase, capability; the question on stdin
    Git(Words),
    /// Answer kubectl, which asks in KUBERNETES_EXEC_INFO
    Kubectl(Words),
    /// Answer in JSON: get, store, erase; the question on stdin
    Json(Words),
    /// git's `store`
    #[command(hide = true)]
    Store(Words),
    /// git's `erase`
    #[command(hide = true)]
    Erase(Words),
}

#[derive(Args)]
struct Login {
    /// An account's name, or the URL it is to serve
    what: Option<String>,
    /// Paste the answer back: the browser is on another machine
    #[arg(long, visible_alias = "no-browser")]
    paste: bool,
    /// Take a token instead: from stdin, or typed unseen
    #[arg(long, visible_alias = "token-stdin", conflicts_with = "paste", num_args = 0..=1, value_name = "TOKEN", hide_possible_values = true)]
    with_token: Option<Option<String>>,
    /// A token on the command line (others can see it there)
    #[arg(short, long, value_name = "TOKEN", conflicts_with = "paste")]
    token: Option<String>,
    /// Print the page's address, alone on stdout, and open nothing
    #[arg(long)]
    no_open: bool,
    /// The port of the loopback redirect
    #[arg(long)]
    port: Option<u16>,
    /// How long to wait for the person, as in 5m
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<u64>,
    /// The authorization server of a new account
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client registered there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A scope to ask for; may be given several times
    #[arg(long)]
    scope: Vec<String>,
}

#[derive(Args)]
struct Logout {
    /// The account
    name: Option<String>,
    /// All accounts, and the cached key
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Only forget it here; the server is not told
    #[arg(long, conflicts_with = "revoke")]
    local: bool,
    /// Revoke it at the server (as is done anyway where the server can)
    #[arg(long)]
    revoke: bool,
}

#[derive(Args)]
struct Shown {
    /// The account
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Accounts {
    #[command(subcommand)]
    command: Option<AccountsCommand>,
}

#[derive(Subcommand)]
enum AccountsCommand {
    /// List them
    List,
    /// Make one the default
    Use {
        /// The account
        name: String,
    },
}

#[derive(Args)]
struct Named {
    /// The account
    name: Option<String>,
}

#[derive(Args)]
struct Words {
    /// What the tool says
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

fn time(text: &str) -> Result<u64, String> {
    hallpass_protocol::seconds(text)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "not a time such as 90s or 5m".to_owned())
}

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

/// clap's words in our voice. Only its first line: the rest can repeat what was typed.
fn usage(why: &clap::Error) -> Failure {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    let text = why.render().to_string();
    let what = match why.kind() {
        DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand => "a command is missing",
        _ => text.lines().next().unwrap_or_default().trim_start_matches("error: "),
    };
    let near = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let hint = near.map_or(String::new(), |near| format!("{near}; "));
    Failure::new(Exit::Usage, what.replace('\'', "`")).hint(format!("{}`hallpass --help`", hint.replace('\'', "`")))
}

fn command(cli: Cli) -> Result<Exit> {
    let paths = Paths::find(cli.config.as_deref())?;
    let named = cli.account.or_else(|| set("HALLPASS_ACCOUNT"));
    let named = named.as_deref();
    match cli.command {
        Command::Login(login) => sign_in(&paths, named, login),
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
                format!("{}  {}{default}", state.account.name, state.who())
            });
            out(&lines.collect::<Vec<_>>())
        }
        Command::Refresh(words) => refresh(&paths, words.name.as_deref(), named),
        Command::Lock => {
            store::drop_cached_key(&paths.data);
            Ok(Exit::Answered)
        }
        Command::Link { dir } => link(&dir),
        Command::Get(words)
        | Command::Header(words)
        | Command::Git(words)
        | Command::Kubectl(words)
        | Command::Json(words)
        | Command::Store(words)
        | Command::Erase(words) => {
            let odd = words.words.iter().any(|word| word.to_str().is_none());
            let what = if odd { "an argument is not UTF-8" } else { "a tool's command came the wrong way" };
            Err(fail(if odd { Exit::Usage } else { Exit::Bug }, what))
        }
    }
}

/// The account that a command means.
fn chosen(paths: &Paths, what: Option<&str>, named: Option<&str>) -> Result<Rule> {
    let target = match what {
        Some(what) => hallpass_protocol::target(what)?,
        None => Target::Default,
    };
    match routes::find(paths, &target, named, None)? {
        Choice::Account(rule) => Ok(*rule),
        Choice::Missing(Some(why)) => Err(why.into()),
        Choice::Missing(None) => {
            let what = format!("no account serves {}", what.unwrap_or_default());
            Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"))
        }
    }
}

fn sign_in(paths: &Paths, named: Option<&str>, login: Login) -> Result<Exit> {
    let new = enrol::New { issuer: login.issuer, client_id: login.client_id, scope: login.scope };
    let name = match enrol::account(paths, login.what.as_deref(), named, &new)? {
        Some(name) => name,
        None => chosen(paths, login.what.as_deref(), named)?.account.name,
    };
    let config = crate::config::Config::load(paths)?;
    let Some((account, client)) = config.account(&name) else {
        return Err(fail_hint(
            Exit::Missing,
            format!("there is no account `{name}`"),
            "`hallpass accounts` lists them",
        ));
    };
    let mut client = client.clone();
    if let Some(seconds) = login.timeout {
        client.timeout = seconds;
    }
    // What follows `--with-token` is a token, whatever it was meant to be, and never an account's name.
    let token = login.token.or_else(|| login.with_token.clone().flatten());
    if token.is_some() {
        terminal::say("a token on the command line can be seen by others: pipe it to `hallpass login --token-stdin`");
    }
    let wishes = Wishes {
        flow: match (login.paste, login.with_token.is_some() || token.is_some()) {
            (true, _) => Flow::Paste,
            (_, true) => Flow::Token,
            _ => Flow::Auto,
        },
        port: login.port,
        open: !login.no_open,
        token: token.map(Secret::new),
        url_to: if login.no_open { |url| drop(out(&[url.to_owned()])) } else { |url| terminal::say(url) },
    };
    let session = signin::by_person(paths, account, &client, &wishes, now())?;
    let who = session.identity.map_or(String::new(), |identity| format!(" as {identity}"));
    let state = status::states(paths, Some(&name))?.pop();
    let kept = match state.map(|state| state.session) {
        Some(Ok(Some((_, kind)))) => status::kept(paths, &name, &kind),
        _ => "nowhere: it is gone already".to_owned(),
    };
    terminal::say(&format!("signed in to account `{name}`{who}; kept {kept}"));
    Ok(Exit::Answered)
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
    let mut exit = Exit::Answered;
    for name in &names {
        match logout::account(paths, name, words.local) {
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
        let what = format!("there is no account `{}`", crate::config::shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    if as_json || crate::config::Config::load(paths)?.json {
        let list: Vec<Value> = states.iter().map(|state| state.json(paths)).collect();
        return out(&[json!({ "accounts": list }).to_string()]);
    }
    if states.is_empty() {
        return out(&[format!("no accounts in `{}`; `hallpass login URL` adds one", paths.config.display())]);
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
    out(&[if as_json { state.json(paths).to_string() } else { state.who() }])?;
    Ok(state.exit())
}

fn refresh(paths: &Paths, name: Option<&str>, named: Option<&str>) -> Result<Exit> {
    let rule = chosen(paths, name, named)?;
    let account = &rule.account;
    let request = Request::new(Verb::Get, Target::Default);
    let mut need = Need::of(&request, account);
    let stored = crate::broker::look(&paths.data, &account.name, rule.sealed)?;
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

/// The names by which tools start us, as links to this program.
fn link(dir: &Path) -> Result<Exit> {
    let us = std::env::current_exe()
        .map_err(|why| fail(Exit::Store, format!("this program's own path is unknown: {why}")))?;
    if !dir.is_dir() {
        return Err(fail(Exit::Usage, format!("`{}` is no folder", dir.display())));
    }
    for protocol in hallpass_protocol::ALL {
        for name in protocol.names().iter().filter(|name| name.ends_with("-hallpass")) {
            let path = dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
            let broken = |why: std::io::Error| fail(Exit::Store, format!("`{}` cannot be made: {why}", path.display()));
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => std::fs::remove_file(&path).map_err(broken)?,
                Ok(_) => {
                    return Err(fail(Exit::Usage, format!("`{}` is there already and is no link", path.display())));
                }
                Err(_) => {}
            }
            #[cfg(unix)]
            std::os::unix::fs::symlink(&us, &path).map_err(broken)?;
            #[cfg(not(unix))]
            std::fs::hard_link(&us, &path).or_else(|_| std::fs::copy(&us, &path).map(|_| ())).map_err(broken)?;
            out(&[path.display().to_string()])?;
        }
    }
    Ok(Exit::Answered)
}

/// Lines for stdout. A reader that has gone has what it wanted.
fn out(lines: &[String]) -> Result<Exit> {
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(fail(Exit::Store, format!("stdout cannot be written: {why}")))
        }
        _ => Ok(Exit::Answered),
    }
}
