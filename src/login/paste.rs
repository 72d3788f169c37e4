//! Paste-back: the browser is on another machine, and the person carries the answer over

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::Attempt;
use super::listener::ANY_PORT;
use super::response::{Response, response};
use crate::failure::{fail, fail_hint};
use crate::flow::OUT_OF_BAND;
use crate::oauth::AuthorizationRequest;
use crate::terminal::{Echo, ask, say};

/// Typing errors happen; guessing is not helped.
const TRIES: usize = 3;

/// Shows the page's address and reads the answer from the terminal.
pub(super) fn code(attempt: &Attempt<'_>) -> Result<(Secret, AuthorizationRequest)> {
    let name = attempt.account;
    let request = attempt.request(&redirect_uri(attempt))?;
    let ends = match request.redirect_uri == OUT_OF_BAND {
        true => "It ends with a code: paste it here, and never into a web page",
        false => {
            "It ends at an address that does not load (connection refused): \
             paste that address here, and never into a web page"
        }
    };
    say(&format!("open this page in any browser and sign in to account `{name}`. {ends}"));
    attempt.show_url(&request.url);
    for left in (0..TRIES).rev() {
        let pasted = ask("address or code: ", Echo::Shown, attempt.until)?;
        match read(&pasted, &request) {
            Some(answer) => return Ok((attempt.accept(&answer)?, request)),
            None if left > 0 => say("that is not the answer to this sign-in, try again"),
            None => {}
        }
    }
    let what = format!("account `{name}`: three answers that do not belong to this sign-in");
    Err(fail_hint(Exit::Denied, what, format!("`hallpass login {name} --paste` starts anew")))
}

/// Nothing listens, so any port will do where the server takes any.
fn redirect_uri(attempt: &Attempt<'_>) -> String {
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
fn read(pasted: &Secret, request: &AuthorizationRequest) -> Option<Response> {
    let text = pasted.expose().trim().trim_matches(['"', '\'']);
    if let Some((address, query)) = text.split_once('?') {
        let ours = address.split_once("://").is_none() || same_address(address, &request.redirect_uri);
        return ours.then(|| response(query.split('#').next().unwrap_or_default(), Some(&request.state))).flatten();
    }
    if text.contains('=') && (text.starts_with("code=") || text.contains("&code=") || text.starts_with("error=")) {
        let has_state = text.split('&').any(|pair| pair.starts_with("state="));
        let answer = response(text, has_state.then_some(&request.state))?;
        return Some(Response { whole: false, ..answer });
    }
    let is_code = !text.is_empty() && !text.contains("://") && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_code.then(|| Response { outcome: Ok(Secret::new(text)), iss: None, whole: false })
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

/// `--paste` without a terminal cannot work.
pub(super) fn needs_a_terminal(account: &str) -> anyhow::Error {
    fail(Exit::Usage, format!("account `{account}`: `--paste` needs a terminal to paste into"))
}
