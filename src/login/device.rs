//! Device flow: a code that the person confirms on a page which any device can open
//!
//! The code and the address are always shown, also beside a QR code or an opened browser: a person who only clicks could
//! confirm somebody else's sign-in.

use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::Attempt;
use crate::failure::{Unanswered, fail, fail_hint};
use crate::oauth::{self, DeviceCode, Grant, Grants, Polled, Trouble};
use crate::opener::{launchers, start};
use crate::shown::{printable, span};
use crate::signals::Held;
use crate::terminal::{self, say};
use crate::token::Purpose;

/// RFC 8628 3.5: what each `slow_down` adds, for good.
const SLOWER: u64 = 5;

/// Shows the code and waits until it is confirmed. What is returned holds signals back until the session is saved.
pub(super) fn grant(attempt: &Attempt<'_>) -> Result<(Grant, Held)> {
    let name = attempt.account;
    let endpoint = attempt.server().device_authorization_endpoint.as_deref().ok_or_else(|| {
        let what = format!("account `{name}`: its server has no device flow");
        fail_hint(Exit::Config, what, format!("`hallpass login {name}` signs in through the browser"))
    })?;
    let grants = attempt.grants()?;
    let extra = oauth::resource(attempt.client, &Purpose::OWN);
    let code = grants.device(endpoint, &attempt.client.scope, &extra).map_err(|trouble| attempt.no_token(trouble))?;
    let until = attempt.until.min(Instant::now() + Duration::from_secs(code.expires_in));
    show(attempt, &code, until)?;
    let granted = wait(attempt, &grants, &code, until);
    terminal::erase_line();
    granted
}

fn show(attempt: &Attempt<'_>, code: &DeviceCode, until: Instant) -> Result<()> {
    let (name, server) = (attempt.account, attempt.server());
    let Some(address) = page(&code.verification_uri) else {
        let what = format!("account `{name}`: its server names a page that is not an https:// address");
        return Err(fail(Exit::Refused, what));
    };
    // An address with the code in it must be one of the same kind; else it is not used.
    let complete = code.verification_uri_complete.as_deref().and_then(page);
    let left = span(until.saturating_duration_since(Instant::now()).as_secs());
    let scope = if attempt.client.scope.is_empty() {
        String::new()
    } else {
        format!(" for {}", attempt.client.scope.join(" "))
    };
    let at = if server.issuer.is_empty() { String::new() } else { format!(" at {}", server.issuer) };
    say(&format!("sign in to account `{name}`{at}{}: within {left}, open", printable(&scope)));
    attempt.show_url(&address);
    // On a line of its own, so that no width of the terminal breaks it.
    say("and confirm this code, if it is the one that is shown there:");
    terminal::line(&format!("    {}", printable(&code.user_code)));
    if let Some(complete) = &complete {
        terminal::qr(complete);
    }
    if attempt.wishes.open {
        // If none opens, the person has the address.
        let _ = launchers(complete.as_ref().unwrap_or(&address)).iter().find_map(|launch| start(launch).ok());
    }
    Ok(())
}

/// A page for a browser, spelled so that nothing in it can move a terminal's cursor: https, or http on this machine.
fn page(address: &str) -> Option<String> {
    let mut url = url::Url::parse(address).ok()?;
    let fragment = url.fragment().map(str::to_owned);
    url.set_fragment(None); // a page may have one, an endpoint may not
    crate::http::check_endpoint(url.as_str()).ok()?;
    url.set_fragment(fragment.as_deref());
    url.as_str().is_ascii().then(|| url.to_string())
}

fn wait(attempt: &Attempt<'_>, grants: &Grants<'_>, code: &DeviceCode, until: Instant) -> Result<(Grant, Held)> {
    let name = attempt.account;
    let again = format!("`hallpass login {name}` tries again");
    let denied = |what: &str| fail_hint(Exit::Denied, format!("account `{name}`: {what}"), again.clone());
    // For as long as there is a countdown to take away, and from the answer to the save.
    let held = Held::begin();
    let (mut interval, mut silent, mut silence) = (code.interval, 0_u32, None);
    loop {
        // On silence the pauses double (RFC 8628 3.5): a server in trouble is not helped by haste.
        if !pass(Duration::from_secs(interval << silent.min(4)), until, &held)? {
            let why: Option<String> = silence;
            return Err(match why {
                None => denied("the code was not confirmed in time").context(Unanswered),
                Some(why) => fail_hint(Exit::Network, format!("account `{name}`: no word of the code: {why}"), again),
            });
        }
        let answer = asked(grants, code, until, &held)?;
        match answer {
            Polled::Granted(grant) => return Ok((*grant, held)),
            Polled::Pending { slow_down, interval: named } => {
                (silent, silence) = (0, None);
                interval = named.unwrap_or(interval).max(interval + if slow_down { SLOWER } else { 0 });
            }
            Polled::Silent(why) => (silent, silence) = (silent + 1, Some(why)),
            Polled::Denied => return Err(denied("the sign-in was refused")),
            Polled::Expired => return Err(denied("the code has expired").context(Unanswered)),
            Polled::Refused(words) => return Err(attempt.no_token(Trouble::Refused(words))),
            Polled::Odd(why) => {
                return Err(fail_hint(Exit::Network, format!("account `{name}`: no token: {why}"), again));
            }
        }
    }
}

/// Asks the server, on a thread of its own: a Ctrl-C need not wait for one that hangs.
fn asked(grants: &Grants<'_>, code: &DeviceCode, until: Instant, held: &Held) -> Result<Polled> {
    std::thread::scope(|scope| {
        let asking = std::thread::Builder::new()
            .spawn_scoped(scope, || grants.poll(&code.device_code))
            .map_err(|why| fail(Exit::Network, format!("no thread can be started: {why}")))?;
        while !asking.is_finished() {
            tick(until, held)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        asking.join().map_err(|_| fail(Exit::Bug, "the question to the token endpoint came to nothing"))
    })
}

/// Lets time pass. False when it is over.
fn pass(pause: Duration, until: Instant, held: &Held) -> Result<bool> {
    let next = Instant::now() + pause;
    loop {
        tick(until, held)?;
        let now = Instant::now();
        if now >= until {
            return Ok(false);
        }
        if now >= next {
            return Ok(true);
        }
        std::thread::sleep((next - now).min(until - now).min(Duration::from_millis(200)));
    }
}

/// Shows what time is left; ends us in order when somebody pressed Ctrl-C.
fn tick(until: Instant, held: &Held) -> Result<()> {
    if held.came() {
        terminal::erase_line();
        say("sign-in cancelled");
        held.deliver();
        return Err(fail(Exit::Int, "cancelled"));
    }
    terminal::countdown(until.saturating_duration_since(Instant::now()));
    Ok(())
}
