//! Why something failed, and the code it ends with

use std::fmt;

/// Exit codes: published in README, the same on every door unless the protocol dictates its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The request was answered.
    Answered = 0,
    /// A bug in hallpass.
    Bug = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No account or credential for this request.
    Missing = 3,
    /// The account is known, but its credential is absent, expired or refused, and a person must act.
    SignIn = 4,
    /// A sign-in was denied, abandoned or timed out.
    Denied = 5,
    /// Network or server: try again.
    Network = 6,
    /// The store.
    Store = 7,
    /// Waited too long for another hallpass.
    Busy = 8,
    /// Refused for safety.
    Refused = 9,
    /// The configuration.
    Config = 10,
    /// Interrupted: 128 and the number of the signal HUP.
    Hup = 129,
    /// Interrupted: 128 and the number of the signal INT.
    Int = 130,
    /// Interrupted: 128 and the number of the signal TERM.
    Term = 143,
}

/// Why it failed, in words for a person: lower case, no full stop, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and to which account, host or file.
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None }
    }

    /// The same with other words for what happened.
    #[must_use]
    pub fn with(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// Both on one line, for wires that carry the words themselves: `what; hint`.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.what),
            None => self.what.clone(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}
