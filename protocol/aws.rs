//! AWS credential_process
//!
//! ```text
//! argv   hallpass aws [--account NAME] [--role ROLE]        (credential_process in ~/.aws/config)
//! stdout {"AccessKeyId":"ASIA...","Expiration":"2026-11-22T12:34:56Z","SecretAccessKey":"...","SessionToken":"...","Version":1}
//! ```
//!
//! Measured with botocore 1.44.5. stdin is the caller's own and never read; stderr becomes the exception's text when the
//! exit code is not 0. Keys with less than 15 minutes left are asked for again at every use, and expired ones are an
//! error: whoever answers holds ones with 20 minutes left. `Expiration` must be a text.

use serde_json::Value;

use crate::talk::{Call, Credential, Exit, Failure, Kind, Kinds, Protocol, Reply, Request, Step, Target, Verb};
use crate::time::rfc3339;

/// The AWS command line and SDKs.
#[derive(Debug)]
pub(crate) struct Aws;

/// Seconds the keys must have left.
const MIN_LIFE: u64 = 20 * 60;

impl Protocol for Aws {
    fn names(&self) -> &'static [&'static str] {
        &["aws"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let role = match call.args {
            [] => None,
            [option, role] if option == "--role" && !role.is_empty() => Some(role.clone()),
            _ => {
                let usage = "usage: `hallpass aws [--account NAME] [--role ROLE]`";
                return Step::fail(Failure::new(Exit::Usage, usage));
            }
        };
        Step::ask(Request {
            kinds: Kinds::Aws,
            role,
            min_life: Some(MIN_LIFE),
            drawer: "aws",
            ..Request::new(Verb::Get, Target::Default)
        })
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => answer(credential).map_or_else(Step::fail, Step::answer),
            other => Step::fail(other.failure(request)),
        }
    }
}

fn answer(credential: &Credential) -> Result<String, Failure> {
    let account = &credential.account;
    let keys = match serde_json::from_str(credential.secret.expose()) {
        Ok(Value::Object(keys)) if credential.kind == Kind::Aws => keys,
        _ => return Err(Failure::new(Exit::Refused, format!("account `{account}`: those are no keys of AWS"))),
    };
    let mut answer = serde_json::Map::from_iter([("Version".to_owned(), Value::from(1))]);
    for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
        let Some(Value::String(value)) = keys.get(name) else {
            return Err(Failure::new(Exit::Refused, format!("account `{account}`: the keys have no {name}")));
        };
        answer.insert(name.to_owned(), value.clone().into());
    }
    if let Some(expiry) = credential.expires_at {
        answer.insert("Expiration".to_owned(), rfc3339(expiry).into());
    }
    Ok(format!("{}\n", Value::Object(answer)))
}

#[cfg(test)]
mod tests {
    use super::Aws;
    use crate::talk::{Call, Credential, Exit, Kind, Kinds, Protocol, Reply, Step, Then};

    fn reply(credential: Credential) -> Step {
        let call = Call { name: "aws", args: &[], env: &|_| None, now: 0 };
        let Then::Ask(request) = Aws.start(&call).then else { panic!() };
        assert_eq!((request.kinds, request.min_life), (Kinds::Aws, Some(1200)));
        Aws.reply(&call, &request, &Reply::Pass(Box::new(credential)))
    }

    #[test]
    fn keys() {
        let keys = r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s\"1","SessionToken":"t1","more":1}"#;
        let credential = Credential { kind: Kind::Aws, ..Credential::example(keys) };
        assert_eq!(
            reply(credential.clone()).say.expose(),
            "{\"AccessKeyId\":\"ASIA1\",\"Expiration\":\"2026-11-22T12:34:56Z\",\"SecretAccessKey\":\"s\\\"1\",\
             \"SessionToken\":\"t1\",\"Version\":1}\n"
        );
        for odd in ["AT1", "{}", "[]", r#"{"AccessKeyId":"a","SecretAccessKey":7,"SessionToken":"t"}"#] {
            let step = reply(Credential { kind: Kind::Aws, ..Credential::example(odd) });
            assert!(step.say.expose().is_empty() && matches!(step.then, Then::End(Exit::Refused, Some(_))), "{odd}");
        }
        assert!(reply(Credential { kind: Kind::Bearer, ..credential }).say.expose().is_empty(), "a token is no key");
        let start = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            Aws.start(&Call { name: "aws", args: &args, env: &|_| None, now: 0 }).then
        };
        for odd in [&["s3"][..], &["--role"], &["--role", ""], &["--role", "a", "b"]] {
            assert!(matches!(start(odd), Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
        let Then::Ask(request) = start(&["--role", "123456789012/ReadOnly"]) else { panic!() };
        assert_eq!(request.role.as_deref(), Some("123456789012/ReadOnly"));
    }
}
