//! One at a time: a lock file held by the kernel for as long as the process lives
//!
//! The file is never deleted: whoever locks an unlinked file locks nothing. A killed holder frees it. Its first bytes
//! say who holds it, for a person who waits; what counts is the kernel's word.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use hallpass_protocol::time::rfc3339;
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::failure::{fail, fail_hint};
use crate::{signals, terminal};

/// A person who waits is told for whom after this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What stands in the file after its holder's line belongs to the holder.
pub(crate) const HOLDER_BYTES: usize = 128;

/// Who holds a lock.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    /// What it was called for.
    command: String,
    /// Seconds since the epoch.
    since: u64,
}

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it. `command` is what we were called for.
    pub(crate) fn try_take(path: &Path, command: &str) -> Result<Option<Self>> {
        signals::outlive_file_limit();
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(|why| unusable(path, &why))?;
            match hold(&file, path)? {
                Hold::Ours => {
                    let _ = sign(&file, command); // without it a person who waits is told less
                    return Ok(Some(Self { file }));
                }
                Hold::Nobodys => {}
                Hold::Theirs => return Ok(None),
            }
        }
    }

    /// Waits for the lock. `meanwhile` runs at each look: it may end the wait with an answer of its own.
    pub(crate) fn wait<T>(
        path: &Path,
        command: &str,
        until: Instant,
        mut meanwhile: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Waited<T>> {
        // A refresh takes a fraction of a second; short looks at first, then ones that a thousand waiters can afford.
        let mut pause = Duration::from_millis(5);
        let (began, mut told) = (Instant::now(), !terminal::is_watched());
        loop {
            if let Some(lock) = Self::try_take(path, command)? {
                return Ok(Waited::Lock(lock));
            }
            if let Some(answer) = meanwhile()? {
                return Ok(Waited::Answer(answer));
            }
            if Instant::now() >= until {
                return Ok(Waited::TooLong);
            }
            if !told && began.elapsed() >= PATIENCE {
                terminal::say(&format!("waiting: {}", holder(path)));
                told = true;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The file, for what a holder leaves in it after the first [`HOLDER_BYTES`].
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    Lock(Lock),
    Answer(T),
    TooLong,
}

/// Whose an open file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Ours, for as long as it stays open.
    Ours,
    Theirs,
    /// Somebody deleted or replaced it: what we hold is nobody's lock.
    Nobodys,
}

/// Holds an open file, if nobody else does.
pub(crate) fn hold(file: &File, path: &Path) -> Result<Hold> {
    loop {
        return match fs2::FileExt::try_lock_exclusive(file) {
            Ok(()) if is_still_there(file, path) => Ok(Hold::Ours),
            Ok(()) => Ok(Hold::Nobodys),
            Err(why) if is_contended(&why) => Ok(Hold::Theirs),
            Err(why) if why.kind() == ErrorKind::Interrupted => continue,
            Err(why) => Err(fail_hint(
                Exit::Busy,
                format!("`{}` cannot be locked on this file system: {why}", path.display()),
                "put the data folder on a local disk: set XDG_DATA_HOME",
            )),
        };
    }
}

/// Who holds the lock, and since when, in words.
pub(crate) fn holder(path: &Path) -> String {
    let file = path.display();
    match read_holder(path) {
        Some(Holder { pid, command, since }) => {
            let command = crate::shown::printable(&command);
            format!("`hallpass {command}` (pid {pid}) has held `{file}` since {}", rfc3339(since))
        }
        None => format!("another hallpass holds `{file}`"),
    }
}

fn read_holder(path: &Path) -> Option<Holder> {
    let mut line = Vec::new();
    File::open(path).ok()?.take(HOLDER_BYTES as u64).read_to_end(&mut line).ok()?;
    serde_json::from_slice(line.trim_ascii_end()).ok()
}

fn sign(mut file: &File, command: &str) -> std::io::Result<()> {
    let command = command.chars().take(16).collect();
    let mut line = serde_json::to_vec(&Holder { pid: std::process::id(), command, since: now() })?;
    line.resize(HOLDER_BYTES - 1, b' ');
    line.push(b'\n');
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&line)
}

fn is_contended(why: &std::io::Error) -> bool {
    why.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}

#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &std::fs::Metadata, b: &std::fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
    matches!((file.metadata(), std::fs::symlink_metadata(path)), (Ok(ref held), Ok(ref there)) if same(held, there))
}

/// Windows does not let an open file be deleted.
#[cfg(not(unix))]
fn is_still_there(_: &File, _: &Path) -> bool {
    true
}

fn unusable(path: &Path, why: &std::io::Error) -> anyhow::Error {
    let exit = if why.kind() == ErrorKind::PermissionDenied { Exit::Busy } else { Exit::Store };
    fail(exit, format!("the lock file `{}` is not usable: {why}", path.display()))
}
