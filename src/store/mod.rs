//! Records: one file for each session or kept password, sealed where there is an OS keychain
//!
//! `NAME` is a plain record, `NAME@KEYID` a sealed one; `.next`, `.lock`, `.signin`, `.ahead`, `.mark` and
//! `.setback` stand beside it. Everything that writes a record holds its lock; reading needs none.

mod file;
#[cfg(target_os = "linux")]
mod kernel_cache;
mod key;
mod keychain;
mod listing;
mod record;
mod seal;
mod unlock;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::account::StoreWish;
use crate::failure::fail_hint;
use crate::lock::Lock;
use crate::paths::below;
use file::Next;
pub(crate) use file::{make_folder, write_small};
use key::DataKey;
pub(crate) use listing::{RecordFile, records, sealed_names};
pub(crate) use record::{Intent, Kind, checksum};
pub(crate) use unlock::{BACKGROUND, lock as drop_cached_key};

/// A record as it was read.
#[derive(Debug)]
pub(crate) struct Stored<T> {
    pub(crate) value: T,
    pub(crate) shelf: Shelf,
}

/// Where a record stands and what opens it: found before anything is spent, so that it can be written afterwards.
#[derive(Debug)]
pub(crate) struct Shelf {
    data: PathBuf,
    name: String,
    key: Option<DataKey>,
    /// There is no sealed record of that name beside an unsealed one; else the folder is searched for it.
    alone: bool,
}

/// Reads a record. `sealed` is what the routes know: then a plain record is not believed.
pub(crate) fn load<T: DeserializeOwned>(
    data: &Path,
    name: &str,
    sealed: bool,
    patience: Duration,
) -> Result<Option<Stored<T>>> {
    let plain = below(data, &[name]);
    let (bytes, key, path) = if sealed {
        if plain.symlink_metadata().is_ok() {
            return Err(both(&plain));
        }
        let key = unlock::held(data, patience)?;
        let path = data.join(format!("{name}@{}", key.id()));
        (file::read(&path)?, Some(key), path)
    } else {
        (file::read(&plain)?, None, plain)
    };
    let Some(bytes) = bytes else { return Ok(None) };
    let body = record::decode(name, &path, &bytes, key.as_ref())?;
    // Not serde_json's words: they can quote a secret.
    let odd = |at: usize| {
        let what = format!("`{}` cannot be understood (at byte {at})", path.display());
        fail_hint(Exit::Store, what, "was it written by a newer hallpass? `hallpass login` makes a new one")
    };
    // All of it at once: string by string takes longer.
    let text = std::str::from_utf8(&body).map_err(|why| odd(why.valid_up_to()))?;
    let value = serde_json::from_str(text).map_err(|why| odd(why.column()))?;
    Ok(Some(Stored { value, shelf: Shelf { data: data.to_owned(), name: name.to_owned(), key, alone: true } }))
}

impl Shelf {
    /// Where a new session is to stand: sealed where there is a keychain, unless files are wished for. An older
    /// record of the other kind is removed when the new one is written.
    pub(crate) fn for_new(data: &Path, name: &str, wish: StoreWish) -> Result<Self> {
        make_folder(data)?;
        for found in records(data)?.into_iter().filter(|found| found.name == name) {
            let record = data.join(found.file);
            for path in [file::next_of(&record), record] {
                // One that cannot be read is damage, which a new sign-in replaces.
                if let Ok(Some(bytes)) = file::read(&path) {
                    record::check_format(&path, &bytes)?;
                }
            }
        }
        let key = unlock::for_new(data, wish, &sealed_names(data)?)?;
        Ok(Self { data: data.to_owned(), name: name.to_owned(), key, alone: false })
    }

    /// Where a password that a tool brought is to stand; sealed if that needs nobody's patience.
    pub(crate) fn for_kept(data: &Path, name: &str, wish: StoreWish) -> Result<Self> {
        make_folder(data)?;
        let key = if wish == StoreWish::File { None } else { unlock::at_hand(data) };
        Ok(Self { data: data.to_owned(), name: name.to_owned(), key, alone: false })
    }

    /// The caller knows that no sealed record is left behind.
    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Holds the key fast until the record is written.
    pub(crate) fn hold_key(&self) -> Result<Option<Lock>> {
        self.key.as_ref().map(|key| unlock::keep(&self.data, key)).transpose()
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.key {
            None => Kind::Plain,
            Some(key) => Kind::Sealed(key.id().clone()),
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    fn record(&self) -> PathBuf {
        match &self.key {
            None => self.data.join(&self.name),
            Some(key) => self.data.join(format!("{}@{}", self.name, key.id())),
        }
    }

    /// What an earlier holder of the lock left behind: a complete newer record takes its place, an intent without
    /// one is returned. Only under the lock.
    pub(crate) fn settle(&self, generation: u64) -> Result<Option<Intent>> {
        let record = self.record();
        let next = file::next_of(&record);
        file::until_free(&next)?;
        let Some(bytes) = file::read(&next)? else { return Ok(None) };
        record::check_format(&next, &bytes)?;
        let body = record::decode(&self.name, &next, &bytes, self.key.as_ref());
        if body.is_ok_and(|body| generation_of(&body) > generation) {
            file::replace(&next, &record)?;
            return Ok(None);
        }
        match Intent::read(&bytes) {
            Some(intent) if intent.generation == generation + 1 => Ok(Some(intent)),
            // Of an older time: a record has been written since.
            _ => file::remove(&next).map(|_| None),
        }
    }

    /// The highest generation that was written here. A record with a lower one was put back from somewhere.
    pub(crate) fn seen(&self) -> u64 {
        let text = std::fs::read_to_string(self.seen_file()).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }

    fn seen_file(&self) -> PathBuf {
        let mut name = self.record().into_os_string();
        name.push(".seen");
        name.into()
    }

    /// Puts the intent on disk. Only under the lock.
    pub(crate) fn begin(&self, intent: &Intent) -> Result<Writer<'_>> {
        Ok(Writer { shelf: self, next: Next::begin(&self.record(), intent)? })
    }

    /// Writes a record without spending anything. Only under the lock.
    pub(crate) fn save<T: Serialize>(&self, value: &T, generation: u64) -> Result<()> {
        let intent = Intent {
            generation,
            refresh: String::new(),
            attempt: 0,
            since: 0,
            pid: std::process::id(),
            command: String::new(),
        };
        self.begin(&intent)?.commit(value)
    }

    /// Fields that a newer hallpass wrote and this one does not know survive; those that are empty are left out.
    fn fields(&self, value: Value) -> Value {
        let Value::Object(mut fields) = value else { return value };
        for (name, value) in self.old_fields().unwrap_or_default() {
            fields.entry(name).or_insert(value);
        }
        fields.retain(|_, value| !value.is_null());
        Value::Object(fields)
    }

    fn old_fields(&self) -> Option<Map<String, Value>> {
        let bytes = file::read(&self.record()).ok()??;
        let body = record::decode(&self.name, &self.record(), &bytes, self.key.as_ref()).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

/// A record between its intent and its commit.
#[derive(Debug)]
#[must_use]
pub(crate) struct Writer<'a> {
    shelf: &'a Shelf,
    next: Next,
}

impl Writer<'_> {
    /// The new record takes the old one's place; a record of the other kind goes.
    pub(crate) fn commit<T: Serialize>(self, value: &T) -> Result<()> {
        let shelf = self.shelf;
        let value = shelf.fields(serde_json::to_value(value)?);
        let body = Zeroizing::new(serde_json::to_vec(&value)?);
        self.next.commit(&record::encode(&shelf.name, &body, shelf.key.as_ref()))?;
        // Behind by one after a crash here, which does no harm.
        let _ = file::write_small(&shelf.seen_file(), generation_of(&body).to_string().as_bytes());
        if shelf.key.is_some() {
            file::remove(&shelf.data.join(&shelf.name))?;
        } else if !shelf.alone {
            for other in records(&shelf.data)?.into_iter().filter(|found| found.name == shelf.name && found.sealed) {
                file::remove(&shelf.data.join(other.file))?;
            }
        }
        Ok(())
    }

    /// Nothing was spent after all.
    pub(crate) fn abandon(self) {
        self.next.abandon();
    }
}

/// The file beside a record that ends in `.lock`, `.signin` and so on.
pub(crate) fn beside(data: &Path, name: &str, suffix: &str) -> PathBuf {
    data.join(format!("{name}.{suffix}"))
}

/// Removes a record and everything of it but its lock files. Only under the lock. Says whether there was one. Of sealed
/// ones only that of the given key goes; all of them where none is given.
pub(crate) fn remove(data: &Path, name: &str, only: Option<&Kind>) -> Result<bool> {
    let mut was_there = false;
    let meant = |found: &RecordFile| match only {
        Some(Kind::Sealed(id)) => !found.sealed || found.file == format!("{name}@{id}"),
        _ => true,
    };
    for found in records(data)?.into_iter().filter(|found| found.name == name && meant(found)) {
        was_there |= file::remove(&data.join(&found.file))?;
        for suffix in ["next", "seen"] {
            file::remove(&data.join(format!("{}.{suffix}", found.file)))?;
        }
    }
    for suffix in ["next", "ahead", "mark", "setback"] {
        file::remove(&beside(data, name, suffix))?;
    }
    Ok(was_there)
}

/// The key of a record that went, if it was the last of its kind here.
pub(crate) fn drop_unused_key(data: &Path, kind: &Kind) -> Result<()> {
    let Kind::Sealed(id) = kind else { return Ok(()) };
    let end = format!("@{id}");
    unlock::drop_unused(data, id, || {
        records(data).map_or(true, |records| records.iter().any(|found| found.file.ends_with(&end)))
    })
}

/// How the keychain is, for `doctor`.
pub(crate) fn keychain_words(data: &Path) -> Result<String> {
    unlock::in_words(&sealed_names(data)?)
}

/// The mode of a record's file, where others than its owner can read it. The next save narrows it.
#[cfg(unix)]
pub(crate) fn too_open(data: &Path, name: &str, kind: &Kind) -> Option<(PathBuf, u32)> {
    use std::os::unix::fs::PermissionsExt;
    let path = match kind {
        Kind::Plain => data.join(name),
        Kind::Sealed(id) => data.join(format!("{name}@{id}")),
    };
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some((path, mode))
}

#[cfg(not(unix))]
pub(crate) fn too_open(_: &Path, _: &str, _: &Kind) -> Option<(PathBuf, u32)> {
    None
}

/// Where and how, in words that hide nothing.
pub(crate) fn in_words(data: &Path, name: &str, kind: &Kind) -> String {
    match kind {
        Kind::Sealed(id) => format!("sealed with key {id} of the OS keychain, in `{}`", data.display()),
        Kind::Plain => {
            // Elsewhere the folder decides who can, and nothing we link can say what it decided.
            let whose = if cfg!(unix) { "a file that only you can read (0600)" } else { "a file of your profile" };
            format!("NOT sealed, in {whose}: `{}`", data.join(name).display())
        }
    }
}

fn generation_of(body: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Generation {
        generation: u64,
    }
    serde_json::from_slice::<Generation>(body).map_or(0, |body| body.generation)
}

fn both(plain: &Path) -> anyhow::Error {
    fail_hint(
        Exit::Refused,
        format!("`{}` is not sealed, but stands beside a sealed record of the same account", plain.display()),
        "if you did not put it there, remove it and find out who did; `hallpass login` makes a new session",
    )
}
