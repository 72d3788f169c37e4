//! Device authorization (RFC 8628): the endpoint's answer, and the answers to polling

use hallpass_protocol::secret::{Secret, exposed};
use oauth2::DeviceCodeErrorResponseType;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{self, Grant, Trouble, life};
use crate::http::Answer;

/// What the person is to be shown, and how to ask whether they did it.
#[derive(Debug)]
pub(crate) struct DeviceCode {
    pub(crate) device_code: Secret,
    /// As the server sent it; not safe for a terminal yet.
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    /// With the code in it.
    pub(crate) verification_uri_complete: Option<String>,
    /// Seconds.
    pub(crate) expires_in: u64,
    /// Seconds between two polls.
    pub(crate) interval: u64,
}

/// How a poll ended.
#[derive(Debug)]
pub(crate) enum Polled {
    Granted(Box<Grant>),
    /// Not yet. GitHub names a new interval with it.
    Pending {
        slow_down: bool,
        interval: Option<u64>,
    },
    Denied,
    Expired,
    /// No answer; the next poll may get one.
    Silent(String),
    Refused(String),
    /// A token that cannot be used: the code is spent.
    Odd(String),
}

impl Polled {
    /// The same without the server's words where they quote one of these secrets.
    pub(super) fn without<'a>(self, secrets: impl Iterator<Item = &'a str>) -> Self {
        match self {
            Self::Refused(words) => Self::Refused(answer::unquoted(words, secrets)),
            Self::Odd(why) => Self::Odd(answer::unquoted(why, secrets)),
            Self::Silent(why) => Self::Silent(answer::unquoted(why, secrets)),
            other => other,
        }
    }
}

/// RFC 8628 3.2: where the server names none.
const INTERVAL: u64 = 5;
/// Busy polling is refused by servers, and an interval beyond the code's life never ends.
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=60;
/// A code that lives longer is a wrong unit.
const LONGEST: u64 = 3_600;

#[derive(Deserialize)]
struct Issued {
    #[serde(with = "exposed")]
    device_code: Secret,
    user_code: String,
    // Google's name, from before the RFC.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Option<Value>,
    interval: Option<Value>,
}

impl Issued {
    /// GitHub's answer to clients that do not ask for JSON.
    fn form(bytes: &[u8]) -> Option<Self> {
        let member = |name: &str| {
            let found = url::form_urlencoded::parse(bytes).find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
        };
        Some(Self {
            device_code: Secret::new(member("device_code")?),
            user_code: member("user_code")?,
            verification_uri: member("verification_uri")?,
            verification_uri_complete: member("verification_uri_complete"),
            expires_in: member("expires_in").map(Value::String),
            interval: member("interval").map(Value::String),
        })
    }
}

pub(super) fn read(endpoint: &str, answer: &Answer) -> Result<DeviceCode, Trouble> {
    let Some(body) = serde_json::from_slice::<Issued>(&answer.body).ok().or_else(|| Issued::form(&answer.body)) else {
        // An error reads like one of the token endpoint.
        return Err(match answer::read(endpoint, answer) {
            Err(trouble) => trouble,
            Ok(_) => Trouble::Later(format!("{endpoint} answered with a token to the question for a code")),
        });
    };
    let is_code = body.device_code.is_one_line() && !body.user_code.trim().is_empty();
    if !is_code || !matches!(answer.status, 200 | 201) {
        return Err(Trouble::Later(format!("{endpoint} answered with status {} and no code", answer.status)));
    }
    Ok(DeviceCode {
        device_code: body.device_code,
        user_code: body.user_code,
        verification_uri: body.verification_uri,
        verification_uri_complete: body.verification_uri_complete,
        expires_in: body.expires_in.as_ref().and_then(life).unwrap_or(LONGEST).min(LONGEST),
        interval: body.interval.as_ref().and_then(life).unwrap_or(INTERVAL).clamp(*INTERVALS.start(), *INTERVALS.end()),
    })
}

/// GitHub answers 200 with an error in it; the error counts, not the status.
pub(super) fn polled(endpoint: &str, answer: &Answer) -> Polled {
    #[derive(Deserialize)]
    struct Body {
        error: Option<DeviceCodeErrorResponseType>,
        interval: Option<Value>,
    }
    // Some send errors as a form.
    let form = || {
        let pairs: serde_json::Map<_, _> = url::form_urlencoded::parse(&answer.body)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        pairs.contains_key("error").then(|| serde_json::from_value(Value::Object(pairs)).ok()).flatten()
    };
    let body = serde_json::from_slice::<Body>(&answer.body).ok().or_else(form);
    let is_json = body.is_some();
    let interval = body.as_ref().and_then(|body| body.interval.as_ref()).and_then(life);
    let interval = interval.map(|interval| interval.clamp(*INTERVALS.start(), *INTERVALS.end()));
    match body.and_then(|body| body.error) {
        Some(DeviceCodeErrorResponseType::AuthorizationPending) => Polled::Pending { slow_down: false, interval },
        Some(DeviceCodeErrorResponseType::SlowDown) => Polled::Pending { slow_down: true, interval },
        Some(DeviceCodeErrorResponseType::AccessDenied) => Polled::Denied,
        Some(DeviceCodeErrorResponseType::ExpiredToken) => Polled::Expired,
        _ => match answer::read(endpoint, answer) {
            Ok(grant) => Polled::Granted(Box::new(grant)),
            Err(Trouble::Ended(_)) => Polled::Expired,
            Err(Trouble::Unfit { why, .. }) => Polled::Odd(why),
            Err(Trouble::Later(why)) if is_json && answer.status < 300 => Polled::Odd(why),
            Err(Trouble::Unsaid(_, why) | Trouble::Later(why) | Trouble::Busy(why, _) | Trouble::Lost(why)) => {
                Polled::Silent(why)
            }
            Err(Trouble::Refused(words)) => Polled::Refused(words),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Polled, polled, read};
    use crate::http::Answer;

    #[test]
    fn odd_numbers_are_held_in_bounds() {
        let body = |rest: &str| {
            let text = format!(r#"{{"device_code":"D","user_code":"U","verification_uri":"https://h/d"{rest}}}"#);
            let code = read("t", &Answer::of(200, &text)).expect("a code");
            (code.expires_in, code.interval)
        };
        assert_eq!(body(""), (3600, 5));
        assert_eq!(body(r#","expires_in":"900","interval":0"#), (900, 1));
        assert_eq!(body(r#","expires_in":1e30,"interval":1000000000"#), (3600, 60));
    }

    #[test]
    fn a_form_is_read_whole_or_not_at_all() {
        let form = "device_code=D&user_code=U%2D1&verification_uri=https%3A%2F%2Fh%2Fd&expires_in=899&interval=7&new=x";
        let code = read("t", &Answer::of(200, form)).expect("a code");
        assert_eq!((code.device_code.expose(), code.user_code.as_str()), ("D", "U-1"));
        assert_eq!((code.verification_uri.as_str(), code.expires_in, code.interval), ("https://h/d", 899, 7));
        for odd in
            ["user_code=U&verification_uri=https%3A%2F%2Fh%2Fd", "device_code=&user_code=U&verification_uri=u", ""]
        {
            assert!(read("t", &Answer::of(200, odd)).is_err(), "{odd}");
        }
    }

    #[test]
    fn polls() {
        let pending = r#"{"error":"authorization_pending"}"#;
        assert!(matches!(polled("t", &Answer::of(400, pending)), Polled::Pending { slow_down: false, interval: None }));
        assert!(matches!(polled("t", &Answer::of(200, pending)), Polled::Pending { slow_down: false, .. }));
        let form = "error=authorization_pending&error_description=not+yet";
        assert!(matches!(polled("t", &Answer::of(400, form)), Polled::Pending { slow_down: false, .. }));
        let slow = r#"{"error":"slow_down","interval":10}"#;
        assert!(matches!(polled("t", &Answer::of(200, slow)), Polled::Pending { slow_down: true, interval: Some(10) }));
        assert!(matches!(polled("t", &Answer::of(400, r#"{"error":"access_denied"}"#)), Polled::Denied));
        assert!(matches!(polled("t", &Answer::of(400, r#"{"error":"expired_token"}"#)), Polled::Expired));
        assert!(matches!(polled("t", &Answer::of(400, r#"{"error":"invalid_grant"}"#)), Polled::Expired));
        assert!(matches!(polled("t", &Answer::of(400, r#"{"error":"invalid_client"}"#)), Polled::Refused(_)));
        assert!(matches!(polled("t", &Answer::of(503, "<html>")), Polled::Silent(_)));
        assert!(matches!(polled("t", &Answer::of(200, r#"{"access_token":"AT"}"#)), Polled::Granted(_)));
    }
}
