//! Personal access tokens of a provider: made, listed and revoked with the session's token
//!
//! The secret of a new one is printed once and kept nowhere.

use anyhow::Result;
use hallpass_protocol::secret::{Secret, exposed};
use hallpass_protocol::talk::Exit;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Client;
use crate::failure::{fail, fail_hint};
use crate::http::{Answer, Http, Unanswered};
use crate::shown::{printable, shown};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) scope: Vec<String>,
    pub(crate) days: Option<u64>,
}

/// The endpoint of one account, and the token that may use it.
#[derive(Debug)]
pub(crate) struct Pats<'a> {
    account: &'a str,
    endpoint: &'a str,
    days: u64,
    longest: u64,
    token: Secret,
    http: Http,
}

/// A new one.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    #[serde(with = "exposed")]
    pub(crate) token: Secret,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    expires_at: Value,
}

impl<'a> Pats<'a> {
    pub(crate) fn new(account: &'a str, client: &'a Client, token: Secret) -> Result<Self> {
        let provider = client.provider.as_ref();
        let Some((endpoint, provider)) = provider.and_then(|row| Some((row.pats_endpoint.as_deref()?, row))) else {
            let page = provider.and_then(|row| row.token_page.as_deref());
            let hint = page.map_or("its server makes them elsewhere, if at all".to_owned(), |page| {
                format!("they come from {page}")
            });
            return Err(fail_hint(Exit::Config, format!("account `{account}`: hallpass cannot make its tokens"), hint));
        };
        let http = Http::new(&client.trust)?;
        Ok(Self { account, endpoint, days: provider.pat_days, longest: provider.pat_longest_days, token, http })
    }

    /// Makes one. More than the provider allows is refused before anything is asked.
    pub(crate) fn create(&self, wish: &Wish) -> Result<New> {
        let days = wish.days.unwrap_or(self.days);
        if days == 0 || days > self.longest {
            let what = format!("account `{}`: a token lives from 1 to {} days", self.account, self.longest);
            return Err(fail_hint(Exit::Usage, what, format!("`--days {}` is what it gives by itself", self.days)));
        }
        let body = json!({ "name": wish.name, "scopes": wish.scope, "expires_in_days": days });
        let answer = self.ask("POST", self.endpoint, Some(&body))?;
        let new: New = serde_json::from_slice(&answer.body).map_err(|_| self.odd())?;
        if !new.token.is_one_line() {
            return Err(self.odd());
        }
        Ok(new)
    }

    /// One line each: identifier, name, scopes, expiry; never a secret.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let answer = self.ask("GET", self.endpoint, None)?;
        let value: Value = serde_json::from_slice(&answer.body).map_err(|_| self.odd())?;
        let list = ["data", "pats", "tokens"].iter().find_map(|key| value.get(key)).unwrap_or(&value);
        let list = list.as_array().ok_or_else(|| self.odd())?;
        let text = |entry: &Value, key: &str| match &entry[key] {
            Value::String(text) => printable(text),
            Value::Number(number) => number.to_string(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(printable).collect::<Vec<_>>().join(" "),
            _ => "-".to_owned(),
        };
        let line = |entry: &Value| {
            let fields = ["id", "name", "scopes", "expires_at", "last_used_at"].map(|key| text(entry, key));
            fields.join("  ")
        };
        Ok(list.iter().map(line).collect())
    }

    /// Revokes one. One that is gone already is no error; whether it was there.
    pub(crate) fn revoke(&self, id: &str) -> Result<bool> {
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !plain {
            return Err(fail(Exit::Usage, format!("`{}` is no token's identifier", shown(id))));
        }
        let url = format!("{}/{id}", self.endpoint.trim_end_matches('/'));
        match self.ask("DELETE", &url, None) {
            Ok(answer) => Ok(answer.status != 404),
            Err(why) => Err(why),
        }
    }

    fn ask(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Answer> {
        let name = self.account;
        let answer = self.http.json(method, url, Some(&self.token), &[], body).map_err(|why| {
            let (Unanswered::NotSent(why) | Unanswered::Lost(why)) = why;
            fail_hint(Exit::Network, format!("account `{name}`: {why}"), "try again")
        })?;
        match answer.status {
            200..=299 => Ok(answer),
            404 if method == "DELETE" => Ok(answer),
            401 | 403 => {
                let what = format!("account `{name}`: the server does not let it do that ({})", answer.status);
                Err(fail_hint(Exit::SignIn, what, format!("`hallpass login {name}`, with the scope that it needs")))
            }
            status => {
                Err(fail_hint(Exit::Network, format!("account `{name}`: the server answered {status}"), "try again"))
            }
        }
    }

    fn odd(&self) -> anyhow::Error {
        fail_hint(
            Exit::Network,
            format!("account `{}`: the server answered with something else", self.account),
            "try again",
        )
    }
}

impl New {
    /// What is to be known of it besides its secret.
    pub(crate) fn in_words(&self) -> Option<String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(printable(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let id = text(&self.id)?;
        let end = text(&self.expires_at).map_or(String::new(), |end| format!(", ends {end}"));
        Some(format!("token {id}{end}; `hallpass token revoke {id}` ends it now"))
    }

    /// Fewer scopes than were asked for.
    pub(crate) fn is_narrower(&self, wish: &Wish) -> bool {
        self.scopes.as_ref().is_some_and(|scopes| wish.scope.iter().any(|scope| !scopes.contains(scope)))
    }
}
