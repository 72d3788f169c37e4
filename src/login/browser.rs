//! Authorization code flow through the browser (RFC 8252): a loopback redirect and PKCE

use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::Attempt;
use super::listener::{Callback, Listener};
use super::pages::Page;
use crate::failure::{Unanswered, fail, fail_hint};
use crate::oauth::AuthorizationRequest;
use crate::opener::{Launch, launchers, start};
use crate::signals::Held;
use crate::terminal::{line, say};

/// Opens the page and waits for the browser to come back with a code.
pub(super) fn code(attempt: &Attempt<'_>, mut listener: Listener) -> Result<(Secret, AuthorizationRequest, Callback)> {
    let name = attempt.account;
    let request = attempt.request(&listener.redirect_uri())?;
    let held = Held::begin(); // from before the page opens: a Ctrl-C is answered in words
    if attempt.wishes.open {
        say("if no browser opens, go to");
        line(&request.url);
    } else {
        attempt.show_url(&request.url);
        let (uri, port) = (listener.redirect_uri(), listener.port());
        say(&format!(
            "waiting for the browser to come back to {uri}; from another machine: `ssh -L {port}:localhost:{port} THIS_MACHINE`"
        ));
    }
    let by_hand = "open the page above by hand, or use `--paste`";
    let mut opening = Opening::begin(&request.url, attempt.wishes.open, by_hand);
    let answered = listener.wait(&request.state, attempt.until, || {
        if held.came() {
            say("sign-in cancelled");
            return Err(fail(Exit::Int, "cancelled"));
        }
        opening.look();
        Ok(())
    });
    held.end(); // a Ctrl-C ends us here
    let Some(callback) = answered? else {
        let what = format!("account `{name}`: nobody signed in within {} s", attempt.client.timeout);
        let hint = format!("`hallpass login {name}` tries again");
        return Err(fail_hint(Exit::Denied, what, hint).context(Unanswered));
    };
    match attempt.accept(&callback.answer) {
        Ok(code) => Ok((code, request, callback)),
        Err(why) => {
            callback.finish(Page::Failed);
            Err(why)
        }
    }
}

/// The launcher at work; the next one's turn when it fails.
pub(crate) struct Opening {
    left: std::vec::IntoIter<Launch>,
    child: Option<Child>,
    tried: bool,
    /// What to do when none works.
    by_hand: &'static str,
}

impl Opening {
    pub(crate) fn begin(url: &str, open: bool, by_hand: &'static str) -> Self {
        let left = if open { launchers(url) } else { Vec::new() };
        let mut opening = Self { left: left.into_iter(), child: None, tried: open, by_hand };
        opening.next();
        opening
    }

    fn next(&mut self) {
        self.child = self.left.find_map(|launch| start(&launch).ok());
        if self.child.is_none() && self.tried {
            self.tried = false;
            say(&format!("no browser could be started: {}", self.by_hand));
        }
    }

    /// A launcher that ends well has done its work; one that runs on may be the browser itself.
    pub(crate) fn look(&mut self) {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if status.success() => (self.child, self.tried) = (None, false),
            Some(Ok(Some(_)) | Err(_)) => self.next(),
            _ => {}
        }
    }
}

/// Until when a person has time.
pub(crate) fn until(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
