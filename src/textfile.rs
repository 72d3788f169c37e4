//! Text files that people edit too: read whole, written aside and renamed, so that none is ever cut in half

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::fail;
use crate::shown::shown;

/// More than any configuration: a file named by mistake is not read to its end.
const MAX_BYTES: u64 = 16 << 20;

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its owner alone (0600).
    Private,
    /// As before; a new one as the umask says.
    Kept,
}

/// What a file says; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let broken =
        |why: &dyn std::fmt::Display| fail(Exit::Config, format!("`{}` cannot be read: {why}", path.display()));
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= MAX_BYTES => {}
        Ok(_) => return Err(broken(&"it is no file of at most 16 MiB")),
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(broken(&why)),
    }
    fs::read_to_string(path).map(Some).map_err(|why| broken(&why))
}

/// Writes a file in one step. A link keeps pointing where it does.
pub(crate) fn write(path: &Path, text: &str, mode: Mode) -> Result<()> {
    let target = target(path);
    let broken = |why: std::io::Error| fail(Exit::Config, format!("`{}` cannot be written: {why}", path.display()));
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(broken)?;
    }
    put(&target, text, mode).map_err(broken)
}

/// Writes a file that a tool named, for its owner alone: where the folder is there already, and never through a link or
/// over anything but a file.
pub(crate) fn write_here(path: &Path, text: &str) -> Result<()> {
    is_a_file_or_none(path)?;
    put(path, text, Mode::Private).map_err(|why| unwritten(path, &why))
}

/// Removes such a file.
pub(crate) fn remove_here(path: &Path) -> Result<()> {
    is_a_file_or_none(path)?;
    remove(path)
}

fn is_a_file_or_none(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        _ if !path.is_absolute() => Err(unwritten(path, &"its path does not begin at the root")),
        Ok(found) if !found.is_file() => Err(unwritten(path, &"something that is no file stands there")),
        Err(why) if why.kind() != ErrorKind::NotFound => Err(unwritten(path, &why)),
        _ => Ok(()),
    }
}

fn unwritten(path: &Path, why: &dyn std::fmt::Display) -> anyhow::Error {
    fail(Exit::Store, format!("`{}` cannot be written: {why}", shown(&path.to_string_lossy())))
}

fn put(target: &Path, text: &str, mode: Mode) -> std::io::Result<()> {
    let mut aside = target.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let written = create(target, aside.as_ref(), mode).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, target)
    });
    // What is left of it is of use to nobody; what was there before is not ours.
    if written.as_ref().is_err_and(|why| why.kind() != ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Where a path leads, through links; a link may lead to what is not there yet.
pub(crate) fn target(path: &Path) -> PathBuf {
    let leads = || path.parent().unwrap_or(path).join(fs::read_link(path).unwrap_or_else(|_| path.to_owned()));
    fs::canonicalize(path).unwrap_or_else(|_| leads())
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => {
            Err(fail(Exit::Config, format!("`{}` cannot be removed: {why}", path.display())))
        }
        _ => Ok(()),
    }
}

fn create(target: &Path, aside: &Path, mode: Mode) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let old = fs::metadata(target).ok().filter(|_| mode == Mode::Kept).map(|found| found.permissions());
        options.mode(match (mode, &old) {
            (Mode::Private, _) | (_, Some(_)) => 0o600,
            (Mode::Kept, None) => 0o666,
        });
        let file = options.open(aside)?;
        if let Some(old) = old {
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    {
        let _ = (target, mode);
        options.open(aside)
    }
}
