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
}

/// The response in a request head, or the page to send instead.
pub(super) fn judge(
    head: &[u8],
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
    // A navigation carries no Origin; a script's request does.
    if !values("origin").is_empty() {
        return Err((Page::Nothing, "403 Forbidden"));
    }
    let (Some("GET"), Some(target)) = (request.method, request.path) else {
        return Err((Page::Nothing, "405 Method Not Allowed"));
    };
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    if asked != path {
        return Err((Page::Nothing, "404 Not Found"));
    }
    response(query, Some(state)).ok_or((Page::NotThis, "400 Bad Request"))
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
    Some(Response { outcome, iss: iss.map(str::to_owned), whole: true })
}

#[cfg(test)]
mod tests {
    use super::{judge, response};
    use hallpass_protocol::secret::Secret;

    fn status(head: &str) -> Result<(), &'static str> {
        let state = Secret::new("S");
        judge(head.as_bytes(), "127.0.0.1:9", "/callback", &state).map(|_| ()).map_err(|(_, status)| &status[..3])
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
    fn errors_are_made_printable() {
        let answer = response("error=x%1b%5d0&error_description=%3Cscript%3E&state=S", Some(&Secret::new("S")));
        let words = answer.expect("a response").outcome.expect_err("an error");
        assert_eq!(words, "x?]0: <script>");
    }
}
