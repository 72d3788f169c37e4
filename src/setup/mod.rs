//! `hallpass setup TOOL` and `unsetup TOOL`: other programs' configuration, changed as little as can be
//!
//! What is written is what `integrations/TOOL` shows. Everything else in the file keeps its bytes. What was changed is
//! noted beside the records, so that `unsetup` gives back the very file that was there, or, if somebody has edited it
//! since, takes out what is ours and leaves what is theirs.

mod block;
mod git;
mod note;
mod wires;

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::config;
use crate::failure::{fail, fail_hint};
use crate::opener::program;
use crate::paths::Paths;
use crate::shown::shown;
use crate::store;
use crate::textfile;
use note::Note;
use wires::{Served, Wires, Wiring};

/// One tool that can be wired.
struct Tool {
    name: &'static str,
    /// What its configuration is to say, and where it is.
    wiring: fn(&Wires<'_>) -> Result<Wiring>,
}

const TOOLS: &[Tool] = &[Tool { name: "git", wiring: git::wiring }];

/// A file, before and after.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) file: PathBuf,
    /// `None`: there is no such file.
    old: Option<String>,
    /// `None`: the file goes.
    new: Option<String>,
    tool: &'static str,
    note: Option<Note>,
}

/// Wires a tool: what would change. Nothing is written before [`Change::write`].
pub(crate) fn setup(paths: &Paths, tool: &str, account: Option<&str>) -> Result<Change> {
    let tool = find(tool)?;
    let config = config::load(paths)?;
    let records = store::records(&paths.data)?;
    let named = account.map(str::to_owned);
    if let Some(name) = &named
        && config.account(name).is_none()
    {
        let what = format!("there is no account `{}`", shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    let accounts = config.accounts.iter().filter(|(name, (_, client))| match &named {
        Some(named) => named == *name,
        None => !client.built_in || records.iter().any(|record| record.name == **name),
    });
    let accounts = accounts.map(|(name, (_, client))| Served {
        name,
        serves: &client.serves,
        proactive_auth: client.provider.as_ref().is_some_and(|provider| provider.proactive_auth),
    });
    let config = paths.named.then(|| paths.config.display().to_string());
    let wires = Wires { accounts: accounts.collect(), program: our_path()?, config };
    let wiring = (tool.wiring)(&wires)?;
    // What is there of an earlier time goes first, so that doing it twice does it once.
    let Change { file, old, new, .. } = without(paths, tool, &wiring)?;
    let before = new.clone();
    let after = block::put(new.as_deref().unwrap_or_default(), wiring.comment, tool.name, &wiring.body);
    let note = Note::of(&file, before.as_deref(), &after);
    Ok(Change { file, old, new: Some(after), tool: tool.name, note: Some(note) })
}

/// Takes the wiring of a tool out again: what would change; `None` when there is nothing of ours.
pub(crate) fn unsetup(paths: &Paths, tool: &str) -> Result<Option<Change>> {
    let tool = find(tool)?;
    let empty = Wires { accounts: Vec::new(), program: String::new(), config: None };
    let wiring = (tool.wiring)(&empty)?;
    let change = without(paths, tool, &wiring)?;
    Ok((change.old != change.new).then_some(change))
}

/// Which tools can be wired, and where they are.
pub(crate) fn list(paths: &Paths) -> Result<Vec<String>> {
    let line = |tool: &Tool| {
        Ok(match Note::read(paths, tool.name)? {
            Some(note) => format!("{:<12} wired in `{}`", tool.name, note.file.display()),
            None => format!("{:<12} not wired; `hallpass setup {}`", tool.name, tool.name),
        })
    };
    TOOLS.iter().map(line).collect()
}

/// The file as it would be without us.
fn without(paths: &Paths, tool: &Tool, wiring: &Wiring) -> Result<Change> {
    let note = Note::read(paths, tool.name)?;
    // The file that was wired, even if another one would be chosen today.
    let file = note.as_ref().map_or_else(|| wiring.file.clone(), |note| note.file.clone());
    let old = textfile::read(&file)?;
    let undone = match (&old, &note) {
        (Some(text), Some(note)) => note.undo(text),
        _ => None,
    };
    let new = match (undone, &old) {
        (Some(undone), _) => undone,
        (None, Some(text)) => Some(block::take(text, wiring.comment, tool.name, note.as_ref()).map_err(|why| {
            let what = format!("`{}`: {why}", file.display());
            fail_hint(Exit::Config, what, "take the lines of hallpass out by hand")
        })?),
        (None, None) => None,
    };
    Ok(Change { file, old, new, tool: tool.name, note: None })
}

fn find(name: &str) -> Result<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| {
        let list: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        let what = format!("`{}` is no tool that can be wired", shown(name));
        fail_hint(Exit::Usage, what, format!("there are {}", list.join(", ")))
    })
}

/// Where this program is. A link on PATH is better than where it leads: the next version may lie elsewhere.
fn our_path() -> Result<String> {
    let us = std::env::current_exe()
        .map_err(|why| fail(Exit::Store, format!("this program's own path is unknown: {why}")))?;
    let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
    let on_path = program("hallpass").filter(|found| real(found).is_some() && real(found) == real(&us));
    let path = on_path.unwrap_or(us);
    match path.into_os_string().into_string() {
        Ok(path) if !path.contains(['\n', '\r', '\0']) => Ok(path),
        _ => Err(fail(Exit::Config, "this program's own path cannot be written into a configuration")),
    }
}

impl Change {
    pub(crate) fn is_none(&self) -> bool {
        self.old == self.new
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

    /// Writes the file, and then the note of what was done to it.
    pub(crate) fn write(&self, paths: &Paths) -> Result<()> {
        match (&self.note, &self.new) {
            (Some(note), Some(new)) => {
                textfile::write(&self.file, new, textfile::Mode::Kept)?;
                note.write(paths, self.tool)
            }
            (_, Some(new)) => {
                textfile::write(&self.file, new, textfile::Mode::Kept)?;
                Note::forget(paths, self.tool)
            }
            (_, None) => {
                textfile::remove(&self.file)?;
                Note::forget(paths, self.tool)
            }
        }
    }
}
