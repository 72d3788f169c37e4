//! A token of Vault or OpenBao for one of an account's: the login of the JWT auth method
//!
//! ```text
//! POST ADDRESS/v1/auth/MOUNT/login        X-Vault-Request: true, X-Vault-Namespace: NAMESPACE
//!      {"jwt":"TOKEN","role":"ROLE"}
//! 200  {"auth":{"client_token":"hvs...","lease_duration":3600,"num_uses":0,...},...}
//! 400  {"errors":["..."]}
//! ```
//!
//! From OpenBao's documentation and source (2.6). Nobody signs the request: who has the JWT has the role. So it goes to
//! the address that the tool named, which the account must have served when the person signed in, and nowhere else: no
//! redirect to another member of a cluster is followed.

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::{Secret, exposed};
use hallpass_protocol::talk::Exit;
use serde::Deserialize;
use serde_json::json;

use crate::account::Client;
use crate::bought::Bought;
use crate::failure::{fail, fail_hint};
use crate::http::{Answer, Http, check_endpoint, endpoint};
use crate::shown::{printable, quotes};

/// Where both mount the method by themselves.
const MOUNT: &str = "jwt";

/// The longest lease we believe (seconds); a longer one is bought again sooner, no more.
const LONGEST: u64 = 366 * 86_400;

/// The JWT auth method at one address.
#[derive(Debug)]
pub(crate) struct Mount<'a> {
    account: &'a str,
    client: &'a Client,
    pub(crate) place: &'a Place,
    mount: &'a str,
}

#[derive(Deserialize)]
struct Login {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(with = "exposed")]
    client_token: Secret,
    #[serde(default)]
    lease_duration: u64,
    /// After so many requests it is used up; 0 is no limit.
    #[serde(default)]
    num_uses: u64,
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<String>,
}

impl<'a> Mount<'a> {
    /// Where this account logs in; `None` for one that only keeps what a login brought.
    pub(crate) fn of(account: &'a str, client: &'a Client, place: &'a Place) -> Option<Self> {
        let mount = match (client.vault_mount.as_deref(), &client.vault_role) {
            (None, None) => return None,
            (mount, _) => mount.unwrap_or(MOUNT),
        };
        Some(Self { account, client, place, mount })
    }

    /// Whatever makes another token of the same login.
    pub(crate) fn terms(&self) -> String {
        let (role, namespace) = (&self.client.vault_role, &self.client.vault_namespace);
        format!("{} {role:?} {namespace:?}", self.mount)
    }

    /// Logs in.
    pub(crate) fn login(&self, jwt: &Secret) -> Result<Bought> {
        let url = format!("{}/v1/auth/{}/login", self.place, self.mount);
        check_endpoint(&url).map_err(|why| fail(Exit::Config, format!("account `{}`: {url} {why}", self.account)))?;
        let mut body = json!({ "jwt": jwt.expose() });
        if let Some(role) = &self.client.vault_role {
            body["role"] = role.as_str().into();
        }
        let mut headers = vec![("X-Vault-Request", "true")];
        headers.extend(self.client.vault_namespace.as_deref().map(|namespace| ("X-Vault-Namespace", namespace)));
        let http = Http::new(&self.client.trust)?;
        match http.json("POST", &url, None, &headers, Some(&body)) {
            Ok(answer) => read(&answer).map_err(|trouble| self.failed(&url, trouble, jwt)),
            Err(why) => Err(self.failed(&url, Trouble::Later(format!("no answer: {}", why.why())), jwt)),
        }
    }

    fn failed(&self, url: &str, trouble: Trouble, jwt: &Secret) -> anyhow::Error {
        let (at, name) = (endpoint(url), self.account);
        match trouble {
            Trouble::Later(why) => {
                fail_hint(Exit::Network, format!("account `{name}`: no login at {at}: {why}"), "try again")
            }
            Trouble::Refused(status, words) => {
                let words = words.filter(|words| !quotes(words, jwt.expose())).map(|words| printable(&words));
                let words = words.map_or(String::new(), |words| format!(": {words}"));
                let what = format!("account `{name}`: {at} refused its token with status {status}{words}");
                let hint = "do `vault_mount` and `vault_role` name a role that trusts this issuer and client?";
                fail_hint(Exit::SignIn, what, hint)
            }
        }
    }
}

#[derive(Debug)]
enum Trouble {
    Later(String),
    /// The status, and the server's words.
    Refused(u16, Option<String>),
}

fn read(answer: &Answer) -> Result<Bought, Trouble> {
    match (answer.status, &answer.location) {
        (200, _) => {}
        (300..=399, to) => {
            let to = to.as_deref().unwrap_or("nowhere");
            return Err(Trouble::Later(format!("it redirects to {to}, which is not followed")));
        }
        (status @ (400 | 401 | 403 | 404), _) => {
            let refusal: Option<Refusal> = serde_json::from_slice(&answer.body).ok();
            return Err(Trouble::Refused(status, refusal.and_then(|refusal| refusal.errors.into_iter().next())));
        }
        (status, _) => return Err(Trouble::Later(format!("it answered with status {status}"))),
    }
    let odd = |what: &str| Err(Trouble::Later(format!("it answered with {what}")));
    let Ok(Login { auth }) = serde_json::from_slice(&answer.body) else { return odd("something that is no login") };
    let token = auth.client_token.expose();
    if token.is_empty() {
        return odd("no token: does the role want a second factor?");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return odd("a token that has characters no token of Vault has");
    }
    // One without an end, or for a few requests only, is not ours to keep.
    let is_kept = auth.lease_duration > 0 && auth.num_uses == 0;
    let expires_at = answer.asked_at.saturating_add(auth.lease_duration.min(LONGEST));
    Ok(Bought { secret: auth.client_token, obtained_at: answer.asked_at, expires_at: is_kept.then_some(expires_at) })
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Trouble, read};
    use crate::http::Answer;

    #[test]
    fn logins() {
        for (auth, expires_at) in [
            (r#""lease_duration":3600,"num_uses":0,"renewable":true,"mfa_requirement":null"#, Some(4_600)),
            (r#""lease_duration":0"#, None),
            (r#""num_uses":1,"lease_duration":60"#, None),
            (r#""lease_duration":18446744073709551615"#, Some(1_000 + LONGEST)),
        ] {
            let body = format!(r#"{{"request_id":"x","auth":{{"client_token":"hvs.1",{auth}}},"warnings":null}}"#);
            let bought = read(&Answer::of(200, &body)).expect(auth);
            assert_eq!((bought.secret.expose(), bought.expires_at), ("hvs.1", expires_at), "{auth}");
        }
    }

    #[test]
    fn what_is_none() {
        for body in [
            "",
            "[]",
            "<html>",
            r#"{"auth":null}"#,
            r#"{"data":{"client_token":"canary"}}"#,
            r#"{"auth":{"client_token":""}}"#,
            r#"{"auth":{"client_token":"can\nary"}}"#,
            r#"{"auth":{"client_token":"canary é"}}"#,
            r#"{"auth":{"client_token":"canary","client_token":"canary"}}"#,
            r#"{"auth":{"client_token":"canary","lease_duration":-1}}"#,
            &"{\"auth\":".repeat(100_000),
        ] {
            let Err(Trouble::Later(words)) = read(&Answer::of(200, body)) else { panic!("{body:.60}") };
            assert!(!words.contains("canary") && !words.contains("ary"), "{words}");
        }
        for status in [204, 307, 429, 473, 500, 503] {
            assert!(matches!(read(&Answer::of(status, "{}")), Err(Trouble::Later(_))), "{status}");
        }
        for status in [400, 401, 403, 404] {
            assert!(matches!(read(&Answer::of(status, "<html>")), Err(Trouble::Refused(_, None))), "{status}");
        }
        let Err(Trouble::Refused(400, Some(words))) = read(&Answer::of(400, r#"{"errors":["role","more"]}"#)) else {
            panic!()
        };
        assert_eq!(words, "role");
    }
}
