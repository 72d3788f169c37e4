//! Record files: opened with suspicion, replaced in one step
//!
//! `ID.next` is the only other name of a record. It begins as the intent to spend a refresh token, has the new
//! record appended, and is renamed over `ID`. Whoever finds one, finds out from it how far the writer came.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use zeroize::Zeroizing;

use super::record::{INTENT_BYTES, Intent};
use crate::failure::{fail, fail_hint};

/// A record is a few kilobytes; a larger file is not one of ours.
const MAX_BYTES: u64 = 8 << 20;

/// Room for the record that is to come, taken before the refresh token is spent: a full disk must show now.
#[cfg(target_os = "linux")]
const RESERVED: u64 = 64 << 10;

/// The bytes of a file that may hold a secret; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut options = OpenOptions::new();
    options.read(true);
    // A link may lead anywhere, and opening a FIFO would wait for ever.
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        Err(why) if is_link(&why) => return Err(fail(Exit::Refused, format!("`{}` is a link", path.display()))),
        Err(why) => return Err(broken(path, "cannot be opened", &why)),
    };
    let found = file.metadata().map_err(|why| broken(path, "cannot be looked at", &why))?;
    check(path, &found)?;
    // `read_to_end` would ask for the size once more. A file that grows meanwhile is none that was renamed into place.
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(found.len()).unwrap_or_default()]);
    file.read_exact(&mut bytes).map_err(|why| broken(path, "cannot be read", &why))?;
    Ok(Some(bytes))
}

/// The record that is being written.
#[derive(Debug)]
pub(super) struct Next {
    file: File,
    path: PathBuf,
    record: PathBuf,
}

impl Next {
    /// Says what is about to happen, on disk, before it does. A file that is there already is overwritten in place:
    /// its intent is the same one, tried again.
    pub(super) fn begin(record: &Path, intent: &Intent) -> Result<Self> {
        let path = next_of(record);
        let line = intent.line()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
        }
        let mut file = options.open(&path).map_err(|why| broken(&path, "cannot be written", &why))?;
        let found = file.metadata().map_err(|why| broken(&path, "cannot be looked at", &why))?;
        check(&path, &found)?;
        let written = (|| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&line)?;
            file.set_len(INTENT_BYTES as u64)?;
            reserve(&file)?;
            file.sync_all()?;
            sync_folder(&path)
        })();
        if let Err(why) = written {
            // Nothing was sent. An intent that stayed would say that something was; one of an earlier try still says it.
            if intent.attempt <= 1 {
                let _ = fs::remove_file(&path);
            }
            return Err(broken(&path, "cannot be written", &why));
        }
        Ok(Self { file, path, record: record.to_owned() })
    }

    /// Appends the record and puts it in the old one's place.
    pub(super) fn commit(mut self, bytes: &[u8]) -> Result<()> {
        let mut write = || {
            self.file.seek(SeekFrom::Start(INTENT_BYTES as u64))?;
            self.file.write_all(bytes)?;
            self.file.set_len((INTENT_BYTES + bytes.len()) as u64)?; // gives back what was reserved
            self.file.sync_all()
        };
        // The refresh token is spent, and what it brought is nowhere else: one refusal of the disk is not the last word.
        // Everything is written again, because after a failed fsync another one alone says nothing.
        let written = write().or_else(|_| write());
        written.map_err(|why| broken(&self.path, "cannot be written", &why))?;
        drop(self.file); // Windows renames no open file
        replace(&self.path, &self.record)
    }

    /// Nothing was spent after all.
    pub(super) fn abandon(self) {
        drop(self.file);
        let _ = fs::remove_file(&self.path); // an intent that stays is read by the next holder of the lock
    }
}

/// Writes a file that holds no secret and whose loss costs nothing; still nobody else's to read.
pub(super) fn write_small(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// Renames a complete `ID.next` over `ID`.
pub(super) fn replace(next: &Path, record: &Path) -> Result<()> {
    fs::rename(next, record)
        .and_then(|()| sync_folder(record))
        .map_err(|why| broken(record, "cannot be replaced", &why))
}

/// Removes a file that may not be there; says whether it was.
pub(super) fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(false),
        Err(why) => Err(broken(path, "cannot be removed", &why)),
    }
}

/// `ID.next`.
pub(super) fn next_of(record: &Path) -> PathBuf {
    let mut name = record.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// Makes a folder that only its owner can enter, and refuses one that others can write to.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|why| broken(path, "cannot be made", &why))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path).map_err(|why| broken(path, "cannot be looked at", &why))?;
        let mine = found.uid() == rustix::process::geteuid().as_raw();
        if !mine || found.mode() & 0o022 != 0 {
            let what = format!("`{}` belongs to somebody else or others can write to it", path.display());
            return Err(fail_hint(Exit::Refused, what, format!("`chmod 700 {}`, as its owner", path.display())));
        }
    }
    Ok(())
}

/// A record must be a file of ours that nobody else can write to.
#[cfg(unix)]
fn check(path: &Path, found: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(fail(Exit::Store, format!("`{}` is not a file of at most 8 MiB", path.display())));
    }
    let mine = found.uid() == rustix::process::geteuid().as_raw();
    if !mine || found.mode() & 0o022 != 0 || found.nlink() > 1 {
        let what =
            format!("`{}` belongs to somebody else, has a second name, or others can write to it", path.display());
        return Err(fail_hint(Exit::Refused, what, "remove it and sign in again, or make it yours alone"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(path: &Path, found: &fs::Metadata) -> Result<()> {
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(fail(Exit::Store, format!("`{}` is not a file of at most 8 MiB", path.display())));
    }
    Ok(())
}

#[cfg(unix)]
fn is_link(why: &std::io::Error) -> bool {
    why.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_link(_: &std::io::Error) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn reserve(file: &File) -> std::io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, RESERVED) {
        // Some file systems cannot reserve; there a full disk shows at the write.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// The rename itself must survive a power cut. Windows has no way to ask for that.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn broken(path: &Path, what: &str, why: &std::io::Error) -> anyhow::Error {
    let what = format!("`{}` {what}: {why}", path.display());
    match why.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            fail_hint(Exit::Store, what, "make room there and try again")
        }
        _ => fail(Exit::Store, what),
    }
}
