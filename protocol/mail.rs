//! The first words of a mail client's sign-in: SASL XOAUTH2 and OAUTHBEARER (RFC 7628)
//!
//! ```text
//! argv   hallpass xoauth2 imaps://mail.example.com --user me@example.com
//! stdout dXNlcj1tZUBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciBUT0tFTgEB
//!        which is base64 of  user=me@example.com ^A auth=Bearer TOKEN ^A ^A
//! argv   hallpass oauthbearer imaps://mail.example.com --user me@example.com
//! stdout base64 of  n,a=me@example.com, ^A host=mail.example.com ^A port=993 ^A auth=Bearer TOKEN ^A ^A
//! ```
//!
//! For scripts and clients that want the whole response. msmtp (`passwordeval`), mbsync (`PassCmd`) and mutt build it
//! themselves and take the bare token of `hallpass get`; git send-email asks as git does. stdin is never read: msmtp's
//! own is the mail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::plain::target;
use crate::secret::Secret;
use crate::talk::{Call, Credential, Exit, Failure, Protocol, Reply, Request, Step, Target, Verb};

/// Mail clients.
#[derive(Debug)]
pub(crate) struct Mail;

impl Protocol for Mail {
    fn names(&self) -> &'static [&'static str] {
        &["xoauth2", "oauthbearer"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let (what, username) = match words(call.args) {
            Ok(words) => words,
            Err(what) => {
                let hint = format!("usage: `hallpass {} [ACCOUNT|URL] [--user NAME]`", call.name);
                return Step::fail(Failure::new(Exit::Usage, what).hint(hint));
            }
        };
        match what.map_or(Ok(Target::Default), target) {
            Ok(target) => Step::ask(Request { username, drawer: "mail", ..Request::new(Verb::Get, target) }),
            Err(failure) => Step::fail(failure),
        }
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => match response(call.name, request, credential) {
                Ok(response) => Step::answer(format!("{}\n", STANDARD.encode(response.expose()))),
                Err(failure) => Step::fail(failure),
            },
            other => Step::fail(other.failure(request)),
        }
    }
}

fn words(args: &[String]) -> Result<(Option<&str>, Option<String>), &'static str> {
    let (mut what, mut username) = (None, None);
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--user=") {
            Some(name) => username = Some(name.to_owned()),
            None if arg == "--user" => username = Some(args.next().ok_or("`--user` needs a name")?.to_owned()),
            None if arg.starts_with('-') => return Err("there is an option that this command does not know"),
            None if what.is_some() => return Err("only one account or URL can be named"),
            None => what = Some(arg),
        }
    }
    Ok((what, username))
}

fn response(mechanism: &str, request: &Request, credential: &Credential) -> Result<Secret, Failure> {
    let token = credential.access_token()?;
    let user = request.username.as_deref().unwrap_or(&credential.username);
    if user.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Failure::new(Exit::Usage, "the user name has a control character in it"));
    }
    if mechanism == "xoauth2" {
        return Ok(Secret::new(format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}")));
    }
    let user = user.replace('=', "=3D").replace(',', "=2C"); // saslname, RFC 5801
    let place = match &request.target {
        Target::Place(place) => format!("host={}\u{1}port={}\u{1}", place.host, place.port),
        Target::Account(_) | Target::Default => String::new(),
    };
    Ok(Secret::new(format!("n,a={user},\u{1}{place}auth=Bearer {token}\u{1}\u{1}")))
}

#[cfg(test)]
mod tests {
    use super::Mail;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use crate::talk::{Call, Credential, Exit, Kind, Protocol, Reply, Step, Then};

    fn run(name: &'static str, args: &[&str], credential: Credential) -> Step {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let call = Call { name, args: &args, env: &|_| None, now: 0 };
        let step = Mail.start(&call);
        match step.then {
            Then::Ask(request) => Mail.reply(&call, &request, &Reply::Pass(Box::new(credential))),
            _ => step,
        }
    }

    fn said(name: &'static str, args: &[&str]) -> String {
        let step = run(name, args, Credential::example("AT1"));
        let line = step.say.expose().strip_suffix('\n').expect("one line").to_owned();
        String::from_utf8(STANDARD.decode(line).expect("base64")).expect("text")
    }

    #[test]
    fn responses() {
        assert_eq!(
            run("xoauth2", &["--user", "me@example.com"], Credential::example("TOKEN")).say.expose(),
            "dXNlcj1tZUBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciBUT0tFTgEB\n"
        );
        assert_eq!(said("xoauth2", &["work"]), "user=oauth2\u{1}auth=Bearer AT1\u{1}\u{1}");
        assert_eq!(
            said("oauthbearer", &["imaps://mail.example.com", "--user=a,b=c"]),
            "n,a=a=2Cb=3Dc,\u{1}host=mail.example.com\u{1}port=993\u{1}auth=Bearer AT1\u{1}\u{1}"
        );
    }

    #[test]
    fn what_would_break_the_response_is_refused() {
        let odd = [
            run("xoauth2", &["--user", "a\u{1}auth=Bearer x"], Credential::example("AT1")),
            run("oauthbearer", &[], Credential::example("a\u{1}b")),
            run("xoauth2", &[], Credential { kind: Kind::IdToken, ..Credential::example("AT1") }),
        ];
        for step in odd {
            assert!(step.say.expose().is_empty() && matches!(step.then, Then::End(_, Some(_))));
        }
        for odd in [&["--frobnicate"][..], &["a", "b"], &["--user"], &["imaps://u@h"]] {
            let step = run("xoauth2", odd, Credential::example("AT1"));
            assert!(matches!(step.then, Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
    }
}
