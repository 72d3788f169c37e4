//! Commands that change what other programs find: `setup`, `unsetup`, `link`

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::stdout::out;
use crate::failure::fail;
use crate::paths::Paths;
use crate::{setup, terminal};

/// Writes a change, or shows it.
pub(super) fn wire(paths: &Paths, change: &setup::Change, dry_run: bool) -> Result<Exit> {
    let mut shown = Vec::new();
    for page in change.pages.iter().filter(|page| !page.is_none()) {
        shown.push(format!("{}:", page.file.display()));
        shown.extend(page.lines());
    }
    if dry_run && !shown.is_empty() {
        out(&shown)?;
    } else if !dry_run {
        for line in &shown {
            terminal::show(line);
        }
        change.write(paths)?;
    }
    for page in &change.pages {
        let file = page.file.display();
        match (page.is_none(), change.is_setup()) {
            (true, true) => terminal::say(&format!("`{file}` says so already")),
            (true, false) => terminal::say(&format!("nothing of hallpass is in `{file}`")),
            _ if dry_run => {}
            _ if page.goes() => terminal::say(&format!("`{file}` is gone, as it was before")),
            _ => terminal::say(&format!("`{file}` is written")),
        }
    }
    for words in &change.says {
        terminal::say(words);
    }
    Ok(Exit::Answered)
}

/// The names by which tools start us, as links to this program.
pub(super) fn link(dir: &Path) -> Result<Exit> {
    let us = std::env::current_exe()
        .map_err(|why| fail(Exit::Store, format!("this program's own path is unknown: {why}")))?;
    if !dir.is_dir() {
        return Err(fail(Exit::Usage, format!("`{}` is no folder", dir.display())));
    }
    for protocol in hallpass_protocol::ALL {
        for name in protocol.names().iter().filter(|name| hallpass_protocol::is_program(name)) {
            let path = dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
            let broken = |why: std::io::Error| fail(Exit::Store, format!("`{}` cannot be made: {why}", path.display()));
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => std::fs::remove_file(&path).map_err(broken)?,
                // A hard link, where links need a privilege; it may be the file that runs.
                Ok(_) if cfg!(windows) && setup::is_us(&path, &us) => {
                    out(&[path.display().to_string()])?;
                    continue;
                }
                Ok(_) => {
                    return Err(fail(Exit::Usage, format!("`{}` is there already and is no link", path.display())));
                }
                Err(_) => {}
            }
            #[cfg(unix)]
            std::os::unix::fs::symlink(&us, &path).map_err(broken)?;
            #[cfg(not(unix))]
            std::fs::hard_link(&us, &path).or_else(|_| std::fs::copy(&us, &path).map(|_| ())).map_err(broken)?;
            out(&[path.display().to_string()])?;
        }
    }
    Ok(Exit::Answered)
}
