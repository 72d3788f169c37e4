//! The identity of a CI job or a pod: a JWT that its service signs for whoever runs there
//!
//! | service | asked by |
//! |---|---|
//! | GitHub Actions, Forgejo | GET `$ACTIONS_ID_TOKEN_REQUEST_URL&audience=...`, bearer `$ACTIONS_ID_TOKEN_REQUEST_TOKEN`: `{"value": JWT}` |
//! | GitLab CI | the variable that `id_tokens` in `.gitlab-ci.yml` names |
//! | Buildkite | `buildkite-agent oidc request-token --audience ...` |
//! | CircleCI | `circleci run oidc get --claims {"aud":...}`, else `$CIRCLE_OIDC_TOKEN_V2`, whose audience is the organization |
//! | Kubernetes | the file that the kubelet renews |

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use hallpass_protocol::secret::{Secret, exposed};
use hallpass_protocol::talk::Exit;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::attempt::Attempt;
use super::command;
use super::machine::MAX_TOKEN;
use crate::failure::{fail, fail_hint};
use crate::http::check_endpoint;
use crate::opener::program;
use crate::paths::set;
use crate::workload::{Source, Workload};

/// Where a pod finds its service account's token, if nothing else was projected for it.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The token, and where it was had.
pub(super) fn fetch(
    attempt: &Attempt<'_>,
    role: &str,
    workload: Workload,
    source: &Source,
) -> Result<(Secret, String)> {
    let server = attempt.server();
    let usual = if server.issuer.is_empty() { &server.token_endpoint } else { &server.issuer };
    let audience = source.audience.as_ref().unwrap_or(usual);
    let from = format!("the identity of {}", workload.words());
    let asks = Asks { attempt, role, audience };
    match workload {
        Workload::GitHub => Ok((asks.github()?, from)),
        Workload::GitLab => asks.gitlab(source.env.as_deref()),
        Workload::Buildkite => {
            Ok((asks.run(workload, &["buildkite-agent", "oidc", "request-token", "--audience", audience])?, from))
        }
        Workload::CircleCi => asks.circleci(from),
        Workload::Kubernetes => {
            let file = source.file.as_deref().unwrap_or(Path::new(SERVICE_ACCOUNT));
            Ok((asks.file(file)?, format!("the service account's token in `{}`", file.display())))
        }
    }
}

struct Asks<'a> {
    attempt: &'a Attempt<'a>,
    role: &'a str,
    audience: &'a str,
}

impl Asks<'_> {
    fn failed(&self, exit: Exit, what: &str, hint: &str) -> anyhow::Error {
        fail_hint(exit, format!("account `{}`: {what}", self.attempt.account), hint)
    }

    fn github(&self) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Body {
            #[serde(with = "exposed")]
            value: Secret,
        }
        let variable = |name: &str| {
            let what = format!("GitHub Actions gives this job no identity: {name} is not set");
            set(name).ok_or_else(|| self.failed(Exit::Config, &what, "the job needs `permissions: id-token: write`"))
        };
        let url = variable("ACTIONS_ID_TOKEN_REQUEST_URL")?;
        let bearer = Secret::new(variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
        if let Err(why) = check_endpoint(&url) {
            let what = format!("ACTIONS_ID_TOKEN_REQUEST_URL {why}");
            return Err(fail(Exit::Refused, format!("account `{}`: {what}", self.attempt.account)));
        }
        if !bearer.is_one_line() {
            let what = "ACTIONS_ID_TOKEN_REQUEST_TOKEN is more than one line";
            return Err(fail(Exit::Config, format!("account `{}`: {what}", self.attempt.account)));
        }
        let encoded: String = url::form_urlencoded::byte_serialize(self.audience.as_bytes()).collect();
        let url = format!("{url}{}audience={encoded}", if url.contains('?') { '&' } else { '?' });
        let answer = self.attempt.http.get(&url, Some(&bearer), &[]).map_err(|why| {
            let what = format!("no identity from GitHub Actions: {}", why.why());
            self.failed(Exit::Network, &what, "try again")
        })?;
        let found = serde_json::from_slice::<Body>(&answer.body).ok().filter(|_| answer.status == 200);
        found.map(|body| body.value).ok_or_else(|| match answer.status {
            401 | 403 => {
                let what = format!("GitHub Actions refuses to give this job an identity (status {})", answer.status);
                self.failed(
                    Exit::SignIn,
                    &what,
                    "has the job's own token ended? it needs `permissions: id-token: write`",
                )
            }
            status => {
                let what = format!("GitHub Actions answered with status {status} and no identity");
                self.failed(Exit::Network, &what, "try again")
            }
        })
    }

    fn gitlab(&self, named: Option<&str>) -> Result<(Secret, String)> {
        let name = named.map_or_else(|| gitlab_variable(self.audience), str::to_owned);
        let Some(token) = set(&name) else {
            let what = format!("GitLab CI gives this job no identity: {name} is not set");
            let hint = format!("in `.gitlab-ci.yml`: `id_tokens: {{ {name}: {{ aud: \"{}\" }} }}`", self.audience);
            return Err(self.failed(Exit::Config, &what, &hint));
        };
        Ok((Secret::new(token.trim()), format!("the token in {name}")))
    }

    fn circleci(&self, from: String) -> Result<(Secret, String)> {
        if program("circleci").is_some() {
            let claims = serde_json::json!({ "aud": self.audience }).to_string();
            let words = ["circleci", "run", "oidc", "get", "--claims", &claims];
            return Ok((self.run(Workload::CircleCi, &words)?, from));
        }
        let variables = ["CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"];
        let found =
            variables.into_iter().find_map(|name| Some((Secret::new(set(name)?), format!("the token in {name}"))));
        found.ok_or_else(|| {
            let what =
                "CircleCI gives this job no identity: CIRCLE_OIDC_TOKEN_V2 is not set, nor is `circleci` on PATH";
            self.failed(Exit::Config, what, "the job needs a context")
        })
    }

    fn run(&self, workload: Workload, words: &[&str]) -> Result<Secret> {
        let what = format!("account `{}`: no identity from {}:", self.attempt.account, workload.words());
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        command::output(&what, &words, self.attempt.until, "its agent must be on PATH, and reach its service")
    }

    fn file(&self, file: &Path) -> Result<Secret> {
        let mut text = Zeroizing::new(String::new());
        let read = std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN + 1).read_to_string(&mut text));
        read.map_err(|why| {
            let what = format!("the service account's token `{}` cannot be read: {why}", file.display());
            let hint = format!("project one for this audience, and name it: `{}_token_file`", self.role);
            self.failed(Exit::Config, &what, &hint)
        })?;
        Ok(Secret::new(text.trim()))
    }
}

/// As other readers of GitLab's tokens name it: `<AUD>_ID_TOKEN`, in upper case, `_` for all that no variable has.
fn gitlab_variable(audience: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let mut name: String = audience.chars().map(plain).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.replace_range(..1, "_");
    }
    name + "_ID_TOKEN"
}

#[cfg(test)]
mod tests {
    use super::gitlab_variable;

    #[test]
    fn the_variable_of_an_audience() {
        assert_eq!(gitlab_variable("sigstore"), "SIGSTORE_ID_TOKEN");
        assert_eq!(gitlab_variable("http://test.audience"), "HTTP___TEST_AUDIENCE_ID_TOKEN");
        assert_eq!(gitlab_variable("7é"), "___ID_TOKEN");
    }
}
