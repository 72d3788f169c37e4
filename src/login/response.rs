//! The authorization response: in a request to the loopback redirect, or as a person pasted it

use hallpass_protocol::secret::Secret;

use super::pages::Page;
use crate::shown::printable;

/// An authorization response (RFC 6749 4.1.2) with the right state.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) outcome: std::result::Result<Secret, String>,
    pub(crate) iss: Option<String>,
    /// Not just a code that a person cut out of it: then a server that promises `iss` must have sent it.
    pub(crate) whole: bool,
    /// The state was there, and right.
    pub(crate) has_state: bool,
}

/// The most bytes of a posted response (`response_mode=form_post`).
pub(super) const MAX_BODY: usize = 64 << 10;

/// How many bytes follow a request head; `None` if that is more than we take. Only a POST brings what we look at.
pub(super) fn body_length(head: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let is_whole = matches!(request.parse(head), Ok(httparse::Status::Complete(_)));
    if !is_whole || request.method != Some("POST") {
        return Some(0);
    }
    let named = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(named) = named else { return Some(0) };
    std::str::from_utf8(named.value).ok()?.parse().ok().filter(|length| *length <= MAX_BODY)
}

/// The response in a request, or the page to send instead.
pub(super) fn judge(
    head: &[u8],
    body: &[u8],
    host: &str,
    path: &str,
    state: &Secret,
) -> std::result::Result<Response, (Page, &'static str)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let bad = (Page::Nothing, "400 Bad Request");
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Err(bad);
    }
    let values = |name: &str| {
        let found: Vec<_> = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).collect();
        found.iter().map(|header| header.value.to_vec()).collect::<Vec<_>>()
    };
    // A page of another site that resolves to 127.0.0.1 sends its own name (DNS rebinding).
    let hosts = values("host");
    if hosts.len() != 1 || !hosts[0].eq_ignore_ascii_case(host.as_bytes()) {
        return Err((Page::Nothing, "421 Misdirected Request"));
    }
    let Some(target) = request.path else { return Err(bad) };
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    let other_than = |name: &str, value: &str| values(name).iter().any(|found| found != value.as_bytes());
    let text = match request.method {
        // A navigation carries no Origin; a script's request does.
        Some("GET") if values("origin").is_empty() => query,
        // A form carries that of its page, and any page of the server's may post it: a script is told by its mode.
        Some("POST") if !other_than("sec-fetch-mode", "navigate") && !other_than("sec-fetch-dest", "document") => {
            let kinds = values("content-type");
            let kind = kinds.first().and_then(|kind| kind.split(|byte| *byte == b';').next()).unwrap_or_default();
            if kinds.is_empty() {
                return Err((Page::Nothing, "405 Method Not Allowed")); // no form at all
            }
            if kinds.len() != 1 || !kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
                return Err((Page::Nothing, "415 Unsupported Media Type"));
            }
            std::str::from_utf8(body).map_err(|_| bad)?
        }
        Some("GET" | "POST") => return Err((Page::Nothing, "403 Forbidden")),
        _ => return Err((Page::Nothing, "405 Method Not Allowed")),
    };
    if asked != path {
        return Err((Page::Nothing, "404 Not Found"));
    }
    response(text, Some(state)).ok_or((Page::NotThis, "400 Bad Request"))
}

/// Reads the query of an authorization response. The state must be there once and equal, unless none is demanded.
/// A parameter that stands twice makes the response none (RFC 6749 3.1).
pub(crate) fn response(query: &str, state: Option<&Secret>) -> Option<Response> {
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let one = |name: &str| {
        let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        match (found.next(), found.next()) {
            (value, None) => Some(value.filter(|value| !value.is_empty())),
            _ => None,
        }
    };
    let (brought, code, error, iss) = (one("state")?, one("code")?, one("error")?, one("iss")?);
    let state_is_right = match (state, brought) {
        (Some(state), Some(brought)) => Secret::new(brought) == *state,
        (Some(_), None) => false,
        (None, _) => true,
    };
    if !state_is_right {
        return None;
    }
    let outcome = match (code, error) {
        (_, Some(error)) => {
            let description = one("error_description").flatten();
            Err([Some(error), description].into_iter().flatten().map(printable).collect::<Vec<_>>().join(": "))
        }
        (Some(code), None) => Ok(Secret::new(code)),
        (None, None) => return None,
    };
    Some(Response { outcome, iss: iss.map(str::to_owned), whole: true, has_state: state.is_some() })
}

#[cfg(test)]
mod tests {
    use super::{judge, response};
    use hallpass_protocol::secret::Secret;

    fn status(head: &str) -> Result<(), &'static str> {
        let state = Secret::new("S");
        let (head, body) = head.split_at(head.find("\r\n\r\n").map_or(head.len(), |end| end + 4));
        let judged = judge(head.as_bytes(), body.as_bytes(), "127.0.0.1:9", "/callback", &state);
        judged.map(|_| ()).map_err(|(_, status)| &status[..3])
    }

    #[test]
    fn only_the_right_request_ends_the_wait() {
        let host = "Host: 127.0.0.1:9\r\n\r\n";
        for (line, expected) in [
            ("GET /callback?code=C&state=S HTTP/1.1", Ok(())),
            ("GET /callback?error=access_denied&state=S HTTP/1.1", Ok(())),
            ("GET /callback?code=C&state=X HTTP/1.1", Err("400")),
            ("GET /callback?code=C HTTP/1.1", Err("400")),
            ("GET /callback?code=C&code=D&state=S HTTP/1.1", Err("400")),
            ("GET /callback?state=S HTTP/1.1", Err("400")),
            ("GET /favicon.ico HTTP/1.1", Err("404")),
            ("GET /callback/?code=C&state=S HTTP/1.1", Err("404")),
            ("POST /callback?code=C&state=S HTTP/1.1", Err("405")),
            ("PUT /callback?code=C&state=S HTTP/1.1", Err("405")),
            ("\u{16}\u{3}\u{1} HTTP/1.1", Err("400")),
        ] {
            assert_eq!(status(&format!("{line}\r\n{host}")), expected, "{line}");
        }
        let line = "GET /callback?code=C&state=S HTTP/1.1\r\n";
        assert_eq!(status(&format!("{line}Host: evil.example\r\n\r\n")), Err("421"));
        assert_eq!(status(&format!("{line}\r\n")), Err("421"));
        assert_eq!(status(&format!("{line}Host: 127.0.0.1:9\r\n{host}")), Err("421"));
        assert_eq!(status(&format!("{line}Origin: http://evil.example\r\n{host}")), Err("403"));
    }

    #[test]
    fn a_form_may_be_posted() {
        let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
        let post = |headers: &str, target: &str, body: &str| {
            status(&format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1:9\r\n{headers}\r\n{body}"))
        };
        let page = "Origin: https://id.example.com\r\nSec-Fetch-Mode: navigate\r\n";
        assert_eq!(post(form, "/callback", "code=C&state=S"), Ok(()));
        assert_eq!(post(&format!("{form}{page}"), "/callback", "state=S&error=access_denied"), Ok(()));
        for (headers, target, body, expected) in [
            (form, "/callback", "code=C&state=X", "400"),
            (form, "/callback", "code=C", "400"),
            (form, "/callback?code=C&state=S", "", "400"),
            (form, "/callback", "code=C&code=D&state=S", "400"),
            (form, "/other", "code=C&state=S", "404"),
            ("Content-Type: text/plain\r\n", "/callback", "code=C&state=S", "415"),
            (&format!("{form}{form}"), "/callback", "code=C&state=S", "415"),
            (&format!("{form}Sec-Fetch-Mode: no-cors\r\n"), "/callback", "code=C&state=S", "403"),
        ] {
            assert_eq!(post(headers, target, body), Err(expected), "{headers} {target} {body}");
        }
        let length = |line: &str| super::body_length(format!("POST / HTTP/1.1\r\n{line}\r\n\r\n").as_bytes());
        assert_eq!(length("Content-Length: 12"), Some(12));
        assert_eq!(length("Host: h"), Some(0));
        for odd in ["65537", "-1", "99999999999999999999999", "1 2"] {
            assert_eq!(length(&format!("Content-Length: {odd}")), None, "{odd}");
        }
    }

    #[test]
    fn errors_are_made_printable() {
        let answer = response("error=x%1b%5d0&error_description=%3Cscript%3E&state=S", Some(&Secret::new("S")));
        let words = answer.expect("a response").outcome.expect_err("an error");
        assert_eq!(words, "x?]0: <script>");
    }
}
