//! Google's executable-sourced credentials (`external_account` with `credential_source.executable`)
//!
//! ```text
//! env    GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE, _TOKEN_TYPE, _INTERACTIVE (0 or 1), _REVOKE (0 or 1), _OUTPUT_FILE
//! stdout {"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token",
//!         "id_token":"JWT","expiration_time":1795349999}
//!        {"version":1,"success":false,"code":"4","message":"..."}                         (exit code 0)
//! ```
//!
//! Measured with google-auth 2.62.2 (Python). It takes an id_token (or SAML), never an access token. It mixes stderr
//! into stdout, so that one line of ours there would break the answer: everything is said on stdout. In its interactive
//! mode it gives us the terminal and reads a file that we do not write; then we refuse, or the token would be shown.

use serde::Serialize;
use serde_json::json;

use crate::secret::{Secret, exposed};
use crate::talk::{Call, Credential, Exit, Failure, Kind, Kinds, Protocol, Reply, Request, Step, Target, Verb};

/// Google's authentication libraries and gcloud.
#[derive(Debug)]
pub(crate) struct Google;

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    success: bool,
    token_type: &'a str,
    #[serde(with = "exposed")]
    id_token: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<u64>,
}

/// Seconds that Google's libraries give the executable by themselves (`timeout_millis`).
const PATIENCE: u64 = 30;

impl Protocol for Google {
    fn names(&self) -> &'static [&'static str] {
        &["google"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let said = |name: &str| (call.env)(&format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"));
        let refuse = |exit, why: &str| refused(&Failure::new(exit, why));
        if !call.args.is_empty() {
            return refuse(Exit::Usage, "usage: `hallpass google [--account NAME]`");
        }
        if said("INTERACTIVE").as_deref() == Some("1") {
            let why = "Google's interactive mode is not supported";
            return Step::fail(Failure::new(Exit::Usage, why).hint("`hallpass login` first, then without it"));
        }
        if !matches!(said("TOKEN_TYPE").as_deref(), None | Some(ID_TOKEN | JWT)) {
            return refuse(Exit::Config, "hallpass has no such token: `subject_token_type` must be an id_token or jwt");
        }
        let verb = if said("REVOKE").as_deref() == Some("1") { Verb::Erase(None) } else { Verb::Get };
        Step::ask(Request {
            kinds: Kinds::Id,
            no_prompt: said("INTERACTIVE").map(|_| "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0"),
            drawer: "google",
            patience: Some(PATIENCE),
            ..Request::new(verb, Target::Default)
        })
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => {
                let kind = (call.env)("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE");
                pass(credential, kind.as_deref().unwrap_or(ID_TOKEN)).unwrap_or_else(|failure| refused(&failure))
            }
            Reply::Done => Step::answer("{\"version\":1,\"success\":true}\n"),
            other => refused(&other.failure(request)),
        }
    }
}

fn pass(credential: &Credential, token_type: &str) -> Result<Step, Failure> {
    let account = &credential.account;
    if credential.kind != Kind::IdToken {
        return Err(Failure::new(Exit::Refused, format!("account `{account}`: Google takes id_tokens only")));
    }
    credential.one_line()?;
    let answer = Answer {
        version: 1,
        success: true,
        token_type,
        id_token: credential.secret.clone(),
        expiration_time: credential.expires_at,
    };
    let text = serde_json::to_string(&answer);
    text.map(|text| Step::answer(text + "\n")).map_err(|_| Failure::new(Exit::Bug, "the answer could not be written"))
}

fn refused(failure: &Failure) -> Step {
    let code = (failure.exit as u8).to_string();
    let answer = json!({ "version": 1, "success": false, "code": code, "message": failure.in_one_line() });
    Step::answer(format!("{answer}\n"))
}

#[cfg(test)]
mod tests {
    use super::{Google, ID_TOKEN, JWT};
    use crate::talk::{
        Call, Credential, Exit, Failure, Kind, Kinds, Protocol, Reply, Request, Step, Target, Then, Verb,
    };

    fn with<T>(env: &[(&str, &str)], run: impl Fn(&Call<'_>) -> T) -> T {
        let look = |name: &str| {
            let short = name.strip_prefix("GOOGLE_EXTERNAL_ACCOUNT_")?;
            env.iter().find(|(known, _)| *known == short).map(|(_, value)| (*value).to_owned())
        };
        run(&Call { name: "google", args: &[], env: &look, now: 0 })
    }

    fn start(env: &[(&str, &str)]) -> Step {
        with(env, |call| Google.start(call))
    }

    #[test]
    fn questions() {
        let Then::Ask(request) = start(&[("INTERACTIVE", "0"), ("TOKEN_TYPE", ID_TOKEN)]).then else { panic!() };
        assert!(request.kinds == Kinds::Id && request.no_prompt.is_some() && request.target == Target::Default);
        let Then::Ask(request) = start(&[]).then else { panic!() };
        assert_eq!(request.no_prompt, None, "by hand");
        let Then::Ask(request) = start(&[("REVOKE", "1"), ("INTERACTIVE", "0")]).then else { panic!() };
        assert!(matches!(request.verb, Verb::Erase(None)));
        let saml = start(&[("TOKEN_TYPE", "urn:ietf:params:oauth:token-type:saml2")]);
        assert!(
            saml.say.expose().contains("\"success\":false") && matches!(saml.then, Then::End(Exit::Answered, None))
        );
        let interactive = start(&[("INTERACTIVE", "1")]);
        assert!(interactive.say.expose().is_empty() && matches!(interactive.then, Then::End(Exit::Usage, Some(_))));
    }

    #[test]
    fn answers_are_on_stdout_and_nowhere_else() {
        let request = Request::new(Verb::Get, Target::Default);
        let reply = |env: &[(&str, &str)], reply: &Reply| {
            let step = with(env, |call| Google.reply(call, &request, reply));
            assert!(matches!(step.then, Then::End(Exit::Answered, None)), "a word on stderr breaks the answer");
            step.say.expose().to_owned()
        };
        let mut credential = Credential::example("h.p.s");
        assert!(
            reply(&[], &Reply::Pass(Box::new(credential.clone()))).contains("\"success\":false"),
            "an access token"
        );
        credential.kind = Kind::IdToken;
        assert_eq!(
            reply(&[("TOKEN_TYPE", JWT)], &Reply::Pass(Box::new(credential.clone()))),
            "{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\
             \"id_token\":\"h.p.s\",\"expiration_time\":1795350896}\n"
        );
        credential.expires_at = None;
        assert!(!reply(&[], &Reply::Pass(Box::new(credential))).contains("expiration_time"));
        let failure = Failure::new(Exit::SignIn, "not \"signed\" in").hint("`hallpass login work`");
        assert_eq!(
            reply(&[], &Reply::Failed(failure)),
            "{\"code\":\"4\",\"message\":\"not \\\"signed\\\" in; `hallpass login work`\",\"success\":false,\"version\":1}\n"
        );
        assert_eq!(reply(&[], &Reply::Done), "{\"version\":1,\"success\":true}\n");
    }
}
