//! Sign in once; every tool that can ask a helper for a credential gets a fresh one.
//!
//! ```text
//!                      main                        which door?
//!               tool          person/              a tool asks | a person types
//!                broker  why doctor status setup  fresh -> answer | what is there, and what to do
//!           trade  renew  refresh  signin          bought with it | stale -> refresh; none -> sign in; one at a time
//!         login/   logout   enrol   connect/       browser, paste, device, token | out | new accounts | links
//! oauth/ discovery resource sts sso vault tenants pats  what the authorization server and the provider are asked
//!       routes  choice  environment  bought  kept  which account answers | of a seller | of places nobody serves
//!                    setback                       what went wrong, for those who waited
//!         config/   store/    lock   presence      as configured | where it is kept | one at a time | is a person there
//!      account  provider  need  token  http  ...   small facts, and the way to a server
//!     ================ protocol (crate) =======    what tools say; no I/O
//! ```
//!
//! `main` looks at how it was called. If a **tool** called, `tool` reads the question with one of the protocols and
//! prints the answer; if a **person** called, `person` runs the command. Both ask the **broker** for a token. The broker
//! looks in the store; if that is stale, `renew` takes the lock, looks again, and refreshes through `oauth` or signs in
//! through `login`. Arrows go down only.

mod account;
mod asking;
mod bought;
mod broker;
mod certificate;
mod choice;
mod claims;
mod clock;
mod config;
mod connect;
mod discovery;
mod doctor;
mod enrol;
mod environment;
mod failure;
mod flow;
mod handover;
mod http;
mod hyperlink;
mod kept;
mod lock;
mod log;
mod login;
mod logout;
mod need;
mod oauth;
mod opener;
mod paths;
mod pats;
mod peek;
mod person;
mod presence;
mod prompt;
mod provider;
mod proxy;
mod refresh;
mod renew;
mod resource;
mod routes;
mod setback;
mod setup;
mod shown;
mod signals;
mod signin;
mod sso;
mod status;
mod store;
mod sts;
mod tenants;
mod terminal;
mod textfile;
mod token;
mod tool;
mod trade;
mod trust;
mod vault;
mod watch;
mod whereabouts;
mod why;
mod workload;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use tool::Door;

/// musl's own allocator maps and unmaps a page or two for each size of block, which is a third of a hit's instructions.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    if words.first().is_some_and(|word| word == opener::DETACH) {
        let _ = opener::detach(&words[1..]); // only comes back if there is no such program
        return ExitCode::from(127);
    }
    let exit = match door(&program, &words) {
        Some(door) => tool::serve(door),
        None => person::run(&program, &words),
    };
    ExitCode::from(exit as u8)
}

/// The tool that called, if one did: by our own name (`git-credential-hallpass`, which an account's name may follow),
/// else by the first word. Arguments
/// that are not text are nobody's.
fn door(program: &OsString, words: &[OsString]) -> Option<Door> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    let stem = Path::new(program).file_stem()?.to_str()?;
    if let Some((protocol, name, account)) = hallpass_protocol::find_program(stem) {
        let account = account.map(|account| format!("--account={account}"));
        return Some(Door { protocol, name, args: account.into_iter().chain(owned(&words)).collect() });
    }
    let (options, words) = words.split_at(leading_options(&words));
    let (first, rest) = words.split_first()?;
    if rest.iter().any(|word| matches!(*word, "-h" | "--help")) {
        return None;
    }
    let (protocol, name) = match hallpass_protocol::find(first)? {
        (_, "get") if is_git(rest) => {
            let (git, name) = hallpass_protocol::find("git")?;
            return Some(Door { protocol: git, name, args: owned(&[options, &["get"]].concat()) });
        }
        found => found,
    };
    Some(Door { protocol, name, args: owned(&[options, rest].concat()) })
}

/// How many words before the command are hallpass's own options, which stand on every door.
fn leading_options(words: &[&str]) -> usize {
    let mut count = 0;
    while let Some(word) = words.get(count) {
        count += match *word {
            word if tool::OPTIONS.contains(&word) => 2,
            word if word.split_once('=').is_some_and(|(name, _)| tool::OPTIONS.contains(&name)) => 1,
            _ => break,
        };
    }
    count.min(words.len())
}

/// `get -` is git's question without guessing; a bare `get` is git's if git's question is there.
fn is_git(rest: &[&str]) -> bool {
    match rest {
        ["-"] => true,
        [] => peek::git_is_waiting(),
        _ => false,
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
