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
//! called `keyring` and hides the real one, so whatever is not a question for a place that an account serves goes to the
//! next `keyring` on PATH, as it came.

use serde_json::json;

use crate::place::Place;
use crate::talk::{Call, Credential, Exit, Failure, Protocol, Reply, Request, Step, Target, Then, Verb};

/// pip and uv.
#[derive(Debug)]
pub(crate) struct Keyring;

const NEXT: &str = "keyring";

/// What the caller wants printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    creds: bool,
    json: bool,
}

impl Protocol for Keyring {
    fn names(&self) -> &'static [&'static str] {
        &["keyring"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let question = words(call.args).and_then(|(_, service, user)| {
            let place = Place::from_registry(service).ok()?;
            let username = user.map(str::to_owned);
            let note = service.to_owned();
            Some(Request { username, drawer: NEXT, note, ..Request::new(Verb::Get, Target::Place(place)) })
        });
        question.map_or_else(|| Step::pass_on(NEXT), Step::ask)
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        let Some((form, ..)) = words(call.args) else { return Step::pass_on(NEXT) };
        match (reply, &request.target) {
            (Reply::Pass(credential), _) => pass(form, request, credential).map_or_else(failed, Step::answer),
            (Reply::Failed(failure), _) => failed(failure.clone()),
            // `host:port` of this machine: http was tried first.
            (Reply::Missing(None), Target::Place(place)) if !request.note.contains("://") => match place.over_tls() {
                Some(place) => Step::ask(Request { target: Target::Place(place), ..request.clone() }),
                None => Step::pass_on(NEXT),
            },
            _ => Step::pass_on(NEXT),
        }
    }
}

/// `get SERVICE [USER]` with options anywhere; `None` for everything else.
fn words(args: &[String]) -> Option<(Form, &str, Option<&str>)> {
    let mut form = Form { creds: false, json: false };
    let mut operands = Vec::new();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) if arg.starts_with("--") => (name, Some(value)),
            _ => (arg, None),
        };
        match name {
            "--mode" => {
                form.creds = match value.or_else(|| args.next())? {
                    "creds" => true,
                    "password" => false,
                    _ => return None,
                }
            }
            "--output" => {
                form.json = match value.or_else(|| args.next())? {
                    "json" => true,
                    "plain" => false,
                    _ => return None,
                }
            }
            _ if arg.starts_with('-') => return None, // a backend by name, a list: the real one knows
            _ => operands.push(arg),
        }
    }
    match operands[..] {
        ["get", service] if form.creds => Some((form, service, None)),
        ["get", service, user] => Some((form, service, Some(user).filter(|user| !user.is_empty()))),
        _ => None,
    }
}

fn pass(form: Form, request: &Request, credential: &Credential) -> Result<String, Failure> {
    let password = credential.access_token()?;
    let username = request.username.as_deref().unwrap_or(&credential.username);
    if username.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Failure::new(Exit::Usage, "the user name has a control character in it"));
    }
    Ok(match (form.json, form.creds) {
        (true, true) => format!("{}\n", json!({ "username": username, "password": password })),
        (true, false) => format!("{}\n", json!({ "password": password })),
        (false, true) => format!("{username}\n{password}\n"),
        (false, false) => format!("{password}\n"),
    })
}

/// Its callers know one failure: 1. They take 2 for a `keyring` that is too old.
fn failed(failure: Failure) -> Step {
    Step { then: Then::End(Exit::Bug, Some(failure)), ..Step::end(Exit::Bug) }
}

#[cfg(test)]
mod tests {
    use super::Keyring;
    use crate::talk::{Call, Credential, Exit, Failure, Protocol, Reply, Step, Target, Then};

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
            &["set", URL, "oauth2"],
            &["del", URL, "oauth2"],
            &["--list-backends"],
            &["-b", "keyring.backends.null.Keyring", "get", URL, "u"],
            &["--mode=frobnicate", "get", URL],
            &["--mode"],
            &["diagnose"],
            &["get", "https://u@h/", "u"],
            &["get", "", "u"],
            &[],
        ] {
            assert!(matches!(with(args, |call| Keyring.start(call).then), Then::PassOn("keyring")), "{args:?}");
        }
        assert!(matches!(run(&["get", URL, "u"], &Reply::Missing(None)).then, Then::PassOn("keyring")));
        let failed = run(&["get", URL, "u"], &Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(failed.say.expose().is_empty() && matches!(failed.then, Then::End(Exit::Bug, Some(_))), "never 2");
    }

    #[test]
    fn a_host_on_this_machine_has_two_readings() {
        let Then::Ask(again) = run(&["get", "127.0.0.1:8080", "u"], &Reply::Missing(None)).then else { panic!() };
        assert!(matches!(&again.target, Target::Place(place) if place.scheme == "https" && place.port == 8080));
    }
}
