//! What the token endpoint answers, right or wrong
//!
//! Lenient where servers differ (a quoted `expires_in`, a 201, a form in place of JSON, an error with status 200) and
//! strict where it matters (a token with a line break, two of one member, another token type).

use hallpass_protocol::secret::{Secret, exposed_option};
use oauth2::basic::BasicErrorResponseType;
use serde::Deserialize;
use serde_json::Value;

use crate::http::Answer;
use crate::shown::{printable, quotes};

/// The longest life we believe: a wrong unit must not make a token immortal.
const TEN_YEARS: f64 = 10.0 * 365.0 * 86_400.0;

/// What the token endpoint gave.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    /// Seconds from when it was asked for; `None` when the server did not say.
    pub(crate) expires_in: Option<u64>,
    /// The same for the refresh token.
    pub(crate) refresh_expires_in: Option<u64>,
    pub(crate) scope: Option<String>,
    /// What an exchange gave (RFC 8693 2.2.1).
    pub(crate) issued_token_type: Option<String>,
    /// It is bound to the key that asked for it (RFC 9449).
    pub(crate) is_bound: bool,
    /// When it was asked for, and what the server's clock said then: an id_token names its end by that one. The same
    /// where the two agree or the server told no time. Seconds since the epoch.
    pub(crate) asked_at: u64,
    pub(crate) servers_time: u64,
}

/// Why it gave nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// `invalid_grant`: the code or refresh token is not good any more. The server's words, made safe to show.
    Ended(String),
    /// Another "no" of the server (RFC 6749 5.2): about the client or the request, not the grant.
    Refused(String),
    /// A "no" without a reason: of the grant, the client or the request. glewlwyd 2.7.5 says 400 so of a refresh token that was
    /// used before, 403 of a client that it does not believe.
    Unsaid(u16, String),
    /// Not now: nothing was decided about the grant.
    Later(String),
    /// The same, and the server wants to be left alone for so many seconds.
    Busy(String, u64),
    /// Granted, but the token cannot be used. Whatever was spent for it is spent; this came in its place.
    Unfit { why: String, refresh_token: Option<Secret> },
    /// Sent, and no answer came: the grant may be spent.
    Lost(String),
}

impl Trouble {
    /// The same without the server's words where they quote one of these secrets: words are shown.
    pub(super) fn without<'a>(self, secrets: impl Iterator<Item = &'a str> + Clone) -> Self {
        let clean = |words| unquoted(words, secrets.clone());
        match self {
            Self::Ended(words) => Self::Ended(clean(words)),
            Self::Refused(words) => Self::Refused(clean(words)),
            Self::Later(words) => Self::Later(clean(words)),
            Self::Unfit { why, refresh_token } => Self::Unfit { why: clean(why), refresh_token },
            Self::Unsaid(..) | Self::Busy(..) | Self::Lost(_) => self, // nothing of the server's in it
        }
    }
}

/// The server's words, and only what comes before them where they quote one of these secrets.
pub(super) fn unquoted<'a>(words: String, mut secrets: impl Iterator<Item = &'a str>) -> String {
    match secrets.any(|secret| quotes(&words, secret)) {
        true => format!("{}, in words that quote a secret", words.split(':').next().unwrap_or_default()),
        false => words,
    }
}

/// A server's clock and ours may differ by this much (seconds) before one of them counts as wrong.
const CLOCK_SLACK: u64 = 60;

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
    refresh_token_expires_in: Option<Value>,
    scope: Option<Value>,
    issued_token_type: Option<Value>,
    error: Option<BasicErrorResponseType>,
    error_description: Option<Value>,
}

pub(crate) fn read(endpoint: &str, answer: &Answer) -> Result<Grant, Trouble> {
    let status = answer.status;
    if let (300..=399, location) = (status, &answer.location) {
        let to = location.as_deref().unwrap_or("nowhere");
        return Err(Trouble::Later(format!("{endpoint} redirects to {to}, which is not followed")));
    }
    // RFC 8259 8.1 allows to overlook a byte order mark.
    let text = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body).trim_ascii();
    let body = serde_json::from_slice::<Body>(text).ok().or_else(|| form(text));
    match body {
        // GitHub sends its errors with status 200. 5xx with an error in it is still the server's trouble.
        Some(Body { error: Some(error), error_description, .. }) if status < 500 && status != 429 => {
            let description = error_description.as_ref().and_then(Value::as_str);
            let words = [Some(error.as_ref()), description].into_iter().flatten().map(printable).collect::<Vec<_>>();
            let words = words.join(": ");
            Err(match error {
                BasicErrorResponseType::InvalidGrant => Trouble::Ended(words),
                // Errors of other endpoints that some servers send here too (RFC 6749 4.1.2.1, RFC 8628 3.5).
                _ if ["temporarily_unavailable", "server_error", "slow_down", "use_dpop_nonce"]
                    .contains(&error.as_ref()) =>
                {
                    Trouble::Later(format!("{endpoint} answered {words}"))
                }
                _ => Trouble::Refused(words),
            })
        }
        Some(body) if status == 200 || status == 201 => grant(endpoint, body, answer),
        _ if status == 200 => Err(Trouble::Later(format!("{endpoint} answered with something that is no token"))),
        // RFC 6749 5.2: what a client gets that it does not know, in so many words or without.
        _ if status == 401 => Err(Trouble::Refused(format!("{endpoint} answered with status 401"))),
        // A page in its place is some gateway's.
        _ if matches!(status, 400 | 403) && text.is_empty() => {
            Err(Trouble::Unsaid(status, format!("{endpoint} answered with status {status} and no reason")))
        }
        _ => {
            let why = format!("{endpoint} answered with status {status}");
            Err(match answer.retry_after {
                Some(seconds) if matches!(status, 429 | 503) => Trouble::Busy(why, seconds),
                _ => Trouble::Later(why),
            })
        }
    }
}

/// The error that an answer names.
pub(super) fn error(answer: &Answer) -> Option<String> {
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    body.error.map(|error| error.as_ref().to_owned())
}

fn grant(endpoint: &str, body: Body, answer: &Answer) -> Result<Grant, Trouble> {
    let unfit = |what: &str, refresh_token: Option<Secret>| {
        let refresh_token = refresh_token.filter(Secret::is_one_line);
        Err(Trouble::Unfit { why: format!("{endpoint} gave {what}"), refresh_token })
    };
    let Some(access_token) = body.access_token else { return unfit("no access token", body.refresh_token) };
    let all = [Some(&access_token), body.refresh_token.as_ref(), body.id_token.as_ref()];
    if !all.into_iter().flatten().all(Secret::is_one_line) {
        return unfit("a token with a line break in it, which is refused", body.refresh_token);
    }
    let is_bound = body.token_type.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"));
    if let Some(kind) = body.token_type.filter(|kind| !is_bound && !kind.eq_ignore_ascii_case("bearer")) {
        let what = format!("a token of type {}, which is not supported", printable(&kind));
        return unfit(&what, body.refresh_token);
    }
    let asked_at = answer.asked_at;
    let servers_time = answer.servers_time.filter(|time| time.abs_diff(asked_at) > CLOCK_SLACK);
    Ok(Grant {
        access_token,
        refresh_token: body.refresh_token,
        id_token: body.id_token,
        expires_in: body.expires_in.as_ref().and_then(life),
        // Some say 0 for "never".
        refresh_expires_in: body.refresh_token_expires_in.as_ref().and_then(life).filter(|life| *life > 0),
        scope: body.scope.as_ref().and_then(Value::as_str).map(printable),
        issued_token_type: body.issued_token_type.as_ref().and_then(Value::as_str).map(printable),
        is_bound,
        asked_at,
        servers_time: servers_time.unwrap_or(asked_at),
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
            "issued_token_type" => body.issued_token_type = Some(Value::String(value.into_owned())),
            "refresh_token_expires_in" => body.refresh_token_expires_in = Some(Value::String(value.into_owned())),
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
                read("t", &Answer::of(200, &format!(r#"{{"access_token":"AT","expires_in":{said}}}"#))).expect(said);
            assert_eq!(grant.expires_in, life, "{said}");
        }
    }

    #[test]
    fn dialects() {
        assert!(read("t", &Answer::of(201, r#"{"access_token":"AT","token_type":"bEARER"}"#)).is_ok());
        assert!(read("t", &Answer::of(200, "access_token=AT&token_type=bearer&scope=a")).is_ok());
        let refused = [
            Answer::of(400, r#"{"error":"invalid_grant","error_description":"no\u001b[2J"}"#),
            Answer::of(200, r#"{"error":"invalid_grant"}"#),
            Answer::of(401, "error=invalid_grant"),
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
            (200, r#"{"access_token":"AT","access_token":"AT2"}"#),
            (403, "<html>"),
            (404, ""),
            (429, r#"{"error":"slow_down"}"#),
            (503, r#"{"error":"temporarily_unavailable"}"#),
            (307, ""),
        ] {
            assert!(matches!(read("t", &Answer::of(status, body)), Err(Trouble::Later(_))), "{status} {body}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_used_does_not_take_the_refresh_token_along() {
        for body in [
            r#"{"refresh_token":"RT"}"#,
            r#"{"access_token":"A\nhost=evil","refresh_token":"RT"}"#,
            r#"{"access_token":"AT","token_type":"mac","refresh_token":"RT"}"#,
        ] {
            match read("t", &Answer::of(200, body)) {
                Err(Trouble::Unfit { refresh_token: Some(token), .. }) => assert_eq!(token.expose(), "RT"),
                other => panic!("{body}: {other:?}"),
            }
        }
        let broken = r#"{"access_token":"AT","refresh_token":"R\nT"}"#;
        assert!(matches!(read("t", &Answer::of(200, broken)), Err(Trouble::Unfit { refresh_token: None, .. })));
        assert!(matches!(read("t", &Answer::of(200, "{}")), Err(Trouble::Unfit { refresh_token: None, .. })));
    }

    #[test]
    fn what_the_server_says_of_time() {
        let body = "\u{feff}{\"access_token\":\"AT\"}";
        for (told, believed) in [(None, 1_000), (Some(1_060), 1_000), (Some(1_061), 1_061), (Some(7), 7)] {
            let grant = read("t", &Answer { servers_time: told, ..Answer::of(200, body) }).expect("a grant");
            assert_eq!((grant.asked_at, grant.servers_time), (1_000, believed));
        }
        for (status, busy) in [(429, true), (503, true), (500, false), (200, false)] {
            let answered = read("t", &Answer { retry_after: Some(7), ..Answer::of(status, "") });
            assert_eq!(matches!(answered, Err(Trouble::Busy(_, 7))), busy, "{status}");
        }
    }
}
