//! Words for the person, on stderr and the terminal, never on stdout
//!
//! `hallpass: error: ...`, `hallpass: hint: ...`, `hallpass: ...`; lower case, no full stop. Answers are read from the
//! terminal itself, for stdin may be the tool's.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Exit, Failure};
use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use crate::failure::{fail, fail_hint};
use crate::log;
use crate::signals::Held;

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Says something. A stderr that is closed is no reason to fail.
pub(crate) fn say(words: &str) {
    log::note(|| words.to_owned());
    let _ = writeln!(std::io::stderr(), "hallpass: {words}");
}

/// Says something that only a person at a terminal has use for.
pub(crate) fn advise(words: &str) {
    if std::io::stderr().is_terminal() {
        say(words);
    }
}

/// Shows a line without a prefix, where a person looks.
pub(crate) fn show(text: &str) {
    if std::io::stderr().is_terminal() {
        line(text);
    }
}

/// Says what went wrong and what to do next.
pub(crate) fn explain(failure: &Failure) {
    log::note(|| format!("error: {}", failure.what));
    let _ = std::io::stderr().write_all(explanation(failure).as_bytes()); // in one piece: other processes write there too
}

/// The same on the terminal, for a tool that keeps our stderr to itself; only where it is ours to write on.
pub(crate) fn explain_past_the_tool(failure: &Failure) {
    if !std::io::stderr().is_terminal()
        && is_ours()
        && let Some(mut terminal) = open()
    {
        let _ = terminal.write_all(explanation(failure).as_bytes());
    }
}

fn explanation(failure: &Failure) -> String {
    let mut text = format!("hallpass: error: {}\n", failure.what);
    if let Some(hint) = &failure.hint {
        text += &format!("hallpass: hint: {hint}\n");
    }
    text
}

/// Shows a line without a prefix: something to be copied or typed.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether a person may be reading what is said.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Shows how much time is left, on a line that is written over; only where a person looks.
pub(crate) fn countdown(left: Duration) {
    let seconds = left.as_secs();
    if is_watched() {
        let _ = write!(std::io::stderr(), "\r{}:{:02} left ", seconds / 60, seconds % 60);
    }
}

/// Takes the countdown away.
pub(crate) fn erase_line() {
    if is_watched() {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

/// Shows an address for the camera of a phone, two modules a character; only where a person looks, and where it fits.
pub(crate) fn qr(text: &str) {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else { return };
    const QUIET: i32 = 2;
    let dark = |x, y| code.get_module(x, y); // outside it is light
    if !is_watched() {
        return;
    }
    if width().is_some_and(|width| code.size() + 2 * QUIET > i32::from(width)) {
        return;
    }
    let mut picture = String::new();
    for y in (-QUIET..code.size() + QUIET).step_by(2) {
        // Light on dark would be read by few: white is drawn, black is left.
        picture.extend((-QUIET..code.size() + QUIET).map(|x| match (dark(x, y), dark(x, y + 1)) {
            (true, true) => ' ',
            (true, false) => '▄',
            (false, true) => '▀',
            (false, false) => '█',
        }));
        picture.push('\n');
    }
    let _ = std::io::stderr().write_all(picture.as_bytes());
}

/// The columns of the terminal on stderr.
#[cfg(unix)]
fn width() -> Option<u16> {
    rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn width() -> Option<u16> {
    None
}

/// Asks for a secret on the terminal, and waits for one line that is not shown.
pub(crate) fn ask_unseen(question: &str, until: Instant) -> Result<Secret> {
    let mut terminal = open().ok_or_else(|| {
        fail_hint(
            Exit::SignIn,
            "there is no terminal to ask on",
            "run this command in a terminal, or use `--token-stdin`",
        )
    })?;
    let broken = |why: std::io::Error| fail(Exit::Denied, format!("the terminal cannot be read: {why}"));
    let held = Held::begin(); // the terminal must have its echo back before a Ctrl-C ends us
    // Before the question: what is typed at once would be shown, and lost as the echo goes.
    let quiet = quiet::Quiet::begin(&terminal)?;
    let asked = terminal.write_all(question.as_bytes()).map_err(broken);
    let line = asked.and_then(|()| read_line(&mut terminal, &held, until));
    quiet.end();
    let _ = terminal.write_all(b"\n");
    held.end(); // delivers a Ctrl-C
    line
}

fn read_line(terminal: &mut File, held: &Held, until: Instant) -> Result<Secret> {
    let mut line = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(fail(Exit::Denied, "nobody answered in time"));
        }
        if !ready(terminal, left.min(Duration::from_secs(1))) {
            if held.came() {
                return Err(fail(Exit::Int, "cancelled"));
            }
            continue;
        }
        let count = match terminal.read(&mut *chunk) {
            Ok(count) => count,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(fail(Exit::Denied, format!("the terminal cannot be read: {why}"))),
        };
        line.extend_from_slice(&chunk[..count]);
        if count == 0 || line.ends_with(b"\n") || line.len() > MAX_ANSWER {
            break;
        }
    }
    if line.is_empty() {
        return Err(fail(Exit::Denied, "the terminal was closed before an answer came"));
    }
    let text = std::str::from_utf8(&line).map_err(|_| fail(Exit::Usage, "that was not text"))?;
    Ok(Secret::new(text.trim()))
}

#[cfg(unix)]
pub(crate) fn open() -> Option<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").ok()
}

#[cfg(windows)]
pub(crate) fn open() -> Option<File> {
    OpenOptions::new().read(true).write(true).open("CONIN$").ok()
}

/// Whether our process group may talk to the terminal now. One in the background would be stopped by reading it.
#[cfg(unix)]
pub(crate) fn is_ours() -> bool {
    let foreground = open().and_then(|terminal| rustix::termios::tcgetpgrp(&terminal).ok());
    foreground.is_some_and(|group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
pub(crate) fn is_ours() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal()
}

/// Whether there is something to read; false at a signal or after the pause.
#[cfg(unix)]
fn ready(terminal: &File, pause: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let pause = Timespec { tv_sec: pause.as_secs().cast_signed(), tv_nsec: pause.subsec_nanos().into() };
    poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&pause)).is_ok_and(|count| count > 0)
}

#[cfg(not(unix))]
fn ready(_: &File, _: Duration) -> bool {
    true
}

#[cfg(unix)]
mod quiet {
    use std::fs::File;

    use anyhow::Result;
    use hallpass_protocol::talk::Exit;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    use crate::failure::fail;

    /// While this lives, the terminal shows nothing of what is typed.
    pub(super) struct Quiet {
        terminal: File,
        before: Termios,
    }

    impl Quiet {
        pub(super) fn begin(terminal: &File) -> Result<Self> {
            let broken = |_| fail(Exit::Denied, "the terminal's echo cannot be turned off");
            let before = tcgetattr(terminal).map_err(broken)?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            tcsetattr(terminal, OptionalActions::Flush, &silent).map_err(broken)?;
            let terminal = terminal.try_clone()?;
            Ok(Self { terminal, before })
        }

        /// Shows what is typed again, as dropping does.
        pub(super) fn end(self) {}
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

#[cfg(not(unix))]
mod quiet {
    use std::fs::File;

    use anyhow::Result;
    use hallpass_protocol::talk::Exit;

    use crate::failure::fail_hint;

    /// The console's echo cannot be turned off with what we link.
    pub(super) struct Quiet;

    impl Quiet {
        pub(super) fn begin(_: &File) -> Result<Self> {
            Err(fail_hint(Exit::Usage, "a secret cannot be typed here unseen", "pipe it in: `--token-stdin`"))
        }

        pub(super) fn end(self) {}
    }
}
