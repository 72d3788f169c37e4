//! Headers as a JSON object: Claude Code's `headersHelper` for MCP servers, and whatever wants the same
//!
//! ```text
//! env    CLAUDE_CODE_MCP_SERVER_URL=https://mcp.example.com/v1        argv   hallpass headers [ACCOUNT|URL]
//! stdout {"Authorization":"Bearer TOKEN","X-Tenant":"acme"}
//! ```
//!
//! Measured with Claude Code 2.1.197, which runs it at each connection and leaves its stdin open for ever: stdin is
//! never read. Without an argument, the variable that it sets names the place.

use std::collections::BTreeMap;

use crate::plain::target;
use crate::talk::{Call, Credential, Exit, Failure, Protocol, Reply, Request, Step, Target, Verb};

/// Claude Code's MCP servers.
#[derive(Debug)]
pub(crate) struct Headers;

impl Protocol for Headers {
    fn names(&self) -> &'static [&'static str] {
        &["headers"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let what = match call.args {
            [] => (call.env)("CLAUDE_CODE_MCP_SERVER_URL"),
            [what] if !what.starts_with('-') => Some(what.clone()),
            _ => return Step::fail(Failure::new(Exit::Usage, "usage: `hallpass headers [ACCOUNT|URL]`")),
        };
        match what.as_deref().map_or(Ok(Target::Default), target) {
            Ok(target) => Step::ask(Request { drawer: "headers", ..Request::new(Verb::Get, target) }),
            Err(failure) => Step::fail(failure),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => object(credential).map_or_else(Step::fail, Step::answer),
            other => Step::fail(other.failure(request)),
        }
    }
}

fn object(credential: &Credential) -> Result<String, Failure> {
    let authorization = credential.authorization()?;
    let mut headers: BTreeMap<&str, &str> =
        credential.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.insert("Authorization", authorization.expose());
    let text = serde_json::to_string(&headers);
    text.map(|text| text + "\n").map_err(|_| Failure::new(Exit::Bug, "the answer could not be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::Headers;
    use crate::talk::{Call, Credential, Exit, Protocol, Reply, Target, Then};

    fn start(args: &[&str], url: Option<&str>) -> Then {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let env = |name: &str| url.filter(|_| name == "CLAUDE_CODE_MCP_SERVER_URL").map(str::to_owned);
        Headers.start(&Call { name: "headers", args: &args, env: &env, now: 0 }).then
    }

    #[test]
    fn the_place_is_the_servers() {
        let Then::Ask(request) = start(&[], Some("https://mcp.example.com/v1")) else { panic!() };
        assert!(matches!(&request.target, Target::Place(place) if place.host == "mcp.example.com"));
        let Then::Ask(request) = start(&["work"], Some("https://mcp.example.com/v1")) else { panic!() };
        assert_eq!(request.target, Target::Account("work".into()));
        for odd in [&["--frobnicate"][..], &["a", "b"], &["https://u@h"]] {
            assert!(matches!(start(odd, None), Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
    }

    #[test]
    fn an_object_of_texts() {
        let Then::Ask(request) = start(&[], None) else { panic!() };
        let call = Call { name: "headers", args: &[], env: &|_| None, now: 0 };
        let mut credential = Credential::example("A\"T");
        credential.headers = vec![("X-Tenant".into(), "acme".into())];
        let step = Headers.reply(&call, &request, &Reply::Pass(Box::new(credential)));
        assert_eq!(step.say.expose(), "{\"Authorization\":\"Bearer A\\\"T\",\"X-Tenant\":\"acme\"}\n");
        let odd = Headers.reply(&call, &request, &Reply::Pass(Box::new(Credential::example("a\nb"))));
        assert!(odd.say.expose().is_empty());
    }
}
