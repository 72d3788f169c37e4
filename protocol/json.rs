//! The generic one: JSON in, JSON out, for sandboxes, agents and scripts
//!
//! ```text
//! argv   hallpass json get | store | erase
//! stdin  {"url":"https://git.example.com/x"}        or  {"account":"work"}, and perhaps
//!        {"min_ttl":600,"audience":"reports","resource":"https://api.example.com","scope":"read write"}
//! stdout {"account":"work","token":"TOKEN","token_type":"Bearer","username":"oauth2","expires_at":1795349999}
//!        {"error":{"code":4,"message":"...","hint":"..."}}                   (exit code 4)
//! ```
//!
//! A token that is bound to a key (`token_type` `DPoP`) needs `url` and `method`, and `dpop_nonce` where its server gave one;
//! the proof is among `headers`.
//! One document each way. `expires_at` is in seconds since the epoch and stands only where the expiry is known.
//! `store` takes `token`, `username` and `expires_at`; `erase` takes `token`, and then drops only that one.
//! Unknown fields are skipped; a field that stands twice, and text after the document, are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::plain::{is_resource, scopes};
use crate::secret::{Secret, exposed, exposed_option};
use crate::talk::{
    Call, Exit, Failure, Framing, Kept, Kind, Kinds, Protocol, Reply, Request, ShownWith, Step, Target, Then, Verb,
};

/// The generic JSON protocol.
#[derive(Debug)]
pub(crate) struct Json;

#[derive(Deserialize)]
struct Question {
    url: Option<String>,
    account: Option<String>,
    username: Option<String>,
    audience: Option<String>,
    resource: Option<String>,
    scope: Option<String>,
    method: Option<String>,
    dpop_nonce: Option<String>,
    min_ttl: Option<u64>,
    #[serde(default, with = "exposed_option")]
    token: Option<Secret>,
    expires_at: Option<u64>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    account: &'a str,
    #[serde(with = "exposed")]
    token: Secret,
    token_type: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    /// Beside `Authorization`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, &'a str>,
}

impl Protocol for Json {
    fn names(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args {
            [verb] if matches!(verb.as_str(), "get" | "store" | "erase") => Step::read(Framing::All),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass json get|store|erase`, the question on stdin")),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let odd = |what: String| said(&Failure::new(Exit::Usage, what));
        let question: Question = match serde_json::from_str(input) {
            Ok(question) => question,
            // serde_json's own words can quote the input, and the input can hold a token.
            Err(why) => {
                return odd(format!(
                    "the question is not the JSON we expect (line {}, column {})",
                    why.line(),
                    why.column()
                ));
            }
        };
        let target = match (&question.url, &question.account) {
            (Some(url), None) => match Place::from_url(url) {
                Ok(place) => Target::Place(place),
                Err(why) => return odd(format!("`url` is not usable: {why}")),
            },
            (None, Some(account)) => Target::Account(account.clone()),
            (None, None) => Target::Default,
            (Some(_), Some(_)) => return odd("`url` and `account` cannot stand together".into()),
        };
        if question.resource.as_deref().is_some_and(|resource| !is_resource(resource)) {
            return odd("`resource` is no absolute URI without a fragment".into());
        }
        let scope = question.scope.as_deref().and_then(|scope| scopes(std::iter::once(scope)));
        if question.scope.is_some() && scope.is_none() {
            return odd("`scope` names no scope".into());
        }
        let shown_with = match (question.method, &question.url) {
            (Some(method), Some(url)) => Some(ShownWith { method, url: url.clone(), nonce: question.dpop_nonce }),
            (Some(_), None) => return odd("`method` goes with `url`".into()),
            (None, _) => None,
        };
        let verb = match (call.args.first().map(String::as_str), question.token) {
            (Some("store"), Some(secret)) => {
                let expires_at = question.expires_at;
                Verb::Store(Box::new(Kept { expires_at, ..Kept::new(question.username.clone(), secret) }))
            }
            (Some("store"), None) => return odd("`token` is missing".into()),
            (Some("erase"), secret) => Verb::Erase(secret),
            _ => Verb::Get,
        };
        Step::ask(Request {
            username: question.username,
            audience: question.audience,
            resource: question.resource,
            scope,
            shown_with,
            min_life: question.min_ttl,
            kinds: Kinds::Access,
            ..Request::new(verb, target)
        })
    }

    fn garbled(&self, _: &Call<'_>, _: &str, why: Failure) -> Step {
        said(&why)
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        answer(request, reply)
    }
}

/// The answer, for this protocol and for `hallpass get --json`.
pub(crate) fn answer(request: &Request, reply: &Reply) -> Step {
    let answer = match reply {
        Reply::Pass(credential) => Answer {
            account: &credential.account,
            token: credential.secret.clone(),
            token_type: match credential.kind {
                Kind::Bearer => "Bearer",
                Kind::Dpop => "DPoP",
                Kind::IdToken => "id_token",
                Kind::Aws => "aws",
            },
            username: &credential.username,
            expires_at: credential.expires_at,
            headers: credential.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        },
        Reply::Kept(kept) => Answer {
            account: "",
            token: kept.secret.clone(),
            token_type: kept.authtype.as_deref().unwrap_or("Basic"),
            username: kept.username.as_deref().unwrap_or_default(),
            expires_at: kept.expires_at,
            headers: BTreeMap::new(),
        },
        Reply::Done => return Step::answer("{}\n"),
        other => return said(&other.failure(request)),
    };
    match serde_json::to_string(&answer) {
        Ok(text) => Step::answer(text + "\n"),
        Err(_) => Step::fail(Failure::new(Exit::Bug, "the answer could not be written as JSON")),
    }
}

/// A failure as the tool reads it; the person reads the same on stderr.
fn said(failure: &Failure) -> Step {
    let mut error = serde_json::json!({ "code": failure.exit as u8, "message": failure.what });
    if let Some(hint) = &failure.hint {
        error["hint"] = hint.clone().into();
    }
    let say = Secret::new(format!("{}\n", serde_json::json!({ "error": error })));
    Step { say, then: Then::End(failure.exit, Some(failure.clone())) }
}

#[cfg(test)]
mod tests {
    use super::Json;
    use crate::talk::{Call, Exit, Protocol, Target, Then, Verb};

    fn hear(verb: &str, input: &str) -> Then {
        let args = [verb.to_owned()];
        Json.hear(&Call { name: "json", args: &args, env: &|_| None, now: 0 }, input).then
    }

    #[test]
    fn questions() {
        let Then::Ask(request) = hear("get", r#"{"url":"https://h.example/x","min_ttl":600,"later":1}"#) else {
            panic!()
        };
        assert!(matches!(&request.target, Target::Place(place) if place.host == "h.example"));
        assert_eq!(request.min_life, Some(600));
        let Then::Ask(request) = hear("erase", r#"{"account":"work","token":"T"}"#) else { panic!() };
        assert!(matches!(&request.verb, Verb::Erase(Some(secret)) if secret.expose() == "T"));
    }

    #[test]
    fn odd_questions_fail_with_words_and_without_the_input() {
        for input in [
            "",
            "[]",
            "{",
            r#"{"url":"https://h","url":"https://evil"}"#,
            r#"{"url":"https://h"} {"url":"https://h"}"#,
            r#"{"url":"https://h","account":"work"}"#,
            r#"{"url":"https://u@h"}"#,
            r#"{"token":7,"account":"canary"}"#,
        ] {
            let Then::End(exit, Some(failure)) = hear("get", input) else { panic!("{input}") };
            assert_eq!(exit, Exit::Usage, "{input}");
            assert!(!failure.what.contains("canary"), "{input}");
        }
    }
}
