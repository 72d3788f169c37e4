//! Reads, creates and removes the one item that hallpass keeps in the keychain of the operating system
//!
//! The item holds the data key. To lose it is to lose every sealed session, so the care here goes into one word:
//! `Absent`. A Secret Service that is locked or has no collection answers "no entry" too, and a key created on that
//! word would replace the one that all records are sealed with. On Linux and the BSDs each call therefore looks first
//! (is the item there, is it unlocked; if not there, is the collection usable), in a way that opens no dialog.
//!
//! Any of this may hang for as long as a daemon likes. The work is done by a thread of its own, and the caller goes
//! on when its patience ends; a thread that is late still may read, but no longer write.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::key::{DataKey, KeyId};

const SERVICE: &str = "hallpass";
const USER: &str = "data-key";

/// Why there is no key. Only [`Absent`](Trouble::Absent) allows to create one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The keychain is usable and has no such item. Proven, not guessed: the caller may create one.
    Absent,
    /// The keychain is there and shut, and nobody was asked to open it. It may hold the key: create nothing, say how
    /// to unlock it.
    #[cfg_attr(windows, allow(dead_code, reason = "nothing is locked there"))]
    Locked,
    /// This machine or session has no keychain to speak of (no bus, no service, no collection). The caller may keep
    /// its records unsealed if it has no sealed ones.
    NoKeychain(String),
    /// No answer within the caller's patience. Nothing is known: it may hold the key, and a write may yet have happened.
    TimedOut,
    /// The keychain refused us, or a person did. To try again without a person is pointless.
    #[cfg_attr(windows, allow(dead_code, reason = "its library does not tell this from other failures"))]
    Denied(String),
    /// The keychain answered with something that is not ours or makes no sense. The item, if any, is left as it is.
    Broken(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "the keychain holds no key for hallpass"),
            Self::Locked => write!(f, "the keychain is locked"),
            Self::NoKeychain(why) => write!(f, "there is no keychain: {why}"),
            Self::TimedOut => write!(f, "the keychain did not answer in time"),
            Self::Denied(why) => write!(f, "the keychain refused: {why}"),
            Self::Broken(why) => write!(f, "the keychain is of no use: {why}"),
        }
    }
}

impl std::error::Error for Trouble {}

/// How long a slice of patience is.
const SLICE: Duration = Duration::from_millis(100);

/// The key, without a dialog on Linux and the BSDs. (macOS may ask whether this program is allowed to read it.)
pub(crate) fn read(patience: Duration) -> Result<DataKey, Trouble> {
    within(patience, |wanted| wanted.again(read_now))
}

/// Writes a key and reads it back. For a caller that saw [`Trouble::Absent`] and holds the store-wide lock.
///
/// It looks again before it writes and never overwrites: if a key has appeared since, that one is the answer.
pub(crate) fn put(key: DataKey, patience: Duration) -> Result<DataKey, Trouble> {
    let write = move |wanted: &Wanted| {
        match read_now() {
            Err(Trouble::Absent) => {}
            found_or_failed => return found_or_failed,
        }
        let entry = entry()?;
        wanted.still()?;
        entry.set_secret(&key.to_item()).map_err(trouble)?;
        match read_now() {
            Ok(kept) if kept.id() == key.id() && kept.bytes() == key.bytes() => Ok(kept),
            Ok(_) | Err(Trouble::Absent) => Err(Trouble::Broken("it did not keep the key that was written".into())),
            Err(failed) => Err(failed),
        }
    };
    within(patience, move |wanted| wanted.again(|| write(wanted)))
}

/// Takes this key away, and no other.
pub(crate) fn remove(id: KeyId, patience: Duration) -> Result<(), Trouble> {
    let take = move |wanted: &Wanted| match read_now() {
        Ok(key) if *key.id() == id => {
            let entry = entry()?;
            wanted.still()?;
            entry.delete_credential().map_err(trouble)
        }
        Ok(_) | Err(Trouble::Absent) => Ok(()),
        Err(failed) => Err(failed),
    };
    within(patience, move |wanted| wanted.again(|| take(wanted)))
}

/// Asks the person to unlock the keychain, by the desktop's own dialog: for a sign-in, never for a background caller.
pub(crate) fn unlock(patience: Duration) -> Result<(), Trouble> {
    within(patience, |_| platform::unlock())
}

fn read_now() -> Result<DataKey, Trouble> {
    if !platform::holds_item()? {
        return Err(Trouble::Absent);
    }
    let item = Zeroizing::new(entry()?.get_secret().map_err(trouble)?);
    DataKey::from_item(&item).ok_or_else(|| {
        Trouble::Broken(format!("its item `{USER}` of `{SERVICE}` is not a key that this hallpass can read"))
    })
}

fn entry() -> Result<Entry, Trouble> {
    let store = platform::Store::new().map_err(trouble)?;
    store.build(SERVICE, USER, Some(&HashMap::from_iter(platform::MODIFIERS.iter().copied()))).map_err(trouble)
}

/// Whether somebody still waits for the answer.
#[derive(Clone)]
struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// A caller that has been told `TimedOut` may already be doing something else: nothing may change behind its back.
    fn still(&self) -> Result<(), Trouble> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err(Trouble::TimedOut) }
    }

    /// A Secret Service's client library gives each call 2 s. A daemon that waits for a disk may need more, and the
    /// caller's patience is what counts.
    fn again<T>(&self, work: impl Fn() -> Result<T, Trouble>) -> Result<T, Trouble> {
        loop {
            match work() {
                Err(Trouble::TimedOut) => self.still()?,
                answer => return answer,
            }
            thread::sleep(SLICE);
        }
    }
}

fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&Wanted) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    platform::in_reach()?;
    let wanted = Wanted(Arc::new(AtomicBool::new(true)));
    let (sender, answer) = sync_channel(1);
    let asking = wanted.clone();
    thread::Builder::new()
        .name("keychain".into())
        // an answer that nobody waits for any more is dropped, and so wiped
        .spawn(move || drop(sender.send(work(&asking))))
        .map_err(|e| Trouble::Broken(format!("no thread to ask it ({e})")))?;
    let mut left = patience;
    // In slices: of a time in which the whole machine stood still, only one is gone.
    while !left.is_zero() {
        let slice = left.min(SLICE);
        match answer.recv_timeout(slice) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) => left -= slice,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Trouble::Broken("its client library failed".into()));
            }
        }
    }
    wanted.0.store(false, Ordering::SeqCst);
    Err(Trouble::TimedOut)
}

/// Only fixed words and the platform's own: the errors that carry the item's bytes are not printed.
fn trouble(error: Error) -> Trouble {
    match error {
        Error::NoEntry => Trouble::Absent,
        Error::NoStorageAccess(cause) => {
            platform::explain(&*cause).unwrap_or_else(|| Trouble::NoKeychain(in_our_voice(cause)))
        }
        Error::PlatformFailure(cause) => {
            platform::explain(&*cause).unwrap_or_else(|| Trouble::Broken(in_our_voice(cause)))
        }
        _ => Trouble::Broken("its client library refused the call".into()),
    }
}

/// Somebody else's words in our voice: one line, lower case, no full stop.
fn in_our_voice(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    match line.split_at_checked(1) {
        // not the first letter of a name such as `DBus`
        Some((first, rest)) if rest.starts_with(|c: char| !c.is_uppercase()) => first.to_ascii_lowercase() + rest,
        _ => line.to_owned(),
    }
}

/// The Secret Service of Linux and the BSDs (GNOME Keyring, KWallet, KeePassXC).
#[cfg(all(unix, not(target_vendor = "apple")))]
mod platform {
    use std::collections::HashMap;
    use std::env::var_os;
    use std::fs::metadata;
    use std::os::unix::fs::FileTypeExt;
    use std::path::Path;

    use dbus_secret_service::{EncryptionType, Error, SecretService};
    pub(crate) use dbus_secret_service_keyring_store::Store;

    use super::{SERVICE, Trouble, USER, in_our_voice};

    /// What the desktop's own keychain program shows.
    pub(crate) const MODIFIERS: &[(&str, &str)] = &[("label", "hallpass data key")];

    /// libdbus looks in these two places and, built as it is here, launches nothing. Without either there is no use
    /// in starting a thread.
    pub(crate) fn in_reach() -> Result<(), Trouble> {
        let is_set = |name| var_os(name).filter(|value| !value.is_empty());
        let is_socket = |path: &Path| metadata(path).is_ok_and(|found| found.file_type().is_socket());
        let reachable = is_set("DBUS_SESSION_BUS_ADDRESS").is_some()
            || is_set("XDG_RUNTIME_DIR").is_some_and(|dir| is_socket(&Path::new(&dir).join("bus")));
        if reachable { Ok(()) } else { Err(Trouble::NoKeychain("no D-Bus session".into())) }
    }

    /// Whether the store can read the item without a dialog; `false` only if the collection where it would be is
    /// there and unlocked.
    ///
    /// The store itself would open the desktop's unlock dialog at its first search, and wait a year for it. This
    /// client is the one beneath it, told not to prompt; it needs no encryption, since it reads no secret.
    pub(crate) fn holds_item() -> Result<bool, Trouble> {
        let look = || {
            let service = SecretService::connect_with_max_prompt_timeout(EncryptionType::Plain, 0)?;
            let found = service.search_items(HashMap::from([("service", SERVICE), ("username", USER)]))?;
            let (open, shut) = (found.unlocked.len(), found.locked.len());
            // a locked service may hide its items: that none was found counts only with the collection's word
            let locked = if open + shut > 0 { shut > 0 } else { service.get_default_collection()?.is_locked()? };
            Ok((open + shut, locked))
        };
        match look().map_err(|error| known(&error))? {
            (count @ 2.., _) => Err(Trouble::Broken(format!(
                "it holds {count} items `{USER}` of `{SERVICE}`; delete all but the right one"
            ))),
            (_, true) => Err(Trouble::Locked),
            (count, false) => Ok(count == 1),
        }
    }

    /// The client library counts events for seconds, so its own limit would end early; the caller's deadline holds.
    pub(crate) fn unlock() -> Result<(), Trouble> {
        let open = || {
            let service = SecretService::connect(EncryptionType::Plain)?;
            let collection = service.get_default_collection()?;
            collection.unlock()?;
            // the answer to the dialog is one thing, the state of the lock is another
            if collection.is_locked()? { Err(Error::Locked) } else { Ok(()) }
        };
        open().map_err(|error| known(&error))
    }

    pub(crate) fn explain(cause: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
        cause.downcast_ref().map(known)
    }

    fn known(error: &Error) -> Trouble {
        match error {
            Error::Locked | Error::Prompt => Trouble::Locked,
            Error::NoResult => Trouble::NoKeychain("the secret service has no default collection".into()),
            Error::Unavailable => Trouble::NoKeychain("no secret service".into()),
            Error::Dbus(answer) => {
                by_name(answer.name().unwrap_or_default(), in_our_voice(answer.message().unwrap_or("no message")))
            }
            _ => Trouble::Broken("the secret service's answer cannot be read".into()),
        }
    }

    /// <https://dbus.freedesktop.org/doc/api/html/group__DBusProtocol.html> and the Secret Service specification.
    fn by_name(name: &str, message: String) -> Trouble {
        match name.rsplit_once('.').map_or(name, |(_, last)| last) {
            "IsLocked" => Trouble::Locked,
            "NoReply" | "Timeout" | "TimedOut" => Trouble::TimedOut,
            "AccessDenied" | "AuthFailed" => Trouble::Denied(message),
            "UnknownObject" | "NoSuchObject" | "UnknownMethod" | "UnknownInterface" => {
                Trouble::NoKeychain(format!("the secret service has no default collection ({message})"))
            }
            "ServiceUnknown" | "NameHasNoOwner" | "NoServer" | "NotSupported" | "FileNotFound" | "BadAddress"
            | "NoNetwork" => Trouble::NoKeychain(message),
            _ if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => Trouble::NoKeychain(message),
            _ => Trouble::Broken(message),
        }
    }
}

/// The login keychain of macOS and the Credential Manager of Windows, whose "not found" is true: the index of a locked
/// keychain is readable, and the Credential Manager is open while its user is logged in.
#[cfg(any(target_vendor = "apple", windows))]
mod platform {
    #[cfg(target_vendor = "apple")]
    pub(crate) use apple_native_keyring_store::keychain::Store;
    #[cfg(windows)]
    pub(crate) use windows_native_keyring_store::Store;

    use super::Trouble;

    /// On Windows the default would roam with the domain's profile; the records do not.
    pub(crate) const MODIFIERS: &[(&str, &str)] = if cfg!(windows) { &[("persistence", "Local")] } else { &[] };

    pub(crate) fn in_reach() -> Result<(), Trouble> {
        Ok(())
    }

    pub(crate) fn holds_item() -> Result<bool, Trouble> {
        Ok(true) // the read itself tells
    }

    /// macOS asks by itself at the read.
    pub(crate) fn unlock() -> Result<(), Trouble> {
        Ok(())
    }

    /// The library for Windows keeps its codes to itself.
    #[cfg(windows)]
    pub(crate) fn explain(_: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
        None
    }

    /// The codes are those of `SecBase.h`.
    #[cfg(target_vendor = "apple")]
    pub(crate) fn explain(cause: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
        let error: &security_framework::base::Error = cause.downcast_ref()?;
        match error.code() {
            -25308 | -25315 => Some(Trouble::Locked), // interaction not allowed (ssh), interaction required
            -25307 => Some(Trouble::NoKeychain("no default keychain".into())),
            // cancelled, wrong password, read only, not the owner, no write permission
            -128 | -25293 | -25292 | -25244 | -61 => Some(Trouble::Denied(super::in_our_voice(error))),
            _ => None,
        }
    }
}
