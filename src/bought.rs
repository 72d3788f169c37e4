//! What was bought with an account's token: kept beside its session, without a refresh token of its own
//!
//! One record for each account, with an entry for each seller; bought anew by one process at a time. Who signs out loses
//! it, and who signs in as somebody else buys his own.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;

use crate::choice::Rule;
use crate::clock::now;
use crate::failure::{self, fail};
use crate::kept::{Drawer, Entry, change, file_name, load};
use crate::lock::{self, Lock, Waited};
use crate::paths::Paths;
use crate::setback;
use crate::store::{self, Shelf};

/// Longer than one request to a seller.
const LOCK_TIME: Duration = Duration::from_secs(60);

/// Another credential, which ends and cannot be refreshed.
#[derive(Debug)]
pub(crate) struct Bought {
    pub(crate) secret: Secret,
    /// Seconds since the epoch.
    pub(crate) obtained_at: u64,
    /// The same; `None` for what is handed out once and not kept.
    pub(crate) expires_at: Option<u64>,
}

/// Where what one seller gave to one account is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) rule: &'a Rule,
    /// The seller.
    pub(crate) slot: &'a str,
    /// The door, for those who wait for us.
    pub(crate) command: &'a str,
    /// Seconds that it must have left, where the door says so.
    pub(crate) min_life: Option<u64>,
}

impl Shop<'_> {
    /// What this owner has, with so much life left that nobody needs to buy.
    pub(crate) fn has_fresh(self, owner: &str) -> Option<Bought> {
        self.has(owner).filter(|bought| bought.left() > self.margin(bought))
    }

    /// What this owner has and a server would still take: it does while nobody can be reached.
    pub(crate) fn has_usable(self, owner: &str) -> Option<Bought> {
        self.has(owner).filter(|bought| bought.left() > self.leeway(bought))
    }

    /// Seconds before its end in which tools are not told of it any more; no more than a fifth of a short life.
    pub(crate) fn leeway(self, bought: &Bought) -> u64 {
        self.rule.account.leeway.min(bought.life() / 5)
    }

    /// Seconds before its end in which it is bought anew.
    fn margin(self, bought: &Bought) -> u64 {
        let last_part = bought.life() / 100 * self.rule.account.ahead;
        self.min_life.unwrap_or(last_part.max(self.leeway(bought)))
    }

    /// A record that cannot be read is none: it can be bought again.
    fn has(self, owner: &str) -> Option<Bought> {
        let origin = origin(&self.rule.account.name);
        let drawer = Drawer { data: &self.paths.data, name: &file_name(&origin), origin: &origin };
        let mut entries = load(drawer).ok()??.value.entries.into_iter();
        let entry = entries.find(|entry| self.is_mine(entry) && entry.username.as_deref() == Some(owner))?;
        let obtained_at = entry.obtained_at.unwrap_or_default();
        Some(Bought { secret: entry.secret, obtained_at, expires_at: entry.expires_at })
    }

    fn is_mine(self, entry: &Entry) -> bool {
        entry.path.as_deref() == Some(self.slot)
    }

    /// Buys anew, one process at a time, and keeps it; never unsealed beside a sealed session. Who waited shares the
    /// outcome, failure too.
    pub(crate) fn buy(self, owner: &str, buy: impl FnOnce() -> Result<Bought>) -> Result<Bought> {
        let account = &self.rule.account;
        let (origin, began) = (origin(&account.name), SystemTime::now());
        let name = file_name(&origin);
        let path = store::beside(&self.paths.data, &name, "buying");
        let Waited::Lock(_lock) = Lock::wait(&path, self.command, Instant::now() + LOCK_TIME, || Ok(None::<()>))?
        else {
            return Err(fail(Exit::Busy, format!("account `{}`: {}", account.name, lock::holder(&path))));
        };
        if let Some(bought) = self.has_fresh(owner) {
            return Ok(bought);
        }
        let setback = store::beside(&self.paths.data, &file_name(&format!("{origin} {}", self.slot)), "setback");
        if let Some(failure) = setback::shared(&setback, began) {
            return Err(failure.into());
        }
        let bought = buy().inspect_err(|why| setback::leave(&setback, &failure::of(why), 0))?;
        let shelf = Shelf::for_kept(&self.paths.data, &name, account.store)?;
        if bought.expires_at.is_none() || (self.rule.sealed && !shelf.is_sealed()) {
            return Ok(bought);
        }
        let entry = Entry {
            path: Some(self.slot.to_owned()),
            username: Some(owner.to_owned()),
            secret: bought.secret.clone(),
            authtype: None,
            obtained_at: Some(bought.obtained_at),
            expires_at: bought.expires_at,
            refresh_token: None,
        };
        let drawer = Drawer { data: &self.paths.data, name: &name, origin: &origin };
        if load(drawer).is_err() {
            forget(self.paths, &account.name)?;
        }
        change(drawer, Some(shelf), |record| {
            let over = now();
            let lives = |entry: &Entry| entry.expires_at.is_some_and(|expires_at| expires_at > over);
            record.entries.retain(|entry| !self.is_mine(entry) && lives(entry));
            record.entries.insert(0, entry);
        })?;
        Ok(bought)
    }

    /// Forgets what this seller gave.
    pub(crate) fn forget(self) -> Result<()> {
        let origin = origin(&self.rule.account.name);
        let drawer = Drawer { data: &self.paths.data, name: &file_name(&origin), origin: &origin };
        change(drawer, None, |record| record.entries.retain(|entry| !self.is_mine(entry)))
    }
}

impl Bought {
    fn life(&self) -> u64 {
        self.expires_at.unwrap_or(u64::MAX).saturating_sub(self.obtained_at)
    }

    fn left(&self) -> u64 {
        // A clock that was set back makes nothing immortal.
        self.expires_at.unwrap_or_default().saturating_sub(now()).min(self.life())
    }
}

/// Forgets all that was bought with an account's token.
pub(crate) fn forget(paths: &Paths, account: &str) -> Result<()> {
    let name = file_name(&origin(account));
    let _ = std::fs::remove_file(store::beside(&paths.data, &name, "sealed"));
    store::remove(&paths.data, &name, None).map(|_| ())
}

fn origin(account: &str) -> String {
    format!("bought by {account}")
}
