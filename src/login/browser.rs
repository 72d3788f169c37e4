//! The browser that a page is opened in (RFC 8252)

use std::process::Child;
use std::time::{Duration, Instant};

use crate::opener::{Launch, launchers, start};
use crate::terminal::say;

/// The launcher at work; the next one's turn when it fails.
pub(crate) struct Opening {
    left: std::vec::IntoIter<Launch>,
    child: Option<Child>,
    tried: bool,
    /// What to do when none works.
    by_hand: &'static str,
}

impl Opening {
    pub(crate) fn begin(url: &str, open: bool, own: Option<&[String]>, by_hand: &'static str) -> Self {
        let left = if open { launchers(url, own) } else { Vec::new() };
        let mut opening = Self { left: left.into_iter(), child: None, tried: open, by_hand };
        if let Some(words) = opening.next() {
            say(&words);
        }
        opening
    }

    fn next(&mut self) -> Option<String> {
        self.child = self.left.find_map(|launch| start(&launch).ok());
        if self.child.is_some() || !std::mem::take(&mut self.tried) {
            return None;
        }
        Some(format!("no browser could be started: {}", self.by_hand))
    }

    /// A launcher that ends well has done its work; one that runs on may be the browser itself. Words when the last one
    /// has failed.
    pub(crate) fn look(&mut self) -> Option<String> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if status.success() => {
                (self.child, self.tried) = (None, false);
                None
            }
            Some(Ok(Some(_)) | Err(_)) => self.next(),
            _ => None,
        }
    }
}

/// Until when a person has time.
pub(crate) fn until(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
