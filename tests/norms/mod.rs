//! What the standards demand of a client: a test for each demand that no other module shows
//!
//! The table of all of them is `integrations/norms/README.md`; `table` keeps it true and prints it.

mod answers;
mod issuers;
mod pkce;
mod redirects;
mod registration;
mod requests;
mod resources;
mod revocation;
mod table;

use serde_json::{Value, json};

use crate::answers::Fault;
use crate::callback::redirect_uri;
use crate::forms::{encode, field, query};
use crate::idp::Idp;
use crate::runs::{Running, until};
use crate::world::{Behaviour, World};

/// A sign-in that waits for its browser, and the address that the browser was to open.
fn waiting(world: &World) -> (Running, String) {
    world.browser(Behaviour::Ignore);
    let before = world.opened().len();
    let login = world.start(&["login", "work"]);
    let url = until("a browser", || world.opened().get(before).cloned());
    (login, url)
}

/// The redirect that answers the request of `url` with its own state and these parameters.
fn answering(url: &str, pairs: &[(&str, &str)]) -> String {
    let asked = query(url);
    let rest: String = pairs.iter().map(|(name, value)| format!("&{name}={}", encode(value))).collect();
    format!("{}?state={}{rest}", redirect_uri(url), encode(field(&asked, "state").unwrap()))
}

/// An answer of status 200 with this JSON.
fn says(body: &Value) -> Fault {
    Fault::Status(200, vec![("Content-Type", "application/json")], body.to_string().leak())
}

/// The metadata of a server, with these members in place of its own.
fn metadata(idp: &Idp, members: &[(&str, Value)]) -> Fault {
    let issuer = &idp.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "code_challenge_methods_supported": ["S256"],
    });
    for (name, value) in members {
        metadata[*name] = value.clone();
    }
    says(&metadata)
}
