//! Which client signs in, and who says so

use crate::account::Client;
use crate::paths::set;

/// Flag, the provider's variable, ours, the configuration, the build; with where it comes from. For a sign-in only: a
/// refresh uses the identifier that the session was made with.
pub(crate) fn client_id(client: &Client, flag: Option<&str>) -> Option<(String, String)> {
    let provider = client.provider.as_ref();
    let variable = |name: &str| Some((set(name)?, format!("from {name}")));
    let named = flag.map(|id| (id.to_owned(), "from `--client-id`".to_owned()));
    named
        .or_else(|| variable(provider?.client_id_env.as_deref()?))
        .or_else(|| variable("HALLPASS_CLIENT_ID"))
        .or_else(|| Some((client.client_id.clone()?, "from the configuration".to_owned())))
        .or_else(|| Some((provider?.built_in_client_id?.to_owned(), "built into this program".to_owned())))
}
