//! The six pages a browser may see: fixed text, nothing of the request in them

/// A page and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The session is saved.
    Done,
    /// The sign-in did not work out.
    Failed,
    /// The backend keeps the link.
    Linked,
    /// The backend keeps no link.
    NotLinked,
    /// Not the answer we wait for.
    NotThis,
    /// Nothing is here.
    Nothing,
}

/// As the system looks, dark where it is dark.
const STYLE: &str = ":root{color-scheme:light dark}body{margin:0;min-height:90vh;display:grid;place-content:center;\
    text-align:center;padding:1rem;font:1.1rem/1.5 system-ui,sans-serif}h1{font-size:1.6rem;font-weight:600;margin:0}\
    p{margin:.5rem 0;opacity:.75}";

/// Code and state leave the address bar, and so the history.
const SCRIPT: &str = "history.replaceState(null,'','/')";

/// What the page's policy allows: these very texts and nothing else.
const STYLE_HASH: &str = "vN98rUKyHyBNDbFD9XoOkiOisSWxBqziqxlj0RFJ+fE=";
const SCRIPT_HASH: &str = "/pjm5mjVC8qSf3E2vn/Jvti9PA65a7Nkc8TYEuKfhyQ=";

impl Page {
    /// The whole response for a status; the connection is closed after it.
    pub(crate) fn response(self, status: &str) -> String {
        let (title, words) = match self {
            Self::Done => ("✓ Signed in", "You can close this page and go back to your terminal."),
            Self::Failed => ("✗ Not signed in", "The terminal says why. You can close this page."),
            Self::Linked => ("✓ Linked", "You can close this page and go back to your terminal."),
            Self::NotLinked => ("✗ Not linked", "The terminal says why. You can close this page."),
            Self::NotThis => ("Not this sign-in", "This answer does not belong to the sign-in that is waiting."),
            Self::Nothing => ("Nothing here", "This address only waits for the end of a sign-in."),
        };
        let body = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{words}</p><script>{SCRIPT}</script></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; \
             frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn the_policy_allows_what_the_page_has() {
        for (text, hash) in [(STYLE, STYLE_HASH), (SCRIPT, SCRIPT_HASH)] {
            assert_eq!(STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes())), hash);
        }
    }
}
