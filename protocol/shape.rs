//! Shows that the trait holds the dialogues of tools that are not here yet
//!
//! cargo speaks second: it waits for a greeting, sends one line at a time with our own arguments inside the JSON, and
//! keeps stdin open. docker wants its "not found" on stdout with exit code 1. Both are sketched here as they are on the
//! wire, and driven by the loop that the binary has.

use crate::secret::Secret;
use crate::talk::{Call, Exit, Failure, Framing, Protocol, Reply, Request, Step, Target, Then, Verb};

struct CargoLike;

impl Protocol for CargoLike {
    fn names(&self) -> &'static [&'static str] {
        &["--cargo-plugin"]
    }

    fn start(&self, _: &Call<'_>) -> Step {
        Step { say: Secret::new("{\"v\":[1]}\n"), then: Then::Read(Framing::Line) }
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        if input.is_empty() {
            return Step::end(Exit::Answered); // stdin was closed: cargo is done
        }
        let Ok(question) = serde_json::from_str::<serde_json::Value>(input) else {
            return Step::fail(Failure::new(Exit::Usage, "not JSON"));
        };
        // `args` are those that a person configured for us; they come in the question and not in argv.
        let account = question["args"][1].as_str().unwrap_or_default();
        Step::ask(Request::new(Verb::Get, Target::Account(account.to_owned())))
    }

    fn reply(&self, _: &Call<'_>, _: &Request, reply: &Reply) -> Step {
        let line = match reply {
            Reply::Missing(_) => r#"{"Err":{"kind":"not-found"}}"#,
            Reply::Failed(_) => r#"{"Err":{"kind":"other"}}"#,
            _ => r#"{"Ok":{"kind":"get"}}"#,
        };
        Step { say: Secret::new(format!("{line}\n")), then: Then::Read(Framing::Line) }
    }
}

struct DockerLike;

impl Protocol for DockerLike {
    fn names(&self) -> &'static [&'static str] {
        &["docker-like"]
    }

    fn start(&self, _: &Call<'_>) -> Step {
        Step::read(Framing::All)
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        Step::ask(Request::new(Verb::Get, Target::Account(input.trim().to_owned())))
    }

    fn reply(&self, _: &Call<'_>, _: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Missing(_) => Step {
                say: Secret::new("credentials not found in native keychain\n"),
                then: Then::End(Exit::Bug, None), // its code for everything that is not an answer
            },
            _ => Step::answer("{}\n"),
        }
    }
}

/// The loop of the binary over a scripted tool: each read takes the next input, then nothing.
fn drive(protocol: &dyn Protocol, inputs: &[&str], reply: fn(&Request) -> Reply) -> (String, u8) {
    let call = Call { name: protocol.names()[0], args: &[], env: &|_| None, now: 0 };
    let (mut said, mut inputs) = (String::new(), inputs.iter());
    let mut step = protocol.start(&call);
    loop {
        said.push_str(step.say.expose());
        step = match step.then {
            Then::Read(_) => protocol.hear(&call, inputs.next().copied().unwrap_or_default()),
            Then::Ask(request) => protocol.reply(&call, &request, &reply(&request)),
            Then::End(exit, _) => return (said, exit as u8),
        };
    }
}

#[test]
fn a_tool_that_is_spoken_to_first_and_asks_twice() {
    let line = |name: &str| format!("{{\"kind\":\"get\",\"args\":[\"--account\",\"{name}\"]}}\n");
    let (mine, other) = (line("work"), line("other"));
    let (said, code) = drive(&CargoLike, &[&mine, &other], |request| match &request.target {
        Target::Account(name) if name == "work" => Reply::Done,
        _ => Reply::Missing(None),
    });
    assert_eq!(said, "{\"v\":[1]}\n{\"Ok\":{\"kind\":\"get\"}}\n{\"Err\":{\"kind\":\"not-found\"}}\n");
    assert_eq!(code, 0);
}

#[test]
fn a_tool_that_wants_not_found_on_stdout() {
    let (said, code) = drive(&DockerLike, &["reg.example.com"], |_| Reply::Missing(None));
    assert_eq!((said.as_str(), code), ("credentials not found in native keychain\n", 1));
}
