//! Askpass: a program that is started with a prompt and prints what a person would have typed
//!
//! ```text
//! argv   hallpass-askpass "Username for 'https://git.example.com': "            stdout oauth2
//! argv   hallpass-askpass "Password for 'https://oauth2@git.example.com': "     stdout TOKEN
//! ```
//!
//! `GIT_ASKPASS`, `SSH_ASKPASS` and `wget --use-askpass`. Measured with wget 1.21.3 (which leaves the port out); git's
//! prompts are from its source. Only a prompt with the URL of a place that an account serves is ours: passphrases of
//! keys, and everything else, go to the next `ssh-askpass` on PATH. In other languages the prompt is known by the user
//! name in its URL, which only the second one has.

use crate::place::Place;
use crate::talk::{Call, Exit, Failure, Protocol, Reply, Request, Step, Target, Verb};

/// git, ssh and wget without a credential helper.
#[derive(Debug)]
pub(crate) struct Askpass;

/// What such programs are usually called.
const NEXT: &str = "ssh-askpass";

impl Protocol for Askpass {
    fn names(&self) -> &'static [&'static str] {
        &["askpass", "hallpass-askpass"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args {
            [prompt] => question(prompt).map_or_else(|| Step::pass_on(NEXT), Step::ask),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass askpass PROMPT`")),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => match credential.access_token() {
                Ok(_) if request.note == USERNAME => Step::answer(format!("{}\n", credential.username)),
                Ok(token) => Step::answer(format!("{token}\n")),
                Err(failure) => Step::fail(failure),
            },
            Reply::Failed(failure) => Step::fail(failure.clone()),
            _ => Step::pass_on(NEXT),
        }
    }
}

const USERNAME: &str = "username";

/// The URL stands in quotes; whatever has none is not for us.
fn question(prompt: &str) -> Option<Request> {
    let (_, rest) = prompt.split_once('\'')?;
    let (url, after) = rest.rsplit_once('\'')?;
    let is_end = after.chars().all(|letter| matches!(letter, ':' | ' ' | '：'));
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (username, bare) = match authority.rsplit_once('@') {
        Some((username, _)) if username.contains('@') => return None, // two readings
        Some((username, _)) => (Some(username), format!("{scheme}://{}", &rest[username.len() + 1..])),
        None => (None, url.to_owned()),
    };
    let place = Place::from_url(&bare).ok()?;
    let is_username = username.is_none() && !prompt.starts_with("Password");
    is_end.then(|| Request {
        username: username.map(str::to_owned),
        drawer: "askpass",
        note: if is_username { USERNAME.to_owned() } else { String::new() },
        ..Request::new(Verb::Get, Target::Place(place))
    })
}

#[cfg(test)]
mod tests {
    use super::Askpass;
    use crate::talk::{Call, Credential, Exit, Failure, Protocol, Reply, Request, Step, Target, Then};

    fn start(prompt: &str) -> Then {
        let args = [prompt.to_owned()];
        Askpass.start(&Call { name: "askpass", args: &args, env: &|_| None, now: 0 }).then
    }

    fn asked(prompt: &str) -> Request {
        match start(prompt) {
            Then::Ask(request) => *request,
            other => panic!("{prompt}: {other:?}"),
        }
    }

    fn reply(request: &Request, reply: &Reply) -> Step {
        Askpass.reply(&Call { name: "askpass", args: &[], env: &|_| None, now: 0 }, request, reply)
    }

    #[test]
    fn user_name_and_password() {
        let pass = || Reply::Pass(Box::new(Credential::example("AT1")));
        for prompt in ["Username for 'https://h.example': ", "Benutzername für 'https://h.example': "] {
            let request = asked(prompt);
            assert!(matches!(&request.target, Target::Place(place) if place.host == "h.example"));
            assert_eq!(reply(&request, &pass()).say.expose(), "oauth2\n", "{prompt}");
        }
        for prompt in [
            "Password for 'https://h.example': ",
            "Password for 'https://oauth2@h.example:8443/x': ",
            "Passwort für 'https://oauth2@h.example': ",
        ] {
            assert_eq!(reply(&asked(prompt), &pass()).say.expose(), "AT1\n", "{prompt}");
        }
        assert_eq!(asked("Password for 'https://alice@h.example': ").username.as_deref(), Some("alice"));
    }

    #[test]
    fn what_is_not_ours_is_passed_on() {
        for prompt in [
            "",
            "Enter passphrase for key '/home/me/.ssh/id_ed25519': ",
            "me@h.example's password: ",
            "[sudo] password for me: ",
            "Password for 'https://a@b@h.example': ",
            "Password for 'https://h.example' and 'https://evil.example': ",
            "Password for 'https://h.example\nx': ",
            "Are you sure ('https://h.example') yes/no? ",
        ] {
            assert!(matches!(start(prompt), Then::PassOn("ssh-askpass", None)), "{prompt:?}");
        }
        let request = asked("Password for 'https://h.example': ");
        assert!(matches!(reply(&request, &Reply::Missing(None)).then, Then::PassOn("ssh-askpass", None)));
        let failed = reply(&request, &Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(matches!(failed.then, Then::End(Exit::SignIn, Some(_))));
    }
}
