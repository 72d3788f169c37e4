//! One sign-in at a time: whoever waits shares its outcome, success and failure
//!
//! `ID.signin` is locked for the minutes a person takes and holds, once it is over, how it ended. It is never held
//! together with the wait for a refresh, so that a person thinking blocks no live session. A leader that was killed
//! leaves no outcome, and the next one in line leads.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use serde::{Deserialize, Serialize};

use crate::account::{Account, Client, StoreWish};
use crate::clock::now;
use crate::failure::{self, Unanswered, Words, fail, fail_hint};
use crate::lock::{self, HOLDER_BYTES, Lock, Waited};
use crate::login::{self, Wishes};
use crate::paths::Paths;
use crate::store::{self, Kind, Shelf, Stored};
use crate::token::{How, Purpose, Session};
use crate::{routes, terminal};

/// After a page that was opened and not answered, no tool opens another for this long: an editor that fetches every
/// few minutes would fill the screen with tabs over night. `hallpass login` does not mind.
const COOL_DOWN: Duration = Duration::from_secs(600);

/// How a sign-in ended, for those who waited.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    /// Tells one sign-in from the one before.
    id: String,
    /// `None` while it goes on.
    failed: Option<Words>,
    /// What the token was to be for: without a person, one is asked for at a time.
    #[serde(default)]
    purpose: Purpose,
}

/// Signs in because a tool needs a token; `met` says whether a session that another process brought will do.
pub(crate) fn lazily(
    paths: &Paths,
    account: &Account,
    client: &Client,
    wishes: &Wishes,
    command: &str,
    met: impl Fn(&Session) -> bool,
) -> Result<Session> {
    let name = &account.name;
    let mark = store::beside(&paths.data, name, "mark");
    let path = store::beside(&paths.data, name, "signin");
    // One that had ended before we came is not ours to share.
    let before = read(&path).filter(|outcome| outcome.failed.is_some()).map(|outcome| outcome.id);
    let until = Instant::now() + Duration::from_secs(client.timeout);
    let waited = Lock::wait(&path, command, until, || {
        let session = newest(paths, name)?;
        Ok(session.filter(|session| met(session)))
    })?;
    let mut lock = match waited {
        Waited::Lock(lock) => lock,
        Waited::Answer(session) => return Ok(session),
        Waited::TooLong => {
            let what = format!("account `{name}`: no sign-in within {} s: {}", client.timeout, lock::holder(&path));
            return Err(fail_hint(Exit::Busy, what, format!("`hallpass login {name}`")));
        }
    };
    if let Some(session) = newest(paths, name)?.filter(|session| met(session)) {
        return Ok(session);
    }
    // Ended while we waited: its words are ours.
    let ended = read(&path).filter(|outcome| Some(&outcome.id) != before.as_ref() && outcome.purpose == wishes.purpose);
    if let Some(words) = ended.and_then(|outcome| outcome.failed) {
        return Err(words.into_failure().into());
    }
    if let Some(left) = cooling(&mark) {
        let what =
            format!("account `{name}`: a sign-in page was opened and not answered; no other is opened for {left} s");
        return Err(fail_hint(Exit::SignIn, what, format!("`hallpass login {name}`")));
    }
    let attended = !client.is_unattended();
    let outcome = lead(paths, account, client, wishes, attended, &mut lock, now());
    if outcome.as_ref().is_err_and(|why| why.is::<Unanswered>()) {
        let _ = store::write_small(&mark, b""); // without it the next tool opens a page: a nuisance, no loss
    }
    let (session, kind) = outcome?;
    if kind == Kind::Plain && attended {
        terminal::say(&format!("account `{name}`: the session is kept {}", store::in_words(&paths.data, name, &kind)));
    }
    Ok(session)
}

/// Signs in because a person said so; an older session stays until the new one is saved.
pub(crate) fn by_person(
    paths: &Paths,
    account: &Account,
    client: &Client,
    wishes: &Wishes,
    now: u64,
) -> Result<(Session, Kind)> {
    let name = &account.name;
    store::make_folder(&paths.data)?;
    let path = store::beside(&paths.data, name, "signin");
    let until = Instant::now() + Duration::from_secs(client.timeout);
    let mut told = false;
    let waited = Lock::wait(&path, "login", until, || {
        if !told {
            let holder = lock::holder(&path);
            terminal::say(&format!("another sign-in to account `{name}` is going on; waiting for it to end: {holder}"));
            told = true;
        }
        Ok(None::<()>)
    })?;
    let Waited::Lock(mut lock) = waited else {
        let what = format!("account `{name}`: another sign-in goes on: {}", lock::holder(&path));
        return Err(fail_hint(Exit::Busy, what, "end it (Ctrl-C in its terminal) and try again"));
    };
    let kept = lead(paths, account, client, wishes, true, &mut lock, now)?;
    let _ = std::fs::remove_file(store::beside(&paths.data, name, "mark")); // tools may ask again
    Ok(kept)
}

/// The sign-in itself, its save, and its outcome for those who wait.
fn lead(
    paths: &Paths,
    account: &Account,
    client: &Client,
    wishes: &Wishes,
    attended: bool,
    lock: &mut Lock,
    now: u64,
) -> Result<(Session, Kind)> {
    let id = login::fresh_id();
    let began = write(lock, &Outcome { id: id.clone(), failed: None, purpose: wishes.purpose.clone() });
    began
        .map_err(|why| fail(Exit::Store, format!("account `{}`: the store cannot be written: {why}", account.name)))?;
    // The key first: a session that cannot be kept must not be begun.
    let ended = shelf(paths, account, attended)
        .and_then(|shelf| Ok((login::sign_in(&account.name, client, wishes, now)?, shelf)))
        .and_then(|(signed_in, shelf)| {
            let mut session = signed_in.session.clone();
            match save(paths, account, &shelf, &mut session) {
                Ok(()) => {
                    signed_in.saved();
                    Ok((session, shelf.kind()))
                }
                Err(why) => {
                    signed_in.lost();
                    Err(why)
                }
            }
        });
    if let Err(why) = &ended {
        let failure = failure::of(why);
        let outcome = Outcome { id, failed: Some(Words::from(&failure)), purpose: wishes.purpose.clone() };
        let _ = write(lock, &outcome); // else the next in line leads
    }
    ended
}

/// Where the session will stand. Without a person nobody can open the keychain or be told of a new key.
fn shelf(paths: &Paths, account: &Account, attended: bool) -> Result<Shelf> {
    let wish = wish(account)?;
    if attended {
        return Shelf::for_new(&paths.data, &account.name, wish);
    }
    let shelf = Shelf::for_kept(&paths.data, &account.name, wish)?;
    match wish == StoreWish::Keychain && !shelf.is_sealed() {
        true => {
            let what = format!("account `{}`: the keychain is not open, and it is to be kept there", account.name);
            Err(fail_hint(Exit::Store, what, format!("`hallpass login {}`", account.name)))
        }
        false => Ok(shelf),
    }
}

fn save(paths: &Paths, account: &Account, shelf: &Shelf, session: &mut Session) -> Result<()> {
    let name = &account.name;
    let path = store::beside(&paths.data, name, "lock");
    let until = Instant::now() + Duration::from_secs(45);
    let Waited::Lock(_lock) = Lock::wait(&path, "login", until, || Ok(None::<()>))? else {
        let what = format!("account `{name}`: the new session could not be saved: {}", lock::holder(&path));
        return Err(fail(Exit::Busy, what));
    };
    // A damaged or refused old record does not stop a person from making a new one.
    let old = [false, true]
        .into_iter()
        .find_map(|sealed| store::load::<Session>(&paths.data, name, sealed, store::BACKGROUND).ok().flatten());
    let _key = shelf.hold_key()?;
    // Above all that were ever here, or the new session would pass for one out of a backup.
    session.generation = old.as_ref().map_or(0, |old| old.value.generation).max(shelf.seen()).saturating_add(1);
    if let Some(old) = old {
        keep_siblings(session, old.value);
    }
    shelf.save(session, session.generation)?;
    routes::forget(paths);
    Ok(())
}

/// Without a person a token is had for one purpose at a time: those for the others stay, if they are of the same client.
fn keep_siblings(session: &mut Session, old: Session) {
    let terms = |session: &Session| {
        let Session { issuer, token_endpoint, client_id, serves, api_url, tenant, .. } = session;
        [format!("{issuer} {token_endpoint} {client_id} {api_url:?} {tenant:?}"), serves.join(" ")]
    };
    if session.dpop_key.is_some()
        || session.how != How::Machine
        || old.how != How::Machine
        || terms(session) != terms(&old)
    {
        return;
    }
    for token in old.tokens.into_iter().filter(|token| token.is_usable(now())) {
        if !session.tokens.iter().any(|new| new.replaces(&token)) {
            session.tokens.push(token);
        }
    }
}

/// `HALLPASS_STORE`, else the account's own.
pub(crate) fn wish(account: &Account) -> Result<StoreWish> {
    match crate::paths::set("HALLPASS_STORE").as_deref() {
        None => Ok(account.store),
        Some("file") => Ok(StoreWish::File),
        Some("keychain") => Ok(StoreWish::Keychain),
        Some(_) => Err(fail(Exit::Usage, "HALLPASS_STORE is neither `file` nor `keychain`")),
    }
}

/// The session as it is on disk now, whatever the routes said when we began.
fn newest(paths: &Paths, name: &str) -> Result<Option<Session>> {
    let sealed = store::sealed_names(&paths.data)?.iter().any(|sealed| sealed == name);
    let stored: Option<Stored<Session>> = store::load(&paths.data, name, sealed, store::BACKGROUND)?;
    Ok(stored.map(|stored| stored.value))
}

/// Seconds until a tool may open a page again.
fn cooling(mark: &Path) -> Option<u64> {
    let modified = std::fs::metadata(mark).ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(modified).ok()?;
    COOL_DOWN.checked_sub(age).map(|left| left.as_secs()).filter(|left| *left > 0)
}

fn read(path: &Path) -> Option<Outcome> {
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(64 << 10).read_to_end(&mut text).ok()?;
    serde_json::from_slice(text.get(HOLDER_BYTES..)?).ok()
}

fn write(lock: &Lock, outcome: &Outcome) -> std::io::Result<()> {
    let mut file = lock.file();
    file.set_len(HOLDER_BYTES as u64)?;
    file.seek(SeekFrom::Start(HOLDER_BYTES as u64))?;
    file.write_all(&serde_json::to_vec(outcome)?)
}
