//! msmtp and mbsync: the token is a password that a command knows, for a mechanism that takes tokens

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::sections::{self, Section, Syntax};
use super::super::wires::{Wires, Wiring, folder, home};
use super::{taken, unreadable};
use crate::failure::fail_hint;

/// One of the two, in its words.
struct Mail {
    syntax: Syntax,
    /// What the name of an account's section begins with.
    account: &'static str,
    auth: &'static str,
    command: &'static str,
    password: &'static str,
    /// The mechanism that is written, and what may stand there already.
    mechanism: &'static str,
    scheme: &'static str,
}

const MSMTP: Mail = Mail {
    syntax: Syntax::Msmtp,
    account: "account ",
    auth: "auth",
    command: "passwordeval",
    password: "password",
    mechanism: "oauthbearer",
    scheme: "smtp",
};

const MBSYNC: Mail = Mail {
    syntax: Syntax::Mbsync,
    account: "IMAPAccount ",
    auth: "AuthMechs",
    command: "PassCmd",
    password: "Pass",
    mechanism: "XOAUTH2",
    scheme: "imap",
};

pub(in crate::setup) fn msmtp(wires: &Wires<'_>) -> Result<Wiring> {
    let (usual, other) = (home(".msmtprc")?, folder("XDG_CONFIG_HOME", ".config", "msmtp/config")?);
    MSMTP.wiring(wires, if !usual.exists() && other.exists() { other } else { usual })
}

pub(in crate::setup) fn mbsync(wires: &Wires<'_>) -> Result<Wiring> {
    let (usual, other) = (home(".mbsyncrc")?, folder("XDG_CONFIG_HOME", ".config", "isyncrc")?);
    MBSYNC.wiring(wires, if other.exists() { other } else { usual })
}

impl Mail {
    fn wiring(&self, wires: &Wires<'_>, file: PathBuf) -> Result<Wiring> {
        let sections = sections::read(&(wires.texts)(&file)?, self.syntax).map_err(|why| unreadable(&file, &why))?;
        let defaults = sections.iter().find(|section| section.name == "defaults");
        let mut edits = Vec::new();
        for section in sections.iter().filter(|section| section.name.starts_with(self.account)) {
            let get = |key: &str| section.get(key).or_else(|| defaults.and_then(|defaults| defaults.get(key)));
            for place in self.places(&get) {
                if wires.serving(&place)?.is_some() {
                    edits.extend(self.edits(wires, &file, section, &place)?);
                    break;
                }
            }
        }
        if edits.is_empty() && !wires.accounts.is_empty() {
            let what = format!("`{}` has no {}whose host and port an account serves", file.display(), self.account);
            let hint = format!("`serves` in `config.toml` names them so: `{}://HOST:PORT`", self.scheme);
            return Err(fail_hint(Exit::Config, what, hint));
        }
        Ok(Wiring::of(file, edits))
    }

    /// The places that a section can be about: it does not always say whether TLS comes first.
    fn places<'a>(&self, get: &impl Fn(&str) -> Option<&'a str>) -> Vec<Place> {
        let Some(host) = get("host") else { return Vec::new() };
        let tls = format!("{}s", self.scheme);
        let tls_first = get("tls_starttls") == Some("off")
            || ["TLSType", "SSLType"].iter().any(|key| get(key).is_some_and(|kind| kind.eq_ignore_ascii_case("IMAPS")));
        let schemes = if tls_first { [tls.as_str(), self.scheme] } else { [self.scheme, tls.as_str()] };
        let schemes = schemes.into_iter().take(if get("port").is_some() { 2 } else { 1 });
        let authority = get("port").map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        schemes.filter_map(|scheme| Place::from_parts(scheme, &authority, None).ok()).collect()
    }

    fn edits(&self, wires: &Wires<'_>, file: &Path, section: &Section, place: &Place) -> Result<Vec<Edit>> {
        let line = |key: &str, value: &str| Edit::line(self.syntax, &section.name, key, value);
        if section.get(self.password).is_some() {
            return Err(taken(file, &section.name, self.password));
        }
        let takes_tokens = |auth: &str| {
            let mut words = auth.split_whitespace();
            words.any(|word| ["oauthbearer", "xoauth2"].iter().any(|known| word.eq_ignore_ascii_case(known)))
        };
        let auth = match section.get(self.auth) {
            Some(auth) if takes_tokens(auth) => None,
            Some(auth) => {
                let what = format!("`{}`: `{}` has `{} {auth}`", file.display(), section.name, self.auth);
                let hint =
                    format!("tokens need `{} {}` (or the other of XOAUTH2 and OAUTHBEARER)", self.auth, self.mechanism);
                return Err(fail_hint(Exit::Config, what, hint));
            }
            None => Some(line(self.auth, self.mechanism)),
        };
        let command = wires.shell(&["get", &place.to_string()]);
        if command.contains(['"', '\\']) {
            let what = format!("`{command}` cannot be written in quotes");
            return Err(fail_hint(
                Exit::Config,
                what,
                "put a link to hallpass into a folder with a plain name on PATH",
            ));
        }
        Ok(auth.into_iter().chain([line(self.command, &command)]).collect())
    }
}
