//! Which way to sign in fits, and why
//!
//! What the person said, else what the account says, else what the server and this machine can.

use super::wishes::Wishes;
use crate::account::Client;
use crate::discovery::Server;
use crate::flow::{Flow, OUT_OF_BAND};
use crate::opener;
use crate::terminal;
use crate::token::How;

/// The way, and the words that explain it.
#[derive(Debug)]
pub(super) struct Road {
    pub(super) how: How,
    pub(super) why: String,
    /// Nobody asked for this one and no other: the others may be open beside it.
    pub(super) together: bool,
}

/// Chooses. Pasting in a token is another matter and never comes here.
pub(super) fn road(client: &Client, wishes: &Wishes, server: &Server) -> Road {
    // Who wants the browser loses nothing by what else is open.
    let by = |how: How, why: &str| Road { how, why: why.to_owned(), together: how == How::Browser };
    let named = |flow: Flow| match flow {
        Flow::Browser => Some(How::Browser),
        Flow::Paste => Some(How::Paste),
        Flow::Device => Some(How::Device),
        Flow::ClientCredentials | Flow::TokenExchange | Flow::JwtBearer => Some(How::Machine),
        Flow::Auto | Flow::Token => None,
    };
    if let Some(how) = named(wishes.flow) {
        return by(how, "as you asked");
    }
    if let Some(how) = named(client.flow) {
        let by_row = client.provider.as_ref().filter(|provider| provider.flow == client.flow);
        return match by_row {
            Some(provider) => by(how, &format!("the way of {}", provider.name)),
            None => by(how, "its `flow` in the configuration"),
        };
    }
    if client.redirect_uri.as_deref() == Some(OUT_OF_BAND) {
        return by(How::Paste, "its server shows the code on a page of its own");
    }
    let has_device = server.device_authorization_endpoint.is_some();
    if server.authorization_endpoint.is_none() && has_device {
        return by(How::Device, "its server offers nothing else");
    }
    // Who said that the address is to be printed will open it somewhere, and we listen for it.
    match opener::no_browser(client.browser.as_deref()).filter(|_| wishes.open && terminal::is_ours()) {
        Some(why) => Road { together: true, ..by(if has_device { How::Device } else { How::Paste }, &why) },
        None => by(How::Browser, "the usual way"),
    }
}
