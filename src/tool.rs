//! The tool's door: reads the question in its protocol, asks the broker, prints the answer
//!
//! One loop drives every protocol. No clap here: the arguments of a tool must never meet a parser that knows better.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::Result;
use hallpass_protocol::talk::{Call, Exit, Failure, Framing, MAX_INPUT, Protocol, Reply, Step, Then};
use zeroize::{Zeroize, Zeroizing};

use crate::broker::{self, Caller};
use crate::clock;
use crate::environment;
use crate::failure::{self, fail};
use crate::handover;
use crate::paths::{Paths, set};
use crate::terminal;
use crate::textfile;

/// How a tool called us.
pub(crate) struct Door {
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) name: &'static str,
    /// After the protocol's name.
    pub(crate) args: Vec<String>,
}

/// Holds the conversation; the exit code.
pub(crate) fn serve(door: Door) -> Exit {
    match talk(door) {
        Ok(exit) => exit,
        Err(why) => {
            let failure = failure::of(&why);
            terminal::explain(&failure);
            failure.exit
        }
    }
}

fn talk(door: Door) -> Result<Exit> {
    let Options { account, config, api_url, tenant, args } = Options::take(door.args)?;
    let paths = Paths::find(config.as_deref().map(Path::new))?;
    let account = environment::named(&paths, account, api_url.as_deref())?;
    if let Some(tenant) = &tenant {
        environment::check_slug(tenant)?;
    }
    let caller = Caller { paths: &paths, account: account.as_deref(), command: door.name, tenant: tenant.as_deref() };
    let call = Call { name: door.name, args: &args, env: &set, now: clock::now() };
    let mut input = Input::default();
    let mut step = door.protocol.start(&call);
    loop {
        if !step.say.expose().is_empty() {
            say(step.say.expose())?;
        }
        step = match step.then {
            Then::Read(framing) => match input.read(framing) {
                Ok(question) => door.protocol.hear(&call, &question),
                Err(Garbled { readable, why }) => door.protocol.garbled(&call, &readable, why),
            },
            Then::Ask(request) => {
                let answer = || broker::answer(caller, &request);
                let reply: Reply = match &request.heartbeat {
                    None => answer(),
                    Some(beat) => beating(beat, answer),
                };
                door.protocol.reply(&call, &request, &reply)
            }
            Then::End(exit, failure) => {
                if let Some(failure) = failure {
                    terminal::explain(&failure);
                    if door.protocol.hides_stderr() {
                        terminal::explain_past_the_tool(&failure);
                    }
                }
                // Memory goes back to the system whole and is wiped there: piece by piece it takes a tenth of a hit.
                std::process::exit(exit as i32);
            }
            Then::File(copy) => {
                let done = match &copy.text {
                    Some(text) => textfile::write_here(Path::new(&copy.path), text.expose()),
                    None => textfile::remove_here(Path::new(&copy.path)),
                };
                return match done {
                    Err(why) if copy.required => Err(why),
                    _ => Ok(Exit::Answered),
                };
            }
            Then::PassOn(program, otherwise) => {
                handover::take_over(program, &args);
                otherwise.map_or_else(|| Step::end(Exit::Bug), |step| *step)
            }
        };
    }
}

/// Says a tool's heartbeat while the answer takes its time, from a thread that has ended before the answer is said.
fn beating(beat: &str, answer: impl FnOnce() -> Reply) -> Reply {
    let (answered, waiting) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let tick = move || {
            while waiting.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) && say(beat).is_ok() {}
        };
        let _ = std::thread::Builder::new().spawn_scoped(scope, tick); // without it the tool may give up, no more
        let reply = answer();
        drop(answered);
        reply
    })
}

/// Less than half of the shortest time in which a tool with a heartbeat gives up (5 s).
const HEARTBEAT: Duration = Duration::from_secs(2);

/// hallpass's own options, which stand on every door; the rest is the protocol's.
#[derive(Default)]
struct Options {
    account: Option<String>,
    config: Option<String>,
    api_url: Option<String>,
    tenant: Option<String>,
    args: Vec<String>,
}

/// Their names.
pub(crate) const OPTIONS: [&str; 6] = ["--account", "--config", "--api-url", "--base-url", "-u", "--tenant"];

impl Options {
    fn take(words: Vec<String>) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
                _ => (word.clone(), None),
            };
            let slot = match name.as_str() {
                "--account" => &mut options.account,
                "--config" => &mut options.config,
                "--api-url" | "--base-url" | "-u" => &mut options.api_url,
                "--tenant" => &mut options.tenant,
                _ => {
                    options.args.push(word);
                    continue;
                }
            };
            let value = inline.or_else(|| words.next()).filter(|value| !value.is_empty());
            *slot = Some(value.ok_or_else(|| fail(Exit::Usage, format!("`{name}` needs a value")))?);
        }
        Ok(options)
    }
}

/// stdin, taken in questions; what came too early stays for the next one.
#[derive(Default)]
struct Input {
    waiting: Zeroizing<Vec<u8>>,
}

/// What came on stdin and is no question.
struct Garbled {
    readable: Zeroizing<String>,
    why: Failure,
}

impl Input {
    fn read(&mut self, framing: Framing) -> Result<Zeroizing<String>, Garbled> {
        let garbled = |what: String| Garbled { readable: Zeroizing::default(), why: Failure::new(Exit::Usage, what) };
        let mut chunk = [0; 1024]; // a question is shorter, and a page of the stack less is touched
        let end = loop {
            if let Some(end) = end_of(&self.waiting, framing) {
                break end;
            }
            if self.waiting.len() > MAX_INPUT {
                return Err(garbled("the question on stdin is longer than 1 MiB".to_owned()));
            }
            match read_stdin(&mut chunk) {
                Ok(0) => break self.waiting.len(),
                Ok(count) => {
                    self.waiting.extend_from_slice(&chunk[..count]);
                    chunk[..count].zeroize(); // the rest was never anything
                }
                Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                Err(why) => return Err(garbled(format!("stdin cannot be read: {why}"))),
            }
        };
        let question: Vec<u8> = self.waiting.drain(..end).collect();
        match String::from_utf8(question) {
            Ok(question) => Ok(Zeroizing::new(question)),
            Err(why) => {
                let bytes = Zeroizing::new(why.into_bytes());
                let readable = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
                Err(Garbled { readable, ..garbled("the question on stdin is not UTF-8".to_owned()) })
            }
        }
    }
}

// Without the standard library's buffers: a question is read once and an answer written once, and what passed through a
// buffer would have to be wiped there too.

#[cfg(unix)]
fn read_stdin(chunk: &mut [u8]) -> std::io::Result<usize> {
    Ok(rustix::io::read(rustix::stdio::stdin(), chunk)?)
}

#[cfg(unix)]
fn write_stdout(mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn read_stdin(chunk: &mut [u8]) -> std::io::Result<usize> {
    std::io::Read::read(&mut std::io::stdin().lock(), chunk)
}

#[cfg(not(unix))]
fn write_stdout(bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

/// Where the question ends, if it has ended.
fn end_of(bytes: &[u8], framing: Framing) -> Option<usize> {
    match framing {
        Framing::All => None,
        Framing::Line => bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
        Framing::Block => {
            let mut line = 0;
            for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                if matches!(&bytes[line..at], b"" | b"\r") {
                    return Some(at + 1);
                }
                line = at + 1;
            }
            None
        }
    }
}

/// The answer, in one piece. A reader that has gone has what it wanted.
fn say(text: &str) -> Result<()> {
    match write_stdout(text.as_bytes()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(fail(Exit::Store, format!("the answer cannot be written to stdout: {why}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, end_of};

    #[test]
    fn questions_end() {
        assert_eq!(end_of(b"a=b\nc=d\n", Framing::Block), None);
        assert_eq!(end_of(b"a=b\n\nrest", Framing::Block), Some(5));
        assert_eq!(end_of(b"a=b\r\n\r\nrest", Framing::Block), Some(7));
        assert_eq!(end_of(b"\nrest", Framing::Block), Some(1));
        assert_eq!(end_of(b"{}\n{}\n", Framing::Line), Some(3));
        assert_eq!(end_of(b"{}\n", Framing::All), None);
    }
}
