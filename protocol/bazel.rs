//! Bazel's credential helper (the EngFlow specification)
//!
//! ```text
//! argv   hallpass-bazel get
//! stdin  {"uri":"https://dl.example.com/a.tgz"}
//! stdout {"headers":{"Authorization":["Bearer TOKEN"]},"expires":"2026-11-22T12:34:56Z"}
//!        {}                                                          for "none needed"
//! ```
//!
//! From its specification (schemas of 2024-02) and bazel's source; run with bazel 7.7.1. Each header has a list of
//! values. `expires` is in whole seconds: a fraction fails to parse. Bazel gives the helper 10 s, asks once for every
//! URL, and shows stderr when the exit code is not 0. gRPC addresses are those of the same host over TLS.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::place::Place;
use crate::talk::{Call, Credential, Exit, Failure, Framing, Protocol, Reply, Request, Step, Target, Then, Verb};
use crate::time::rfc3339;

/// Bazel.
#[derive(Debug)]
pub(crate) struct Bazel;

/// Seconds that bazel gives its helper (`--credential_helper_timeout`).
const PATIENCE: u64 = 10;

#[derive(Deserialize)]
struct Question {
    uri: String,
}

impl Protocol for Bazel {
    fn names(&self) -> &'static [&'static str] {
        &["bazel", "hallpass-bazel"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args.first().map(String::as_str) {
            Some("get") => Step::read(Framing::All),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass bazel get`, the question on stdin")),
        }
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        let Ok(Question { uri }) = serde_json::from_str(input) else {
            return Step::fail(Failure::new(Exit::Usage, "the question is not an object with a `uri`"));
        };
        let url = match uri.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("grpcs") => format!("https://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("grpc") => format!("http://{rest}"),
            _ => uri,
        };
        match Place::from_url(&url) {
            Ok(place) => Step::ask(Request {
                drawer: "bazel",
                patience: Some(PATIENCE),
                ..Request::new(Verb::Get, Target::Place(place))
            }),
            Err(why) => Step::fail(Failure::new(Exit::Usage, format!("the `uri` is not usable: {why}"))),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => pass(credential).map_or_else(Step::fail, Step::answer),
            Reply::Missing(why) => Step { then: Then::End(Exit::Answered, why.clone()), ..Step::answer("{}\n") },
            other => Step::fail(other.failure(request)),
        }
    }
}

fn pass(credential: &Credential) -> Result<String, Failure> {
    let authorization = credential.authorization()?;
    let mut headers: BTreeMap<&str, [&str; 1]> =
        credential.headers.iter().map(|(name, value)| (name.as_str(), [value.as_str()])).collect();
    headers.insert("Authorization", [authorization.expose()]);
    let mut answer = json!({ "headers": headers });
    if let Some(expiry) = credential.expires_at {
        answer["expires"] = rfc3339(expiry).into();
    }
    Ok(format!("{answer}\n"))
}

#[cfg(test)]
mod tests {
    use super::Bazel;
    use crate::talk::{Call, Credential, Exit, Failure, Form, Protocol, Reply, Request, Step, Target, Then, Verb};

    fn call<T>(args: &[&str], run: impl Fn(&Call<'_>) -> T) -> T {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        run(&Call { name: "bazel", args: &args, env: &|_| None, now: 0 })
    }

    fn place(uri: &str) -> Option<String> {
        let input = serde_json::json!({ "uri": uri, "later": [1] }).to_string();
        match call(&["get"], |call| Bazel.hear(call, &input).then) {
            Then::Ask(request) => match request.target {
                Target::Place(place) => Some(place.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    fn reply(reply: &Reply) -> Step {
        let request = Request::new(Verb::Get, Target::Default);
        call(&["get"], |call| Bazel.reply(call, &request, reply))
    }

    #[test]
    fn addresses() {
        assert_eq!(place("https://dl.example.com:8443/a").as_deref(), Some("https://dl.example.com:8443/a"));
        assert_eq!(place("grpcs://rbe.example.com").as_deref(), Some("https://rbe.example.com"));
        assert_eq!(place("grpc://127.0.0.1:8980").as_deref(), Some("http://127.0.0.1:8980"));
        for odd in ["", "unix:/tmp/socket", "dl.example.com", "https://u@h/", "https://h/\n"] {
            assert_eq!(place(odd), None, "{odd}");
        }
        for odd in ["", "{}", "[]", r#"{"uri":"https://a","uri":"https://evil"}"#, &"{\"uri\":".repeat(100_000)] {
            let then = call(&["get"], |call| Bazel.hear(call, odd).then);
            assert!(matches!(then, Then::End(Exit::Usage, Some(_))), "{odd:.40}");
        }
        for odd in [&[][..], &["frobnicate"]] {
            assert!(matches!(call(odd, |call| Bazel.start(call).then), Then::End(Exit::Usage, Some(_))));
        }
        assert!(matches!(call(&["get", "more"], |call| Bazel.start(call).then), Then::Read(_)));
    }

    #[test]
    fn answers() {
        let mut credential = Credential::example("AT1");
        credential.headers = vec![("X-Tenant".into(), "acme".into())];
        assert_eq!(
            reply(&Reply::Pass(Box::new(credential.clone()))).say.expose(),
            "{\"expires\":\"2026-11-22T12:34:56Z\",\"headers\":{\"Authorization\":[\"Bearer AT1\"],\
             \"X-Tenant\":[\"acme\"]}}\n"
        );
        (credential.form, credential.expires_at, credential.headers) = (Form::Basic, None, Vec::new());
        assert_eq!(
            reply(&Reply::Pass(Box::new(credential))).say.expose(),
            "{\"headers\":{\"Authorization\":[\"Basic b2F1dGgyOkFUMQ==\"]}}\n"
        );
        let none = reply(&Reply::Missing(None));
        assert_eq!(none.say.expose(), "{}\n");
        assert!(matches!(none.then, Then::End(Exit::Answered, None)));
        let failed = reply(&Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(failed.say.expose().is_empty() && matches!(failed.then, Then::End(Exit::SignIn, Some(_))));
    }
}
