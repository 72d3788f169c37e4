//! The backend's API, and the key that goes there and nowhere else

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Kind, Reply, Request, Target, Verb};
use serde_json::Value;

use super::link;
use crate::account::Client;
use crate::broker::{self, Caller};
use crate::failure::{fail, fail_hint};
use crate::http::{Http, check_endpoint, endpoint};
use crate::paths::{Paths, set};
use crate::provider::Connect;
use crate::shown::shown;

/// One backend and its key.
#[derive(Debug)]
pub(super) struct Backend {
    row: Connect,
    base: String,
    key: Secret,
    http: Http,
}

/// An answer that came with a status of its own to judge.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    body: Option<Value>,
    message: Option<String>,
}

impl Said {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a good answer holds.
    pub(super) fn json(&self) -> Option<&Value> {
        self.body.as_ref().filter(|_| self.is_good())
    }

    /// The backend's own words, else its status.
    pub(super) fn words(&self) -> String {
        self.message.clone().unwrap_or_else(|| format!("it answered {}", self.status))
    }
}

impl Backend {
    /// The flag, the provider's variable, the row; the same for the key, and last an account that serves the backend.
    pub(super) fn find(
        paths: &Paths,
        client: &Client,
        row: &Connect,
        url: Option<&str>,
        key: Option<Secret>,
    ) -> Result<Self> {
        let variable = set(&row.backend_url_env);
        let (base, source) = match (url, &variable) {
            (Some(url), _) => (url, "`--backend-base-url`"),
            (None, Some(url)) => (url.as_str(), row.backend_url_env.as_str()),
            (None, None) => (row.backend_url.as_str(), "the provider row's `backend_url`"),
        };
        check_endpoint(base).map_err(|why| fail(Exit::Config, format!("{source} {why}")))?;
        if base.contains('?') {
            return Err(fail(Exit::Config, format!("{source} has a query in it")));
        }
        let base = base.trim_end_matches('/').to_owned();
        let (key, from) = match (key, set(&row.api_key_env).map(Secret::new)) {
            (Some(key), _) => (Some(key), "`--api-key`"),
            (None, Some(key)) => (Some(key), row.api_key_env.as_str()),
            (None, None) => (kept_key(paths, &base)?, "its account"),
        };
        let key = key.ok_or_else(|| {
            let what = format!("there is no key for the backend {}", endpoint(&base).trim_end_matches('/'));
            fail_hint(Exit::SignIn, what, format!("set {} to it, and type the command again", row.api_key_env))
        })?;
        if key.expose().is_empty() || !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(fail(
                Exit::Usage,
                format!("the key from {from} is no key: it is empty, or more than one word"),
            ));
        }
        Ok(Self { row: row.clone(), base, key, http: Http::new(&client.trust)? })
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        format!("the backend {}", endpoint(&self.base).trim_end_matches('/'))
    }

    /// Asks. What is neither an answer nor a refusal of what was asked is an error; `secrets` are kept out of words.
    pub(super) fn ask(&self, call: &str, word: &str, body: Option<&Value>, secrets: &[&Secret]) -> Result<Said> {
        let (method, path) = self.row.call(call);
        let path = path.replace("{platform}", word).replace("{id}", word);
        let url = format!("{}{path}", self.base);
        let answer = self.http.json(method, &url, Some(&self.key), &[], body).map_err(|why| {
            let hint = format!("is it running? `--backend-base-url` or {} names another", self.row.backend_url_env);
            fail_hint(Exit::Network, format!("the backend cannot be reached: {}", why.why()), hint)
        })?;
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let message = body.as_ref().and_then(|body| {
            let field = |name| link::text(body, self.row.field(name));
            field("message").or_else(|| field("error")).or_else(|| link::text(body, "error.message"))
        });
        let is_clean = |text: &String| !secrets.iter().chain([&&self.key]).any(|secret| text.contains(secret.expose()));
        let message = message.filter(is_clean).map(|text| shown(&text));
        let said = Said { status: answer.status, body, message };
        match answer.status {
            401 | 403 => {
                let what = format!("{} does not accept this key for {path}: {}", self.name(), said.words());
                Err(fail_hint(Exit::SignIn, what, format!("set {} to one that it accepts", self.row.api_key_env)))
            }
            300..=399 => {
                let to = answer.location.map_or(String::new(), |place| format!(" to {}", shown(&place)));
                let what = format!("{} sends us on{to}: the key goes nowhere else", self.name());
                Err(fail_hint(Exit::Network, what, "`--backend-base-url` names the address it really has"))
            }
            429 | 500.. => Err(self.odd(&said)),
            _ => Ok(said),
        }
    }

    /// An answer that nothing can be made of.
    pub(super) fn odd(&self, said: &Said) -> anyhow::Error {
        let why = if said.is_good() { "its answer cannot be read".to_owned() } else { said.words() };
        let hint = match said.status {
            429 | 500.. => "try again later, or look into its log",
            _ => "is it the backend? `--backend-base-url` names another",
        };
        fail_hint(Exit::Network, format!("{}: {why}", self.name()), hint)
    }
}

/// The key of an account that serves the backend. Nobody is asked for it.
fn kept_key(paths: &Paths, base: &str) -> Result<Option<Secret>> {
    let place = Place::from_url(base).map_err(|why| fail(Exit::Config, format!("the backend's URL: {why}")))?;
    let caller = Caller { paths, account: None, command: "connect", tenant: None };
    let request =
        Request { no_prompt: Some("`connect` does not sign in"), ..Request::new(Verb::Get, Target::Place(place)) };
    match broker::answer(caller, &request) {
        Reply::Pass(credential) if credential.kind == Kind::Bearer => Ok(Some(credential.secret)),
        Reply::Failed(why) => Err(why.into()),
        _ => Ok(None),
    }
}
