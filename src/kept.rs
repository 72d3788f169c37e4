//! Passwords that a tool brought for places no account serves
//!
//! git hands every credential that worked to its helpers; as `git-credential-store` does, they are kept and given back,
//! but only in a sealed store unless the configuration says `keep = "always"`. One record holds those of one scheme,
//! host and port.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::{Secret, exposed, exposed_option};
use hallpass_protocol::talk::{Exit, Kept, Reply, Request, Verb};
use serde::{Deserialize, Serialize};

use crate::account::StoreWish;
use crate::clock::now;
use crate::config::{self, Keep};
use crate::failure::fail;
use crate::lock::{Lock, Waited};
use crate::paths::{Paths, set};
use crate::presence::is_ci;
use crate::store::{self, Kind, Shelf, Stored};

/// More for one host is not a person's; the oldest goes.
const MAX_ENTRIES: usize = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    generation: u64,
    /// The place, to be compared: the file's name is only its hash.
    origin: String,
    /// The newest first.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    path: Option<String>,
    username: Option<String>,
    #[serde(with = "exposed")]
    secret: Secret,
    authtype: Option<String>,
    expires_at: Option<u64>,
    #[serde(default, with = "exposed_option")]
    refresh_token: Option<Secret>,
}

/// Answers for a place that no account serves.
pub(crate) fn answer(paths: &Paths, place: &Place, request: &Request) -> Result<Reply> {
    let name = file_name(place);
    match &request.verb {
        Verb::Get => {
            let stored = load(&paths.data, &name, place)?;
            let wanted = Wanted::of(place, request, None);
            let found = stored.and_then(|stored| {
                let mut fitting = stored.value.entries.into_iter().filter(|entry| wanted.fits(entry));
                fitting.find(|entry| entry.expires_at.is_none_or(|expires_at| expires_at > now()))
            });
            Ok(found.map_or(Reply::Missing(None), |entry| Reply::Kept(Box::new(entry.into()))))
        }
        Verb::Store(kept) => store(paths, &name, place, request, kept).map(|()| Reply::Done),
        Verb::Erase(secret) => {
            let wanted = Wanted::of(place, request, secret.as_ref());
            change(paths, &name, place, None, |record| record.entries.retain(|entry| !wanted.fits(entry)))
                .map(|()| Reply::Done)
        }
    }
}

fn store(paths: &Paths, name: &str, place: &Place, request: &Request, kept: &Kept) -> Result<()> {
    let over = kept.expires_at.is_some_and(|expires_at| expires_at <= now());
    if kept.ephemeral || over {
        return Ok(());
    }
    let keep = config::load(paths)?.keep;
    if keep == Keep::Never || (keep == Keep::Sealed && (is_ci() || !place.may_carry_a_token())) {
        return Ok(());
    }
    let wish = match set("HALLPASS_STORE").as_deref() {
        Some("file") => StoreWish::File,
        _ => StoreWish::Auto,
    };
    if keep == Keep::Sealed && wish == StoreWish::File {
        return Ok(());
    }
    let shelf = Shelf::for_kept(&paths.data, name, wish)?;
    if keep == Keep::Sealed && shelf.kind() == Kind::Plain {
        return Ok(());
    }
    let entry = Entry {
        path: place.path.clone(),
        username: request.username.clone(),
        secret: kept.secret.clone(),
        authtype: kept.authtype.clone(),
        expires_at: kept.expires_at,
        refresh_token: kept.refresh_token.clone(),
    };
    change(paths, name, place, Some(shelf), |record| {
        record.entries.retain(|old| (&old.path, &old.username) != (&entry.path, &entry.username));
        record.entries.insert(0, entry);
        record.entries.truncate(MAX_ENTRIES);
    })
}

/// Changes the record of a place under its lock; without a shelf only one that is there.
fn change(
    paths: &Paths,
    name: &str,
    place: &Place,
    shelf: Option<Shelf>,
    change: impl FnOnce(&mut Record),
) -> Result<()> {
    let data = &paths.data;
    if shelf.is_none() && load(data, name, place)?.is_none() {
        return Ok(());
    }
    let path = store::beside(data, name, "lock");
    let Waited::Lock(_lock) = Lock::wait(&path, Instant::now() + Duration::from_secs(20), || Ok(None::<()>))? else {
        return Err(fail(Exit::Busy, format!("{place}: another hallpass holds `{}`", path.display())));
    };
    let (mut record, shelf) = match (load(data, name, place)?, shelf) {
        (Some(Stored { value, .. }), Some(shelf)) | (Some(Stored { value, shelf }), None) => (value, shelf),
        (None, Some(shelf)) => (Record { origin: place.origin(), ..Record::default() }, shelf),
        (None, None) => return Ok(()),
    };
    change(&mut record);
    let mark = store::beside(data, name, "sealed");
    if record.entries.is_empty() {
        store::remove(data, name, Some(&shelf.kind()))?;
        let _ = std::fs::remove_file(&mark); // a mark without a record costs a look, no more
        return Ok(());
    }
    record.generation += 1;
    if matches!(shelf.kind(), Kind::Sealed(_)) {
        std::fs::write(&mark, b"")
            .map_err(|why| fail(Exit::Store, format!("`{}` cannot be written: {why}", mark.display())))?;
    }
    shelf.save(&record, record.generation)
}

/// Without the mark that a sealed record leaves, no keychain is asked: most places have nothing kept.
fn load(data: &Path, name: &str, place: &Place) -> Result<Option<Stored<Record>>> {
    let mark = store::beside(data, name, "sealed");
    let sealed = mark
        .try_exists()
        .map_err(|why| fail(Exit::Store, format!("`{}` cannot be looked at: {why}", mark.display())))?;
    let stored: Option<Stored<Record>> = store::load(data, name, sealed, store::BACKGROUND)?;
    Ok(stored.filter(|stored| stored.value.origin == place.origin()))
}

/// What a question says of the credential it means; what it leaves out fits everything.
struct Wanted<'a> {
    path: Option<&'a str>,
    username: Option<&'a str>,
    secret: Option<&'a Secret>,
}

impl<'a> Wanted<'a> {
    fn of(place: &'a Place, request: &'a Request, secret: Option<&'a Secret>) -> Self {
        Self { path: place.path.as_deref(), username: request.username.as_deref(), secret }
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.path.is_none_or(|path| entry.path.as_deref() == Some(path))
            && self.username.is_none_or(|username| entry.username.as_deref() == Some(username))
            && self.secret.is_none_or(|secret| entry.secret == *secret)
    }
}

impl From<Entry> for Kept {
    fn from(entry: Entry) -> Self {
        Self {
            username: entry.username,
            secret: entry.secret,
            authtype: entry.authtype,
            expires_at: entry.expires_at,
            refresh_token: entry.refresh_token,
            ephemeral: false,
        }
    }
}

/// `+` and a hash: names of places do not stand in a folder listing, and no account has such a name.
fn file_name(place: &Place) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, place.origin().as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("+{hex}")
}
