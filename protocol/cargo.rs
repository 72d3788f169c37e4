//! cargo's credential provider protocol, version 1
//!
//! ```text
//! argv   hallpass --cargo-plugin        (what the person configured comes as "args" inside the question)
//! stdout {"v":[1]}
//! stdin  {"v":1,"registry":{"index-url":"sparse+https://crates.example/","name":"corp"},"kind":"get","operation":"read"}
//! stdout {"Ok":{"kind":"get","token":"Bearer TOKEN","cache":"expires","expiration":1795349999,"operation_independent":true}}
//!        {"Err":{"kind":"url-not-supported"}}
//! ```
//!
//! One JSON document to a line, both ways; we speak first, and cargo may ask again until it closes our stdin. Measured
//! with cargo 1.95. The token becomes the whole `Authorization` header, so its scheme is ours to write; what `cargo
//! login` brought goes back as it came. A failure is an answer with exit code 0; `url-not-supported` and `not-found`
//! make cargo ask its next provider. cargo takes a token with less than a minute left for expired.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::place::Place;
use crate::secret::{Secret, exposed, exposed_option};
use crate::talk::{Call, Credential, Exit, Failure, Framing, Kept, Protocol, Reply, Request, Step, Target, Then, Verb};

/// cargo.
#[derive(Debug)]
pub(crate) struct Cargo;

/// Seconds a token must have left: cargo wants a minute, and the request takes its time.
const MIN_LIFE: u64 = 75;

#[derive(Deserialize)]
struct Question {
    v: u64,
    registry: Registry,
    kind: String,
    operation: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default, with = "exposed_option")]
    token: Option<Secret>,
}

#[derive(Deserialize)]
struct Registry {
    #[serde(rename = "index-url")]
    index_url: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    kind: &'a str,
    #[serde(with = "exposed")]
    token: Secret,
    cache: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<u64>,
    operation_independent: bool,
}

impl Protocol for Cargo {
    fn names(&self) -> &'static [&'static str] {
        &["cargo", "cargo-credential-hallpass", "--cargo-plugin"]
    }

    fn start(&self, _: &Call<'_>) -> Step {
        Step::say_and_read("{\"v\":[1]}\n", Framing::Line)
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        if input.is_empty() {
            return Step::end(Exit::Answered); // stdin was closed: cargo is done
        }
        request(input).map_or_else(|failure| failure, Step::ask)
    }

    fn garbled(&self, _: &Call<'_>, _: &str, why: Failure) -> Step {
        Step { then: Then::End(Exit::Answered, None), ..other(&why) } // where the next line begins, nobody knows
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        let is_get = request.note == "get";
        match reply {
            Reply::Pass(credential) if is_get => pass(credential),
            Reply::Kept(kept) if is_get => token(kept.secret.clone(), kept.expires_at),
            Reply::Done if is_get => kind("url-not-supported"), // without a token it is fatal to cargo
            Reply::Pass(_) | Reply::Kept(_) | Reply::Done => line(&json!({ "Ok": { "kind": request.note } })),
            Reply::Missing(Some(why)) => other(why),
            // A login without a token is for whoever can ask for one; the rest of the providers come next.
            Reply::Missing(None) | Reply::Names(_) => kind("url-not-supported"),
            Reply::Unsupported(why) => other(&Failure::new(Exit::Missing, why.clone())),
            Reply::Failed(failure) => other(failure),
        }
    }
}

/// The question in our words, or the step that answers it at once.
fn request(input: &str) -> Result<Request, Step> {
    let odd = |what: &str| other(&Failure::new(Exit::Usage, what));
    // Not serde_json's own words: they can quote the token of a login.
    let question: Question =
        serde_json::from_str(input).map_err(|_| odd("cargo asked in a way that hallpass does not understand"))?;
    if question.v != 1 {
        return Err(odd("cargo asked in a version of its protocol that hallpass does not speak"));
    }
    let verb = match (question.kind.as_str(), question.operation.as_deref(), question.token) {
        ("get", Some("read" | "publish" | "yank" | "unyank" | "owners"), _) => Verb::Get,
        ("login", _, Some(token)) => Verb::Store(Box::new(Kept::new(None, token))),
        ("login", _, None) => Verb::Get, // for an account: signs in
        ("logout", ..) => Verb::Erase(None),
        _ => return Err(kind("operation-not-supported")),
    };
    let url = question.registry.index_url;
    let url = url.strip_prefix("sparse+").or_else(|| url.strip_prefix("registry+")).unwrap_or(&url);
    let Ok(place) = Place::from_url(url) else { return Err(kind("url-not-supported")) };
    Ok(Request {
        account: account(&question.args).map_err(odd)?,
        min_life: Some(MIN_LIFE),
        drawer: "cargo",
        note: question.kind,
        ..Request::new(verb, Target::Place(place))
    })
}

/// Our own options, as the person wrote them behind the program: `["hallpass", "cargo", "--account", "work"]`.
fn account(args: &[String]) -> Result<Option<String>, &'static str> {
    let mut account = None;
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        account = match arg.strip_prefix("--account=") {
            _ if arg == "cargo" => continue,
            Some(name) => Some(name),
            None if arg == "--account" => Some(args.next().ok_or("`--account` needs a value")?),
            None => return Err("the credential provider has an argument that hallpass does not know"),
        };
    }
    Ok(account.map(str::to_owned))
}

fn pass(credential: &Credential) -> Step {
    match credential.authorization() {
        Ok(value) => token(value, credential.expires_at),
        Err(failure) => other(&failure),
    }
}

fn token(token: Secret, expiration: Option<u64>) -> Step {
    let cache = if expiration.is_some() { "expires" } else { "session" };
    if !token.is_one_line() {
        return other(&Failure::new(Exit::Refused, "the token that was kept has a line break in it"));
    }
    let answer = Answer { kind: "get", token, cache, expiration, operation_independent: true };
    match serde_json::to_string(&answer) {
        Ok(answer) => Step::say_and_read(format!("{{\"Ok\":{answer}}}\n"), Framing::Line),
        Err(_) => other(&Failure::new(Exit::Bug, "the answer could not be written as JSON")),
    }
}

fn kind(kind: &str) -> Step {
    line(&json!({ "Err": { "kind": kind } }))
}

/// cargo prints the message and, below it, each cause.
fn other(failure: &Failure) -> Step {
    let causes: Vec<&str> = failure.hint.as_deref().into_iter().collect();
    line(&json!({ "Err": { "kind": "other", "message": failure.what, "caused-by": causes } }))
}

fn line(answer: &serde_json::Value) -> Step {
    Step::say_and_read(format!("{answer}\n"), Framing::Line)
}

#[cfg(test)]
mod tests {
    use super::Cargo;
    use crate::secret::Secret;
    use crate::talk::{
        Call, Credential, Exit, Failure, Framing, Kept, Protocol, Reply, Request, Step, Target, Then, Verb,
    };

    fn call<T>(run: impl Fn(&Call<'_>) -> T) -> T {
        run(&Call { name: "--cargo-plugin", args: &[], env: &|_| None, now: 0 })
    }

    fn hear(input: &str) -> Step {
        call(|call| Cargo.hear(call, input))
    }

    fn asked(input: &str) -> Request {
        match hear(input).then {
            Then::Ask(request) => *request,
            other => panic!("{input}: {other:?}"),
        }
    }

    fn reply(request: &Request, reply: &Reply) -> String {
        let step = call(|call| Cargo.reply(call, request, reply));
        assert!(matches!(step.then, Then::Read(Framing::Line)), "cargo may ask again");
        step.say.expose().to_owned()
    }

    /// The question as cargo 1.95 writes it.
    fn question(kind: &str, more: &str) -> String {
        let headers = r#""headers":["WWW-Authenticate: Cargo login_url=\"https://x\"","Date: now"]"#;
        let registry = format!(r#"{{"index-url":"sparse+https://h.example/index/","name":"my",{headers}}}"#);
        format!(r#"{{"v":1,"registry":{registry},"kind":"{kind}"{more}}}"#) + "\n"
    }

    const READ: &str = r#","operation":"read","args":[]"#;

    #[test]
    fn the_greeting_comes_first_and_the_end_of_stdin_is_the_end() {
        let step = call(|call| Cargo.start(call));
        assert_eq!(step.say.expose(), "{\"v\":[1]}\n");
        assert!(matches!(step.then, Then::Read(Framing::Line)));
        assert!(matches!(hear("").then, Then::End(Exit::Answered, None)));
    }

    #[test]
    fn a_token_is_the_whole_header() {
        let request = asked(&question("get", READ));
        assert!(matches!(&request.target, Target::Place(place) if place.to_string() == "https://h.example/index"));
        assert_eq!(request.min_life, Some(75));
        assert_eq!(
            reply(&request, &Reply::Pass(Box::new(Credential::example("AT1")))),
            "{\"Ok\":{\"kind\":\"get\",\"token\":\"Bearer AT1\",\"cache\":\"expires\",\"expiration\":1795350896,\
             \"operation_independent\":true}}\n"
        );
        let kept = Kept::new(None, Secret::new("as \"it\" came"));
        assert_eq!(
            reply(&request, &Reply::Kept(Box::new(kept))),
            "{\"Ok\":{\"kind\":\"get\",\"token\":\"as \\\"it\\\" came\",\"cache\":\"session\",\
             \"operation_independent\":true}}\n"
        );
    }

    #[test]
    fn every_operation_that_is_known() {
        let publish = r#","operation":"publish","name":"a","vers":"1.0.0","cksum":"00""#;
        for more in [READ, publish, r#","operation":"owners","name":"a""#, r#","operation":"yank""#] {
            assert!(matches!(asked(&question("get", more)).verb, Verb::Get), "{more}");
        }
        assert!(matches!(asked(&question("login", r#","token":"T","login-url":"u""#)).verb, Verb::Store(_)));
        assert!(matches!(asked(&question("login", "")).verb, Verb::Get));
        assert!(matches!(asked(&question("logout", "")).verb, Verb::Erase(None)));
        for odd in [question("get", r#","operation":"fetch""#), question("get", ""), question("frobnicate", "")] {
            assert_eq!(hear(&odd).say.expose(), "{\"Err\":{\"kind\":\"operation-not-supported\"}}\n", "{odd}");
        }
    }

    #[test]
    fn members_in_any_order_and_of_later_versions() {
        let input = r#"{"later":[{}],"operation":"read","kind":"get","registry":{"later":1,"index-url":"registry+https://h.example/i"},"v":1}"#;
        let request = asked(input);
        assert!(matches!(&request.target, Target::Place(place) if place.to_string() == "https://h.example/i"));
        assert!(matches!(request.verb, Verb::Get) && request.account.is_none());
    }

    #[test]
    fn our_options_come_inside_the_question() {
        let account = |args: &str| asked(&question("get", &format!(r#","operation":"read","args":{args}"#))).account;
        assert_eq!(account(r#"["cargo","--account","work"]"#).as_deref(), Some("work"));
        assert_eq!(account(r#"["--account=work"]"#).as_deref(), Some("work"));
        assert_eq!(account("[]"), None);
        for odd in [r#"["--frobnicate"]"#, r#"["--account"]"#] {
            let step = hear(&question("get", &format!(r#","operation":"read","args":{odd}"#)));
            assert!(step.say.expose().starts_with("{\"Err\":{\"caused-by\":[],\"kind\":\"other\""), "{odd}");
        }
    }

    #[test]
    fn not_ours_and_failures_are_answers() {
        let request = asked(&question("get", READ));
        assert_eq!(reply(&request, &Reply::Missing(None)), "{\"Err\":{\"kind\":\"url-not-supported\"}}\n");
        let failure = Failure::new(Exit::SignIn, "no \"session\"").hint("`hallpass login work`");
        assert_eq!(
            reply(&request, &Reply::Failed(failure)),
            "{\"Err\":{\"caused-by\":[\"`hallpass login work`\"],\"kind\":\"other\",\"message\":\"no \\\"session\\\"\"}}\n"
        );
        assert!(reply(&request, &Reply::Pass(Box::new(Credential::example("a\nb")))).contains("line break"));
        let login = asked(&question("login", r#","token":"T""#));
        assert_eq!(reply(&login, &Reply::Done), "{\"Ok\":{\"kind\":\"login\"}}\n");
        let logout = asked(&question("logout", ""));
        assert_eq!(reply(&logout, &Reply::Done), "{\"Ok\":{\"kind\":\"logout\"}}\n");
        let login = asked(&question("login", ""));
        let signed_in = reply(&login, &Reply::Pass(Box::new(Credential::example("canary"))));
        assert_eq!(signed_in, "{\"Ok\":{\"kind\":\"login\"}}\n", "a login hands nothing out");
    }

    #[test]
    fn odd_questions_are_answered_without_their_text() {
        let twice = r#"{"v":1,"registry":{"index-url":"https://h"},"kind":"get","kind":"login","token":"canary"}"#;
        let deep = "[".repeat(200_000);
        for odd in [
            "\n",
            "canary",
            "{}",
            "[1]",
            twice,
            &deep,
            &question("get", READ).replace("\"v\":1", "\"v\":2"),
            &question("login", r#","token":["canary"]"#),
            &question("get", READ).replace("sparse+https://h.example/index/", "ssh://canary@h"),
            &question("get", READ).replace("sparse+https://h.example/index/", "sparse+https://canary@h/"),
        ] {
            let step = hear(odd);
            assert!(step.say.expose().starts_with("{\"Err\":{"), "{odd:.80}");
            assert!(!step.say.expose().contains("canary"), "{odd:.80}");
        }
    }
}
