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

impl Page {
    /// The whole response for a status; the connection is closed after it.
    pub(crate) fn response(self, status: &str) -> String {
        let (title, words) = match self {
            Self::Done => ("Signed in", "You can close this page and go back to where you came from."),
            Self::Failed => ("Not signed in", "The terminal says why. You can close this page."),
            Self::Linked => ("Linked", "You can close this page and go back to where you came from."),
            Self::NotLinked => ("Not linked", "The terminal says why. You can close this page."),
            Self::NotThis => ("Not this sign-in", "This answer does not belong to the sign-in that is waiting."),
            Self::Nothing => ("Nothing here", "This address only waits for the end of a sign-in."),
        };
        let body = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
             <title>{title}</title><h1>{title}</h1><p>{words}</p></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}
