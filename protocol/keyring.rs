//! The `keyring` command, as pip and uv call it
//!
//! ```text
//! argv   keyring get https://pypi.example.com/simple/ oauth2                           stdout TOKEN
//! argv   keyring --mode=creds --output=json get https://pypi.example.com/simple/       stdout {"username":"oauth2","password":"TOKEN"}
//! argv   keyring get https://pypi.example.com/simple/ --mode creds                     stdout oauth2
//!                                                                                             TOKEN
//! ```
//!
//! Measured with pip 23.2.1 (first form), pip 26.3 (second) and uv 0.13.9 (first, and third when the URL has no user).
//! After the URL they ask again for `host[:port]`. Not found is exit code 1 and nothing on stdout. The program must be
//! called `keyring` and hides the real one, so whatever is not about a place that an account serves goes to the next
//! `keyring` on PATH, as it came.
//!
//! ```text
//! argv   keyring set https://pypi.example.com/simple/ me       stdin PASSWORD and a line's end (pip, after its prompt)
//! argv   keyring del https://pypi.example.com/simple/ me
//! ```
//!
//! An account's places are signed in to: there both are refused. Where there is no other `keyring`, what `set` brings is
//! kept here, for this door alone.

mod words;

use serde_json::json;

use crate::secret::Secret;
use crate::talk::{Call, Credential, Exit, Failure, Framing, Kept, Protocol, Reply, Request, Step, Target, Then, Verb};

use words::{Form, NEXT, Operation, Words};

/// pip and uv.
#[derive(Debug)]
pub(crate) struct Keyring;

impl Protocol for Keyring {
    fn names(&self) -> &'static [&'static str] {
        &["keyring"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let Some(words) = Words::read(call.args) else { return Step::pass_on(NEXT) };
        let verb = if words.operation == Operation::Get { Verb::Get } else { Verb::Whose };
        match (words.request(verb), words.operation) {
            (Some(request), _) => Step::ask(request),
            (None, Operation::Set) => {
                or_else(failed(usage("there is no other `keyring` on PATH, and that is no place")))
            }
            (None, _) => Step::pass_on(NEXT),
        }
    }

    /// The password of a `set` that is ours to keep.
    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let line = input.strip_suffix('\n').unwrap_or(input);
        let secret = Secret::new(line.strip_suffix('\r').unwrap_or(line));
        if !secret.is_one_line() {
            return failed(usage("what is to be stored is no password: it is empty, or has a control character in it"));
        }
        let words = Words::read(call.args);
        let store = |words: Words<'_>| {
            words.request(Verb::Store(Box::new(Kept::new(words.user.map(str::to_owned), secret.clone()))))
        };
        words.and_then(store).map_or_else(|| Step::end(Exit::Bug), Step::ask)
    }

    fn garbled(&self, _: &Call<'_>, _: &str, why: Failure) -> Step {
        failed(why)
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        let Some(Words { form, operation, .. }) = Words::read(call.args) else { return Step::pass_on(NEXT) };
        let again = |verb| Step::ask(Request { verb, ..request.clone() });
        match (reply, &request.verb) {
            (Reply::Pass(credential), Verb::Get) if operation == Operation::Get => {
                pass(form, request, credential).map_or_else(failed, Step::answer)
            }
            (Reply::Kept(kept), Verb::Get) if operation == Operation::Get => {
                let username = request.username.as_deref().or(kept.username.as_deref()).unwrap_or_default();
                said(form, username, &kept.secret).map_or_else(failed, Step::answer)
            }
            (Reply::Failed(failure), _) => failed(failure.clone()),
            (Reply::Unsupported(why), _) => failed(Failure::new(Exit::Missing, why.clone())),
            // `host:port` of this machine: http was tried first.
            (Reply::Missing(None), Verb::Get | Verb::Whose) => match (over_tls(request), operation) {
                (Some(request), _) => Step::ask(request),
                (None, Operation::Set) => or_else(Step::read(Framing::Line)),
                (None, Operation::Del) if matches!(request.verb, Verb::Whose) => match Words::read(call.args) {
                    Some(words) => words.request(Verb::Get).map_or_else(|| Step::pass_on(NEXT), Step::ask),
                    None => Step::pass_on(NEXT),
                },
                _ => Step::pass_on(NEXT),
            },
            // Kept here: then it goes from here.
            (Reply::Kept(_), Verb::Get) => again(Verb::Erase(None)),
            (Reply::Done, Verb::Store(_) | Verb::Erase(_)) => Step::end(Exit::Answered),
            _ => Step::pass_on(NEXT),
        }
    }
}

/// The other reading of a host on this machine.
fn over_tls(request: &Request) -> Option<Request> {
    let Target::Place(place) = &request.target else { return None };
    let place = if request.note.contains("://") { None } else { place.over_tls() };
    place.map(|place| Request { target: Target::Place(place), ..request.clone() })
}

/// The next `keyring`; where there is none, this.
fn or_else(step: Step) -> Step {
    Step { then: Then::PassOn(NEXT, Some(Box::new(step))), ..Step::end(Exit::Bug) }
}

fn pass(form: Form, request: &Request, credential: &Credential) -> Result<String, Failure> {
    credential.access_token()?;
    said(form, request.username.as_deref().unwrap_or(&credential.username), &credential.secret)
}

fn said(form: Form, username: &str, password: &Secret) -> Result<String, Failure> {
    if username.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(usage("the user name has a control character in it"));
    }
    if !password.is_one_line() {
        return Err(Failure::new(Exit::Refused, "the password that was kept has a line break in it"));
    }
    let password = password.expose();
    Ok(match (form.json, form.creds) {
        (true, true) => format!("{}\n", json!({ "username": username, "password": password })),
        (true, false) => format!("{}\n", json!({ "password": password })),
        (false, true) => format!("{username}\n{password}\n"),
        (false, false) => format!("{password}\n"),
    })
}

fn usage(what: &str) -> Failure {
    Failure::new(Exit::Usage, what)
}

/// Its callers know one failure: 1. They take 2 for a `keyring` that is too old.
fn failed(failure: Failure) -> Step {
    Step { then: Then::End(Exit::Bug, Some(failure)), ..Step::end(Exit::Bug) }
}

#[cfg(test)]
mod tests {
    use super::Keyring;
    use crate::talk::{Call, Credential, Exit, Failure, Framing, Protocol, Reply, Step, Target, Then, Verb};

    fn with<T>(args: &[&str], run: impl Fn(&Call<'_>) -> T) -> T {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        run(&Call { name: "keyring", args: &args, env: &|_| None, now: 0 })
    }

    fn run(args: &[&str], reply: &Reply) -> Step {
        with(args, |call| match Keyring.start(call).then {
            Then::Ask(request) => Keyring.reply(call, &request, reply),
            then => Step { then, ..Step::end(Exit::Bug) },
        })
    }

    const URL: &str = "https://pypi.example.com/simple/";

    #[test]
    fn the_three_shapes() {
        let pass = Reply::Pass(Box::new(Credential::example("AT1")));
        let said = |args: &[&str]| run(args, &pass).say.expose().to_owned();
        let json = "{\"password\":\"AT1\",\"username\":\"oauth2\"}\n";
        assert_eq!(said(&["get", URL, "oauth2"]), "AT1\n");
        assert_eq!(said(&["--mode=creds", "--output=json", "get", URL]), json);
        assert_eq!(said(&["--mode", "creds", "--output", "json", "get", "pypi.example.com:8443"]), json);
        assert_eq!(said(&["get", URL, "--mode", "creds"]), "oauth2\nAT1\n");
        assert_eq!(said(&["get", URL, "--mode=creds", "--output=plain"]), "oauth2\nAT1\n");
        assert_eq!(said(&["--mode=creds", "get", URL, "alice"]), "alice\nAT1\n", "never another name");
        assert_eq!(said(&["--mode=creds", "get", URL, "a\nb"]), "");
        assert_eq!(run(&["get", URL, "u"], &Reply::Pass(Box::new(Credential::example("a\nb")))).say.expose(), "");
    }

    #[test]
    fn the_rest_is_for_the_real_one() {
        for args in [
            &["get", URL][..], // without a user: a person is asked for nothing by keyring either
            &["get", "my mail", "me"],
            &["set", URL],
            &["del", "my mail", "me"],
            &["--list-backends"],
            &["-b", "keyring.backends.null.Keyring", "get", URL, "u"],
            &["--mode=frobnicate", "get", URL],
            &["--mode"],
            &["diagnose"],
            &["get", "https://u@h/", "u"],
            &["get", "", "u"],
            &[],
        ] {
            assert!(matches!(with(args, |call| Keyring.start(call).then), Then::PassOn("keyring", None)), "{args:?}");
        }
        assert!(matches!(run(&["get", URL, "u"], &Reply::Missing(None)).then, Then::PassOn("keyring", None)));
        let failed = run(&["get", URL, "u"], &Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(failed.say.expose().is_empty() && matches!(failed.then, Then::End(Exit::Bug, Some(_))), "never 2");
    }

    #[test]
    fn set_and_del() {
        let mine = Reply::Unsupported("account `work` is signed in to".into());
        for verb in ["set", "del"] {
            let refused = run(&[verb, URL, "me"], &mine);
            assert!(matches!(refused.then, Then::End(Exit::Bug, Some(_))), "{verb}");
        }
        let Then::PassOn("keyring", Some(step)) = run(&["set", URL, "me"], &Reply::Missing(None)).then else {
            panic!()
        };
        assert!(matches!(step.then, Then::Read(Framing::Line)));
        let hear = |input: &str| with(&["set", URL, "me"], |call| Keyring.hear(call, input).then);
        for input in ["p w\n", "p w\r\n", "p w"] {
            let Then::Ask(request) = hear(input) else { panic!("{input:?}") };
            assert!(matches!(&request.verb, Verb::Store(kept) if kept.secret.expose() == "p w"), "{input:?}");
            assert_eq!(request.username.as_deref(), Some("me"));
        }
        for odd in ["", "\n", "\r\n", "a\tb\n", "a\n\n"] {
            assert!(matches!(hear(odd), Then::End(Exit::Bug, Some(_))), "{odd:?}");
        }
        let mail = with(&["set", "my mail", "me"], |call| Keyring.start(call).then);
        assert!(matches!(mail, Then::PassOn("keyring", Some(_))));
    }

    #[test]
    fn a_host_on_this_machine_has_two_readings() {
        let Then::Ask(again) = run(&["get", "127.0.0.1:8080", "u"], &Reply::Missing(None)).then else { panic!() };
        assert!(matches!(&again.target, Target::Place(place) if place.scheme == "https" && place.port == 8080));
    }
}
