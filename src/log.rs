//! `HALLPASS_LOG`: what was done, a line for each step, for whoever looks for the reason
//!
//! Into a file, for a tool may take each byte of its helper's stderr for an answer. Nothing of a hit, which has no time
//! for it, and nothing that is secret: of a request method, host, path and status, and the words that a person gets too.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::path::PathBuf;

use hallpass_protocol::time::rfc3339;

use crate::clock::now;
use crate::paths::set;

/// Notes a step, if that is wanted and can be.
pub(crate) fn note(words: impl FnOnce() -> String) {
    let Some(Ok(mut file)) = path().map(open) else { return };
    let words = words().replace(char::is_control, " ");
    // In one piece: others write there too.
    let _ = file.write_all(format!("{} {} {words}\n", rfc3339(now()), std::process::id()).as_bytes());
}

/// Where steps are noted, and whether they can be; `None` where nobody wants them.
pub(crate) fn place() -> Option<(PathBuf, Result<()>)> {
    let path = path()?;
    let opened = open(path.clone()).map(drop);
    Some((path, opened))
}

/// The file that the variable names by an absolute path; for any other word one in the folder for what is not data.
fn path() -> Option<PathBuf> {
    let word = set("HALLPASS_LOG").filter(|word| word != "0")?;
    if std::path::Path::new(&word).is_absolute() {
        return Some(word.into());
    }
    let named = |variable: &str| set(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = match named("XDG_STATE_HOME") {
        Some(folder) => folder,
        None if cfg!(windows) => named("LOCALAPPDATA")?,
        None if cfg!(target_os = "macos") => named("HOME")?.join("Library/Logs"),
        None => named("HOME")?.join(".local/state"),
    };
    Some(folder.join("hallpass").join("log"))
}

fn open(path: PathBuf) -> Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a FIFO would wait for its reader.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    match options.open(&path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && path.ends_with("hallpass/log") => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            options.open(&path)
        }
        opened => opened,
    }
}
