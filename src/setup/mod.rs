//! `hallpass setup TOOL` and `unsetup TOOL`: other programs' configuration, changed as little as can be
//!
//! What is written is what `integrations/TOOL` shows. Everything else in the file keeps its bytes. What was changed is
//! noted beside the records, so that `unsetup` gives back the very file that was there, or, if somebody has edited it
//! since, takes out what is ours and leaves what is theirs.

mod change;
mod edit;
mod format;
mod link;
mod note;
mod recipe;
mod wires;

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::config::{self, Config};
use crate::failure::fail_hint;
use crate::paths::Paths;
use crate::shown::shown;
use crate::store;
use crate::textfile;
pub(crate) use change::{Change, Page};
use format::block;
pub(crate) use link::is_us;
use note::{Note, Noted};
use recipe::{agents, aws, cargo, git, google, hosts, kubectl, mail, python, rclone};
use wires::{Served, Sheet, Wires, Wiring};

/// One tool that can be wired.
struct Tool {
    name: &'static str,
    /// What its configuration is to say, and where it is.
    wiring: fn(&Wires<'_>) -> Result<Wiring>,
}

const TOOLS: &[Tool] = &[
    Tool { name: "aws", wiring: aws::wiring },
    Tool { name: "bazel", wiring: hosts::bazel },
    Tool { name: "cargo", wiring: cargo::wiring },
    Tool { name: "claude", wiring: agents::claude },
    Tool { name: "codex", wiring: agents::codex },
    Tool { name: "docker", wiring: hosts::docker },
    Tool { name: "git", wiring: git::wiring },
    Tool { name: "go", wiring: hosts::go },
    Tool { name: "google", wiring: google::wiring },
    Tool { name: "kubectl", wiring: kubectl::wiring },
    Tool { name: "mbsync", wiring: mail::mbsync },
    Tool { name: "msmtp", wiring: mail::msmtp },
    Tool { name: "nuget", wiring: hosts::nuget },
    Tool { name: "openbao", wiring: hosts::openbao },
    Tool { name: "pip", wiring: python::pip },
    Tool { name: "pnpm", wiring: hosts::pnpm },
    Tool { name: "rclone", wiring: rclone::wiring },
    Tool { name: "terraform", wiring: hosts::terraform },
    Tool { name: "uv", wiring: python::uv },
    Tool { name: "vault", wiring: hosts::vault },
];

/// Wires a tool: what would change. Nothing is written before [`Change::write`].
pub(crate) fn setup(paths: &Paths, tool: &str, account: Option<&str>) -> Result<Change> {
    let tool = find(tool)?;
    let config = config::load(paths)?;
    let records = store::records(&paths.data)?;
    if let Some(name) = account
        && config.account(name).is_none()
    {
        let what = format!("there is no account `{}`", shown(name));
        return Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"));
    }
    let accounts = served(&config, |name, built_in| match account {
        Some(account) => account == name,
        None => !built_in || records.iter().any(|record| record.name == *name),
    });
    let earlier = Note::read(paths, tool.name)?.unwrap_or_default();
    let wiring = wiring(paths, tool, &config, accounts, &earlier)?;
    let mut note = Note { files: Vec::new(), link: earlier.link.clone() };
    let mut pages = Vec::new();
    for sheet in &wiring.sheets {
        let (page, noted) = page(tool, sheet, earlier.about(&sheet.file))?;
        note.files.extend(noted);
        pages.push(page);
    }
    // What was wired elsewhere stays so, and is not forgotten.
    let elsewhere = |noted: &&Noted| pages.iter().all(|page| page.file != noted.file);
    note.files.extend(earlier.files.iter().filter(elsewhere).cloned());
    let program = link::our_path()?;
    if let Some(at) = &wiring.link
        && (at.symlink_metadata().is_err() || Note::is_shared(paths, tool.name, at))
    {
        note.link = Some(at.clone());
    }
    let mut says = wiring.says;
    if let Some(at) = wiring.link.as_ref().filter(|_| pages.is_empty()) {
        says.push(format!("`{}` is the name it looks for", at.display()));
    }
    if let Some(file) = named_config(paths)
        && !wiring.sheets.iter().flat_map(|sheet| &sheet.edits).any(|edit| edit.says().contains(&file))
    {
        says.push(format!("{} is not told of `{file}`: HALLPASS_CONFIG has to name it where it runs", tool.name));
    }
    let link = wiring.link.map(|at| (at, program));
    Ok(Change { pages, says, tool: tool.name, note: Some(note), link })
}

/// Takes the wiring of a tool out again: what would change; `None` when there is nothing of ours.
pub(crate) fn unsetup(paths: &Paths, tool: &str) -> Result<Option<Change>> {
    let tool = find(tool)?;
    let note = Note::read(paths, tool.name)?;
    let mut pages = Vec::new();
    for noted in note.iter().flat_map(|note| &note.files) {
        let (old, new) = without(tool, &noted.file, Some(noted))?;
        pages.push(Page { file: noted.file.clone(), old, new, private: false });
    }
    if note.is_none() {
        for sheet in everything(paths, tool)?.sheets {
            let old = textfile::read(&sheet.file)?;
            let new = old.clone().map(|old| taken(tool, &sheet, old)).transpose()?;
            pages.push(Page { file: sheet.file, old, new, private: false });
        }
        pages.retain(|page| !page.is_none());
    }
    let mut says = Vec::new();
    if let Some(at) = note.as_ref().and_then(|note| note.link.as_ref()).filter(|_| pages.is_empty()) {
        says.push(format!("`{}` goes", at.display()));
    }
    let is_there = !pages.is_empty() || !says.is_empty();
    Ok(is_there.then_some(Change { pages, says, tool: tool.name, note: None, link: None }))
}

/// Which tools can be wired, and where they are.
pub(crate) fn list(paths: &Paths) -> Result<Vec<String>> {
    let line = |tool: &Tool| {
        let note = Note::read(paths, tool.name)?.unwrap_or_default();
        let files: Vec<_> = note.files.iter().map(|noted| format!("`{}`", noted.file.display())).collect();
        let places = match (files.is_empty(), &note.link) {
            (false, _) => files.join(", "),
            (true, Some(link)) => format!("`{}`", link.display()),
            (true, None) => return Ok(format!("{:<12} not wired; `hallpass setup {}`", tool.name, tool.name)),
        };
        Ok(format!("{:<12} wired in {places}", tool.name))
    };
    TOOLS.iter().map(line).collect()
}

fn served(config: &Config, wanted: impl Fn(&String, bool) -> bool) -> Vec<Served<'_>> {
    let accounts = config.accounts.iter().filter(|(name, (_, client))| wanted(name, client.built_in));
    let accounts = accounts.map(|(_, (account, client))| Served {
        account,
        serves: &client.serves,
        proactive_auth: client.provider.as_ref().is_some_and(|provider| provider.proactive_auth),
        has_role: client.aws_role_arn.is_some() || client.aws_role.is_some(),
    });
    accounts.collect()
}

/// What these accounts would have the files say.
fn wiring(paths: &Paths, tool: &Tool, config: &Config, accounts: Vec<Served<'_>>, note: &Note) -> Result<Wiring> {
    let texts = |file: &Path| Ok(without(tool, file, note.about(file))?.1.unwrap_or_default());
    (tool.wiring)(&Wires {
        accounts,
        default: config.default_account(),
        program: link::our_path()?,
        config: named_config(paths),
        data: &paths.data,
        texts: &texts,
    })
}

/// The configuration, where it is not in its usual place.
fn named_config(paths: &Paths) -> Option<String> {
    paths.named.then(|| link::slashed(paths.config.display().to_string()))
}

/// What could have been written, for whichever accounts there are now.
fn everything(paths: &Paths, tool: &Tool) -> Result<Wiring> {
    let config = config::load(paths)?;
    let note = Note::default();
    wiring(paths, tool, &config, served(&config, |_, _| true), &note)
        .or_else(|_| wiring(paths, tool, &config, Vec::new(), &note))
}

/// One file as it is to be, and what is to be noted of it.
fn page(tool: &Tool, sheet: &Sheet, noted: Option<&Noted>) -> Result<(Page, Option<Noted>)> {
    let Sheet { file, edits, private, check } = sheet;
    let (old, before) = without(tool, file, noted)?;
    let page = |new| Page { file: file.clone(), old: old.clone(), new, private: *private };
    // Doing it twice does it once, wherever somebody has moved it in between.
    let text = old.as_deref().unwrap_or_default();
    let stands = edits.iter().all(|edit| edit.stands(text, tool.name));
    let no_others = |noted: &Noted| noted.edits.iter().all(|edit| edits.contains(edit));
    if stands && noted.is_none_or(no_others) {
        return Ok((page(old.clone()), noted.cloned()));
    }
    let refused = |why: String| {
        let hint = format!("write it by hand: `integrations/{}` shows it", recipe::folder(tool.name));
        fail_hint(Exit::Config, format!("`{}`: {why}", file.display()), hint)
    };
    let (mut after, mut steps) = (before.clone().unwrap_or_default(), Vec::new());
    for edit in edits {
        let put = edit.put(&after, tool.name).map_err(refused)?;
        if put != after {
            steps.push((edit.clone(), put.clone()));
        }
        after = put;
    }
    check(&after).map_err(refused)?;
    let noted = (!steps.is_empty()).then(|| Noted::of(file, before.as_deref(), steps));
    let after = (noted.is_some() || before.is_some()).then_some(after);
    Ok((page(after), noted))
}

/// A file as it is, and as it would be without us.
fn without(tool: &Tool, file: &Path, noted: Option<&Noted>) -> Result<(Option<String>, Option<String>)> {
    let Some(old) = textfile::read(file)? else { return Ok((None, None)) };
    let new = match noted {
        Some(noted) => noted.undo(&old, tool.name),
        None => block::take(&old, tool.name, None).map(Some).map_err(str::to_owned),
    };
    let new = new.map_err(|why| by_hand(file, &why))?;
    Ok((Some(old), new))
}

/// The text without what can only be ours.
fn taken(tool: &Tool, sheet: &Sheet, text: String) -> Result<String> {
    let text = block::take(&text, tool.name, None).map_err(|why| by_hand(&sheet.file, why))?;
    let ours = sheet.edits.iter().filter(|edit| edit.names_us());
    ours.rev().try_fold(text, |text, edit| edit.take(&text, tool.name)).map_err(|why| by_hand(&sheet.file, &why))
}

fn by_hand(file: &Path, why: &str) -> anyhow::Error {
    let what = format!("`{}`: {why}", file.display());
    fail_hint(Exit::Config, what, "take the lines of hallpass out by hand")
}

fn find(name: &str) -> Result<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| {
        let list: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        let what = format!("`{}` is no tool that can be wired", shown(name));
        fail_hint(Exit::Usage, what, format!("there are {}", list.join(", ")))
    })
}
