//! A question on the terminal that is open while something else is waited for
//!
//! Nothing of what is typed or pasted is shown, only how much it is: a paste may hold what moves a cursor. It is read
//! byte by byte, for a terminal that gathers lines cuts them at 4096 bytes, and what is left when the question is
//! taken away is thrown away: no shell gets to see it. Ctrl-C stays what it is.

use hallpass_protocol::secret::Secret;

#[cfg(not(unix))]
pub(crate) use elsewhere::Prompt;
#[cfg(unix)]
pub(crate) use unix::Prompt;

/// The longest answer that is read: an address with a code in it.
const MAX_ANSWER: usize = 32 << 10;

/// What a person did.
#[derive(Debug)]
pub(crate) enum Typed {
    Line(Secret),
    /// A line with control characters in it, or one without an end.
    Odd,
    /// Ctrl-D on an empty line.
    End,
    /// There is no terminal any more.
    Gone,
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{ErrorKind, Read, Write};

    use hallpass_protocol::secret::Secret;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{
        InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };
    use zeroize::Zeroizing;

    use super::{MAX_ANSWER, Typed};
    use crate::terminal;
    use crate::watch::Watch;

    /// While this lives, the terminal's keys are ours.
    pub(crate) struct Prompt {
        terminal: File,
        before: Termios,
        question: &'static str,
        /// Came in, and not looked at yet.
        unread: Zeroizing<Vec<u8>>,
        line: Zeroizing<Vec<u8>>,
        is_odd: bool,
        /// How much of the line the screen tells about; `None` while the question is not there.
        shown: Option<usize>,
        /// It cannot take back what it shows.
        is_dumb: bool,
    }

    impl Prompt {
        /// It can be open beside something else.
        pub(crate) const IS_PATIENT: bool = true;

        /// Takes the keys; the question is shown at the first look. `None` without a terminal, or in the background;
        /// `beside` something else also where another program has the keys, as a pager has that our caller writes to.
        pub(crate) fn begin(question: &'static str, beside: bool) -> Option<Self> {
            let terminal = terminal::open().filter(is_ours)?;
            let before = tcgetattr(&terminal).ok()?;
            if beside && !before.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON) {
                return None;
            }
            let mut raw = before.clone();
            raw.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN);
            raw.input_modes.remove(InputModes::IXON); // a pasted Ctrl-S would stop our own words
            raw.special_codes[SpecialCodeIndex::VMIN] = 0;
            raw.special_codes[SpecialCodeIndex::VTIME] = 0;
            raw.special_codes[SpecialCodeIndex::VSUSP] = 0; // stopped, we would leave the shell a terminal like this
            tcsetattr(&terminal, OptionalActions::Flush, &raw).ok()?;
            let (unread, line) = Default::default();
            let is_dumb = crate::paths::set("TERM").is_some_and(|term| term == "dumb");
            Some(Self { terminal, before, question, unread, line, is_odd: false, shown: None, is_dumb })
        }

        /// In the background reading would stop us.
        pub(crate) fn watch<'a>(&'a self, watch: &mut Watch<'a>) {
            if is_ours(&self.terminal) {
                watch.add(&self.terminal);
            }
        }

        /// What was typed since, one thing at a time.
        pub(crate) fn look(&mut self) -> Option<Typed> {
            if !is_ours(&self.terminal) {
                return None;
            }
            loop {
                if let Some(typed) = self.next_of_unread() {
                    return Some(typed);
                }
                match self.read() {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(Typed::End) => break,
                    Err(typed) => return Some(typed),
                }
            }
            self.show();
            None
        }

        /// Takes the question away for as long as something else is said.
        pub(crate) fn aside<T>(&mut self, say: impl FnOnce() -> T) -> T {
            self.hide();
            let said = say();
            self.show();
            said
        }

        fn next_of_unread(&mut self) -> Option<Typed> {
            let (mut typed, mut used) = (None, 0);
            for byte in self.unread.iter().copied() {
                used += 1;
                match byte {
                    b'\n' | b'\r' if self.is_odd || !self.line.is_empty() => {
                        let text = std::str::from_utf8(&self.line).ok().filter(|_| !self.is_odd);
                        typed = Some(text.map_or(Typed::Odd, |text| Typed::Line(Secret::new(text.trim()))));
                    }
                    b'\n' | b'\r' => {}
                    0x04 if self.line.is_empty() => typed = Some(Typed::End),
                    0x08 | 0x7f => {
                        // A letter may be several bytes.
                        while self.line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                    }
                    0x15 => self.line.clear(), // Ctrl-U
                    0x1a => {}                 // Ctrl-Z
                    0..0x20 => self.is_odd = true,
                    _ if self.line.len() < MAX_ANSWER => self.line.push(byte),
                    _ => self.is_odd = true,
                }
                if self.line.is_empty() && byte == 0x15 {
                    self.is_odd = false;
                }
                if typed.is_some() {
                    break;
                }
            }
            self.unread.drain(..used);
            if typed.is_some() {
                self.line = Zeroizing::default();
                self.is_odd = false;
            }
            typed
        }

        /// Never waits. `End` when nothing is there.
        fn read(&mut self) -> Result<usize, Typed> {
            let mut source = [PollFd::new(&self.terminal, PollFlags::IN)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if poll(&mut source, Some(&now)).is_err() {
                return Err(Typed::End);
            }
            let found = source[0].revents();
            if found.is_empty() {
                return Err(Typed::End);
            }
            let mut chunk = Zeroizing::new([0; 4096]);
            match self.terminal.read(&mut *chunk) {
                Ok(0) | Err(_) if found.intersects(PollFlags::HUP | PollFlags::ERR) => Err(Typed::Gone),
                Ok(count) => {
                    self.unread.extend_from_slice(&chunk[..count]);
                    Ok(count)
                }
                Err(why) if matches!(why.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => Err(Typed::End),
                Err(_) => Err(Typed::Gone),
            }
        }

        fn show(&mut self) {
            if self.shown == Some(self.line.len()) {
                return;
            }
            self.shown = Some(self.line.len());
            if self.is_dumb && !self.line.is_empty() {
                return;
            }
            let start = if self.is_dumb { "" } else { "\r\x1b[K" };
            let count = match self.line.len() {
                0 => String::new(),
                count => format!("[{count} characters] "),
            };
            let _ = write!(self.terminal, "{start}{}{count}", self.question);
        }

        fn hide(&mut self) {
            if self.shown.take().is_some() && is_ours(&self.terminal) {
                let _ = self.terminal.write_all(if self.is_dumb { "\n" } else { "\r\x1b[K" }.as_bytes());
            }
        }
    }

    impl Drop for Prompt {
        /// A process in the background would be stopped by it; then the shell has the terminal, and its own modes.
        fn drop(&mut self) {
            self.hide();
            if is_ours(&self.terminal) {
                let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
            }
        }
    }

    fn is_ours(terminal: &File) -> bool {
        tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
    }
}

/// A console that cannot be watched: the question is asked when nothing else is waited for.
#[cfg(not(unix))]
mod elsewhere {
    use std::io::{BufRead, BufReader, Read, Write};

    use hallpass_protocol::secret::Secret;
    use zeroize::Zeroizing;

    use super::{MAX_ANSWER, Typed};
    use crate::terminal;
    use crate::watch::Watch;

    pub(crate) struct Prompt {
        console: std::fs::File,
        question: &'static str,
    }

    impl Prompt {
        pub(crate) const IS_PATIENT: bool = false;

        pub(crate) fn begin(question: &'static str, _beside: bool) -> Option<Self> {
            Some(Self { console: terminal::open().filter(|_| terminal::is_ours())?, question })
        }

        pub(crate) fn watch<'a>(&'a self, _: &mut Watch<'a>) {}

        /// Waits for a line.
        pub(crate) fn look(&mut self) -> Option<Typed> {
            let _ = write!(std::io::stderr(), "{}", self.question);
            let mut line = Zeroizing::new(Vec::new());
            let read = BufReader::new((&self.console).take(MAX_ANSWER as u64)).read_until(b'\n', &mut line);
            Some(match (read, std::str::from_utf8(&line)) {
                (Ok(0), _) => Typed::End,
                (Err(_), _) => Typed::Gone,
                (_, Ok(text)) if !text.trim().chars().any(char::is_control) => Typed::Line(Secret::new(text.trim())),
                _ => Typed::Odd,
            })
        }

        pub(crate) fn aside<T>(&mut self, say: impl FnOnce() -> T) -> T {
            say()
        }
    }
}
