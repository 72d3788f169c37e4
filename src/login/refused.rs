//! A server that gives no token: what it said, and what may be wrong

use hallpass_protocol::talk::Exit;

use super::{Attempt, client};
use crate::discovery::Server;
use crate::failure::fail_hint;
use crate::oauth::{Proof, Trouble};

impl Attempt<'_> {
    /// A sign-in that got as far as the token endpoint and no further.
    pub(super) fn no_token(&self, trouble: Trouble) -> anyhow::Error {
        let name = self.account;
        let (exit, why) = match trouble {
            Trouble::Ended(words) | Trouble::Unsaid(_, words) => {
                (Exit::Denied, format!("the server gave no token: {words}"))
            }
            Trouble::Refused(words) => {
                let hint = self.other_client(&words);
                let what = format!("account `{name}`: the server refuses its client: {}", self.with_scope(words));
                return fail_hint(Exit::Config, what, hint);
            }
            Trouble::Later(why) | Trouble::Busy(why, _) | Trouble::Lost(why) | Trouble::Unfit { why, .. } => {
                (Exit::Network, format!("no token: {why}"))
            }
        };
        fail_hint(exit, format!("account `{name}`: {why}"), format!("`hallpass login {name}` tries again"))
    }

    /// What may be wrong with a client that is refused.
    pub(super) fn other_client(&self, words: &str) -> String {
        let chosen = self.client.flow.is_machine()
            || client::client_id(self.client, self.wishes.client_id.as_deref()).is_some()
            || words.starts_with("invalid_scope");
        if !chosen && self.client.aws_start_url.is_some() {
            return "check `aws_start_url`, and the region in `api_url`: both must be those of your organisation"
                .to_owned();
        }
        if !chosen {
            return client::by_hand(self.client, self.client.flow); // it registered that one itself
        }
        let check = "check `client_id`, `client_secret_file`, `redirect_uri` and `scope`";
        let Server { issuer, token_endpoint, .. } = self.server();
        match Proof::of(self.client, None, issuer, token_endpoint).ok().and_then(|proof| proof.other_way()) {
            Some(line) => format!("{check}; or its server wants it said with `{line}`"),
            None => check.to_owned(),
        }
    }

    /// A refused scope is one of those that were asked for.
    pub(super) fn with_scope(&self, words: String) -> String {
        match words.contains("invalid_scope") && !self.client.scope.is_empty() {
            true => format!("{words} (asked for: {})", self.client.scope.join(" ")),
            false => words,
        }
    }
}
