//! The bytes of one record
//!
//! ```text
//!   hallpass-intent {"generation":7,...}            (always 256 bytes; only what `ID.next` began as)
//!   hallpass-record 1 plain CHECKSUM                or  hallpass-record 1 sealed KEYID
//!   {"generation":7,...}                                NONCE CIPHERTEXT TAG
//! ```
//!
//! A record that was cut short or has a bit changed is recognised: a plain one by its checksum, a sealed one by its
//! seal, which also covers the header line and the record's name.

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::{DataKey, KeyId};
use super::seal;
use crate::failure::{fail, fail_hint};

/// The form of the body. It goes up only when older programs must not read it.
const FORMAT: &str = "1";
const MAGIC: &str = "hallpass-record ";
const INTENT: &str = "hallpass-intent ";

/// Fixed, so that a second attempt overwrites the first in place.
pub(super) const INTENT_BYTES: usize = 256;

/// What is about to happen to a session: written before its refresh token is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The generation that the next record will have.
    pub(crate) generation: u64,
    /// Which refresh token is being spent; empty when none is.
    pub(crate) refresh: String,
    /// How often it has been sent without an answer, this time included.
    pub(crate) attempt: u32,
    /// Seconds since the epoch of the first time.
    pub(crate) since: u64,
    pub(crate) pid: u32,
    /// What the process was called for.
    pub(crate) command: String,
}

impl Intent {
    pub(super) fn line(&self) -> Result<[u8; INTENT_BYTES]> {
        let mut line = [b' '; INTENT_BYTES];
        let text = format!("{INTENT}{}", serde_json::to_string(self)?);
        let short = text.as_bytes().get(..INTENT_BYTES - 1).is_none();
        if !short {
            return Err(fail(Exit::Bug, "an intent is longer than its line"));
        }
        line[..text.len()].copy_from_slice(text.as_bytes());
        line[INTENT_BYTES - 1] = b'\n';
        Ok(line)
    }

    /// The intent that a file begins with.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let line = bytes.get(..INTENT_BYTES)?.strip_prefix(INTENT.as_bytes())?;
        serde_json::from_slice(line.trim_ascii_end()).ok()
    }
}

/// How a body is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Sealed(KeyId),
}

/// The record after an intent line, if there is one.
pub(super) fn after_intent(bytes: &[u8]) -> &[u8] {
    match bytes.get(..INTENT_BYTES) {
        Some(line) if line.starts_with(INTENT.as_bytes()) => &bytes[INTENT_BYTES..],
        _ => bytes,
    }
}

/// A body with its header.
pub(super) fn encode(name: &str, body: &[u8], key: Option<&DataKey>) -> Zeroizing<Vec<u8>> {
    let header = match key {
        None => format!("{MAGIC}{FORMAT} plain {:016x}\n", checksum(body)),
        Some(key) => format!("{MAGIC}{FORMAT} sealed {}\n", key.id()),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(header.len() + body.len() + 64));
    bytes.extend_from_slice(header.as_bytes());
    match key {
        None => bytes.extend_from_slice(body),
        Some(key) => bytes.extend_from_slice(&seal::seal(key, &associated(&header, name), body)),
    }
    bytes
}

/// The body of a record. `what` is the file, for messages.
pub(super) fn decode<'a>(name: &str, what: &Path, bytes: &'a [u8], key: Option<&DataKey>) -> Result<Body<'a>> {
    let bytes = after_intent(bytes);
    let end = bytes.iter().take(128).position(|byte| *byte == b'\n').ok_or_else(|| damaged(what))?;
    let header = std::str::from_utf8(&bytes[..=end]).map_err(|_| damaged(what))?;
    let words = header.strip_prefix(MAGIC).ok_or_else(|| damaged(what))?;
    let mut words = words.trim_end().split(' ');
    let (format, kind, proof) = (words.next(), words.next(), words.next().unwrap_or_default());
    if format != Some(FORMAT) {
        return Err(of_another_format(what));
    }
    let body = &bytes[end + 1..];
    match (kind, key) {
        (Some("plain"), None) if is_checksum(proof, body) => Ok(Body::Plain(body)),
        (Some("sealed"), Some(key)) => {
            seal::open(key, &associated(header, name), body.to_vec()).map(Body::Opened).ok_or_else(|| damaged(what))
        }
        _ => Err(damaged(what)),
    }
}

/// Refuses a record that this hallpass may not write over: two versions in turn must not undo each other's work. What is
/// no record at all is nobody's work.
pub(super) fn check_format(what: &Path, bytes: &[u8]) -> Result<()> {
    let format =
        after_intent(bytes).strip_prefix(MAGIC.as_bytes()).and_then(|rest| rest.split(|byte| *byte == b' ').next());
    match format {
        Some(format) if format != FORMAT.as_bytes() && format.len() < 8 && format.iter().all(u8::is_ascii_digit) => {
            Err(of_another_format(what))
        }
        _ => Ok(()),
    }
}

fn of_another_format(what: &Path) -> anyhow::Error {
    let what = format!("`{}` was written by a newer hallpass", what.display());
    fail_hint(Exit::Store, what, "update this hallpass; the file is untouched, and `hallpass logout` would remove it")
}

/// A body: where it stands in the file, or what came out of its seal.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Plain(&'a [u8]),
    Opened(Zeroizing<Vec<u8>>),
}

impl std::ops::Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Opened(bytes) => bytes,
        }
    }
}

/// Sixteen hexadecimal digits, lower case.
fn is_checksum(proof: &str, body: &[u8]) -> bool {
    let as_written = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    proof.len() == 16 && proof.bytes().all(as_written) && u64::from_str_radix(proof, 16) == Ok(checksum(body))
}

/// The header line and the record's name are sealed with the body: another record cannot stand in for this one.
fn associated(header: &str, name: &str) -> Vec<u8> {
    [header.as_bytes(), name.as_bytes()].concat()
}

fn damaged(what: &Path) -> anyhow::Error {
    fail_hint(
        Exit::Store,
        format!("`{}` is damaged and was not used", what.display()),
        "`hallpass login` makes a new one; other accounts are not affected",
    )
}

/// A 64-bit checksum, eight bytes at a time. Each step is a bijection of the state and of the word, so that no
/// single changed word goes unseen; the length is in the first state. It is no protection against a person.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95; // odd, hence invertible
    let mut words = bytes.chunks_exact(8);
    let step = |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let mut state = SEED ^ bytes.len() as u64;
    for word in &mut words {
        state = step(state, u64::from_le_bytes(word.try_into().expect("eight bytes")));
    }
    let rest = words.remainder();
    if rest.is_empty() {
        return state;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(state, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{INTENT_BYTES, Intent, after_intent, checksum, decode, encode};

    #[test]
    fn a_plain_record_comes_back_or_is_refused() {
        let body = br#"{"generation":1,"tokens":["canary"]}"#;
        let bytes = encode("work", body, None);
        assert_eq!(decode("work", Path::new("f"), &bytes, None).expect("whole").to_vec(), body);
        for end in 0..bytes.len() {
            assert!(decode("work", Path::new("f"), &bytes[..end], None).is_err(), "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode("work", Path::new("f"), &changed, None).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn an_intent_stands_before_the_record() {
        let intent = Intent {
            generation: 7,
            refresh: "ab".into(),
            attempt: 1,
            since: 1_795_350_896,
            pid: 42,
            command: "git".into(),
        };
        let mut bytes = intent.line().expect("a line").to_vec();
        assert_eq!(bytes.len(), INTENT_BYTES);
        assert_eq!(Intent::read(&bytes), Some(intent));
        bytes.extend_from_slice(&encode("work", b"{}", None));
        assert_eq!(decode("work", Path::new("f"), &bytes, None).expect("whole").to_vec(), b"{}");
        assert!(after_intent(&bytes).starts_with(b"hallpass-record"));
    }

    #[test]
    fn lengths_differ() {
        assert_ne!(checksum(b""), checksum(b"\0"));
        assert_ne!(checksum(b"a"), checksum(b"a\0"));
    }
}
