//! The names by which tools look for this program, as links to it

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::{fail, fail_hint};
use crate::opener::program;

/// Where a name is, or is to be: where the tool looks, else on PATH, else beside the program.
pub(super) fn place(name: &str, folder: Option<PathBuf>, us: &str) -> PathBuf {
    match folder {
        Some(folder) => folder.join(name),
        None => {
            program(name).filter(|found| is_us(found, us)).unwrap_or_else(|| PathBuf::from(us).with_file_name(name))
        }
    }
}

/// Whether this program is what a path leads to.
pub(super) fn is_us(path: &Path, us: &str) -> bool {
    let real = std::fs::canonicalize(path).ok();
    real.is_some() && real == std::fs::canonicalize(us).ok()
}

/// Makes it, if it is not there.
pub(super) fn make(at: &Path, us: &str) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        return match is_us(at, us) {
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

/// Where this program is. A link on PATH is better than where it leads: the next version may lie elsewhere.
pub(super) fn our_path() -> Result<String> {
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
