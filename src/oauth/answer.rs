//! What the token endpoint answers, right or wrong
//!
//! Lenient where servers differ (a quoted `expires_in`, a 201, a form in place of JSON, an error with status 200) and
//! strict where it matters (a token with a line break, two of one member, another token type).

use hallpass_protocol::secret::{Secret, exposed_option};
use oauth2::basic::BasicErrorResponseType;
use serde::Deserialize;
use serde_json::Value;

use crate::http::Answer;
use crate::shown::printable;

/// The longest life we believe: a wrong unit must not make a token immortal.
const TEN_YEARS: f64 = 10.0 * 365.0 * 86_400.0;

/// What the token endpoint gave.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    /// Seconds from now; `None` when the server did not say.
    pub(crate) expires_in: Option<u64>,
    pub(crate) scope: Option<String>,
}

/// Why it gave nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// `invalid_grant`: the code or refresh token is not good any more. The server's words, made safe to show.
    Ended(String),
    /// Another "no" of the server (RFC 6749 5.2): about the client or the request, not the grant.
    Refused(String),
    /// Not now: nothing was decided about the grant.
    Later(String),
    /// Sent, and no answer came: the grant may be spent.
    Lost(String),
}

/// The members of a token answer, right or wrong. `Value` where servers differ in type.
#[derive(Deserialize, Default)]
struct Body {
    #[serde(default, with = "exposed_option")]
    access_token: Option<Secret>,
    #[serde(default, with = "exposed_option")]
    refresh_token: Option<Secret>,
    #[serde(default, with = "exposed_option")]
    id_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    error: Option<BasicErrorResponseType>,
    error_description: Option<Value>,
}

pub(crate) fn read(endpoint: &str, answer: &Answer) -> Result<Grant, Trouble> {
    let status = answer.status;
    if let (300..=399, location) = (status, &answer.location) {
        let to = location.as_deref().unwrap_or("nowhere");
        return Err(Trouble::Later(format!("{endpoint} redirects to {to}, which is not followed")));
    }
    let body = serde_json::from_slice::<Body>(answer.body.trim_ascii()).ok().or_else(|| form(&answer.body));
    match body {
        // GitHub sends its errors with status 200. 5xx with an error in it is still the server's trouble.
        Some(Body { error: Some(error), error_description, .. }) if status < 500 && status != 429 => {
            let description = error_description.as_ref().and_then(Value::as_str);
            let words = [Some(error.as_ref()), description].into_iter().flatten().map(printable).collect::<Vec<_>>();
            let words = words.join(": ");
            Err(match error {
                BasicErrorResponseType::InvalidGrant => Trouble::Ended(words),
                // Errors of other endpoints that some servers send here too (RFC 6749 4.1.2.1, RFC 8628 3.5).
                _ if ["temporarily_unavailable", "server_error", "slow_down"].contains(&error.as_ref()) => {
                    Trouble::Later(format!("{endpoint} answered {words}"))
                }
                _ => Trouble::Refused(words),
            })
        }
        Some(body) if status == 200 || status == 201 => grant(endpoint, body),
        _ if status == 200 => Err(Trouble::Later(format!("{endpoint} answered with something that is no token"))),
        _ => Err(Trouble::Later(format!("{endpoint} answered with status {status}"))),
    }
}

fn grant(endpoint: &str, body: Body) -> Result<Grant, Trouble> {
    let odd = |what: &str| Err(Trouble::Later(format!("{endpoint} gave {what}")));
    let Some(access_token) = body.access_token else { return odd("no access token") };
    let all = [Some(&access_token), body.refresh_token.as_ref(), body.id_token.as_ref()];
    if !all.into_iter().flatten().all(Secret::is_one_line) {
        return odd("a token with a line break in it, which is refused");
    }
    if let Some(kind) = body.token_type.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return odd(&format!("a token of type {}, which is not supported", printable(&kind)));
    }
    Ok(Grant {
        access_token,
        refresh_token: body.refresh_token,
        id_token: body.id_token,
        expires_in: body.expires_in.as_ref().and_then(life),
        scope: body.scope.as_ref().and_then(Value::as_str).map(printable),
    })
}

/// A number, or a number in quotes; negative and senseless ones count as unsaid.
pub(super) fn life(value: &Value) -> Option<u64> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (seconds >= 0.0).then(|| seconds.min(TEN_YEARS) as u64)
}

/// `access_token=...&token_type=bearer`: what GitHub sends to clients that do not ask for JSON.
fn form(bytes: &[u8]) -> Option<Body> {
    let mut body = Body::default();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        match &*name {
            "access_token" => body.access_token = Some(Secret::new(value)),
            "refresh_token" => body.refresh_token = Some(Secret::new(value)),
            "id_token" => body.id_token = Some(Secret::new(value)),
            "token_type" => body.token_type = Some(value.into_owned()),
            "expires_in" => body.expires_in = Some(Value::String(value.into_owned())),
            "scope" => body.scope = Some(Value::String(value.into_owned())),
            "error" => body.error = serde_json::from_value(Value::String(value.into_owned())).ok(),
            "error_description" => body.error_description = Some(Value::String(value.into_owned())),
            _ => {}
        }
    }
    (body.access_token.is_some() || body.error.is_some()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::{Trouble, read};
    use crate::http::Answer;
    use zeroize::Zeroizing;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: Zeroizing::new(body.as_bytes().to_vec()), location: None, challenge: None }
    }

    #[test]
    fn lives() {
        for (said, life) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("3600.0", Some(3600)),
            ("0", Some(0)),
            ("-1", None),
            ("null", None),
            ("\"abc\"", None),
            ("1e30", Some(315_360_000)),
            ("18446744073709551615", Some(315_360_000)),
        ] {
            let grant =
                read("t", &answer(200, &format!(r#"{{"access_token":"AT","expires_in":{said}}}"#))).expect(said);
            assert_eq!(grant.expires_in, life, "{said}");
        }
    }

    #[test]
    fn dialects() {
        assert!(read("t", &answer(201, r#"{"access_token":"AT","token_type":"bEARER"}"#)).is_ok());
        assert!(read("t", &answer(200, "access_token=AT&token_type=bearer&scope=a")).is_ok());
        let refused = [
            answer(400, r#"{"error":"invalid_grant","error_description":"no\u001b[2J"}"#),
            answer(200, r#"{"error":"invalid_grant"}"#),
            answer(401, "error=invalid_grant"),
        ];
        for answer in refused {
            match read("t", &answer) {
                Err(Trouble::Ended(words)) => assert!(!words.contains('\u{1b}')),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_decision() {
        for (status, body) in [
            (200, "<html>sign in</html>"),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"access_token":"A\nhost=evil"}"#),
            (200, r#"{"access_token":"AT","token_type":"mac"}"#),
            (200, r#"{"access_token":"AT","access_token":"AT2"}"#),
            (403, "<html>"),
            (404, ""),
            (429, r#"{"error":"slow_down"}"#),
            (503, r#"{"error":"temporarily_unavailable"}"#),
            (307, ""),
        ] {
            assert!(matches!(read("t", &answer(status, body)), Err(Trouble::Later(_))), "{status} {body}");
        }
    }
}
