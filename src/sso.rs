//! AWS keys for an access token of IAM Identity Center: its portal's GetRoleCredentials
//!
//! As the service description in botocore 1.44.5 has it (sso 2019-06-10). The portal is the other host of the region
//! that the account signs in to, and its token goes there only if the account served it when the person signed in.

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde_json::{Value, json};

use crate::account::Client;
use crate::bought::Bought;
use crate::failure::{fail, fail_hint};
use crate::http::Http;
use crate::oauth::TOKEN_HEADER;
use crate::provider::portal;
use crate::shown::{printable, quotes, shown};

/// A role in one AWS account, which an administrator has assigned to the person.
#[derive(Debug)]
pub(crate) struct Assigned<'a> {
    account: &'a str,
    /// `ACCOUNT_ID/NAME`.
    pub(crate) role: &'a str,
    portal: String,
    client: &'a Client,
}

impl<'a> Assigned<'a> {
    /// The one that the caller names, else the account's; `None` for an account that does not sign in there.
    pub(crate) fn of(account: &'a str, client: &'a Client, named: Option<&'a str>) -> Result<Option<Self>> {
        if client.aws_start_url.is_none() {
            return Ok(None);
        }
        let role = named.or(client.aws_role.as_deref()).ok_or_else(|| {
            let hint = "set `aws_role = \"ACCOUNT_ID/NAME\"`: the access portal shows both";
            fail_hint(Exit::Config, format!("account `{account}` has no role at AWS"), hint)
        })?;
        if parts(role).is_none() {
            let what = format!("account `{account}`: the role `{}` is not ACCOUNT_ID/NAME", shown(role));
            return Err(fail_hint(Exit::Config, what, "`aws_role = \"123456789012/ReadOnly\"`"));
        }
        let server = client.token_endpoint.as_deref().and_then(|url| url.strip_suffix("/token")).unwrap_or_default();
        Ok(Some(Self { account, role, portal: portal(server), client }))
    }

    /// Where the token goes.
    pub(crate) fn place(&self) -> Result<Place> {
        let odd = |why| fail(Exit::Config, format!("account `{}`: `{}`: {why}", self.account, self.portal));
        Place::from_url(&self.portal).map_err(odd)
    }

    /// Gets its keys.
    pub(crate) fn keys(&self, token: &Secret) -> Result<Bought> {
        let Self { account, role, portal, client } = self;
        let again = |why: &str| {
            fail_hint(Exit::Network, format!("account `{account}`: no keys from {portal}: {why}"), "try again")
        };
        let Some((id, name)) = parts(role) else { return Err(again("of no role")) };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("role_name", name), ("account_id", id)])
            .finish();
        let url = format!("{portal}/federation/credentials?{query}");
        let answer = Http::new(&client.trust)?
            .json("GET", &url, None, &[(TOKEN_HEADER, token.expose())], None)
            .map_err(|why| again(why.why()))?;
        let said = || {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let words = body["message"].as_str().map(printable).filter(|words| !quotes(words, token.expose()));
            words.unwrap_or_else(|| format!("status {}", answer.status))
        };
        match answer.status {
            200 => {
                let odd = || again("it answered with something else");
                read(&answer.body, answer.asked_at, answer.servers_time.unwrap_or(answer.asked_at)).ok_or_else(odd)
            }
            401 => {
                let what = format!("account `{account}`: {portal} does not take its token any more: {}", said());
                Err(fail_hint(Exit::SignIn, what, format!("`hallpass login {account}`")))
            }
            400 | 403 | 404 => {
                let what = format!("account `{account}`: {portal} refused the role `{role}`: {}", said());
                Err(fail_hint(Exit::SignIn, what, "is it assigned to you? the access portal lists those that are"))
            }
            status => Err(again(&format!("it answered {status}"))),
        }
    }
}

/// The number of an AWS account, and the name of a role in it.
fn parts(role: &str) -> Option<(&str, &str)> {
    let (id, name) = role.split_once('/')?;
    let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    (is_id && is_name).then_some((id, name))
}

/// The end is in milliseconds, by the service's clock; the tools compare it with ours, and so do we.
fn read(body: &[u8], asked_at: u64, servers_time: u64) -> Option<Bought> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let keys = &body["roleCredentials"];
    let expires_at = keys["expiration"].as_u64()? / 1_000;
    let expires_at = asked_at.saturating_add(expires_at.saturating_sub(servers_time));
    let keys = json!({
        "AccessKeyId": keys["accessKeyId"].as_str()?,
        "SecretAccessKey": keys["secretAccessKey"].as_str()?,
        "SessionToken": keys["sessionToken"].as_str()?,
    });
    Some(Bought { secret: Secret::new(keys.to_string()), obtained_at: asked_at, expires_at: Some(expires_at) })
}

#[cfg(test)]
mod tests {
    use super::{parts, read};

    #[test]
    fn roles() {
        assert_eq!(parts("123456789012/Read-Only"), Some(("123456789012", "Read-Only")));
        for odd in ["", "123456789012", "123456789012/", "12345678901/x", "12345678901x/x", "123456789012/a/b", "/x"] {
            assert_eq!(parts(odd), None, "{odd}");
        }
    }

    #[test]
    fn keys() {
        let text = r#"{"roleCredentials":{"accessKeyId":"ASIA1","secretAccessKey":"s/+=","sessionToken":"t1",
            "expiration":1795350896123}}"#;
        let end = 1_795_350_896;
        let bought = read(text.as_bytes(), end - 3600, end - 3600).expect("keys");
        let want = r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s/+=","SessionToken":"t1"}"#;
        assert_eq!((bought.secret.expose(), bought.expires_at), (want, Some(end)));
        let slow = read(text.as_bytes(), end - 9000, end - 3600).expect("keys");
        assert_eq!(slow.expires_at, Some(end - 9000 + 3600), "our clock is an hour and a half behind");
        for odd in ["", "{}", "[]", &text.replace("1795350896123", "-1"), &text.replace("\"ASIA1\"", "1")] {
            assert!(read(odd.as_bytes(), 0, 0).is_none(), "{odd}");
        }
    }
}
