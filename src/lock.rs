//! One at a time: a lock file held by the kernel for as long as the process lives
//!
//! The file is never deleted: whoever locks an unlinked file locks nothing. A killed holder frees it.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::{fail, fail_hint};

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(|why| unusable(path, &why))?;
            match fs2::FileExt::try_lock_exclusive(&file) {
                Ok(()) if is_still_there(&file, path) => return Ok(Some(Self { file })),
                Ok(()) => {} // somebody deleted it in between: what we hold is nobody's lock
                Err(why) if is_contended(&why) => return Ok(None),
                Err(why) => return Err(unusable(path, &why)),
            }
        }
    }

    /// Waits for the lock. `meanwhile` runs at each look: it may end the wait with an answer of its own.
    pub(crate) fn wait<T>(
        path: &Path,
        until: Instant,
        mut meanwhile: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Waited<T>> {
        // A refresh takes a fraction of a second; short looks at first, then ones that a thousand waiters can afford.
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(Waited::Lock(lock));
            }
            if let Some(answer) = meanwhile()? {
                return Ok(Waited::Answer(answer));
            }
            if Instant::now() >= until {
                return Ok(Waited::TooLong);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The file, for what a holder leaves in it.
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
    if why.kind() == std::io::ErrorKind::Unsupported {
        return fail_hint(
            Exit::Busy,
            format!("`{}` cannot be locked on this file system", path.display()),
            "put the data folder on a local disk: set XDG_DATA_HOME",
        );
    }
    let exit = if why.kind() == std::io::ErrorKind::PermissionDenied { Exit::Busy } else { Exit::Store };
    fail(exit, format!("the lock file `{}` is not usable: {why}", path.display()))
}
