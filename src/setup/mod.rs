//! `hallpass setup TOOL` and `unsetup TOOL`: other programs' configuration, changed as little as can be
//!
//! What is written is what `integrations/TOOL` shows. Everything else in the file keeps its bytes. What was changed is
//! noted beside the records, so that `unsetup` gives back the very file that was there, or, if somebody has edited it
//! since, takes out what is ours and leaves what is theirs.

mod block;
mod git;
mod json;
mod note;
mod tools;
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
use wires::{Link, Served, Wires, Wiring};

/// One tool that can be wired.
struct Tool {
    name: &'static str,
    /// What its configuration is to say, and where it is.
    wiring: fn(&Wires<'_>) -> Result<Wiring>,
}

const TOOLS: &[Tool] = &[
    Tool { name: "bazel", wiring: tools::bazel },
    Tool { name: "docker", wiring: tools::docker },
    Tool { name: "git", wiring: git::wiring },
    Tool { name: "go", wiring: tools::go },
    Tool { name: "pnpm", wiring: tools::pnpm },
    Tool { name: "terraform", wiring: tools::terraform },
    Tool { name: "vault", wiring: tools::vault },
];

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
    /// The name under which the tool looks for this program, to be made and made of.
    link: Option<(PathBuf, PathBuf)>,
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
    let program = our_path()?;
    let mut wires = Wires { accounts: accounts.collect(), program, named: String::new(), config };
    let mut link = None;
    let mut wiring = (tool.wiring)(&wires)?;
    if let Some(wanted) = &wiring.link {
        let at = where_for(wanted, &wires.program);
        wires.named = at.display().to_string();
        link = Some((at, PathBuf::from(&wires.program)));
        wiring = (tool.wiring)(&wires)?;
    }
    let earlier = Note::read(paths, tool.name)?;
    // What is there of an earlier time goes first, so that doing it twice does it once.
    let Change { file, old, new, .. } = without(paths, tool, &wiring)?;
    let before = new.clone();
    let mut after = new.unwrap_or_default();
    for edit in &wiring.edits {
        after = edit.put(&after, tool.name).map_err(|why| {
            fail_hint(
                Exit::Config,
                format!("`{}`: {why}", file.display()),
                format!("write it by hand: `integrations/{}` shows it", tool.name),
            )
        })?;
    }
    let mut note = Note::of(&file, before.as_deref(), &after);
    let made = earlier.and_then(|note| note.link);
    note.link = made.or_else(|| link.as_ref().map(|(at, _)| at.clone()).filter(|at| at.symlink_metadata().is_err()));
    Ok(Change { file, old, new: Some(after), tool: tool.name, note: Some(note), link })
}

/// Takes the wiring of a tool out again: what would change; `None` when there is nothing of ours.
pub(crate) fn unsetup(paths: &Paths, tool: &str) -> Result<Option<Change>> {
    let tool = find(tool)?;
    let wiring = everything(paths, tool)?;
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
        (None, Some(text)) => {
            let mut text = text.clone();
            for edit in &wiring.edits {
                text = edit.take(&text, tool.name, note.as_ref()).map_err(|why| {
                    let what = format!("`{}`: {why}", file.display());
                    fail_hint(Exit::Config, what, "take the lines of hallpass out by hand")
                })?;
            }
            Some(text)
        }
        (None, None) => None,
    };
    Ok(Change { file, old, new, tool: tool.name, note: None, link: None })
}

/// What could have been written, for whichever accounts there are now.
fn everything(paths: &Paths, tool: &Tool) -> Result<Wiring> {
    let config = config::load(paths)?;
    let accounts = config.accounts.iter().filter(|(_, (_, client))| !client.serves.is_empty());
    let accounts = accounts.map(|(name, (_, client))| Served { name, serves: &client.serves, proactive_auth: false });
    let wires = |accounts| Wires { accounts, program: String::new(), named: String::new(), config: None };
    (tool.wiring)(&wires(accounts.collect())).or_else(|_| (tool.wiring)(&wires(Vec::new())))
}

/// Where a name of this program's is, or is to be: where the tool looks, else on PATH, else beside the program.
fn where_for(link: &Link, us: &str) -> PathBuf {
    let beside = || PathBuf::from(us).with_file_name(link.name);
    match &link.folder {
        Some(folder) => folder.join(link.name),
        None => program(link.name).filter(|found| is_us(found, us)).unwrap_or_else(beside),
    }
}

fn is_us(path: &PathBuf, us: &str) -> bool {
    let real = std::fs::canonicalize(path).ok();
    real.is_some() && real == std::fs::canonicalize(us).ok()
}

fn make_link(at: &PathBuf, us: &PathBuf) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        return match is_us(at, &us.display().to_string()) {
            true => Ok(()),
            false => Err(fail(Exit::Config, format!("`{}` is there already and is not this program", at.display()))),
        };
    }
    let made = at.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        #[cfg(unix)]
        return std::os::unix::fs::symlink(us, at);
        #[cfg(not(unix))]
        return std::fs::hard_link(us, at).or_else(|_| std::fs::copy(us, at).map(|_| ()));
    });
    made.map_err(|why| {
        let what = format!("`{}` cannot be made: {why}", at.display());
        fail_hint(Exit::Config, what, "`hallpass link DIR` makes it in another folder on PATH; then try again")
    })
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

    /// The note goes, and the name that was made for it.
    fn forget(&self, paths: &Paths) -> Result<()> {
        let made = Note::read(paths, self.tool)?.and_then(|note| note.link);
        if let Some(at) = made.filter(|at| at.is_symlink()) {
            textfile::remove(&at)?;
        }
        Note::forget(paths, self.tool)
    }

    /// Writes the file, and then the note of what was done to it.
    pub(crate) fn write(&self, paths: &Paths) -> Result<()> {
        if let Some((at, us)) = &self.link {
            make_link(at, us)?;
        }
        match (&self.note, &self.new) {
            (Some(note), Some(new)) => {
                textfile::write(&self.file, new, textfile::Mode::Kept)?;
                note.write(paths, self.tool)
            }
            (_, Some(new)) => {
                textfile::write(&self.file, new, textfile::Mode::Kept)?;
                self.forget(paths)
            }
            (_, None) => {
                textfile::remove(&self.file)?;
                self.forget(paths)
            }
        }
    }
}
