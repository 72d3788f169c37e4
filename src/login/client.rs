//! Which client signs in, and who says so

use hallpass_protocol::talk::Exit;

use super::listener::redirect_uris;
use crate::account::Client;
use crate::failure::fail_hint;
use crate::flow::Flow;
use crate::paths::{Paths, set};

/// Flag, the provider's variable, ours, the configuration, the build; with where it comes from. For a sign-in only: a
/// refresh uses the identifier that the session was made with.
pub(crate) fn client_id(client: &Client, flag: Option<&str>) -> Option<(String, String)> {
    let provider = client.provider.as_ref();
    let variable = |name: &str| Some((set(name)?, format!("from {name}")));
    let named = flag.map(|id| (id.to_owned(), "from `--client-id`".to_owned()));
    named
        .or_else(|| variable(&provider?.client_id_env))
        .or_else(|| variable("HALLPASS_CLIENT_ID"))
        .or_else(|| Some((client.client_id.clone()?, "from the configuration".to_owned())))
        .or_else(|| Some((provider?.built_in_client_id?.to_owned(), "built into this program".to_owned())))
}

/// Nobody said which client signs in.
pub(crate) fn no_client(account: &str, client: &Client, flow: Flow) -> anyhow::Error {
    fail_hint(Exit::Config, format!("account `{account}` has no client_id"), by_hand(client, flow))
}

/// What to do for a client of one's own, and how to name it.
pub(super) fn by_hand(client: &Client, flow: Flow) -> String {
    let or = client.provider.as_ref().map_or(String::new(), |row| format!(", or set {}", row.client_id_env));
    format!("{}; then `--client-id ID`{or}", registering(client, flow))
}

/// A new account wants to be told what no option says. `api_url`: the one that an option named.
pub(crate) fn needs_table(
    account: &str,
    client: &Client,
    api_url: Option<&str>,
    needs: &[&str],
    paths: &Paths,
) -> anyhow::Error {
    let provider = client.provider.as_ref().map_or("", |provider| provider.name.as_str());
    let (first, client_id) = match client.flow {
        Flow::Token => (String::new(), None),
        _ if client.registration_endpoint.is_some() => (String::new(), None),
        flow => (format!("{}; then ", registering(client, flow)), Some("`client_id`".to_owned())),
    };
    let api_url = api_url.map(|url| format!("`api_url = \"{url}\"`"));
    let needed = needs.iter().map(|key| format!("`{key}`"));
    let keys: Vec<_> = api_url.into_iter().chain(client_id).chain(needed).collect();
    let table = format!("`[account.{account}]` with `provider = \"{provider}\"`, {}", keys.join(", "));
    let hint = format!("{first}write {table} into `{}`, and `hallpass login {account}`", paths.config.display());
    let what = format!("account `{account}`: provider `{provider}` needs its `{}`", needs.join("` and `"));
    fail_hint(Exit::Config, what, hint)
}

/// Where a client is registered, as what, and with which redirect URIs. Pages want one for the device flow too.
fn registering(client: &Client, flow: Flow) -> String {
    let row = client.provider.as_ref();
    let page = row.and_then(|row| row.client_page.as_ref());
    let kind = row.and_then(|row| row.client.as_deref()).unwrap_or("a public client");
    let at = page.map_or(String::new(), |page| format!(", at {page}"));
    let uris = redirect_uris(client);
    match (flow, uris.as_slice()) {
        (Flow::Device, _) if page.is_none() => format!("register {kind} for the device flow"),
        (_, [uri]) => format!("register {kind}{at}; its redirect URI is {uri}"),
        (_, uris) => format!("register {kind}{at}; its redirect URIs are {}", uris.join(" ")),
    }
}
