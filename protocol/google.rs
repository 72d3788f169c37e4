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
//! into stdout, so that one line of ours there would break the answer: everything is said on stdout. It looks into the
//! output file first, and runs us when what is there has expired: what we answered is written there too, but no failure.
//! In its interactive mode (workforce pools) it gives us the terminal and reads the file alone: the token is not shown,
//! and a failure is told to the person. `_REVOKE=1` comes in that mode, and wants its answer on stdout.

use serde::Serialize;
use serde_json::json;

use crate::secret::{Secret, exposed};
use crate::talk::{
    Call, Copy, Credential, Exit, Failure, Kind, Kinds, Protocol, Reply, Request, Step, Target, Then, Verb,
};

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
        if !call.args.is_empty() {
            return refused(call, Failure::new(Exit::Usage, "usage: `hallpass google [--account NAME]`"));
        }
        if is(call, "REVOKE") {
            return Step::ask(Request { drawer: "google", ..Request::new(Verb::SignOut, Target::Default) });
        }
        if is(call, "INTERACTIVE") && said(call, "OUTPUT_FILE").is_none() {
            let why = "Google's interactive mode reads a file, and GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE names none";
            return refused(call, Failure::new(Exit::Config, why).hint("set `output_file` in its credential file"));
        }
        if !matches!(said(call, "TOKEN_TYPE").as_deref(), None | Some(ID_TOKEN | JWT)) {
            let why = "hallpass has no such token: `subject_token_type` must be an id_token or jwt";
            return refused(call, Failure::new(Exit::Config, why));
        }
        let interactive = is(call, "INTERACTIVE");
        let forbidden = said(call, "INTERACTIVE").filter(|_| !interactive);
        Step::ask(Request {
            kinds: Kinds::Id,
            no_prompt: forbidden.map(|_| "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0"),
            drawer: "google",
            patience: (!interactive).then_some(PATIENCE),
            ..Request::new(Verb::Get, Target::Default)
        })
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        let file = said(call, "OUTPUT_FILE");
        match reply {
            Reply::Pass(credential) => {
                let kind = said(call, "TOKEN_TYPE");
                match pass(credential, kind.as_deref().unwrap_or(ID_TOKEN)) {
                    Ok(text) => answer(text, file, on_file_alone(call)),
                    Err(failure) => refused(call, failure),
                }
            }
            Reply::Done => {
                let gone = |path| Then::File(Box::new(Copy { path, text: None, required: false }));
                let step = Step::answer("{\"version\":1,\"success\":true}\n");
                Step { then: file.map_or(Then::End(Exit::Answered, None), gone), ..step }
            }
            other => refused(call, other.failure(request)),
        }
    }
}

fn said(call: &Call<'_>, name: &str) -> Option<String> {
    (call.env)(&format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"))
}

fn is(call: &Call<'_>, name: &str) -> bool {
    said(call, name).as_deref() == Some("1")
}

/// Our stdout is the person's terminal.
fn on_file_alone(call: &Call<'_>) -> bool {
    is(call, "INTERACTIVE") && !is(call, "REVOKE")
}

fn answer(text: Secret, file: Option<String>, required: bool) -> Step {
    let copy = |path| Then::File(Box::new(Copy { path, text: Some(text.clone()), required }));
    let then = file.map_or(Then::End(Exit::Answered, None), copy);
    Step { say: if required { Secret::new("") } else { text.clone() }, then }
}

fn pass(credential: &Credential, token_type: &str) -> Result<Secret, Failure> {
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
    let text = serde_json::to_string(&answer).map(|text| Secret::new(text + "\n"));
    text.map_err(|_| Failure::new(Exit::Bug, "the answer could not be written"))
}

fn refused(call: &Call<'_>, failure: Failure) -> Step {
    if on_file_alone(call) {
        return Step::fail(failure);
    }
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
        for interactive in ["0", "1"] {
            let Then::Ask(request) = start(&[("REVOKE", "1"), ("INTERACTIVE", interactive)]).then else { panic!() };
            assert!(matches!(request.verb, Verb::SignOut));
        }
        let saml = start(&[("TOKEN_TYPE", "urn:ietf:params:oauth:token-type:saml2")]);
        assert!(
            saml.say.expose().contains("\"success\":false") && matches!(saml.then, Then::End(Exit::Answered, None))
        );
        let interactive = start(&[("INTERACTIVE", "1")]);
        assert!(interactive.say.expose().is_empty() && matches!(interactive.then, Then::End(Exit::Config, Some(_))));
        let saml = start(&[("INTERACTIVE", "1"), ("OUTPUT_FILE", "/f"), ("TOKEN_TYPE", "saml2")]);
        assert!(saml.say.expose().is_empty() && matches!(saml.then, Then::End(Exit::Config, Some(_))));
        let Then::Ask(request) = start(&[("INTERACTIVE", "1"), ("OUTPUT_FILE", "/f")]).then else { panic!() };
        assert_eq!((request.no_prompt, request.patience), (None, None), "a person is there");
        for odd in ["0", "2", "true"] {
            let Then::Ask(request) = start(&[("INTERACTIVE", odd), ("OUTPUT_FILE", "/f")]).then else { panic!() };
            assert!(request.no_prompt.is_some() && request.patience.is_some(), "{odd}");
        }
    }

    #[test]
    fn files() {
        let request = Request::new(Verb::Get, Target::Default);
        let credential = Credential { kind: Kind::IdToken, ..Credential::example("h.p.s") };
        let reply = |env: &[(&str, &str)], reply: &Reply| with(env, |call| Google.reply(call, &request, reply));
        let pass = Reply::Pass(Box::new(credential));
        let both = reply(&[("INTERACTIVE", "0"), ("OUTPUT_FILE", "/f")], &pass);
        let Then::File(copy) = both.then else { panic!() };
        assert_eq!((copy.path.as_str(), copy.text.as_ref(), copy.required), ("/f", Some(&both.say), false));
        let interactive = [("INTERACTIVE", "1"), ("OUTPUT_FILE", "/f")];
        let step = reply(&interactive, &pass);
        let Then::File(alone) = step.then else { panic!() };
        assert!(step.say.expose().is_empty() && alone.text == copy.text && alone.required);
        let failed = Reply::Failed(Failure::new(Exit::SignIn, "x"));
        assert!(matches!(reply(&interactive, &failed).then, Then::End(Exit::SignIn, Some(_))), "told to the person");
        assert!(matches!(reply(&[("OUTPUT_FILE", "/f")], &failed).then, Then::End(Exit::Answered, None)), "no file");
        let revoked = reply(&[("INTERACTIVE", "1"), ("REVOKE", "1"), ("OUTPUT_FILE", "/f")], &Reply::Done);
        assert!(matches!(revoked.then, Then::File(copy) if copy.text.is_none()));
        assert_eq!(revoked.say.expose(), "{\"version\":1,\"success\":true}\n");
        let unrevoked = reply(&[("INTERACTIVE", "1"), ("REVOKE", "1"), ("OUTPUT_FILE", "/f")], &failed);
        assert!(unrevoked.say.expose().contains("\"success\":false"), "its answer is on stdout");
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
