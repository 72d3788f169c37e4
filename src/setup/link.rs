//! The names by which tools look for this program, as links to it

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::{fail, fail_hint};
use crate::opener::program;
use crate::textfile;

/// Where a name is, or is to be: where the tool looks, else on PATH, else beside the program.
pub(super) fn place(name: &str, folder: Option<PathBuf>, us: &str) -> PathBuf {
    let file = format!("{name}{EXE_SUFFIX}");
    match folder {
        Some(folder) => folder.join(file),
        None => {
            program(name).filter(|found| is_us(found, us)).unwrap_or_else(|| PathBuf::from(us).with_file_name(file))
        }
    }
}

/// Whether this program is what a path leads to.
pub(crate) fn is_us(path: &Path, us: impl AsRef<Path>) -> bool {
    let real = std::fs::canonicalize(path).ok();
    real.is_some() && (real == std::fs::canonicalize(&us).ok() || is_same(path, us.as_ref()))
}

/// Where links need a privilege a name is a copy: nothing but the content tells.
fn is_same(path: &Path, us: &Path) -> bool {
    use std::fs::{metadata, read};
    let length = |path| metadata(path).map(|found| found.len()).ok();
    cfg!(windows) && length(path) == length(us) && read(path).ok() == read(us).ok()
}

/// Whether a name that was made is still what it was made as.
pub(super) fn is_made(at: &Path) -> bool {
    if cfg!(unix) { at.is_symlink() } else { our_path().is_ok_and(|us| is_us(at, us)) }
}

/// Makes it, if it is not there. `made`: we made it once.
pub(super) fn make(at: &Path, us: &str, made: bool) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        match is_us(at, us) {
            true => return Ok(()),
            // A copy stays what it was when the next version comes.
            false if made && cfg!(windows) => textfile::remove(at)?,
            false => {
                let what = format!("`{}` is there already and is not this program", at.display());
                return Err(fail(Exit::Config, what));
            }
        }
    }
    let made = at.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        #[cfg(unix)]
        return std::os::unix::fs::symlink(us, at);
        #[cfg(not(unix))]
        return std::fs::copy(us, at).map(drop); // no hard link: it could not be removed while this program runs
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
        Ok(path) if !path.contains(['\n', '\r', '\0']) => Ok(slashed(path)),
        _ => Err(fail(Exit::Config, "this program's own path cannot be written into a configuration")),
    }
}

/// A path as it is written into a file: on Windows with `/`, which its programs take, and which is no sign of quoting to
/// any of them.
pub(super) fn slashed(path: String) -> String {
    if cfg!(windows) { path.replace('\\', "/") } else { path }
}
