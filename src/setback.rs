//! A refresh that failed, for those who waited for it and for those who come too soon
//!
//! Waiters share a failure as they share a success: a server in trouble gets one request, not one from each of a
//! hundred callers. Where it said when to come again (Retry-After), nobody asks before. A hit never looks here.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hallpass_protocol::talk::Failure;
use serde::{Deserialize, Serialize};

use crate::failure::Words;
use crate::store;

/// A server that wants to be left alone for longer is asked again all the same.
pub(crate) const LONGEST: u64 = 300;

#[derive(Serialize, Deserialize)]
struct Setback {
    at: SystemTime,
    /// For so many seconds nobody asks again.
    pause: u64,
    words: Words,
}

/// Leaves word for the others; without it each of them finds out for itself.
pub(crate) fn leave(path: &Path, failure: &Failure, pause: u64) {
    let setback = Setback { at: SystemTime::now(), pause, words: Words::from(failure) };
    let _ = serde_json::to_vec(&setback).map(|text| store::write_small(path, &text));
}

/// What went wrong while the caller, who `began` then, was waiting, or so lately that the server wants its peace.
pub(crate) fn shared(path: &Path, began: SystemTime) -> Option<Failure> {
    let setback: Setback = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let pause = Duration::from_secs(setback.pause.min(LONGEST));
    // One of the future was left before somebody set the clock back.
    let age = SystemTime::now().duration_since(setback.at).ok()?;
    (age < pause || began <= setback.at).then(|| setback.words.into_failure())
}
