//! The data key: cached by the kernel, else in the OS keychain, created once
//!
//! Losing the key loses every sealed session, so one is created only by a person's sign-in, under a lock for the
//! whole store, after the keychain said in so many words that it has none, and only while no record is sealed.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::talk::{Exit, Failure};

use super::key::{DataKey, KeyId};
use super::keychain::{self, Trouble};
use super::record::checksum;
use crate::account::StoreWish;
use crate::failure::{fail, fail_hint};
use crate::lock::{Lock, Waited};

/// How long a keychain may take when nobody is there to open it: it answers within 60 ms or not at all.
pub(crate) const BACKGROUND: Duration = Duration::from_secs(3);

/// How long when a person is signing in, who may have to type its password.
const PRESENT: Duration = Duration::from_secs(60);

/// How long a person's own command looks for the key, changes it or takes it away. Only on macOS does looking itself ask
/// the person; elsewhere this is for a daemon that waits for a busy disk.
const LOOK: Duration = if cfg!(target_os = "macos") { PRESENT } else { Duration::from_secs(10) };

/// The key for reading a sealed record.
pub(super) fn held(data: &Path, patience: Duration) -> Result<DataKey> {
    if let Some(key) = cached(data) {
        return Ok(key);
    }
    let key = read_once(patience).map_err(|trouble| match trouble {
        Trouble::Absent => fail_hint(
            Exit::Store,
            format!("the sessions in `{}` are sealed with a key that is no longer in the keychain", data.display()),
            "`hallpass logout --local --all` forgets them; then sign in again",
        ),
        trouble => explained(&trouble),
    })?;
    cache(data, &key);
    Ok(key)
}

/// A keychain that did not answer is not waited for again by the same process: `status` looks at every account.
fn read_once(patience: Duration) -> Result<DataKey, Trouble> {
    static TROUBLE: OnceLock<Trouble> = OnceLock::new();
    match TROUBLE.get() {
        Some(trouble) => Err(trouble.clone()),
        None => keychain::read(patience).inspect_err(|trouble| drop(TROUBLE.set(trouble.clone()))),
    }
}

/// The key for a new record, or `None` where there is no keychain and none is demanded.
pub(super) fn for_new(data: &Path, wish: StoreWish, sealed: &[String]) -> Result<Option<DataKey>> {
    if wish == StoreWish::File {
        return Ok(None);
    }
    let read = match keychain::read(LOOK) {
        // Somebody is here to type the keychain's password into the desktop's own dialog.
        Err(Trouble::Locked) => keychain::unlock(PRESENT).and_then(|()| keychain::read(LOOK)),
        answer => answer,
    };
    match read {
        Ok(key) => {
            cache(data, &key);
            Ok(Some(key))
        }
        Err(Trouble::Absent) => create(data, sealed).map(Some),
        Err(Trouble::NoKeychain(_)) if wish == StoreWish::Auto && sealed.is_empty() => Ok(None),
        Err(trouble) => Err(explained(&trouble)),
    }
}

/// The key, if reading it needs neither a person nor patience: for deciding whether a password can be kept sealed.
pub(super) fn at_hand(data: &Path) -> Option<DataKey> {
    cached(data).or_else(|| {
        let key = read_once(BACKGROUND).ok()?;
        cache(data, &key);
        Some(key)
    })
}

/// How the keychain is, for `doctor`.
pub(super) fn in_words(sealed: &[String]) -> Result<String> {
    match keychain::read(BACKGROUND) {
        Ok(key) => Ok(format!("the keychain holds the key {}", key.id())),
        Err(Trouble::Absent) => Ok("the keychain is open and holds no key yet".to_owned()),
        Err(Trouble::NoKeychain(why)) if sealed.is_empty() => {
            Ok(format!("no keychain ({why}): sessions are kept NOT sealed, in 0600 files"))
        }
        Err(trouble) => Err(explained(&trouble)),
    }
}

fn create(data: &Path, sealed: &[String]) -> Result<DataKey> {
    if !sealed.is_empty() {
        let what = format!(
            "the keychain has no key, but `{}` has sessions sealed with one: {}",
            data.display(),
            sealed.join(", ")
        );
        let hint = "open the keychain they belong to, or `hallpass logout --local --all` to forget them";
        return Err(fail_hint(Exit::Store, what, hint));
    }
    let _lock = hold(data)?;
    // It looks again before it writes: whoever held the lock may have been here for the same.
    let key = keychain::put(DataKey::fresh(), PRESENT).map_err(|trouble| explained(&trouble))?;
    cache(data, &key);
    Ok(key)
}

/// While this lives, no other process creates the key or takes it away.
fn hold(data: &Path) -> Result<Lock> {
    // No account's lock: `+` is in no name.
    match Lock::wait(&data.join("+key.lock"), "login", Instant::now() + PRESENT, || Ok(None::<()>))? {
        Waited::Lock(lock) => Ok(lock),
        _ => Err(fail(Exit::Busy, "another hallpass has been busy with the key for a minute")),
    }
}

/// Makes sure that the key is there until what it seals is written: while a person signed in, another sign-out may have
/// been the last one and have taken it away.
pub(super) fn keep(data: &Path, key: &DataKey) -> Result<Lock> {
    let lock = hold(data)?;
    if keychain::read(LOOK).is_err_and(|trouble| trouble == Trouble::Absent) {
        let copy = DataKey::from_item(&key.to_item()).expect("our own item can be read");
        keychain::put(copy, PRESENT).map_err(|trouble| explained(&trouble))?;
    }
    Ok(lock)
}

/// The key goes with the last record that it seals. `is_used` says whether there is one left. One that stays behind
/// opens nothing.
pub(super) fn drop_unused(data: &Path, id: &KeyId, is_used: impl Fn() -> bool) -> Result<()> {
    if is_used() {
        return Ok(());
    }
    let _lock = hold(data)?;
    if is_used() {
        return Ok(());
    }
    lock(data);
    Ok(keychain::remove(id.clone(), LOOK)?)
}

fn explained(trouble: &Trouble) -> anyhow::Error {
    let hint = match trouble {
        Trouble::Locked => "unlock it and try again",
        Trouble::Absent => "`hallpass login` creates it",
        Trouble::NoKeychain(_) => "sign in to the desktop, or `HALLPASS_STORE=file` to keep sessions in 0600 files",
        Trouble::TimedOut | Trouble::Denied(_) | Trouble::Broken(_) => {
            "try again, or `HALLPASS_STORE=file hallpass login` to keep sessions in 0600 files"
        }
    };
    Failure::new(Exit::Store, trouble.to_string()).hint(hint).into()
}

/// The kernel's cache is per user; the folder's name keeps two stores of one user apart.
#[cfg(target_os = "linux")]
fn cache_name(data: &Path) -> String {
    format!("hallpass:{:016x}", checksum(data.as_os_str().as_encoded_bytes()))
}

#[cfg(target_os = "linux")]
fn cached(data: &Path) -> Option<DataKey> {
    super::kernel_cache::get(&cache_name(data))
}

#[cfg(target_os = "linux")]
fn cache(data: &Path, key: &DataKey) {
    super::kernel_cache::put(&cache_name(data), key);
}

/// Drops the cached key: sealed sessions need the keychain again.
#[cfg(target_os = "linux")]
pub(crate) fn lock(data: &Path) {
    super::kernel_cache::forget(&cache_name(data));
}

/// macOS and Windows have no such cache: a sealed hit there is one keychain read.
#[cfg(not(target_os = "linux"))]
fn cached(_: &Path) -> Option<DataKey> {
    None
}

#[cfg(not(target_os = "linux"))]
fn cache(_: &Path, _: &DataKey) {
    let _ = checksum;
}

/// Nothing is cached here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lock(_: &Path) {}
