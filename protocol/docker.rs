//! Docker's credential helper protocol: docker, podman, skopeo, buildah, helm, oras and whatever uses their libraries
//!
//! ```text
//! argv   docker-credential-hallpass get          (exactly one word: get, store, erase, list, version)
//! stdin  reg.example.com                         no newline; a URL for Docker Hub: https://index.docker.io/v1/
//! stdout {"ServerURL":"reg.example.com","Username":"oauth2","Secret":"TOKEN"}
//!        credentials not found in native keychain            (exit code 1: the client goes on without)
//!        hallpass: account `work`: ...                       (exit code 1: shown to the person)
//!
//! store  {"ServerURL":"reg.example.com","Username":"u","Secret":"p"}      list  {"https://a.example":"oauth2"}
//! ```
//!
//! Measured with docker 28.2.2 and skopeo 1.9.3. Every message is on stdout, and the one for "not found" is compared
//! letter by letter. The user name `<token>` would make the client take the secret for a refresh token and send it to
//! the registry's token endpoint, so an access token never goes out under that name.

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::secret::{Secret, exposed};
use crate::talk::{Call, Exit, Failure, Framing, Kept, Protocol, Reply, Request, Step, Target, Then, Verb};

/// Docker and its kin.
#[derive(Debug)]
pub(crate) struct Docker;

const NOT_FOUND: &str = "credentials not found in native keychain\n";
const NO_SERVER: &str = "no credentials server URL\n";
const NO_USER: &str = "no credentials username\n";
/// Marks a refresh token.
const IDENTITY: &str = "<token>";
/// Docker Hub is known by this alone.
const HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "ServerURL")]
    server: &'a str,
    #[serde(rename = "Username")]
    username: &'a str,
    #[serde(rename = "Secret", with = "exposed")]
    secret: Secret,
}

#[derive(Deserialize)]
struct Brought {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", with = "exposed")]
    secret: Secret,
}

impl Protocol for Docker {
    fn names(&self) -> &'static [&'static str] {
        &["docker", "docker-credential-hallpass"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args {
            [verb] => match verb.as_str() {
                "get" | "store" | "erase" | "list" => Step::read(Framing::All),
                "version" => Step::answer(concat!("docker-credential-hallpass ", env!("CARGO_PKG_VERSION"), "\n")),
                _ => said("hallpass: unknown operation: it is one of get, store, erase, list, version\n"),
            },
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass docker get|store|erase|list|version`")),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let asks = |verb, server: &str| {
            let server = server.trim();
            if server.is_empty() {
                return said(NO_SERVER);
            }
            match Place::from_registry(server) {
                Ok(place) => Step::ask(request(verb, place, server)),
                Err(why) => said(format!("hallpass: the registry's name is not usable: {why}\n")),
            }
        };
        match call.args.first().map(String::as_str) {
            Some("get") => asks(Verb::Get, input),
            Some("erase") => asks(Verb::Erase(None), input),
            Some("list") => Step::ask(Request { drawer: DRAWER, ..Request::new(Verb::List, Target::Default) }),
            _ => match serde_json::from_str::<Brought>(input) {
                // serde_json's own words can quote the input, and the input holds a password.
                Err(_) => said("hallpass: what is to be stored is not the JSON that docker sends\n"),
                Ok(brought) if brought.username.is_empty() => said(NO_USER),
                Ok(Brought { server, username, secret }) => {
                    let kept = Kept::new(Some(username), secret);
                    asks(Verb::Store(Box::new(kept)), &server)
                }
            },
        }
    }

    fn garbled(&self, _: &Call<'_>, _: &str, why: Failure) -> Step {
        failed(&why)
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, &request.verb) {
            (Reply::Pass(credential), _) => {
                let named = request.username.as_deref().unwrap_or(&credential.username);
                match credential.access_token() {
                    Ok(_) if named != IDENTITY => answer(&request.note, named, &credential.secret),
                    Ok(_) => failed(&Failure::new(
                        Exit::Config,
                        format!("account `{}`: the user name `<token>` is for refresh tokens", credential.account),
                    )),
                    Err(failure) => failed(&failure),
                }
            }
            (Reply::Kept(kept), _) => answer(&request.note, kept.username.as_deref().unwrap_or_default(), &kept.secret),
            (Reply::Names(names), _) => list(names),
            (Reply::Done, Verb::Erase(_)) => over_tls(request).unwrap_or_else(|| Step::end(Exit::Answered)),
            (Reply::Done, Verb::Get) => said(NOT_FOUND), // an empty answer is fatal to its client
            (Reply::Done, _) => Step::end(Exit::Answered),
            (Reply::Missing(None), _) => over_tls(request).unwrap_or_else(|| said(NOT_FOUND)),
            // Whoever wants to pull anonymously still can; the reason is for the person.
            (Reply::Missing(Some(why)), _) => Step { then: Then::End(Exit::Bug, Some(why.clone())), ..said(NOT_FOUND) },
            // Not a failure: on one, Debian 12's podman, buildah and skopeo overflow their stack. The person reads why.
            (Reply::Unsupported(why), Verb::Erase(_)) => {
                let why = Failure::new(Exit::Missing, why.clone());
                Step { then: Then::End(Exit::Answered, Some(why)), ..Step::answer("") }
            }
            (Reply::Unsupported(why), _) => said(format!("hallpass: {why}\n")),
            (Reply::Failed(failure), _) => failed(failure),
        }
    }
}

/// What `docker login` brings is for registries alone.
const DRAWER: &str = "docker";

fn request(verb: Verb, place: Place, server: &str) -> Request {
    let username = match &verb {
        Verb::Store(kept) => kept.username.clone(),
        _ => None,
    };
    Request { username, drawer: DRAWER, note: server.to_owned(), ..Request::new(verb, Target::Place(place)) }
}

/// The other reading of a registry on this machine that was named without a scheme.
fn over_tls(request: &Request) -> Option<Step> {
    let Target::Place(place) = &request.target else { return None };
    if request.note.contains("://") {
        return None;
    }
    Some(Step::ask(Request { target: Target::Place(place.over_tls()?), ..request.clone() }))
}

fn answer(server: &str, username: &str, secret: &Secret) -> Step {
    match serde_json::to_string(&Answer { server, username, secret: secret.clone() }) {
        Ok(text) => Step::answer(text + "\n"),
        Err(_) => said("hallpass: the answer could not be written as JSON\n"),
    }
}

fn list(names: &[(Place, String)]) -> Step {
    let key = |place: &Place| match place.host == HUB.0 {
        true => HUB.1.to_owned(),
        false => place.authority(),
    };
    let names: serde_json::Map<_, _> =
        names.iter().map(|(place, username)| (key(place), username.clone().into())).collect();
    Step::answer(serde_json::Value::Object(names).to_string() + "\n")
}

/// Its failures are on stdout, with exit code 1.
fn said(text: impl Into<String>) -> Step {
    Step::end_with(text, Exit::Bug)
}

fn failed(failure: &Failure) -> Step {
    said(format!("hallpass: {}\n", failure.in_one_line()))
}

#[cfg(test)]
mod tests {
    use super::Docker;
    use crate::place::Place;
    use crate::secret::Secret;
    use crate::talk::{
        Call, Credential, Exit, Failure, Kept, Kind, Protocol, Reply, Request, Step, Target, Then, Verb,
    };

    fn hear(verb: &str, input: &str) -> Step {
        let args = [verb.to_owned()];
        Docker.hear(&Call { name: "docker", args: &args, env: &|_| None, now: 0 }, input)
    }

    fn asked(verb: &str, input: &str) -> Request {
        match hear(verb, input).then {
            Then::Ask(request) => *request,
            other => panic!("{input:?}: {other:?}"),
        }
    }

    fn reply(request: &Request, reply: &Reply) -> (String, Then) {
        let step = Docker.reply(&Call { name: "docker", args: &[], env: &|_| None, now: 0 }, request, reply);
        (step.say.expose().to_owned(), step.then)
    }

    #[test]
    fn a_registry_with_and_without_line_ends() {
        for input in ["reg.example.com", "reg.example.com\n", "reg.example.com\r\n"] {
            let request = asked("get", input);
            assert!(matches!(&request.target, Target::Place(place) if place.host == "reg.example.com"), "{input:?}");
            let (said, then) = reply(&request, &Reply::Pass(Box::new(Credential::example("AT1"))));
            assert_eq!(said, "{\"ServerURL\":\"reg.example.com\",\"Username\":\"oauth2\",\"Secret\":\"AT1\"}\n");
            assert!(matches!(then, Then::End(Exit::Answered, None)));
        }
        let hub = asked("get", "https://index.docker.io/v1/");
        assert_eq!(hub.note, "https://index.docker.io/v1/", "the key comes back as it came");
    }

    #[test]
    fn every_failure_is_on_stdout_with_code_1() {
        for (verb, input, want) in [
            ("get", "", "no credentials server URL\n"),
            ("get", " \n", "no credentials server URL\n"),
            ("erase", "", "no credentials server URL\n"),
            ("store", r#"{"Username":"u","Secret":"p"}"#, "no credentials server URL\n"),
            ("store", r#"{"ServerURL":"h","Secret":"p"}"#, "no credentials username\n"),
        ] {
            let step = hear(verb, input);
            assert_eq!(step.say.expose(), want, "{verb} {input}");
            assert!(matches!(step.then, Then::End(Exit::Bug, None)), "{verb} {input}");
        }
        for (verb, input) in [
            ("get", "a b"),
            ("get", "https://u@h"),
            ("get", "reg.example.com\nevil.example"),
            ("get", "reg\0"),
            ("store", "canary"),
            ("store", r#"{"ServerURL":"h","Username":"u","Secret":7,"canary":1}"#),
            ("store", r#"{"ServerURL":"h","ServerURL":"evil","Username":"u","Secret":"canary"}"#),
            ("store", &"[".repeat(100_000)),
        ] {
            let step = hear(verb, input);
            assert!(
                step.say.expose().starts_with("hallpass: ") && !step.say.expose().contains("canary"),
                "{input:.40}"
            );
            assert!(matches!(step.then, Then::End(Exit::Bug, None)), "{input:.40}");
        }
        let args = ["frobnicate".to_owned()];
        let step = Docker.start(&Call { name: "docker", args: &args, env: &|_| None, now: 0 });
        assert!(step.say.expose().contains("unknown operation") && matches!(step.then, Then::End(Exit::Bug, None)));
    }

    #[test]
    fn not_found_is_spelled_letter_by_letter() {
        let request = asked("get", "other.example");
        let (said, then) = reply(&request, &Reply::Missing(None));
        assert_eq!(said, "credentials not found in native keychain\n");
        assert!(matches!(then, Then::End(Exit::Bug, None)));
        let failure = Failure::new(Exit::SignIn, "account `work` is not signed in").hint("`hallpass login work`");
        let (said, _) = reply(&request, &Reply::Failed(failure));
        assert_eq!(said, "hallpass: account `work` is not signed in; `hallpass login work`\n");
    }

    #[test]
    fn a_registry_on_this_machine_has_two_readings() {
        let request = asked("get", "127.0.0.1:5000");
        assert!(matches!(&request.target, Target::Place(place) if place.scheme == "http"));
        let (_, Then::Ask(again)) = reply(&request, &Reply::Missing(None)) else { panic!("no second question") };
        assert!(matches!(&again.target, Target::Place(place) if place.scheme == "https" && place.port == 5000));
        assert_eq!(reply(&again, &Reply::Missing(None)).0, "credentials not found in native keychain\n");
        let url = asked("get", "http://127.0.0.1:5000");
        assert!(matches!(reply(&url, &Reply::Missing(None)).1, Then::End(..)), "a URL has one reading");
    }

    #[test]
    fn a_list_is_an_object_even_when_empty() {
        let request = asked("list", "unused");
        assert!(matches!(request.verb, Verb::List));
        assert_eq!(reply(&request, &Reply::Names(Vec::new())).0, "{}\n");
        let names = ["https://index.docker.io/v1", "https://reg.example:5000"]
            .map(|url| (Place::from_url(url).expect(url), "u".to_owned()));
        assert_eq!(
            reply(&request, &Reply::Names(names.into())).0,
            "{\"https://index.docker.io/v1/\":\"u\",\"reg.example:5000\":\"u\"}\n"
        );
    }

    #[test]
    fn no_access_token_goes_out_as_a_refresh_token() {
        let request = asked("get", "h.example");
        let mut credential = Credential::example("canary");
        credential.username = "<token>".into();
        assert!(!reply(&request, &Reply::Pass(Box::new(credential))).0.contains("canary"));
        let mut credential = Credential::example("canary");
        credential.kind = Kind::IdToken;
        assert!(!reply(&request, &Reply::Pass(Box::new(credential))).0.contains("canary"));
        let kept = Kept::new(Some("<token>".into()), Secret::new("theirs\"é"));
        let (said, _) = reply(&request, &Reply::Kept(Box::new(kept)));
        assert_eq!(said, "{\"ServerURL\":\"h.example\",\"Username\":\"<token>\",\"Secret\":\"theirs\\\"é\"}\n");
    }
}
