//! Signing in: which way fits, and what comes of it

mod attempt;
pub(crate) mod browser;
mod client;
mod command;
mod device;
mod identity;
pub(crate) mod listener;
mod machine;
mod opened;
pub(crate) mod pages;
mod paste;
mod profile;
mod race;
mod refused;
mod response;
mod road;
mod subject;
mod taken;
mod token;
mod wishes;

use std::cell::OnceCell;
use std::sync::Arc;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::account::Client;
use crate::discovery;
use crate::failure::fail;
use crate::flow::Flow;
use crate::http::Http;
use crate::oauth::{Dpop, Registered};
use crate::signals::Held;
use crate::terminal;
use crate::token::How;
use attempt::Attempt;
pub(crate) use attempt::SignedIn;
pub(crate) use client::{client_id, needs_table, no_client};
use road::road;
pub(crate) use taken::{fresh_id, take};
pub(crate) use wishes::Wishes;

/// Signs in the way the person asked for, else the account's, else the one that fits where we are.
pub(crate) fn sign_in(account: &str, client: &Client, wishes: &Wishes, now: u64) -> Result<SignedIn> {
    let flow = if wishes.flow == Flow::Auto { client.flow } else { wishes.flow };
    let known = |id: String| OnceCell::from(Registered { id, secret: None, device: true });
    let registered = client_id(client, wishes.client_id.as_deref()).map(|(id, _)| known(id));
    let mut attempt = Attempt {
        account,
        client,
        wishes,
        registered: registered.unwrap_or_default(),
        http: Arc::new(Http::new(&client.trust)?),
        server: None,
        dpop: None,
        until: browser::until(client.timeout),
    };
    if flow.is_machine() {
        // What is shown may be all the server wants; it registers nobody.
        attempt.registered.get_or_init(|| Registered { id: String::new(), secret: None, device: false });
    }
    if flow == Flow::Token {
        return Ok(SignedIn { session: token::session(&attempt, now)?, browser: None, _held: Held::begin() });
    }
    if client.dpop {
        let what = || format!("account `{account}`: there are no random bytes for a key");
        attempt.dpop = Some(Arc::new(Dpop::generate().ok_or_else(|| fail(Exit::Store, what()))?));
    }
    let all = flow == Flow::Device || attempt.registers();
    attempt.server = Some(discovery::server(account, client, &attempt.http, all)?);
    let road = road(client, wishes, attempt.server());
    if !road.how.is_unattended() {
        terminal::say(&format!("signing in to account `{account}` by {}: {}", road.how.words(), road.why));
    }
    if road.how == How::Machine {
        let held = Held::begin();
        let session = attempt.session(machine::grant(&attempt, flow)?, How::Machine, None)?;
        return Ok(SignedIn { session, browser: None, _held: held });
    }
    race::sign_in(&attempt, &road)
}
