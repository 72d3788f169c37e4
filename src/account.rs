//! An account: what is handed out, and the client that signs in for it
//!
//! Words only. `config` reads them from `config.toml`, `choice` says which one answers a request.

use std::path::PathBuf;

use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Form;
use serde::{Deserialize, Serialize};

use crate::flow::{Flow, Method};
use crate::paths::set;
use crate::provider::Provider;
use crate::trust::Trust;
use crate::workload::Source;

/// What a hit needs to know: small, because it is read from the route file at every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// What git and docker want as user name beside the token.
    pub(crate) username: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) form: Spelling,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) hand_out: HandOut,
    /// Seconds.
    pub(crate) leeway: u64,
    /// Hundredths of a token's life.
    pub(crate) ahead: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) store: StoreWish,
    /// The provider's own variable for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_env: Option<String>,
    /// The environment of its provider that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
    /// The header that names the tenant, and the tenant that the configuration names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// Where this is found, a machine signs in and no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ci: Option<Box<Source>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// [`Form`], as it is written in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spelling {
    #[default]
    Auto,
    Basic,
    Bearer,
    Bare,
}

impl From<Spelling> for Form {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Auto => Self::Auto,
            Spelling::Basic => Self::Basic,
            Spelling::Bearer => Self::Bearer,
            Spelling::Bare => Self::Bare,
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
    pub(crate) device_authorization_endpoint: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) scope: Vec<String>,
    /// Where anybody may register a client (RFC 7591).
    pub(crate) registration_endpoint: Option<String>,
    /// Where an authorization request is sent ahead of the browser (RFC 9126), and that it has to be.
    pub(crate) pushed_authorization_request_endpoint: Option<String>,
    pub(crate) pushes: bool,
    /// Its tokens are bound to a key (RFC 9449).
    pub(crate) dpop: bool,
    /// A command whose output is the token, for `flow = "token"`.
    pub(crate) token_command: Option<Vec<String>>,
    pub(crate) machine: Machine,
    /// RFC 8707.
    pub(crate) resource: Vec<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) serves: Vec<String>,
    /// The role at AWS that its id_token may take, and the token service that gives it.
    pub(crate) aws_role_arn: Option<String>,
    pub(crate) aws_sts_endpoint: Option<String>,
    /// The start URL of AWS IAM Identity Center, which its server then is, and the role there: `ACCOUNT_ID/NAME`.
    pub(crate) aws_start_url: Option<String>,
    pub(crate) aws_role: Option<String>,
    /// The JWT auth method of Vault where it logs in with its token, the role it takes there, and their namespace.
    pub(crate) vault_mount: Option<String>,
    pub(crate) vault_role: Option<String>,
    pub(crate) vault_namespace: Option<String>,
    pub(crate) flow: Flow,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) redirect_ports: Vec<u16>,
    pub(crate) trust: Trust,
    /// Seconds a person has to sign in.
    pub(crate) timeout: u64,
    pub(crate) interactive: Interactive,
    /// What opens its pages, with arguments: a profile, a private window.
    pub(crate) browser: Option<Vec<String>>,
    /// Its token goes into no program's environment.
    pub(crate) no_exec: bool,
    /// The row it comes from.
    pub(crate) provider: Option<Provider>,
    /// It stands in no configuration: the row alone makes it.
    pub(crate) built_in: bool,
}

/// What a client needs that signs in without a person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// How it proves who it is, where what it has does not say so.
    pub(crate) method: Option<Method>,
    /// The key it signs its proofs with, and the name under which the server knows that.
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) key_id: Option<String>,
    /// Its proofs name the token endpoint and not the issuer.
    pub(crate) to_token_endpoint: bool,
    /// What is exchanged for a token (RFC 8693), or asserted (RFC 7523); and who acts for that.
    pub(crate) subject: Source,
    pub(crate) actor: Source,
}

impl Client {
    /// Signs in without a person: nobody needs to be there.
    pub(crate) fn is_unattended(&self) -> bool {
        match self.flow {
            Flow::ClientCredentials | Flow::TokenExchange | Flow::JwtBearer => true,
            Flow::Token => self.token_command.is_some(),
            Flow::Auto | Flow::Browser | Flow::Paste | Flow::Device => false,
        }
    }

    /// What a machine shows of itself here, in words.
    pub(crate) fn identity(&self) -> Option<String> {
        self.flow.is_machine().then(|| self.machine.subject.found()).flatten()
    }

    /// Seconds that a token lives when its server does not say.
    pub(crate) fn token_life(&self) -> Option<u64> {
        self.provider.as_ref().and_then(|provider| provider.token_life)
    }
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

/// Whether a text can be a tenant's slug: it goes into a header.
pub(crate) fn is_slug(slug: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&slug.len()) && slug.bytes().all(plain)
}

/// Whether a name can be an account's: it is also a file name.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

impl Account {
    /// An account with nothing but a name.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            username: "oauth2".to_owned(),
            form: Spelling::Auto,
            hand_out: HandOut::Auto,
            leeway: 60,
            ahead: 20,
            store: StoreWish::Auto,
            token_env: None,
            api_url: None,
            tenant_header: None,
            tenant: None,
            ci: None,
        }
    }

    /// The tenant, as its provider wants it said: flag, configuration, the one of the sign-in.
    pub(crate) fn headers(&self, flag: Option<&str>, signed_in: Option<&str>) -> Vec<(String, String)> {
        let tenant = flag.or(self.tenant.as_deref()).or(signed_in).filter(|slug| is_slug(slug));
        self.tenant_header.clone().zip(tenant.map(str::to_owned)).into_iter().collect()
    }

    /// The token that stands in for the session, and the variable it is in: our own before the provider's.
    pub(crate) fn token_from_environment(&self) -> Option<(String, Secret)> {
        let own = token_variable(&self.name);
        let found = |variable: String| Some((set(&variable)?, variable));
        let (token, variable) = found(own).or_else(|| found(self.token_env.clone()?))?;
        Some((variable, Secret::new(token)))
    }
}

/// The variable that stands in for an account's session: `HALLPASS_TOKEN_MY_APP` for `my-app`.
pub(crate) fn token_variable(account: &str) -> String {
    let mut variable = ["HALLPASS_TOKEN_", account].concat().replace('-', "_");
    variable.make_ascii_uppercase();
    variable
}

#[cfg(test)]
mod tests {
    use super::token_variable;

    #[test]
    fn variables() {
        assert_eq!(token_variable("my-app"), "HALLPASS_TOKEN_MY_APP");
    }
}
