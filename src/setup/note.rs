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
    /// One for each edit: what stands between them may be secret, and is nobody's to keep.
    hunks: Vec<Hunk>,
    /// Of the whole file as it was written.
    checksum: u64,
    pub(super) edits: Vec<Edit>,
}

/// The difference between two texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hunk {
    /// The byte at which it begins.
    at: usize,
    inserted: String,
    removed: String,
}

impl Noted {
    /// What became of a text, edit by edit.
    pub(super) fn of(file: &Path, before: Option<&str>, steps: Vec<(Edit, String)>) -> Self {
        let mut text = before.unwrap_or_default().to_owned();
        let (mut hunks, mut edits) = (Vec::new(), Vec::new());
        for (edit, after) in steps {
            hunks.push(Hunk::of(&text, &after));
            edits.push(edit);
            text = after;
        }
        let checksum = store::checksum(text.as_bytes());
        Self { file: file.to_owned(), existed: before.is_some(), hunks, checksum, edits }
    }

    /// The file without us: as it was before, to the byte, if nobody touched it since or what came stands there as it was
    /// written; else with each of our edits taken out. `None`: there was no file.
    pub(super) fn undo(&self, text: &str, tool: &str) -> Result<Option<String>, String> {
        let untouched = store::checksum(text.as_bytes()) == self.checksum;
        if untouched && !self.existed {
            return Ok(None);
        }
        if untouched || self.edits.iter().all(|edit| edit.stands(text, tool)) {
            let undone = self.hunks.iter().rev().try_fold(text.to_owned(), |text, hunk| {
                let at = if untouched { Some(hunk.at) } else { hunk.place(&text) };
                hunk.undo(&text, at?)
            });
            if let Some(before) = undone {
                return Ok((self.existed || !before.is_empty()).then_some(before));
            }
        }
        let mut left = text.to_owned();
        for edit in self.edits.iter().rev() {
            left = edit.take(&left, tool)?;
        }
        Ok(Some(left))
    }
}

impl Hunk {
    fn of(old: &str, new: &str) -> Self {
        let mut at = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        while !old.is_char_boundary(at) || !new.is_char_boundary(at) {
            at -= 1;
        }
        let rest = |text: &str| text.len() - at;
        let mut tail = old.bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
        tail = tail.min(rest(old)).min(rest(new));
        while !old.is_char_boundary(old.len() - tail) || !new.is_char_boundary(new.len() - tail) {
            tail -= 1;
        }
        let (inserted, removed) = (new[at..new.len() - tail].to_owned(), old[at..old.len() - tail].to_owned());
        Self { at, inserted, removed }
    }

    /// Where what came stands, if it can be nowhere else.
    fn place(&self, text: &str) -> Option<usize> {
        if self.inserted.is_empty() {
            return None;
        }
        let mut found = text.match_indices(self.inserted.as_str()).map(|(at, _)| at);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// What went in place of what came.
    fn undo(&self, text: &str, at: usize) -> Option<String> {
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
    use super::super::format::sections::Syntax;
    use super::Noted;
    use std::path::Path;

    /// With an edit that says no more than that.
    fn noted(before: Option<&str>, after: &str) -> Noted {
        let edit = Edit::Permit { program: String::new() };
        let mut noted = Noted::of(Path::new("f"), before, vec![(edit, after.to_owned())]);
        noted.edits.clear();
        noted
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
            let note = noted(Some(before), after);
            assert_eq!(note.undo(after, "git"), Ok(Some(before.to_owned())), "{before:?} {after:?}");
        }
        assert_eq!(noted(None, "x\n").undo("x\n", "git"), Ok(None), "there was none");
        // With somebody's edits elsewhere.
        let note = noted(Some("a\nb\n"), "a\nours\nb\n");
        assert_eq!(note.undo("a\nours\nb\nc\n", "git"), Ok(Some("a\nb\nc\n".to_owned())));
        assert_eq!(note.undo("z\na\nours\nb\n", "git"), Ok(Some("z\na\nb\n".to_owned())));
        let note = noted(Some("a"), "a\nours\n");
        assert_eq!(note.undo("a\nours\nmine\n", "git"), Ok(Some("a\nmine\n".to_owned())), "two lines stay two");
        assert_eq!(noted(None, "x\n").undo("x\ny\n", "git"), Ok(Some("y\n".to_owned())));
    }

    #[test]
    fn what_stands_between_two_edits_is_not_kept() {
        let line = |section: &str| Edit::line(Syntax::Plain, section, "k", "v");
        let (before, between) = ("[a]\n[b]\npass = secret\n[c]\n", "[a]\nk = v\n[b]\npass = secret\n[c]\n");
        let after = format!("{between}k = v\n");
        let steps = vec![(line("a"), between.to_owned()), (line("c"), after.clone())];
        let note = Noted::of(Path::new("f"), Some(before), steps);
        assert!(!serde_json::to_string(&note).expect("JSON").contains("secret"));
        assert_eq!(note.undo(&after, "rclone"), Ok(Some(before.to_owned())));
        let edited = after.replace("secret", "other");
        assert_eq!(note.undo(&edited, "rclone"), Ok(Some(before.replace("secret", "other"))));
    }

    /// The bytes that came also stand where somebody else wrote them: the edit says which are ours.
    #[test]
    fn what_is_somebody_elses_is_not_taken_for_ours() {
        let edit = Edit::Member { path: vec!["a".to_owned()], value: "\"x\"".to_owned() };
        let steps = vec![(edit, "{\"a\": \"x\"}".to_owned())];
        let note = Noted::of(Path::new("f"), Some("{\"a\": \"y\"}"), steps);
        let edited = "{\"a\": \"mine\", \"b\": \"x\"}";
        assert_eq!(note.undo(edited, "docker"), Ok(Some(edited.to_owned())));
    }
}
