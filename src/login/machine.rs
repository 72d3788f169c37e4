//! Sign-ins that need nobody: a client that proves itself, and one token for another

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::attempt::Attempt;
use super::subject::{self, Brought};
use crate::claims;
use crate::failure::fail_hint;
use crate::flow::Flow;
use crate::oauth::{self, Grant, Proof, Trouble};
use crate::shown::shown;

/// More than any token: a file that was named by mistake is not read to its end.
pub(super) const MAX_TOKEN: u64 = 64 << 10;

/// Asks the token endpoint: client credentials (RFC 6749 4.4), token exchange (RFC 8693) or a JWT bearer grant (RFC 7523).
pub(super) fn grant(attempt: &Attempt<'_>, flow: Flow) -> Result<Grant> {
    let (client, machine) = (attempt.client, &attempt.client.machine);
    let mut grants = attempt.grants()?;
    let purpose = &attempt.wishes.purpose;
    let extra = oauth::resource(client, purpose);
    let all = client.scope.join(" ");
    let scope = purpose.scope.as_deref().unwrap_or(&all);
    let shown = match flow {
        Flow::ClientCredentials if grants.proof.is_some() || machine.subject.is_empty() => None,
        _ => Some(subject::subject(attempt)?),
    };
    let granted = match (flow, &shown) {
        (Flow::TokenExchange, Some(subject)) => {
            let actor = subject::actor(attempt)?;
            grants.exchange(subject.pair(), actor.as_ref().map(Brought::pair), scope, &extra)
        }
        (Flow::JwtBearer, Some(assertion)) => grants.jwt_bearer(&assertion.secret, scope, &extra),
        (_, assertion) => {
            // What a CI service signed for the job proves who the client is (RFC 7523 2.2).
            if let Some(assertion) = assertion {
                grants.proof = Proof::Assertion(assertion.secret.clone());
            }
            check(attempt, &grants)?;
            grants.client_credentials(scope, &extra)
        }
    };
    granted.map_err(|trouble| refused(attempt, trouble, shown.as_ref()))
}

fn check(attempt: &Attempt<'_>, grants: &oauth::Grants<'_>) -> Result<()> {
    let name = attempt.account;
    if grants.client_id.is_empty() {
        let what = format!("account `{name}` has no client_id");
        return Err(fail_hint(Exit::Config, what, "client credentials are those of a client: `client_id = \"...\"`"));
    }
    // A certificate of TLS proves it too (RFC 8705 2).
    if !grants.proof.is_some() && attempt.client.trust.client_certificate_file.is_none() {
        let what = format!("account `{name}`: client credentials need a secret, a key or an assertion");
        let hint = "name one: `client_secret_file`, `client_assertion_key_file`, or `subject_token = \"ci\"` for a CI job's identity";
        return Err(fail_hint(Exit::Config, what, hint));
    }
    Ok(())
}

/// A "no" is about what was shown as often as about the client.
fn refused(attempt: &Attempt<'_>, trouble: Trouble, shown_token: Option<&Brought>) -> anyhow::Error {
    let name = attempt.account;
    let (exit, words) = match (&trouble, shown_token) {
        (Trouble::Ended(words), _) => (Exit::SignIn, words),
        (Trouble::Refused(words), Some(_)) | (Trouble::Unsaid(_, words), _) => (Exit::Config, words),
        _ => return attempt.no_token(trouble),
    };
    let words = attempt.with_scope(words.clone());
    let Some(Brought { from, secret, .. }) = shown_token else {
        let hint = attempt.other_client(&words);
        return fail_hint(exit, format!("account `{name}`: the server gave no token: {words}"), hint);
    };
    let hint = match claims::audiences(secret).as_slice() {
        [] => "does the server know who issued it?".to_owned(),
        list => format!(
            "its audience is `{}`: is that the server's, and does the server know its issuer? \
             `subject_token_audience` asks for another",
            shown(&list.join(", "))
        ),
    };
    fail_hint(exit, format!("account `{name}`: the server gave no token for {from}: {words}"), hint)
}
