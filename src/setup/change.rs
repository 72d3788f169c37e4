//! A change of some files: shown, and written as a whole or not at all

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::link;
use super::note::Note;
use crate::failure::{fail_hint, of};
use crate::paths::Paths;
use crate::textfile::{self, Mode};

/// What becomes of the files of one tool.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) pages: Vec<Page>,
    /// What a person has to know or do besides.
    pub(crate) says: Vec<String>,
    pub(super) tool: &'static str,
    /// What `unsetup` will want to know; `None`: it is `unsetup`.
    pub(super) note: Option<Note>,
    /// The name under which the tool looks for this program, and the program.
    pub(super) link: Option<(PathBuf, String)>,
}

/// A file, before and after.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) file: PathBuf,
    /// `None`: there is no such file.
    pub(super) old: Option<String>,
    /// `None`: the file goes.
    pub(super) new: Option<String>,
    /// A new one is for its owner alone.
    pub(super) private: bool,
}

impl Change {
    /// Whether it puts something in and does not take it out.
    pub(crate) fn is_setup(&self) -> bool {
        self.note.is_some()
    }

    /// Writes the files, and then the note of what was done to them. If one of them cannot be written, those before it
    /// are given back.
    pub(crate) fn write(&self, paths: &Paths) -> Result<()> {
        let mut made = None;
        if let Some((at, us)) = &self.link {
            made = at.symlink_metadata().is_err().then_some(at);
            let ours = Note::read(paths, self.tool)?.and_then(|note| note.link);
            link::make(at, us, ours.as_ref() == Some(at))?;
        }
        let mut written = Vec::new();
        let done = self.pages.iter().filter(|page| !page.is_none()).try_for_each(|page| {
            page.write(page.new.as_deref())?;
            written.push(page);
            Ok(())
        });
        done.and_then(|()| self.remember(paths)).map_err(|why| {
            let left: Vec<_> = written.iter().filter(|page| page.write(page.old.as_deref()).is_err()).collect();
            if let Some(made) = made {
                let _ = textfile::remove(made); // it harms nobody
            }
            match left.first() {
                None => why,
                Some(page) => {
                    let what = format!("{}; and `{}` could not be given back", of(&why).what, page.file.display());
                    fail_hint(Exit::Config, what, format!("`hallpass unsetup {}` takes out what is there", self.tool))
                }
            }
        })
    }

    /// The note comes; or it goes, and with it the name that was made for it.
    fn remember(&self, paths: &Paths) -> Result<()> {
        if let Some(note) = self.note.as_ref().filter(|note| **note != Note::default()) {
            return note.write(paths, self.tool);
        }
        let made = Note::read(paths, self.tool)?.and_then(|note| note.link);
        if let Some(at) = made.filter(|at| link::is_made(at) && !Note::is_shared(paths, self.tool, at)) {
            textfile::remove(&at)?;
        }
        Note::forget(paths, self.tool)
    }
}

impl Page {
    pub(crate) fn is_none(&self) -> bool {
        self.old == self.new
    }

    /// Whether the file goes.
    pub(crate) fn goes(&self) -> bool {
        self.new.is_none()
    }

    /// The lines that go and come, as `diff` shows them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let old: Vec<_> = self.old.as_deref().unwrap_or_default().lines().collect();
        let new: Vec<_> = self.new.as_deref().unwrap_or_default().lines().collect();
        let same = |(a, b): &(&&str, &&str)| a == b;
        let head = old.iter().zip(&new).take_while(same).count();
        let (old, new) = (&old[head..], &new[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let gone = old[..old.len() - tail].iter().map(|line| format!("-{line}"));
        let came = new[..new.len() - tail].iter().map(|line| format!("+{line}"));
        gone.chain(came).collect()
    }

    fn write(&self, text: Option<&str>) -> Result<()> {
        let file: &Path = &self.file;
        match text {
            Some(text) if self.old.is_none() && self.private => textfile::write(file, text, Mode::Private),
            Some(text) => textfile::write(file, text, Mode::Kept),
            None => textfile::remove(&textfile::target(file)),
        }
    }
}
