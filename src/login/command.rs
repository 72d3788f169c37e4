//! A token from a command: a password manager, a keychain's own program, a CI service's agent
//!
//! Started without a shell, with nothing of ours but the environment; its stdout is the token, on one line.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use zeroize::Zeroizing;

use super::machine::MAX_TOKEN;
use crate::failure::{fail, fail_hint};
use crate::opener::program;
use crate::shown::shown;

/// Runs it and takes what it says. `what`: whose command it is, in words; `next`: what to do when it fails.
pub(super) fn output(what: &str, words: &[String], until: Instant, next: &str) -> Result<Secret> {
    let (name, args) = words.split_first().map_or(("", &[][..]), |(name, args)| (name.as_str(), args));
    let about = |how: String| format!("{what} `{}` {how}", shown(name));
    let failed = |how: String| fail_hint(Exit::SignIn, about(how), next);
    let path = if name.starts_with('/') { Some(name.into()) } else { program(name) };
    let path = path.ok_or_else(|| fail(Exit::Config, about("is not on PATH".to_owned())))?;
    let child = Command::new(path).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|why| fail(Exit::Config, about(format!("cannot be run: {why}"))))?;
    let stdout = child.stdout.take().expect("it is a pipe");
    // A password manager may ask its person: read on a thread of its own, so that a clock can end the wait.
    let (send, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.take(MAX_TOKEN + 1).read_to_end(&mut bytes).map(|_| bytes);
        let _ = send.send(read); // nobody listens any more
    });
    let said = said.recv_timeout(until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)));
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|why| failed(format!("was lost: {why}")))?;
    let bytes = match said {
        Ok(Ok(bytes)) if status.success() => bytes,
        Ok(Ok(_)) => return Err(failed(format!("ended with {status}"))),
        Ok(Err(why)) => return Err(failed(format!("cannot be read: {why}"))),
        Err(_) => return Err(failed("did not answer in time".to_owned())),
    };
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() as u64 <= MAX_TOKEN);
    text.map(|text| Secret::new(text.trim())).ok_or_else(|| failed("said something that is no token".to_owned()))
}
