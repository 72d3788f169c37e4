//! What `setup` did to a file, for `unsetup`: the bytes that came and those that went, and nothing else of the file

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::{Deserialize, Serialize};

use crate::failure::fail;
use crate::paths::Paths;
use crate::store;
use crate::textfile;

/// One change of one file, in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) file: PathBuf,
    /// There was a file before.
    existed: bool,
    /// The byte at which the two differ.
    at: usize,
    pub(super) inserted: String,
    removed: String,
    /// Of the whole file as it was written.
    checksum: u64,
    /// The name of this program's that was made for it.
    #[serde(default)]
    pub(super) link: Option<PathBuf>,
}

impl Note {
    /// The difference between two texts.
    pub(super) fn of(file: &Path, before: Option<&str>, after: &str) -> Self {
        let old = before.unwrap_or_default();
        let mut at = old.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        while !old.is_char_boundary(at) || !after.is_char_boundary(at) {
            at -= 1;
        }
        let rest = |text: &str| text.len() - at;
        let mut tail = old.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
        tail = tail.min(rest(old)).min(rest(after));
        while !old.is_char_boundary(old.len() - tail) || !after.is_char_boundary(after.len() - tail) {
            tail -= 1;
        }
        Self {
            file: file.to_owned(),
            existed: before.is_some(),
            at,
            inserted: after[at..after.len() - tail].to_owned(),
            removed: old[at..old.len() - tail].to_owned(),
            checksum: store::checksum(after.as_bytes()),
            link: None,
        }
    }

    /// The file as it was before: to the byte if nobody touched it since, else with what is ours taken out if that still
    /// stands there as it was written. `None` when it does not; `Some(None)` when there was no file.
    pub(super) fn undo(&self, text: &str) -> Option<Option<String>> {
        let at = if store::checksum(text.as_bytes()) == self.checksum {
            if !self.existed {
                return Some(None);
            }
            self.at
        } else {
            let mut found = text.match_indices(self.inserted.as_str()).map(|(at, _)| at);
            let first = found.next().filter(|_| !self.inserted.is_empty())?;
            if found.next().is_some() {
                return None;
            }
            first
        };
        let (head, rest) = text.split_at_checked(at)?;
        let tail = rest.strip_prefix(self.inserted.as_str())?;
        let before = format!("{head}{}{tail}", self.removed);
        Some((self.existed || !before.is_empty()).then_some(before))
    }

    pub(super) fn read(paths: &Paths, tool: &str) -> Result<Option<Self>> {
        let path = path(paths, tool);
        let Some(text) = textfile::read(&path)? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|_| fail(Exit::Store, format!("`{}` cannot be understood", path.display())))
    }

    pub(super) fn write(&self, paths: &Paths, tool: &str) -> Result<()> {
        store::make_folder(&paths.data)?;
        store::make_folder(&paths.data.join(FOLDER))?;
        textfile::write(&path(paths, tool), &serde_json::to_string(self)?, textfile::Mode::Private)
    }

    pub(super) fn forget(paths: &Paths, tool: &str) -> Result<()> {
        textfile::remove(&path(paths, tool))
    }
}

const FOLDER: &str = "setup";

fn path(paths: &Paths, tool: &str) -> PathBuf {
    paths.data.join(FOLDER).join(format!("{tool}.json"))
}

#[cfg(test)]
mod tests {
    use super::Note;
    use std::path::Path;

    #[test]
    fn what_was_done_can_be_undone() {
        let file = Path::new("f");
        for (before, after) in [
            ("a\nb\n", "a\nx\nb\n"),
            ("a\n", "a\nx\n"),
            ("aé\n", "aè\n"),
            ("ab", "b"),
            ("a=1\n", "a=2\n"),
            ("aa", "aaa"),
        ] {
            let note = Note::of(file, Some(before), after);
            assert_eq!(note.undo(after), Some(Some(before.to_owned())), "{before:?} {after:?}");
        }
        assert_eq!(Note::of(file, None, "x\n").undo("x\n"), Some(None), "there was none");
        // With somebody's edits elsewhere; and inside, where nobody can tell.
        let note = Note::of(file, Some("a\nb\n"), "a\nours\nb\n");
        assert_eq!(note.undo("a\nours\nb\nc\n"), Some(Some("a\nb\nc\n".to_owned())));
        assert_eq!(note.undo("z\na\nours\nb\n"), Some(Some("z\na\nb\n".to_owned())));
        assert_eq!(note.undo("a\nours, edited\nb\n"), None);
        assert_eq!(note.undo("a\nours\nours\nb\n"), None, "which of them?");
        assert_eq!(Note::of(file, None, "x\n").undo("x\ny\n"), Some(Some("y\n".to_owned())));
    }
}
