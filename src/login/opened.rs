//! Opens the roads of a sign-in, and tells the person of them

use std::io::IsTerminal;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::attempt::Attempt;
use super::browser::Opening;
use super::device::Device;
use super::listener::Listener;
use super::paste;
use super::road::Road;
use crate::failure::fail;
use crate::flow::{Flow, OUT_OF_BAND};
use crate::hyperlink;
use crate::oauth::AuthorizationRequest;
use crate::prompt::Prompt;
use crate::terminal::{self, say};
use crate::token::How;
use crate::whereabouts::{Whereabouts, here, tunnel};

/// What is open, and what can be.
pub(super) struct Opened {
    pub(super) request: Option<AuthorizationRequest>,
    pub(super) opening: Option<Opening>,
    pub(super) listener: Option<Listener>,
    pub(super) prompt: Option<Prompt>,
    pub(super) device: Option<Device>,
    /// A key brings a code for a device.
    pub(super) has_key: bool,
}

/// Short: it is written over, which a line that wraps could not be.
const QUESTION: &str = "address or code: ";

/// Opens the road that was chosen, and beside it those that this terminal allows.
pub(super) fn open(attempt: &Attempt<'_>, road: &Road) -> Result<Opened> {
    let nothing = Opened { request: None, opening: None, listener: None, prompt: None, device: None, has_key: false };
    let registers = attempt.registers();
    let together = road.together && can_ask_beside(attempt);
    if road.how == How::Device && !together {
        return Ok(Opened { device: Some(Device::begin(attempt, true)?), ..nothing });
    }
    let (how, listener) = listener(attempt, road.how, together)?;
    let asks = how != How::Browser || together;
    // Before anything is shown: what is typed from now on is an answer.
    let prompt = if asks { Prompt::begin(QUESTION, how == How::Browser) } else { None };
    if prompt.is_none() && how != How::Browser {
        let what = format!("account `{}`: pasting an answer back needs a terminal", attempt.account);
        return Err(fail(Exit::Usage, what));
    }
    let redirect_uri = listener.as_ref().map_or_else(|| paste::redirect_uri(attempt), Listener::redirect_uri);
    let has_device = attempt.server().device_authorization_endpoint.is_some() && together && prompt.is_some();
    let request = match attempt.request(&redirect_uri, has_device) {
        // Who registers nobody for pages may register somebody for codes.
        Err(_) if registers && how == How::Device => {
            return Ok(Opened { device: Some(Device::begin(attempt, true)?), ..nothing });
        }
        request => request?,
    };
    let has_device = has_device && attempt.registered.get().is_some_and(|client| client.device);
    let at_once = has_device && how == How::Device;
    let has_key = has_device && !at_once;
    if how == How::Browser {
        by_browser(attempt, &request, listener.as_ref())?;
    } else {
        by_paste(attempt, &request, listener.as_ref())?;
    }
    let key = if has_key { "; `d` and Enter bring a code for another device" } else { "" };
    match (how, prompt.is_some()) {
        (How::Browser, true) => say(&format!(
            "if its last page does not load here, paste that page's address here, and never into a web page{key}"
        )),
        _ if has_key => say(key.trim_start_matches("; ")),
        _ => {}
    }
    let opening = (how == How::Browser).then(|| {
        let by_hand = "open the page above by hand, or use `--paste`";
        Opening::begin(&request.url, attempt.wishes.open, attempt.client.browser.as_deref(), by_hand)
    });
    let device = if at_once { Some(Device::begin(attempt, false)?) } else { None };
    Ok(Opened { request: Some(request), opening, listener, prompt, device, has_key })
}

/// Whether a question may stand on the terminal while something else is waited for: a person sees what it is about, and
/// nobody else reads these keys. Whoever takes the address from our stdout may be a program that does.
fn can_ask_beside(attempt: &Attempt<'_>) -> bool {
    Prompt::IS_PATIENT
        && terminal::is_ours()
        && terminal::is_watched()
        && (attempt.wishes.open || std::io::stdout().is_terminal())
}

/// What the browser comes back to, where it can; else the answer is carried over by hand.
fn listener(attempt: &Attempt<'_>, how: How, together: bool) -> Result<(How, Option<Listener>)> {
    if how != How::Browser && !together {
        return Ok((how, None)); // nothing listens where nothing was meant to
    }
    match Listener::bind(attempt.account, attempt.client, attempt.wishes.port) {
        Ok(listener) => Ok((how, Some(listener))),
        Err(_) if how != How::Browser => Ok((how, None)),
        Err(why) if attempt.wishes.flow == Flow::Auto && terminal::is_ours() => {
            say(&format!("{why}; it is pasted back instead"));
            Ok((How::Paste, None))
        }
        Err(why) => Err(why),
    }
}

fn by_browser(attempt: &Attempt<'_>, request: &AuthorizationRequest, listener: Option<&Listener>) -> Result<()> {
    if attempt.wishes.open {
        say("if no browser opens, go to");
        hyperlink::show(&request.url);
    } else {
        attempt.show_url(&request.url)?;
    }
    if let Some(listener) = listener.filter(|_| !attempt.wishes.open || here() == Whereabouts::Ssh) {
        let (uri, through) = (&request.redirect_uri, tunnel(listener.port()));
        say(&format!("waiting for the browser to come back to {uri}; from another machine: `{through}`"));
    }
    Ok(())
}

fn by_paste(attempt: &Attempt<'_>, request: &AuthorizationRequest, listener: Option<&Listener>) -> Result<()> {
    let name = attempt.account;
    let ends = match request.redirect_uri == OUT_OF_BAND {
        true => "It ends with a code: paste it here, and never into a web page",
        false => {
            "It ends at an address that does not load (connection refused): \
             paste that address here, and never into a web page"
        }
    };
    say(&format!("open this page in any browser and sign in to account `{name}`. {ends}"));
    attempt.show_url(&request.url)?;
    if hyperlink::copy(&request.url) {
        say("the address is in the clipboard, if your terminal allows that");
    }
    if let Some(listener) = listener {
        let through = tunnel(listener.port());
        say(&format!("it does load if you type this first where the browser is: `{through}`"));
    }
    Ok(())
}
