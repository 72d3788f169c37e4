//! Text files that people edit too: read whole, written aside and renamed, so that none is ever cut in half

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::fail;

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
    let mut aside = target.clone().into_os_string();
    aside.push(format!(".{}", std::process::id()));
    let written = create(&target, aside.as_ref(), mode)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&aside); // what is left of it is of use to nobody
    }
    written.map_err(broken)
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
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
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
        let _ = mode;
        options.open(aside)
    }
}
