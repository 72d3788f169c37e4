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
use crate::lock::{self, Lock, Waited};
use crate::paths::{Paths, set};
use crate::store::{self, Kind, Shelf, Stored};
use crate::whereabouts::is_ci;

/// More for one host is not a person's; the oldest goes.
const MAX_ENTRIES: usize = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    generation: u64,
    /// The place, to be compared: the file's name is only its hash. The door's name stands before it, unless it is git.
    origin: String,
    /// The newest first.
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: Option<String>,
    pub(crate) username: Option<String>,
    #[serde(with = "exposed")]
    pub(crate) secret: Secret,
    pub(crate) authtype: Option<String>,
    /// Seconds since the epoch, of what was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) obtained_at: Option<u64>,
    /// Seconds since the epoch.
    pub(crate) expires_at: Option<u64>,
    #[serde(default, with = "exposed_option")]
    pub(crate) refresh_token: Option<Secret>,
}

/// What is kept of one place for one door.
#[derive(Clone, Copy)]
pub(crate) struct Drawer<'a> {
    pub(crate) data: &'a Path,
    /// The file's name.
    pub(crate) name: &'a str,
    pub(crate) origin: &'a str,
}

/// Answers for a place that no account serves.
pub(crate) fn answer(paths: &Paths, place: &Place, request: &Request) -> Result<Reply> {
    let origin = origin(place, request.drawer);
    let name = file_name(&origin);
    let drawer = Drawer { data: &paths.data, name: &name, origin: &origin };
    match &request.verb {
        Verb::Get => {
            let stored = load(drawer)?;
            let wanted = Wanted::of(place, request, None);
            let found = stored.and_then(|stored| {
                let mut fitting = stored.value.entries.into_iter().filter(|entry| wanted.fits(entry));
                fitting.find(|entry| entry.expires_at.is_none_or(|expires_at| expires_at > now()))
            });
            Ok(found.map_or(Reply::Missing(None), |entry| Reply::Kept(Box::new(entry.into()))))
        }
        Verb::Store(kept) => Ok(match store(paths, drawer, place, request, kept)? {
            None => Reply::Done,
            Some(why) => Reply::Unsupported(format!("{place}: not kept: {why}")),
        }),
        Verb::Erase(secret) => {
            let wanted = Wanted::of(place, request, secret.as_ref());
            change(drawer, None, |record| record.entries.retain(|entry| !wanted.fits(entry))).map(|()| Reply::Done)
        }
        Verb::Whose => Ok(Reply::Missing(None)),
        Verb::List | Verb::SignOut => Ok(Reply::Done),
    }
}

/// The places for which something is kept for this door, with the user names.
pub(crate) fn names(paths: &Paths, drawer: &str) -> Result<Vec<(Place, String)>> {
    let mut names = Vec::new();
    for file in store::records(&paths.data)?.iter().filter(|file| file.name.starts_with('+')) {
        // One that cannot be read now names nothing; the others do.
        let stored = store::load::<Record>(&paths.data, &file.name, file.sealed, store::BACKGROUND).ok().flatten();
        let Some(Record { origin: kept, entries, .. }) = stored.map(|stored| stored.value) else { continue };
        let Some(Ok(place)) = kept.strip_prefix(drawer).map(|url| Place::from_url(url.trim_start())) else { continue };
        if origin(&place, drawer) == kept {
            let of = |entry: Entry| Some((Place { path: entry.path, ..place.clone() }, entry.username?));
            names.extend(entries.into_iter().filter_map(of));
        }
    }
    Ok(names)
}

/// `https://h.example:443` for git; `docker https://h.example:443` for others.
fn origin(place: &Place, drawer: &str) -> String {
    format!("{drawer} {}", place.origin()).trim_start().to_owned()
}

/// `None` when it is kept, else why not.
fn store(
    paths: &Paths,
    drawer: Drawer<'_>,
    place: &Place,
    request: &Request,
    kept: &Kept,
) -> Result<Option<&'static str>> {
    let over = kept.expires_at.is_some_and(|expires_at| expires_at <= now());
    if kept.ephemeral || over {
        return Ok(Some("it is not meant to be, or has expired"));
    }
    let entry = Entry {
        path: place.path.clone(),
        username: request.username.clone(),
        secret: kept.secret.clone(),
        authtype: kept.authtype.clone(),
        obtained_at: None,
        expires_at: kept.expires_at,
        refresh_token: kept.refresh_token.clone(),
    };
    let wish = match set("HALLPASS_STORE").as_deref() {
        Some("file") => StoreWish::File,
        _ => StoreWish::Auto,
    };
    if is_kept(drawer, &entry, wish) {
        return Ok(None);
    }
    const ALWAYS: &str =
        "there is no keychain to seal it with; `keep = \"always\"` in the configuration keeps it in a file";
    let keep = config::load(paths)?.keep;
    if keep == Keep::Never {
        return Ok(Some("the configuration says `keep = \"never\"`"));
    }
    if keep == Keep::Sealed && (is_ci() || !place.may_carry_a_token()) {
        return Ok(Some("not in CI, and not for http:// off this machine"));
    }
    if keep == Keep::Sealed && wish == StoreWish::File {
        return Ok(Some(ALWAYS));
    }
    let shelf = Shelf::for_kept(drawer.data, drawer.name, wish)?;
    if keep == Keep::Sealed && shelf.kind() == Kind::Plain {
        return Ok(Some(ALWAYS));
    }
    change(drawer, Some(shelf), |record| {
        record.entries.retain(|old| (&old.path, &old.username) != (&entry.path, &entry.username));
        record.entries.insert(0, entry);
        record.entries.truncate(MAX_ENTRIES);
    })?;
    Ok(None)
}

/// Whether it is there already, as the newest and where it would be put: git brings what it was given back after each
/// command, and then neither the configuration nor the disk need be waited for.
fn is_kept(drawer: Drawer<'_>, entry: &Entry, wish: StoreWish) -> bool {
    let Ok(Some(stored)) = load(drawer) else { return false };
    let as_now =
        || Shelf::for_kept(drawer.data, drawer.name, wish).is_ok_and(|shelf| shelf.kind() == stored.shelf.kind());
    stored.value.entries.first() == Some(entry) && as_now()
}

/// Changes the record of a place under its lock; without a shelf only one that is there.
pub(crate) fn change(drawer: Drawer<'_>, shelf: Option<Shelf>, change: impl FnOnce(&mut Record)) -> Result<()> {
    let Drawer { data, name, origin } = drawer;
    if shelf.is_none() && load(drawer)?.is_none() {
        return Ok(());
    }
    let path = store::beside(data, name, "lock");
    let until = Instant::now() + Duration::from_secs(20);
    let Waited::Lock(_lock) = Lock::wait(&path, "store", until, || Ok(None::<()>))? else {
        return Err(fail(Exit::Busy, format!("{origin}: {}", lock::holder(&path))));
    };
    let (mut record, shelf) = match (load(drawer)?, shelf) {
        (Some(Stored { value, .. }), Some(shelf)) | (Some(Stored { value, shelf }), None) => (value, shelf),
        (None, Some(shelf)) => (Record { origin: origin.to_owned(), ..Record::default() }, shelf),
        (None, None) => return Ok(()),
    };
    change(&mut record);
    let mark = store::beside(data, name, "sealed");
    let was_sealed = mark.try_exists().unwrap_or(true);
    let shelf = if was_sealed { shelf } else { shelf.alone() };
    if record.entries.is_empty() {
        store::remove(data, name, Some(&shelf.kind()))?;
        let _ = std::fs::remove_file(&mark); // a mark without a record costs a look, no more
        return Ok(());
    }
    record.generation += 1;
    let is_sealed = matches!(shelf.kind(), Kind::Sealed(_));
    if is_sealed {
        store::write_small(&mark, b"")
            .map_err(|why| fail(Exit::Store, format!("`{}` cannot be written: {why}", mark.display())))?;
    }
    shelf.save(&record, record.generation)?;
    if was_sealed && !is_sealed {
        let _ = std::fs::remove_file(&mark); // with it the unsealed record would not be believed
    }
    Ok(())
}

/// Without the mark that a sealed record leaves, no keychain is asked: most places have nothing kept.
pub(crate) fn load(Drawer { data, name, origin }: Drawer<'_>) -> Result<Option<Stored<Record>>> {
    let mark = store::beside(data, name, "sealed");
    let sealed = mark
        .try_exists()
        .map_err(|why| fail(Exit::Store, format!("`{}` cannot be looked at: {why}", mark.display())))?;
    let stored: Option<Stored<Record>> = store::load(data, name, sealed, store::BACKGROUND)?;
    Ok(stored.filter(|stored| stored.value.origin == origin))
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
pub(crate) fn file_name(origin: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, origin.as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("+{hex}")
}
