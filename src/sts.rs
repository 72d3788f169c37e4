//! AWS keys for an id_token: the security token service's AssumeRoleWithWebIdentity
//!
//! A POST that nobody signs: who has the id_token has the role. It goes to no endpoint that the account did not serve
//! when the person signed in.

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use hallpass_protocol::time::from_rfc3339;
use serde_json::{Value, json};

use crate::account::Client;
use crate::bought::Bought;
use crate::failure::{fail, fail_hint};
use crate::http::Http;
use crate::shown::printable;

/// The service that answers for all regions.
const ENDPOINT: &str = "https://sts.amazonaws.com/";

/// Seconds: what every role grants. Less than 15 minutes is refused, and little more would be asked for all the time.
const DURATION: &str = "3600";

/// The role of one account, and where it is assumed.
#[derive(Debug)]
pub(crate) struct Role<'a> {
    account: &'a str,
    pub(crate) arn: &'a str,
    endpoint: &'a str,
    client: &'a Client,
}

impl<'a> Role<'a> {
    /// The one that the caller names, else the account's.
    pub(crate) fn of(account: &'a str, client: &'a Client, named: Option<&'a str>) -> Result<Self> {
        let endpoint = client.aws_sts_endpoint.as_deref().unwrap_or(ENDPOINT);
        match named.or(client.aws_role_arn.as_deref()) {
            Some(arn) => Ok(Self { account, arn, endpoint, client }),
            None => {
                let hint =
                    format!("set `aws_role_arn`, and {endpoint} among its `serves`, then `hallpass login {account}`");
                Err(fail_hint(Exit::Config, format!("account `{account}` has no role at AWS"), hint))
            }
        }
    }

    /// Where the id_token goes.
    pub(crate) fn place(&self) -> Result<Place> {
        let odd = |why| fail(Exit::Config, format!("account `{}`: `aws_sts_endpoint`: {why}", self.account));
        Place::from_url(self.endpoint).map_err(odd)
    }

    /// Assumes it.
    pub(crate) fn assume(&self, id_token: &Secret, who: Option<&str>) -> Result<Bought> {
        let name = session_name(who);
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", self.arn),
            ("RoleSessionName", &name),
            ("DurationSeconds", DURATION),
            ("WebIdentityToken", id_token.expose()),
        ];
        let again = |why: &str| {
            let what = format!("account `{}`: no keys from {}: {why}", self.account, self.endpoint);
            fail_hint(Exit::Network, what, "try again")
        };
        let http = Http::new(&self.client.trust)?;
        let answer = http.post(self.endpoint, None, &form).map_err(|why| again(why.why()))?;
        match answer.status {
            200 => {
                let odd = || again("it answered with something else");
                keys(&answer.body, answer.asked_at, answer.servers_time.unwrap_or(answer.asked_at)).ok_or_else(odd)
            }
            400 | 401 | 403 => {
                let code = element(&String::from_utf8_lossy(&answer.body), "Code").map(|code| printable(&code));
                let what = format!(
                    "account `{}`: {} refused the role `{}`: {}",
                    self.account,
                    self.endpoint,
                    self.arn,
                    code.unwrap_or_else(|| format!("status {}", answer.status))
                );
                Err(fail_hint(Exit::SignIn, what, "does the role trust this issuer and client?"))
            }
            status => Err(again(&format!("it answered {status}"))),
        }
    }
}

/// Who signed in, in the letters that AWS takes: it stands in its logs.
fn session_name(who: Option<&str>) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || "+=,.@-_".contains(*letter);
    let name: String = who.unwrap_or_default().chars().filter(plain).take(64).collect();
    if name.len() < 2 { "hallpass".to_owned() } else { name }
}

/// JSON where the service follows `Accept`, else XML. The end is by the service's clock; the tools compare it with ours,
/// and so do we.
fn keys(body: &[u8], asked_at: u64, servers_time: u64) -> Option<Bought> {
    let text = std::str::from_utf8(body).ok()?;
    let json: Option<Value> = serde_json::from_str(text).ok();
    let credentials = json
        .as_ref()
        .map(|json| &json["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]["Credentials"]);
    let field = |name: &str| match credentials {
        Some(credentials) => credentials[name].as_str().map(str::to_owned),
        None => element(text, name),
    };
    let expires_at = match credentials.and_then(|credentials| credentials["Expiration"].as_f64()) {
        Some(seconds) if seconds >= 0.0 => seconds as u64,
        _ => from_rfc3339(&field("Expiration")?)?,
    };
    let expires_at = asked_at.saturating_add(expires_at.saturating_sub(servers_time));
    let keys = json!({
        "AccessKeyId": field("AccessKeyId")?,
        "SecretAccessKey": field("SecretAccessKey")?,
        "SessionToken": field("SessionToken")?,
    });
    Some(Bought { secret: Secret::new(keys.to_string()), obtained_at: asked_at, expires_at: Some(expires_at) })
}

/// The text of the first element of this name; the values we look for have nothing that XML would escape.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    (!value.is_empty() && !value.contains(['<', '&'])).then(|| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{keys, session_name};

    #[test]
    fn both_spellings() {
        let want = r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s/+=","SessionToken":"t1"}"#;
        let xml = "<R><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>t1</SessionToken>\
                   <SecretAccessKey>s/+=</SecretAccessKey><Expiration>2026-11-22T12:34:56Z</Expiration>\
                   <AccessKeyId>ASIA1</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></R>";
        let json = r#"{"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":
            {"AccessKeyId":"ASIA1","SecretAccessKey":"s/+=","SessionToken":"t1","Expiration":1.795350896E9}}}}"#;
        for text in [xml, json] {
            let end = 1_795_350_896;
            let bought = keys(text.as_bytes(), end - 3600, end - 3600).expect(text);
            assert_eq!((bought.secret.expose(), bought.expires_at), (want, Some(end)));
            let slow = keys(text.as_bytes(), end - 9000, end - 3600).expect(text);
            assert_eq!(slow.expires_at, Some(end - 9000 + 3600), "our clock is an hour and a half behind");
        }
        for odd in ["", "{}", "<AccessKeyId>a</AccessKeyId>", &xml.replace("t1", "&amp;"), &xml.replace("2026", "x")] {
            assert!(keys(odd.as_bytes(), 0, 0).is_none(), "{odd}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(session_name(Some("me@example.com")), "me@example.com");
        assert_eq!(session_name(Some("Zoë / x")), "Zox");
        assert_eq!(session_name(Some("é")), "hallpass");
        assert_eq!(session_name(Some(&"a".repeat(99))).len(), 64);
    }
}
