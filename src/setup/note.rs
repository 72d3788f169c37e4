//! What `setup` did to files, for `unsetup`: the bytes that came and those that went, and nothing else of a file

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::{Deserialize, Serialize};

use super::edit::Edit;
use crate::failure::fail;
use crate::paths::Paths;
use crate::store;
use crate::textfile;

/// What was done for one tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(default)]
    pub(super) files: Vec<Noted>,
    /// The name of this program's that was made for it.
    #[serde(default)]
    pub(super) link: Option<PathBuf>,
}

/// What was done to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) file: PathBuf,
    /// There was a file before.
    existed: bool,
    /// The byte at which the two differ.
    at: usize,
    inserted: String,
    removed: String,
    /// Of the whole file as it was written.
    checksum: u64,
    pub(super) edits: Vec<Edit>,
}

impl Noted {
    /// The difference between two texts.
    pub(super) fn of(file: &Path, before: Option<&str>, after: &str, edits: Vec<Edit>) -> Self {
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
            edits,
        }
    }

    /// The file without us: as it was before, to the byte, if nobody touched it since or what came stands there as it was
    /// written; else with each of our edits taken out. `None`: there was no file.
    pub(super) fn undo(&self, text: &str, tool: &str) -> Result<Option<String>, String> {
        let at = if store::checksum(text.as_bytes()) == self.checksum {
            if !self.existed {
                return Ok(None);
            }
            Some(self.at)
        } else {
            self.place(text, tool)
        };
        if let Some(before) = at.and_then(|at| self.exchange(text, at)) {
            return Ok((self.existed || !before.is_empty()).then_some(before));
        }
        let mut left = text.to_owned();
        for edit in self.edits.iter().rev() {
            left = edit.take(&left, tool)?;
        }
        Ok(Some(left))
    }

    /// Where what came stands, if it can be nowhere else.
    fn place(&self, text: &str, tool: &str) -> Option<usize> {
        if self.inserted.is_empty() || !self.edits.iter().all(|edit| edit.stands(text, tool)) {
            return None;
        }
        let mut found = text.match_indices(self.inserted.as_str()).map(|(at, _)| at);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// What went in place of what came.
    fn exchange(&self, text: &str, at: usize) -> Option<String> {
        let (head, rest) = text.split_at_checked(at)?;
        let tail = rest.strip_prefix(self.inserted.as_str())?;
        let before = format!("{head}{}", self.removed);
        // The file had no line end at its end, and somebody has gone on below what came.
        let joins = self.inserted.ends_with('\n') && !tail.is_empty() && !before.is_empty() && !before.ends_with('\n');
        let end = match joins {
            true if tail.starts_with(['\r', '\n']) => "",
            true if self.inserted.ends_with("\r\n") => "\r\n",
            true => "\n",
            false => "",
        };
        Some(format!("{before}{end}{tail}"))
    }
}

impl Note {
    pub(super) fn about(&self, file: &Path) -> Option<&Noted> {
        self.files.iter().find(|noted| noted.file == file)
    }

    pub(super) fn read(paths: &Paths, tool: &str) -> Result<Option<Self>> {
        read(&path(paths, tool))
    }

    pub(super) fn write(&self, paths: &Paths, tool: &str) -> Result<()> {
        store::make_folder(&paths.data)?;
        store::make_folder(&paths.data.join(FOLDER))?;
        textfile::write(&path(paths, tool), &serde_json::to_string(self)?, textfile::Mode::Private)
    }

    pub(super) fn forget(paths: &Paths, tool: &str) -> Result<()> {
        textfile::remove(&path(paths, tool))
    }

    /// Whether another tool uses a name that we made.
    pub(super) fn is_shared(paths: &Paths, tool: &str, link: &Path) -> bool {
        let Ok(entries) = std::fs::read_dir(paths.data.join(FOLDER)) else { return false };
        let others = entries.flatten().map(|entry| entry.path()).filter(|file| *file != path(paths, tool));
        others.filter_map(|file| read(&file).ok().flatten()).any(|note| note.link.as_deref() == Some(link))
    }
}

const FOLDER: &str = "setup";

fn path(paths: &Paths, tool: &str) -> PathBuf {
    paths.data.join(FOLDER).join(format!("{tool}.json"))
}

fn read(path: &Path) -> Result<Option<Note>> {
    let Some(text) = textfile::read(path)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|_| fail(Exit::Store, format!("`{}` cannot be understood", path.display())))
}

#[cfg(test)]
mod tests {
    use super::super::edit::Edit;
    use super::Noted;
    use std::path::Path;

    fn noted(before: Option<&str>, after: &str, edits: Vec<Edit>) -> Noted {
        Noted::of(Path::new("f"), before, after, edits)
    }

    #[test]
    fn what_was_done_can_be_undone() {
        for (before, after) in [
            ("a\nb\n", "a\nx\nb\n"),
            ("a\n", "a\nx\n"),
            ("aé\n", "aè\n"),
            ("ab", "b"),
            ("a=1\n", "a=2\n"),
            ("aa", "aaa"),
        ] {
            let note = noted(Some(before), after, Vec::new());
            assert_eq!(note.undo(after, "git"), Ok(Some(before.to_owned())), "{before:?} {after:?}");
        }
        assert_eq!(noted(None, "x\n", Vec::new()).undo("x\n", "git"), Ok(None), "there was none");
        // With somebody's edits elsewhere.
        let note = noted(Some("a\nb\n"), "a\nours\nb\n", Vec::new());
        assert_eq!(note.undo("a\nours\nb\nc\n", "git"), Ok(Some("a\nb\nc\n".to_owned())));
        assert_eq!(note.undo("z\na\nours\nb\n", "git"), Ok(Some("z\na\nb\n".to_owned())));
        let note = noted(Some("a"), "a\nours\n", Vec::new());
        assert_eq!(note.undo("a\nours\nmine\n", "git"), Ok(Some("a\nmine\n".to_owned())), "two lines stay two");
        assert_eq!(noted(None, "x\n", Vec::new()).undo("x\ny\n", "git"), Ok(Some("y\n".to_owned())));
    }

    /// The bytes that came also stand where somebody else wrote them: the edit says which are ours.
    #[test]
    fn what_is_somebody_elses_is_not_taken_for_ours() {
        let edit = Edit::Member { path: vec!["a".to_owned()], value: "\"x\"".to_owned() };
        let note = noted(Some("{\"a\": \"y\"}"), "{\"a\": \"x\"}", vec![edit]);
        let edited = "{\"a\": \"mine\", \"b\": \"x\"}";
        assert_eq!(note.undo(edited, "docker"), Ok(Some(edited.to_owned())));
    }
}
