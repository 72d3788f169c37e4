//! `hallpass doctor [ACCOUNT]`: what is wrong, and the next command for each
//!
//! One real request to the account's server with its token; nothing is refreshed, and nobody is asked to sign in.

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::{Exit, Failure};

use crate::account::{Account, Client};
use crate::broker;
use crate::choice::Rule;
use crate::clock::now;
use crate::config;
use crate::discovery;
use crate::failure;
use crate::flow::Flow;
use crate::http::Http;
use crate::log;
use crate::login::listener::{self, Listener};
use crate::opener;
use crate::paths::Paths;
use crate::renew::Renewal;
use crate::shown::shown;
use crate::store;
use crate::terminal;
use crate::token::TokenKind;
use crate::whereabouts;

/// What was looked at, and how it is.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) what: String,
    pub(crate) trouble: Option<Failure>,
}

/// Looks at the machine and at one account, or at all that are configured.
pub(crate) fn examine(paths: &Paths, named: Option<&str>, tenant: Option<&str>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let config = match config::load(paths) {
        Ok(config) => config,
        Err(why) => {
            findings.push(trouble("configuration", failure::of(&why)));
            return Ok(findings);
        }
    };
    findings.push(fine(format!("configuration `{}`", paths.config.display())));
    findings.push(fine(place()));
    findings.extend(noted());
    findings.extend(modes(paths));
    findings.push(match store::keychain_words(&paths.data) {
        Ok(words) => fine(words),
        Err(why) => trouble("keychain", failure::of(&why)),
    });
    for (name, (account, client)) in &config.accounts {
        let meant = named.map_or(!client.built_in, |named| named == name);
        if meant {
            findings.extend(account_findings(paths, account, client, tenant));
        }
    }
    Ok(findings)
}

/// The exit code of the worst: the first that is not fine, in the order in which things depend on each other.
pub(crate) fn exit(findings: &[Finding]) -> Exit {
    findings.iter().find_map(|finding| finding.trouble.as_ref()).map_or(Exit::Answered, |failure| failure.exit)
}

fn account_findings(paths: &Paths, account: &Account, client: &Client, tenant: Option<&str>) -> Vec<Finding> {
    let name = &account.name;
    let label = |what: &str| format!("account `{name}`: {what}");
    let mut findings = vec![ports(&label("callback port"), client)];
    let secrets = [&client.client_secret_file, &client.machine.key_file];
    let secrets: Vec<_> = secrets.into_iter().flatten().map(|file| (file.as_path(), 0o600)).collect();
    findings.extend(wide(&secrets));
    if let Some(own) = client.browser.as_deref() {
        findings.push(browser(&label("browser"), own));
    }
    let http = match Http::new(&client.trust) {
        Ok(http) => http,
        Err(why) => return vec![trouble(label("ca_file"), failure::of(&why))],
    };
    let has_server = client.issuer.is_some() || client.token_endpoint.is_some();
    let server = has_server.then(|| discovery::server(name, client, &http, false));
    let userinfo = match server {
        Some(Ok(server)) => {
            let how = if client.token_endpoint.is_some() { "configured" } else { "as its server says" };
            findings.push(fine(label(&format!("tokens come from {}, {how}", server.token_endpoint))));
            server.userinfo_endpoint
        }
        Some(Err(why)) => {
            findings.push(trouble(label("server"), failure::of(&why)));
            return findings;
        }
        None => client.userinfo_endpoint.clone(),
    };
    findings.extend(identity(&label("machine identity"), account, client));
    let check = client.provider.as_ref().and_then(|provider| provider.check_endpoint.clone());
    let userinfo = userinfo.filter(|_| !client.flow.is_machine()); // which is for people
    findings.push(token(paths, account, client, check.or(userinfo).as_deref(), &http, tenant));
    findings
}

/// What a machine shows of itself. It is not fetched: nothing is signed in to here.
fn identity(label: &str, account: &Account, client: &Client) -> Option<Finding> {
    if client.flow.is_machine() && !client.machine.subject.is_empty() {
        return Some(match client.identity() {
            Some(identity) => fine(format!("{label}: {identity}")),
            None => {
                let what = "what its configuration names is not here";
                trouble(label, Failure::new(Exit::Config, what).hint("`hallpass get` says what is missing"))
            }
        });
    }
    account.ci.as_ref().map(|_| fine(format!("{label}: none is found, so a person signs in")))
}

/// Where we are, and what comes of it for a sign-in.
fn place() -> String {
    let terminal = if terminal::is_ours() { "at a terminal" } else { "without a terminal" };
    let page = match opener::no_browser(None) {
        Some(why) => why,
        None => match opener::launchers("https://example.com/", None).first().and_then(|words| words.first()) {
            Some(program) => format!("pages open with `{}`", shown(&program.to_string_lossy())),
            None => "the program that BROWSER names is not here".to_owned(),
        },
    };
    format!("this is {}, {terminal}; {page}", whereabouts::here().words())
}

/// Whether the log that somebody wants can be written.
fn noted() -> Option<Finding> {
    let (path, opened) = log::place()?;
    let what = format!("HALLPASS_LOG: each step is noted in `{}`", path.display());
    Some(match opened {
        Ok(()) => fine(what),
        Err(why) => {
            let hint = "name another file there, by its whole path";
            trouble(what, Failure::new(Exit::Store, format!("it cannot be written: {why}")).hint(hint))
        }
    })
}

/// Whether the account's own browser is there.
fn browser(label: &str, own: &[String]) -> Finding {
    let name = own.first().map(String::as_str).unwrap_or_default();
    match opener::is_here(name) {
        true => fine(format!("{label}: `{}`", shown(name))),
        false => {
            let what = format!("`{}` is not here", shown(name));
            trouble(label, Failure::new(Exit::Config, what).hint("its pages open in the usual one; change `browser`"))
        }
    }
}

/// Whether the server takes what would be handed out.
fn token(
    paths: &Paths,
    account: &Account,
    client: &Client,
    check: Option<&str>,
    http: &Http,
    tenant: Option<&str>,
) -> Finding {
    let name = &account.name;
    let label = format!("account `{name}`: token");
    let again = || format!("`hallpass login {name}`");
    let from_variable = account.token_from_environment();
    let sealed = store::sealed_names(&paths.data).is_ok_and(|names| names.contains(name));
    let of_session = from_variable.is_none();
    let (secret, source, signed_in) = match from_variable {
        Some((variable, secret)) => (secret, format!("from {variable}"), None),
        None => match broker::look(&paths.data, name, sealed) {
            Err(why) => return trouble(label, failure::of(&why)),
            Ok(None) if client.is_unattended() => return fine(format!("{label} is had at the first use")),
            Ok(None) => {
                return trouble(label, Failure::new(Exit::SignIn, "not signed in").hint(again()));
            }
            Ok(Some(stored)) if stored.value.dpop_key.is_some() => {
                return fine(format!("{label} is bound to a key; it is not tried"));
            }
            Ok(Some(stored)) => {
                let session = stored.value;
                let access = session.tokens.iter().find(|token| token.kind == TokenKind::AccessToken);
                match access.filter(|token| token.is_usable(now())) {
                    Some(token) => (token.secret.clone(), "of the session".to_owned(), session.tenant.clone()),
                    None if session.refresh_token.is_some() || client.is_unattended() => {
                        return fine(format!("{label} has expired and is refreshed at the next use"));
                    }
                    None => {
                        let what = "it has expired and cannot be refreshed";
                        return trouble(label, Failure::new(Exit::SignIn, what).hint(again()));
                    }
                }
            }
        },
    };
    let Some(endpoint) = check else {
        return fine(format!("{label} {source} is there; its server has no place to try it"));
    };
    match http.get(endpoint, Some(&secret), &account.headers(tenant, signed_in.as_deref())) {
        Ok(answer) if answer.status < 300 => fine(format!("{label} {source} is accepted by the server")),
        // No such page, or not for this token: one that is no good is refused first.
        Ok(answer) if matches!(answer.status, 404 | 405) || answer.lacks_scope() => {
            fine(format!("{label} {source} is not refused by the server, which answered {}", answer.status))
        }
        Ok(answer) if matches!(answer.status, 401 | 403) => {
            if of_session {
                let rule = Rule { pattern: String::new(), account: account.clone(), default: false, sealed };
                let renewal = Renewal { paths, rule: &rule, command: "doctor", now: now() };
                let _ = renewal.mark_refused(&secret); // what was seen is said below in any case
            }
            trouble(label, Failure::new(Exit::SignIn, format!("{source}, refused by the server")).hint(again()))
        }
        Ok(answer) => {
            let what = format!("the server answered {} when it was tried", answer.status);
            trouble(label, Failure::new(Exit::Network, what).hint("try again later"))
        }
        Err(why) => {
            let what = format!("cannot reach {}", why.why());
            trouble(label, Failure::new(Exit::Network, what).hint("try again when the network is back"))
        }
    }
}

/// Whether the browser could come back: to the very addresses that a sign-in listens on.
fn ports(label: &str, client: &Client) -> Finding {
    let is_for_pages = !client.flow.is_machine() && !matches!(client.flow, Flow::Device | Flow::Token);
    match listener::wanted(client, None).ok().filter(|(_, ports)| is_for_pages && *ports != [0]) {
        None => fine(format!("{label}: none is needed, or any will do")),
        Some((url, ports)) => match Listener::on(&url, &ports) {
            Some(listener) => fine(format!("{label}: {} is free", listener.port())),
            None => {
                let hint = "end a program that uses one, or sign in with `--paste`";
                trouble(label, Failure::new(Exit::Denied, listener::taken(&ports)).hint(hint))
            }
        },
    }
}

/// Our own files that others can read or write.
fn modes(paths: &Paths) -> Vec<Finding> {
    let records = std::fs::read_dir(&paths.data).into_iter().flatten().flatten().map(|entry| entry.path());
    let records: Vec<_> = records.filter(|path| path.is_file()).collect();
    let mut ours = vec![(paths.config.as_path(), 0o600), (paths.data.as_path(), 0o700)];
    ours.extend(records.iter().map(|path| (path.as_path(), 0o600)));
    let mut findings = wide(&ours);
    if findings.is_empty() && cfg!(unix) {
        findings.push(fine(format!("nobody else can read `{}`", paths.data.display())));
    }
    findings
}

/// Those with a wider mode than they may have.
#[cfg(unix)]
fn wide(files: &[(&Path, u32)]) -> Vec<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let finding = |&(path, allowed): &(&Path, u32)| {
        let mode = path.metadata().ok()?.permissions().mode() & 0o777;
        let what = format!("it has mode {mode:o}: others can read it");
        let hint = format!("`chmod {allowed:o} {}`", path.display());
        let failure = Failure::new(Exit::Store, what).hint(hint);
        (mode & !allowed != 0).then(|| trouble(format!("`{}`", path.display()), failure))
    };
    files.iter().filter_map(finding).collect()
}

#[cfg(not(unix))]
fn wide(_: &[(&Path, u32)]) -> Vec<Finding> {
    Vec::new()
}

fn fine(what: impl Into<String>) -> Finding {
    Finding { what: what.into(), trouble: None }
}

fn trouble(what: impl Into<String>, trouble: Failure) -> Finding {
    Finding { what: what.into(), trouble: Some(trouble) }
}
