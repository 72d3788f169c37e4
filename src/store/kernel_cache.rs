//! Keeps the data key in the kernel's user keyring, so that a hit on Linux needs no D-Bus
//!
//! Every error means "not cached" and is silent: a container without keyctl, a full quota and a user namespace of its
//! own are ordinary, and the keychain is still there. A hit is three system calls, and nothing here starts a thread.
//!
//! The key is readable by its possessor only, never by "the user". Whoever has `@u` (the user's keyring) among its
//! own keyrings possesses what is in it; a session without that link (systemd's `KeyringMode=private`, some sudo and
//! cron set-ups) gets EACCES and has to link `@u` into its process keyring first, which ends with the process.

use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

use super::key::{DataKey, ITEM_BYTES};

/// A working day with its evening: nobody waits for D-Bus twice a day, and a machine left alone forgets over night.
/// While the key is cached, locking the keychain does not lock hallpass; nothing but this and `forget` ends it
/// before a reboot, for the user's keyring outlives the user's last process.
const LIFETIME_SECONDS: usize = 12 * 60 * 60;

/// The cached key, if there is one.
pub(super) fn get(name: &str) -> Option<DataKey> {
    let user = user_keyring().ok()?;
    match read(user, name) {
        Err(KeyError::AccessDenied) => {
            possess(user).ok()?;
            read(user, name).ok()?
        }
        other => other.ok()?,
    }
}

/// Caches the key, or not: the caller goes on either way.
pub(super) fn put(name: &str, key: &DataKey) {
    let _ = try_put(name, key);
}

/// Drops the cached key at once, for all processes.
pub(super) fn forget(name: &str) {
    let _ = try_forget(name);
}

fn try_put(name: &str, key: &DataKey) -> Result<(), KeyError> {
    let user = user_keyring()?;
    // first, since without possession add_key works but the two calls after it do not
    possess(user)?;
    let cached = user.add_key(name, &*key.to_item())?;
    // adding a key a second time updates it and clears its timeout: always set both again
    let bounded = cached
        .set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).build())
        .and_then(|()| cached.set_timeout(LIFETIME_SECONDS));
    if bounded.is_err() {
        // better no cached key than one that stays until the reboot
        cached.invalidate()?;
    }
    bounded
}

fn try_forget(name: &str) -> Result<(), KeyError> {
    let user = user_keyring()?;
    // a failure here decides nothing: most sessions possess the keyring anyway
    let _ = possess(user);
    user.search(name)?.invalidate()
}

/// `Ok(None)`: there is such a key, but it is none of ours.
fn read(user: KeyRing, name: &str) -> Result<Option<DataKey>, KeyError> {
    let found: Key = user.search(name)?;
    let mut item = Zeroizing::new([0; ITEM_BYTES]);
    // the kernel answers with the true length, also when it is more than the buffer
    let length = found.read(&mut item)?;
    Ok(if length == item.len() { DataKey::from_item(&*item) } else { None })
}

fn user_keyring() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, false)
}

fn possess(user: KeyRing) -> Result<(), KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::Process, true)?.link_keyring(user)
}
