//! One sign-in at a time: whoever waits shares its outcome, success and failure
//!
//! `ID.signin` is locked for the minutes a person takes and holds, once it is over, how it ended. It is never held
//! together with the wait for a refresh, so that a person thinking blocks no live session. A leader that was killed
//! leaves no outcome, and the next one in line leads.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hallpass_protocol::talk::{Exit, Failure};
use serde::{Deserialize, Serialize};

use crate::account::{Account, Client};
use crate::failure::{self, Unanswered, fail, fail_hint};
use crate::lock::{Lock, Waited};
use crate::login::{self, Wishes};
use crate::paths::Paths;
use crate::store::{self, Kind, Shelf, Stored};
use crate::token::Session;
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
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Words {
    exit: u8,
    what: String,
    hint: Option<String>,
}

/// Signs in because a tool needs a token; `met` says whether a session that another process brought will do.
pub(crate) fn lazily(
    paths: &Paths,
    account: &Account,
    client: &Client,
    now: u64,
    met: impl Fn(&Session) -> bool,
) -> Result<Session> {
    let name = &account.name;
    let mark = store::beside(&paths.data, name, "mark");
    let path = store::beside(&paths.data, name, "signin");
    // One that had ended before we came is not ours to share.
    let before = read(&path).filter(|outcome| outcome.failed.is_some()).map(|outcome| outcome.id);
    let until = Instant::now() + Duration::from_secs(client.timeout);
    let waited = Lock::wait(&path, until, || {
        let session = newest(paths, name)?;
        Ok(session.filter(|session| met(session)))
    })?;
    let mut lock = match waited {
        Waited::Lock(lock) => lock,
        Waited::Answer(session) => return Ok(session),
        Waited::TooLong => {
            let what =
                format!("account `{name}`: another hallpass has been waiting for a sign-in for {} s", client.timeout);
            return Err(fail_hint(Exit::Busy, what, format!("`hallpass login {name}`")));
        }
    };
    if let Some(session) = newest(paths, name)?.filter(|session| met(session)) {
        return Ok(session);
    }
    // Ended while we waited: its words are ours.
    if let Some(Outcome { id, failed: Some(words) }) =
        read(&path).filter(|outcome| Some(&outcome.id) != before.as_ref())
    {
        let _ = id;
        return Err(words.into_failure().into());
    }
    if let Some(left) = cooling(&mark) {
        let what =
            format!("account `{name}`: a sign-in page was opened and not answered; no other is opened for {left} s");
        return Err(fail_hint(Exit::SignIn, what, format!("`hallpass login {name}`")));
    }
    let wishes = Wishes { tenant: account.tenant.clone(), ..Wishes::default() };
    let outcome = lead(paths, account, client, &wishes, &mut lock, now);
    if outcome.as_ref().is_err_and(|why| why.is::<Unanswered>()) {
        let _ = std::fs::write(&mark, b""); // without it the next tool opens a page: a nuisance, no loss
    }
    let (session, kind) = outcome?;
    if kind == Kind::Plain {
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
    let waited = Lock::wait(&path, until, || {
        if !told {
            terminal::say(&format!("another sign-in to account `{name}` is going on; waiting for it to end"));
            told = true;
        }
        Ok(None::<()>)
    })?;
    let Waited::Lock(mut lock) = waited else {
        let what = format!("account `{name}`: another sign-in has been going on for {} s", client.timeout);
        return Err(fail_hint(Exit::Busy, what, "end it (Ctrl-C in its terminal) and try again"));
    };
    let kept = lead(paths, account, client, wishes, &mut lock, now)?;
    let _ = std::fs::remove_file(store::beside(&paths.data, name, "mark")); // tools may ask again
    Ok(kept)
}

/// The sign-in itself, its save, and its outcome for those who wait.
fn lead(
    paths: &Paths,
    account: &Account,
    client: &Client,
    wishes: &Wishes,
    lock: &mut Lock,
    now: u64,
) -> Result<(Session, Kind)> {
    let id = login::fresh_id();
    let began = write(lock, &Outcome { id: id.clone(), failed: None });
    began
        .map_err(|why| fail(Exit::Store, format!("account `{}`: the store cannot be written: {why}", account.name)))?;
    // The key first: a session that cannot be kept must not be begun.
    let ended = Shelf::for_new(&paths.data, &account.name, wish(account)?)
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
        let _ = write(lock, &Outcome { id, failed: Some(Words::from(&failure)) }); // else the next in line leads
    }
    ended
}

fn save(paths: &Paths, account: &Account, shelf: &Shelf, session: &mut Session) -> Result<()> {
    let name = &account.name;
    let path = store::beside(&paths.data, name, "lock");
    let Waited::Lock(_lock) = Lock::wait(&path, Instant::now() + Duration::from_secs(45), || Ok(None::<()>))? else {
        let what = format!(
            "account `{name}`: another hallpass holds `{}`; the new session could not be saved",
            path.display()
        );
        return Err(fail(Exit::Busy, what));
    };
    // A damaged or refused old record does not stop a person from making a new one.
    let old = [false, true]
        .into_iter()
        .find_map(|sealed| store::load::<Session>(&paths.data, name, sealed, store::BACKGROUND).ok().flatten());
    // Whoever waits goes by the generation: it goes up even over a record that cannot be read.
    session.generation = old.map_or_else(|| shelf.seen(), |old| old.value.generation) + 1;
    shelf.save(session, session.generation)?;
    routes::forget(paths);
    Ok(())
}

/// `HALLPASS_STORE`, else the account's own.
pub(crate) fn wish(account: &Account) -> Result<crate::account::StoreWish> {
    use crate::account::StoreWish;
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
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(64 << 10).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(lock: &Lock, outcome: &Outcome) -> std::io::Result<()> {
    let mut file = lock.file();
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&serde_json::to_vec(outcome)?)
}

impl From<&Failure> for Words {
    fn from(failure: &Failure) -> Self {
        Self { exit: failure.exit as u8, what: failure.what.clone(), hint: failure.hint.clone() }
    }
}

impl Words {
    fn into_failure(self) -> Failure {
        let exits = [
            Exit::Usage,
            Exit::SignIn,
            Exit::Denied,
            Exit::Network,
            Exit::Store,
            Exit::Busy,
            Exit::Refused,
            Exit::Config,
        ];
        let exit = exits.into_iter().find(|exit| *exit as u8 == self.exit).unwrap_or(Exit::Denied);
        Failure { exit, what: self.what, hint: self.hint }
    }
}
