//! All roads that a person may take at once: the first to arrive is the sign-in, and the others are closed
//!
//! One loop watches the browser's callback, the keys of the terminal and the answers to a device's code. What comes by
//! any of them is judged alike: state, issuer and PKCE are those of one request.

use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use super::attempt::{Attempt, SignedIn};
use super::browser::Opening;
use super::device::{Device, News, Over};
use super::listener::{Callback, Listener};
use super::opened::{Opened, open};
use super::pages::Page;
use super::paste;
use super::response::Response;
use super::road::Road;
use crate::failure::{Unanswered, fail, fail_hint};
use crate::oauth::{AuthorizationRequest, Grant, Trouble};
use crate::prompt::{Prompt, Typed};
use crate::signals::Held;
use crate::terminal::{self, say};
use crate::token::How;
use crate::watch::Watch;

/// The roads that are still open.
struct Race<'a> {
    attempt: &'a Attempt<'a>,
    request: Option<AuthorizationRequest>,
    opening: Option<Opening>,
    listener: Option<Listener>,
    prompt: Option<Prompt>,
    /// How many wrong answers are still forgiven.
    tries: usize,
    device: Option<Device>,
    /// A key brings a code for a device.
    has_key: bool,
    held: Held,
}

/// What came first.
enum Arrival {
    Callback(Secret, Callback),
    /// A code that a person pasted; with its state, or cut out of the answer.
    Pasted(Secret, Checked),
    Granted(Box<Grant>),
}

/// Whether the state was there and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    State,
    /// Only PKCE ties it to this sign-in.
    Nothing,
}

/// By whichever road a person takes first.
pub(super) fn sign_in(attempt: &Attempt<'_>, road: &Road) -> Result<SignedIn> {
    let mut race = Race::begin(attempt, road)?;
    loop {
        match race.next()? {
            Arrival::Granted(grant) => {
                let (_, held) = race.end();
                let session = attempt.session(*grant, How::Device, None)?;
                return Ok(SignedIn { session, browser: None, _held: held });
            }
            Arrival::Callback(code, callback) => match attempt.trade(&code, race.request()?, How::Browser) {
                Ok(session) => {
                    let (_, held) = race.end();
                    return Ok(SignedIn { session, browser: Some(callback), _held: held });
                }
                Err(why) => {
                    callback.finish(Page::Failed);
                    return Err(why);
                }
            },
            Arrival::Pasted(code, checked) => match attempt.grants()?.code(&code, race.request()?) {
                // Of a bare code nothing was known: it may have been anything that was typed.
                Err(Trouble::Ended(why) | Trouble::Unsaid(_, why)) if checked == Checked::Nothing => {
                    race.not_taken(&why)?
                }
                traded => {
                    let traded = traded.map_err(|trouble| attempt.no_token(trouble))?;
                    let session = attempt.session_of_code(traded, race.request()?, How::Paste)?;
                    let (_, held) = race.end();
                    return Ok(SignedIn { session, browser: None, _held: held });
                }
            },
        }
    }
}

impl<'a> Race<'a> {
    fn begin(attempt: &'a Attempt<'a>, road: &Road) -> Result<Self> {
        let held = Held::begin(); // from before the page opens: a Ctrl-C is answered in words
        let Opened { request, opening, listener, prompt, device, has_key } = open(attempt, road)?;
        Ok(Self { attempt, request, opening, listener, prompt, tries: paste::TRIES, device, has_key, held })
    }

    /// Waits for the next arrival. After an error nothing is open any more.
    fn next(&mut self) -> Result<Arrival> {
        let came = loop {
            match self.turn() {
                Ok(Some(arrival)) => break Ok(arrival),
                Ok(None) => {}
                Err(why) => break Err(why),
            }
        };
        if !matches!(came, Ok(Arrival::Pasted(_, Checked::Nothing))) {
            self.close();
        }
        if self.held.came() {
            self.close();
            say("sign-in cancelled");
            self.held.deliver();
        }
        came
    }

    /// The server did not take a code that nothing was known of. Another may be pasted.
    fn not_taken(&mut self, why: &str) -> Result<()> {
        self.wrong(&format!("the server does not take that code ({why}), try again")).inspect_err(|_| self.close())
    }

    /// What is needed for the rest of the sign-in; all roads are closed.
    fn end(mut self) -> (Option<AuthorizationRequest>, Held) {
        self.close();
        (self.request, self.held)
    }

    /// The request whose answer arrived.
    fn request(&self) -> Result<&AuthorizationRequest> {
        self.request.as_ref().ok_or_else(|| fail(Exit::Bug, "a code came that nobody had asked for"))
    }

    fn close(&mut self) {
        if self.prompt.take().is_none() && self.device.is_some() {
            terminal::erase_line(); // the countdown
        }
        (self.listener, self.device, self.opening) = (None, None, None);
    }

    fn turn(&mut self) -> Result<Option<Arrival>> {
        if self.held.came() {
            return Err(fail(Exit::Int, "cancelled"));
        }
        if let Some(arrival) = self.look()? {
            return Ok(Some(arrival));
        }
        let now = Instant::now();
        let device_asks = self.device.as_ref().is_some_and(Device::asks);
        if now >= self.attempt.until && !device_asks {
            return Err(self.too_late());
        }
        let mut pause = Duration::from_secs(1).min(self.attempt.until.saturating_duration_since(now));
        let mut watch = Watch::default();
        if let Some(listener) = &self.listener {
            listener.watch(&mut watch);
        }
        if let Some(prompt) = &self.prompt {
            prompt.watch(&mut watch);
        }
        if let Some(device) = &self.device {
            pause = device.watch(&mut watch, now).map_or(Duration::from_secs(1), |due| pause.min(due));
            if self.prompt.is_none() {
                terminal::countdown(device.left(now));
            }
        }
        watch.wait(pause);
        Ok(None)
    }

    fn look(&mut self) -> Result<Option<Arrival>> {
        if let Some(words) = self.opening.as_mut().and_then(Opening::look) {
            self.tell(&words);
            if self.has_key {
                self.begin_device()?;
            }
        }
        if let (Some(listener), Some(request)) = (&mut self.listener, &self.request)
            && let Some(callback) = listener.look(&request.state)
        {
            return match self.attempt.accept(&callback.answer) {
                Ok(code) => Ok(Some(Arrival::Callback(code, callback))),
                Err(why) => {
                    callback.finish(Page::Failed);
                    Err(why)
                }
            };
        }
        while let Some(typed) = self.prompt.as_mut().and_then(Prompt::look) {
            if let Some(answer) = self.typed(&typed)? {
                let checked = if answer.has_state { Checked::State } else { Checked::Nothing };
                return Ok(Some(Arrival::Pasted(self.attempt.accept(&answer)?, checked)));
            }
        }
        self.look_at_device()
    }

    fn typed(&mut self, typed: &Typed) -> Result<Option<Response>> {
        let alone = self.listener.is_none() && self.device.is_none();
        match typed {
            Typed::Line(text) if self.has_key && text.expose().eq_ignore_ascii_case("d") => self.begin_device()?,
            Typed::Gone | Typed::End if alone => {
                return Err(fail(Exit::Denied, "the terminal was closed before an answer came"));
            }
            Typed::Gone => self.prompt = None,
            Typed::End => {}
            _ if self.tries == 0 => {}
            Typed::Line(text) => match paste::read(text, self.request()?) {
                Some(answer) => return Ok(Some(answer)),
                None => self.wrong("that is not the answer to this sign-in, try again")?,
            },
            Typed::Odd => self.wrong("that is not the answer to this sign-in, try again")?,
        }
        Ok(None)
    }

    /// Typing errors happen; guessing is not helped.
    fn wrong(&mut self, words: &str) -> Result<()> {
        self.tries = self.tries.saturating_sub(1);
        if self.tries > 0 {
            self.tell(words);
            return Ok(());
        }
        let name = self.attempt.account;
        if self.listener.is_none() && self.device.is_none() {
            let what = format!("account `{name}`: {} answers that do not belong to this sign-in", paste::TRIES);
            return Err(fail_hint(Exit::Denied, what, format!("`hallpass login {name} --paste` starts anew")));
        }
        self.tell("that is not the answer to this sign-in either: no other is read, and the wait goes on");
        Ok(())
    }

    fn begin_device(&mut self) -> Result<()> {
        self.has_key = false;
        self.device = Some(Device::begin(self.attempt, false)?);
        Ok(())
    }

    fn look_at_device(&mut self) -> Result<Option<Arrival>> {
        let Some(device) = &mut self.device else { return Ok(None) };
        let attempt = self.attempt;
        match device.look(attempt) {
            Ok(News::Nothing) => {}
            Ok(News::Granted(grant)) => return Ok(Some(Arrival::Granted(grant))),
            Ok(News::Code) => match &mut self.prompt {
                Some(prompt) => prompt.aside(|| device.show(attempt))?,
                None => device.show(attempt)?,
            },
            // Others may still arrive, unless a person said no.
            Err(Over { why, by_person: false }) if self.listener.is_some() || self.prompt.is_some() => {
                self.device = None;
                self.tell(&format!("no code for another device any more: {why}"));
            }
            Err(Over { why, .. }) => return Err(why),
        }
        Ok(None)
    }

    fn too_late(&self) -> anyhow::Error {
        let name = self.attempt.account;
        let what = format!("account `{name}`: nobody signed in within {} s", self.attempt.client.timeout);
        fail_hint(Exit::Denied, what, format!("`hallpass login {name}` tries again")).context(Unanswered)
    }

    /// Says something where a question may stand.
    fn tell(&mut self, words: &str) {
        match &mut self.prompt {
            Some(prompt) => prompt.aside(|| say(words)),
            None => say(words),
        }
    }
}
