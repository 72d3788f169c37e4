//! What tools say when they ask a helper for a credential, and what they want to hear.
//!
//! One file for each protocol, its header showing the bytes of one exchange; nothing here reads, writes, asks for
//! the time or looks at the environment. [`talk`] has the words all of them share, [`place`] says what a
//! credential is for, and this file is the list.
//!
//! A new protocol is one file and one line in [`ALL`].

mod askpass;
mod aws;
mod bazel;
mod cargo;
mod docker;
#[cfg(test)]
mod every;
mod git;
mod goauth;
mod google;
mod headers;
mod json;
mod keyring;
mod kubectl;
mod kubelet;
mod mail;
mod nuget;
mod pattern;
mod plain;
mod pnpm;
mod terraform;
mod vault;

pub mod credential;
pub mod failure;
pub mod place;
pub mod secret;
pub mod talk;
pub mod time;

pub use plain::{is_resource, seconds, target};

use talk::Protocol;

/// Every protocol.
pub const ALL: &[&dyn Protocol] = &[
    &git::Git,
    &kubectl::Kubectl,
    &docker::Docker,
    &cargo::Cargo,
    &terraform::Terraform,
    &bazel::Bazel,
    &vault::Vault,
    &goauth::GoAuth,
    &aws::Aws,
    &google::Google,
    &pnpm::Pnpm,
    &askpass::Askpass,
    &mail::Mail,
    &kubelet::Kubelet,
    &keyring::Keyring,
    &headers::Headers,
    &nuget::NuGet,
    &plain::Plain,
    &json::Json,
];

/// The protocol with this name, and the name as it is known here.
#[must_use]
pub fn find(name: &str) -> Option<(&'static dyn Protocol, &'static str)> {
    ALL.iter().find_map(|protocol| {
        let known = protocol.names().iter().find(|known| **known == name)?;
        Some((*protocol, *known))
    })
}

/// Whether a name of a protocol is that of a program of ours, to be found in a folder: `docker-credential-hallpass`,
/// `hallpass-npm`. A name that belongs to somebody else's program (`keyring`) is not.
#[must_use]
pub fn is_program(name: &str) -> bool {
    name.ends_with("-hallpass") || name.starts_with("hallpass-")
}

/// The protocol that a program's name stands for, its name here, and the account that may follow: `hallpass-npm-work`.
#[must_use]
pub fn find_program(program: &str) -> Option<(&'static dyn Protocol, &'static str, Option<&str>)> {
    let short = program.strip_prefix("hallpass-");
    if let Some((protocol, name)) = find(program).or_else(|| find(short?)) {
        return Some((protocol, name, None));
    }
    ALL.iter().find_map(|protocol| {
        let names = protocol.names().iter().filter(|name| is_program(name));
        let (name, account) = names.filter_map(|name| Some((*name, program.strip_prefix(name)?))).next()?;
        Some((*protocol, name, Some(account.strip_prefix('-').filter(|account| !account.is_empty())?)))
    })
}
