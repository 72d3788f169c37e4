//! Paste-back: the browser is on another machine, and the person carries the answer over

use hallpass_protocol::secret::Secret;

use super::attempt::Attempt;
use super::listener::ANY_PORT;
use super::response::{Response, response};
use crate::oauth::AuthorizationRequest;

/// How many wrong answers there may be.
pub(super) const TRIES: usize = 3;

/// Nothing listens, so any port will do where the server takes any.
pub(super) fn redirect_uri(attempt: &Attempt<'_>) -> String {
    let configured = attempt.client.redirect_uri.as_deref().unwrap_or(ANY_PORT);
    let port = attempt.wishes.port.or_else(|| attempt.client.redirect_ports.first().copied());
    match (url::Url::parse(configured), port) {
        (Ok(mut url), Some(port)) if url.port().is_none() => {
            let _ = url.set_port(Some(port)); // refused only by URLs without a host
            url.to_string()
        }
        _ => configured.to_owned(),
    }
}

/// A whole redirect URL or `code=...&state=...`; or a bare code, which PKCE ties to this sign-in even without a state.
pub(super) fn read(pasted: &Secret, request: &AuthorizationRequest) -> Option<Response> {
    let text = pasted.expose().trim().trim_matches(['"', '\'']);
    if let Some((address, query)) = text.split_once('?') {
        let ours = address.split_once("://").is_none() || same_address(address, &request.redirect_uri);
        return ours.then(|| response(query.split('#').next().unwrap_or_default(), Some(&request.state))).flatten();
    }
    if text.contains('=') && (text.starts_with("code=") || text.contains("&code=") || text.starts_with("error=")) {
        let has_state = text.split('&').any(|pair| pair.starts_with("state="));
        let answer = response(text, has_state.then_some(&request.state))?;
        return Some(Response { whole: false, has_state, ..answer });
    }
    let is_code = !text.is_empty() && !text.contains("://") && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_code.then(|| Response { outcome: Ok(Secret::new(text)), iss: None, whole: false, has_state: false })
}

/// Another site's address is not ours, whatever its query says; the port may differ where nothing listened.
fn same_address(pasted: &str, ours: &str) -> bool {
    match (url::Url::parse(pasted), url::Url::parse(ours)) {
        (Ok(pasted), Ok(ours)) => {
            pasted.scheme() == ours.scheme() && pasted.host() == ours.host() && pasted.path() == ours.path()
        }
        _ => false,
    }
}
