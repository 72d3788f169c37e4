//! An account: what is handed out, and the client that signs in for it
//!
//! Words only. `config` reads them from `config.toml`, `choice` says which one answers a request.

use std::path::PathBuf;

use hallpass_protocol::talk::Form;
use serde::{Deserialize, Serialize};

/// What a hit needs to know: small, because it is read from the route file at every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// What git and docker want as user name beside the token.
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) form: Spelling,
    #[serde(default)]
    pub(crate) hand_out: HandOut,
    /// Seconds.
    pub(crate) leeway: u64,
    /// Hundredths of a token's life.
    pub(crate) ahead: u64,
    #[serde(default)]
    pub(crate) store: StoreWish,
}

/// [`Form`], as it is written in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spelling {
    #[default]
    Auto,
    Basic,
    Bearer,
}

impl From<Spelling> for Form {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Auto => Self::Auto,
            Spelling::Basic => Self::Basic,
            Spelling::Bearer => Self::Bearer,
        }
    }
}

/// Which token, where both kinds are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandOut {
    /// An id_token where the session has one.
    #[default]
    Auto,
    AccessToken,
    IdToken,
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreWish {
    /// Sealed where there is an OS keychain.
    #[default]
    Auto,
    Keychain,
    File,
}

/// The OAuth client of an account: what sign-in and refresh need.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// Discovered from, and compared with what the server says about itself.
    pub(crate) issuer: Option<String>,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) scope: Vec<String>,
    /// RFC 8707.
    pub(crate) resource: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) serves: Vec<String>,
    pub(crate) flow: Flow,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) redirect_ports: Vec<u16>,
    pub(crate) ca_file: Option<PathBuf>,
    /// Seconds a person has to sign in.
    pub(crate) timeout: u64,
    pub(crate) interactive: Interactive,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flow {
    #[default]
    Auto,
    Browser,
    Paste,
    Token,
}

/// Whether a miss may ask the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Interactive {
    /// When a person is there.
    #[default]
    Auto,
    Never,
    Always,
}

/// Whether a name can be an account's: it is also a file name.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

/// The variable that stands in for an account's session: `HALLPASS_TOKEN_MY_APP` for `my-app`.
pub(crate) fn token_variable(account: &str) -> String {
    let name =
        account.bytes().map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() as char } else { '_' });
    name.fold("HALLPASS_TOKEN_".to_owned(), |mut variable, letter| {
        variable.push(letter);
        variable
    })
}

#[cfg(test)]
mod tests {
    use super::token_variable;

    #[test]
    fn variables() {
        assert_eq!(token_variable("my-app"), "HALLPASS_TOKEN_MY_APP");
    }
}
