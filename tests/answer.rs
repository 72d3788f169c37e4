//! git's key=value lines, taken apart.

use crate::runs::Done;
use crate::world::World;

/// An answer to `git get`: empty, or lines that end with a blank one.
#[derive(Debug)]
pub struct Answer {
    pub lines: Vec<(String, String)>,
    pub err: String,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn of(done: Done) -> Answer {
        let mut lines = Vec::new();
        if !done.out.is_empty() {
            let body = done.out.strip_suffix("\n\n").unwrap_or_else(|| panic!("no blank line at the end: {done:?}"));
            for line in body.split('\n') {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("not key=value: {line:?}"));
                lines.push((key.to_owned(), value.to_owned()));
            }
        }
        let answer = Answer { lines, text: done.out, err: done.err };
        assert!(answer.all("oauth_refresh_token").is_empty(), "a refresh token: {answer:?}");
        assert!(answer.all("url").is_empty(), "a url line replaces everything: {answer:?}");
        assert_ne!(answer.get("username"), Some(""), "an empty username drops the password");
        answer
    }
    pub fn get(&self, key: &str) -> Option<&str> {
        let all = self.all(key);
        assert!(all.len() <= 1, "{key} came twice: {self:?}");
        all.first().copied()
    }
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.lines.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect()
    }
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
    /// The password or the credential.
    pub fn secret(&self) -> &str {
        self.get("password").or(self.get("credential")).unwrap_or_else(|| panic!("no secret: {self:?}"))
    }
}

/// Asks `hallpass git get`.
#[track_caller]
pub fn git(world: &World, question: impl Into<Vec<u8>>) -> Answer {
    Answer::of(world.ask(&["git", "get"], question))
}
