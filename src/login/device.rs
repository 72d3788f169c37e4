//! Device flow: a code that the person confirms on a page which any device can open
//!
//! The code and the address are always shown, also beside a QR code or an opened browser: a person who only clicks could
//! confirm somebody else's sign-in. Every question goes to the server on a thread of its own: nothing else waits for a
//! server that hangs, least of all a Ctrl-C.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::attempt::{Asks, Attempt};
use crate::asking::Asking;
use crate::failure::{Unanswered, fail, fail_hint};
use crate::hyperlink;
use crate::oauth::{self, DeviceCode, Grant, Polled, Trouble};
use crate::opener::{launchers, start};
use crate::shown::{printable, span};
use crate::terminal::{self, say};
use crate::token::Purpose;
use crate::watch::Watch;

/// RFC 8628 3.5: what each `slow_down` adds, for good.
const SLOWER: u64 = 5;

/// A code on its way to be confirmed.
pub(super) struct Device {
    asks: Arc<Asks>,
    step: Step,
    /// It is all there is: its page opens here, and its address goes where one was asked for.
    alone: bool,
    code: Option<Arc<DeviceCode>>,
    until: Instant,
    interval: u64,
    silent: u32,
    silence: Option<String>,
}

enum Step {
    Asks(Asking<Said>),
    RestsUntil(Instant),
}

enum Said {
    Code(Result<DeviceCode, Trouble>),
    Poll(Polled),
}

/// What there is to tell.
pub(super) enum News {
    Nothing,
    /// It is to be shown.
    Code,
    Granted(Box<Grant>),
}

/// This road leads nowhere any more.
pub(super) struct Over {
    pub(super) why: anyhow::Error,
    /// The person said no, and means it of the others too.
    pub(super) by_person: bool,
}

impl Device {
    /// Asks for a code.
    pub(super) fn begin(attempt: &Attempt<'_>, alone: bool) -> Result<Self> {
        let name = attempt.account;
        let endpoint = attempt.server().device_authorization_endpoint.clone().ok_or_else(|| {
            let what = format!("account `{name}`: its server has no device flow");
            fail_hint(Exit::Config, what, format!("`hallpass login {name}` signs in through the browser"))
        })?;
        let asks = Arc::new(attempt.asks()?);
        asks.grants()?; // what is wrong with the client is said now
        let step = ask(&asks, move |asks| {
            let mut extra = oauth::resource(&asks.client, &Purpose::OWN);
            extra.extend(asks.client.aws_start_url.as_deref().map(|url| ("start_url", url)));
            let asked = asks.grants().map_err(|why| Trouble::Refused(why.to_string()));
            Said::Code(asked.and_then(|grants| grants.device(&endpoint, &asks.client.scope, &extra)))
        })?;
        let until = attempt.until;
        Ok(Self { asks, step, alone, code: None, until, interval: 0, silent: 0, silence: None })
    }

    /// Whether a question is on its way: its answer may be the tokens.
    pub(super) fn asks(&self) -> bool {
        matches!(self.step, Step::Asks(_))
    }

    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    /// When it wants to be looked at, or what will tell.
    pub(super) fn watch<'a>(&'a self, watch: &mut Watch<'a>, now: Instant) -> Option<Duration> {
        match &self.step {
            Step::Asks(asking) => {
                asking.watch(watch);
                None
            }
            Step::RestsUntil(then) => Some((*then).min(self.until).saturating_duration_since(now)),
        }
    }

    /// Goes on, without waiting.
    pub(super) fn look(&mut self, attempt: &Attempt<'_>) -> Result<News, Over> {
        let name = attempt.account;
        let again = format!("`hallpass login {name}` tries again");
        let denied = |what: &str| fail_hint(Exit::Denied, format!("account `{name}`: {what}"), again.clone());
        let over = |why: anyhow::Error| Over { why, by_person: false };
        let said = match &self.step {
            Step::Asks(asking) => asking.look(),
            Step::RestsUntil(then) => {
                let now = Instant::now();
                if now >= self.until {
                    return Err(over(match &self.silence {
                        None => denied("the code was not confirmed in time").context(Unanswered),
                        Some(why) => {
                            let what = format!("account `{name}`: no word of the code: {why}");
                            fail_hint(Exit::Network, what, again)
                        }
                    }));
                }
                if now >= *then {
                    self.poll().map_err(over)?;
                }
                return Ok(News::Nothing);
            }
        };
        let answer = match said {
            None => return Ok(News::Nothing),
            Some(Err(why)) => return Err(over(fail(Exit::Bug, why))),
            Some(Ok(Said::Code(Ok(code)))) => {
                self.until = self.until.min(Instant::now() + Duration::from_secs(code.expires_in));
                self.interval = code.interval;
                self.code = Some(Arc::new(code));
                self.rest();
                return Ok(News::Code);
            }
            Some(Ok(Said::Code(Err(trouble)))) => return Err(over(attempt.no_token(trouble))),
            Some(Ok(Said::Poll(answer))) => answer,
        };
        match answer {
            Polled::Granted(grant) => return Ok(News::Granted(grant)),
            Polled::Pending { slow_down, interval: named } => {
                (self.silent, self.silence) = (0, None);
                let least = self.interval + if slow_down { SLOWER } else { 0 };
                self.interval = named.unwrap_or(self.interval).max(least);
            }
            Polled::Silent(why) => (self.silent, self.silence) = (self.silent + 1, Some(why)),
            Polled::Denied => return Err(Over { why: denied("the sign-in was refused"), by_person: true }),
            Polled::Expired => return Err(over(denied("the code has expired").context(Unanswered))),
            Polled::Refused(words) => return Err(over(attempt.no_token(Trouble::Refused(words)))),
            Polled::Odd(why) => {
                return Err(over(fail_hint(Exit::Network, format!("account `{name}`: no token: {why}"), again)));
            }
        }
        self.rest();
        Ok(News::Nothing)
    }

    /// On silence the pauses double (RFC 8628 3.5): a server in trouble is not helped by haste.
    fn rest(&mut self) {
        self.step = Step::RestsUntil(Instant::now() + Duration::from_secs(self.interval << self.silent.min(4)));
    }

    fn poll(&mut self) -> Result<()> {
        let code = self.code.clone().ok_or_else(|| fail(Exit::Bug, "a poll without a code"))?;
        self.step = ask(&self.asks, move |asks| {
            Said::Poll(match asks.grants() {
                Ok(grants) => grants.poll(&code.device_code),
                Err(why) => Polled::Refused(why.to_string()),
            })
        })?;
        Ok(())
    }

    /// Shows the code that came.
    pub(super) fn show(&self, attempt: &Attempt<'_>) -> Result<()> {
        let Some(code) = &self.code else { return Ok(()) };
        let (name, server) = (attempt.account, attempt.server());
        let Some(address) = page(&code.verification_uri) else {
            let what = format!("account `{name}`: its server names a page that is not an https:// address");
            return Err(fail(Exit::Refused, what));
        };
        // An address with the code in it must be one of the same kind; else it is not used.
        let complete = code.verification_uri_complete.as_deref().and_then(page);
        let left = span(self.left(Instant::now()).as_secs());
        let scope = if attempt.client.scope.is_empty() {
            String::new()
        } else {
            format!(" for {}", attempt.client.scope.join(" "))
        };
        let at = if server.issuer.is_empty() { String::new() } else { format!(" at {}", server.issuer) };
        let or = if self.alone { "" } else { "or on any device: " };
        say(&format!("{or}sign in to account `{name}`{at}{}: within {left}, open", printable(&scope)));
        match self.alone {
            true => attempt.show_url(&address)?,
            false => hyperlink::show(&address),
        }
        // On a line of its own, so that no width of the terminal breaks it.
        say("and confirm this code, if it is the one that is shown there:");
        terminal::line(&format!("    {}", printable(&code.user_code)));
        if let Some(complete) = &complete {
            terminal::qr(complete);
        }
        if self.alone && attempt.wishes.open {
            // If none opens, the person has the address.
            let own = attempt.client.browser.as_deref();
            let all = launchers(complete.as_ref().unwrap_or(&address), own);
            let _ = all.iter().find_map(|launch| start(launch).ok());
        }
        Ok(())
    }
}

fn ask(asks: &Arc<Asks>, question: impl FnOnce(&Asks) -> Said + Send + 'static) -> Result<Step> {
    let asks = Arc::clone(asks);
    let asking = Asking::begin(move || question(&asks));
    asking.map(Step::Asks).map_err(|why| fail(Exit::Network, format!("no thread can be started: {why}")))
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
