//! What hallpass does, as the sweep runs it: from where, by which words, and what must hold afterwards.

use super::scene::{Held, Scene};
use super::strace::{self, Fault};

/// A place no account serves.
const ELSEWHERE: &str = "protocol=https\nhost=elsewhere.example.com\n";
pub const OLD: &str = "old-password-of-the-sweep";
pub const NEW: &str = "new-password-of-the-sweep";

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// Signed in, with a token of this age in seconds; it lives 3600.
    Aged(i64),
    /// The same, and the configuration has to be read first.
    WithoutRoutes(i64),
    /// The same, and the kernel has forgotten the key.
    WithoutKey(i64),
    /// An expired token, and a process killed at the first of these calls while it refreshed.
    Killed(&'static str),
    Nobody,
}

/// What must hold after any fault, beside that nothing is torn, lost or stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Answered with a token the server takes; and so is the next call.
    Answer,
    /// Signed in, or as before.
    SignedIn,
    /// Signed out, or it can be done again.
    SignedOut,
    /// The new password, or the old one.
    Kept,
    /// No password, or the old one.
    Dropped,
    /// The token is not handed out again, or it is as before.
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub struct Flow {
    pub name: &'static str,
    pub args: &'static [&'static str],
    stdin: Question,
    pub start: Start,
    pub promise: Promise,
}

#[derive(Debug, Clone, Copy)]
enum Question {
    Nothing,
    /// git's, about a place of the account.
    Git,
    /// git's word that the token was refused.
    GitRefused,
    Json,
    /// git's, about a place that nobody serves.
    Elsewhere(&'static str),
}

const fn flow(
    name: &'static str,
    args: &'static [&'static str],
    stdin: Question,
    start: Start,
    promise: Promise,
) -> Flow {
    Flow { name, args, stdin, start, promise }
}

const LOGIN: &[&str] = &["login", "work", "--no-open", "--timeout", "4s"];

/// Those that everybody meets.
pub const FLOWS: &[Flow] = &[
    flow("hit", &["get"], Question::Nothing, Start::Aged(0), Promise::Answer),
    flow("hit, git", &["git", "get"], Question::Git, Start::Aged(0), Promise::Answer),
    flow("hit, no routes", &["get"], Question::Nothing, Start::WithoutRoutes(0), Promise::Answer),
    flow("refresh", &["get"], Question::Nothing, Start::Aged(4000), Promise::Answer),
    flow("refresh, json", &["json", "get"], Question::Json, Start::Aged(4000), Promise::Answer),
    flow("refresh, no routes", &["get"], Question::Nothing, Start::WithoutRoutes(4000), Promise::Answer),
    flow("refresh ahead", &["get"], Question::Nothing, Start::Aged(3000), Promise::Answer),
    flow("after a kill at recvfrom", &["get"], Question::Nothing, Start::Killed("recvfrom"), Promise::Answer),
    flow("after a kill at rename", &["get"], Question::Nothing, Start::Killed("rename"), Promise::Answer),
    flow("sign-in, first", LOGIN, Question::Nothing, Start::Nobody, Promise::SignedIn),
    flow("sign-in, again", LOGIN, Question::Nothing, Start::Aged(4000), Promise::SignedIn),
    flow("logout", &["logout", "work"], Question::Nothing, Start::Aged(0), Promise::SignedOut),
    flow("store", &["git", "store"], Question::Elsewhere(NEW), Start::Aged(0), Promise::Kept),
    flow("erase, kept", &["git", "erase"], Question::Elsewhere(OLD), Start::Aged(0), Promise::Dropped),
    flow("erase, ours", &["git", "erase"], Question::GitRefused, Start::Aged(120), Promise::Refused),
];

/// Those that only a keychain has.
pub const SEALED: &[Flow] = &[
    flow("hit, no cached key", &["get"], Question::Nothing, Start::WithoutKey(0), Promise::Answer),
    flow("refresh, no cached key", &["get"], Question::Nothing, Start::WithoutKey(4000), Promise::Answer),
];

impl Flow {
    /// Whether a reply can get lost in it that a strict server would not repeat. Where one has been lost already, such a
    /// server ends the session anyway.
    pub fn spends(&self) -> bool {
        matches!(self.start, Start::Killed("rename")) || self.name.starts_with("refresh")
    }

    pub fn stdin(&self, held: Option<&Held>) -> String {
        let token = held.map_or("", |held| held.access.as_str());
        match self.stdin {
            Question::Nothing => String::new(),
            Question::Json => r#"{"account":"work"}"#.to_owned(),
            Question::Git => "protocol=https\nhost=git.example.com\n\n".to_owned(),
            Question::GitRefused => {
                format!("protocol=https\nhost=git.example.com\nusername=oauth2\npassword={token}\n\n")
            }
            Question::Elsewhere(password) => elsewhere(password),
        }
    }

    /// The beginning, anew; what the record says then.
    pub fn begin(&self, scene: &Scene) -> Option<Held> {
        if matches!(self.promise, Promise::SignedOut) {
            scene.bring_back_key(); // it goes with the last session
        }
        match self.start {
            Start::Aged(age) => Some(scene.begin(age)),
            Start::WithoutRoutes(age) => {
                let held = scene.begin(age);
                std::fs::remove_dir_all(scene.world.data("routes")).unwrap();
                Some(held)
            }
            Start::WithoutKey(age) => {
                scene.forget_cached_key();
                Some(scene.begin(age))
            }
            Start::Killed(call) => {
                let held = scene.begin(4000);
                let fault = Fault { call: call.to_owned(), nth: 1, error: None };
                let ran = strace::with_fault(&scene.world, &fault, &["get"], "");
                assert!(ran.met, "no kill at {call}");
                Some(held)
            }
            Start::Nobody => {
                scene.nobody();
                None
            }
        }
    }
}

fn elsewhere(password: &str) -> String {
    format!("{ELSEWHERE}username=me\npassword={password}\n\n")
}

/// A password is kept for a place that no account serves.
pub fn keep_old(scene: &Scene) {
    scene.world.ask(&["git", "store"], elsewhere(OLD)).silent();
}

/// The password that is kept now.
pub fn kept(scene: &Scene) -> Result<Option<String>, String> {
    let done = scene.world.ask(&["git", "get"], format!("{ELSEWHERE}\n"));
    match done.code {
        Some(0) => Ok(done.out.lines().find_map(|line| line.strip_prefix("password=").map(str::to_owned))),
        _ => Err(format!("git get: {done:?}")),
    }
}
