//! Sign-ins that need nobody: a client with a secret of its own, and one token for another

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::Attempt;
use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::oauth::{self, Grant};
use crate::paths::set;

/// More than any token: a file that was named by mistake is not read to its end.
pub(super) const MAX_TOKEN: u64 = 64 << 10;

/// Asks the token endpoint: client credentials (RFC 6749 4.4) or token exchange (RFC 8693).
pub(super) fn grant(attempt: &Attempt<'_>, flow: Flow) -> Result<Grant> {
    let client = attempt.client;
    let grants = attempt.grants()?;
    let extra = oauth::resource(client, None);
    let granted = if flow == Flow::TokenExchange {
        let usual = if client.subject_of_caller { oauth::JWT } else { oauth::ACCESS_TOKEN };
        let kind = client.subject_token_type.as_deref().unwrap_or(usual);
        grants.exchange(&subject(attempt)?, kind, &client.scope, &extra)
    } else {
        if grants.secret.is_none() {
            let what = format!("account `{}`: client credentials need a secret", attempt.account);
            return Err(fail_hint(Exit::Config, what, "name its file: `client_secret_file = \"...\"`"));
        }
        grants.client_credentials(&client.scope, &extra)
    };
    granted.map_err(|trouble| attempt.no_token(trouble))
}

/// The token that is exchanged.
fn subject(attempt: &Attempt<'_>) -> Result<Secret> {
    let (name, client) = (attempt.account, attempt.client);
    let odd = |what: String| fail(Exit::Config, format!("account `{name}`: {what}"));
    let secret = if let Some(secret) = &attempt.wishes.subject {
        secret.clone()
    } else if let Some(file) = &client.subject_token_file {
        use std::io::Read;
        let mut text = zeroize::Zeroizing::new(String::new());
        let read = std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN + 1).read_to_string(&mut text));
        read.map_err(|why| odd(format!("`subject_token_file` `{}` cannot be read: {why}", file.display())))?;
        Secret::new(text.trim())
    } else if let Some(variable) = &client.subject_token_env {
        let value = set(variable).ok_or_else(|| odd(format!("{variable}, its `subject_token_env`, is not set")))?;
        Secret::new(value.trim())
    } else if client.subject_of_caller {
        let what =
            format!("account `{name}`: a token that the tool brings is exchanged for its own, and none was brought");
        return Err(fail_hint(
            Exit::Config,
            what,
            "the kubelet brings one where `tokenAttributes` in its configuration says so",
        ));
    } else {
        let hint = "name one: `subject_account`, `subject_token_file` or `subject_token_env`";
        return Err(fail_hint(
            Exit::Config,
            format!("account `{name}`: no token is named that could be exchanged"),
            hint,
        ));
    };
    match secret.is_one_line() && !secret.expose().is_empty() && secret.expose().len() as u64 <= MAX_TOKEN {
        true => Ok(secret),
        false => Err(odd("what is to be exchanged is no token: it is empty, or more than one line".to_owned())),
    }
}
