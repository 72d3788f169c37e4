//! Turns any error into the words and the exit code it ends with
//!
//! Whoever knows what a person can do next makes a [`Failure`]; it travels as an `anyhow::Error`.

use anyhow::Error;
use hallpass_protocol::talk::{Exit, Failure};
use serde::{Deserialize, Serialize};

/// The failure inside an error; an error without one is a bug of ours.
pub(crate) fn of(error: &Error) -> Failure {
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.clone(),
        None => Failure::new(Exit::Bug, format!("{error:#}"))
            .hint("this is a bug in hallpass: please report it with the command you typed"),
    }
}

/// Marks an error: a page was opened, and nobody answered it.
#[derive(Debug)]
pub(crate) struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody answered")
    }
}

/// A failure as an error.
pub(crate) fn fail(exit: Exit, what: impl Into<String>) -> Error {
    Failure::new(exit, what).into()
}

/// A failure with what to do next.
pub(crate) fn fail_hint(exit: Exit, what: impl Into<String>, hint: impl Into<String>) -> Error {
    Failure::new(exit, what).hint(hint).into()
}

/// A failure as one process leaves it on disk for another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Words {
    exit: u8,
    what: String,
    hint: Option<String>,
}

impl From<&Failure> for Words {
    fn from(failure: &Failure) -> Self {
        Self { exit: failure.exit as u8, what: failure.what.clone(), hint: failure.hint.clone() }
    }
}

impl Words {
    /// The failure again.
    pub(crate) fn into_failure(self) -> Failure {
        let exits = [
            Exit::Usage,
            Exit::SignIn,
            Exit::Denied,
            Exit::Network,
            Exit::Store,
            Exit::Busy,
            Exit::Refused,
            Exit::Config,
        ];
        let exit = exits.into_iter().find(|exit| *exit as u8 == self.exit).unwrap_or(Exit::Denied);
        Failure { exit, what: self.what, hint: self.hint }
    }
}
