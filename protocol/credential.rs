//! A credential on its way to a tool, or brought by one

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::failure::{Exit, Failure};
use crate::secret::Secret;

/// A credential brought by a tool to be kept, or one that was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The user it belongs to; may be the empty string, which is not the same as absent.
    pub username: Option<String>,
    /// Password, or the value after `authtype`.
    pub secret: Secret,
    /// `Some("Bearer")` and the like: an `Authorization` scheme in place of user and password.
    pub authtype: Option<String>,
    /// Seconds since the epoch.
    pub expires_at: Option<u64>,
    /// git's `oauth_refresh_token`, carried for whoever wrote it.
    pub refresh_token: Option<Secret>,
    /// The tool said that it must not be kept.
    pub ephemeral: bool,
}

/// A credential handed out.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The account it comes from.
    pub account: String,
    /// What the server wants as user name beside the token (git, docker).
    pub username: String,
    /// The value.
    pub secret: Secret,
    /// What it is.
    pub kind: Kind,
    /// When tools should stop using it: the true expiry less the leeway, seconds since the epoch.
    pub expires_at: Option<u64>,
    /// A name for this value that says nothing about it (16 hex digits), to recognise it when it is refused;
    /// empty for a value we could not renew anyway.
    pub id: String,
    /// How the account wants it spelled where a tool offers a choice.
    pub form: Form,
    /// Other headers that the server wants beside the token, for doors that can carry them.
    pub headers: Vec<(String, String)>,
    /// The entry of the account's `serves` by which it was chosen; empty when no place was asked for.
    pub rule: String,
}

/// What a credential is. A writer that cannot carry a kind answers [`Reply::Unsupported`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 6750 access token.
    Bearer,
    /// RFC 9449 access token: good only beside a proof, which is among the credential's headers as `DPoP`.
    Dpop,
    /// OpenID Connect id_token.
    IdToken,
    /// Keys of AWS: the value is a JSON object of `AccessKeyId`, `SecretAccessKey` and `SessionToken`.
    Aws,
}

/// Basic or Bearer, where both are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Bearer only when the server offers nothing else.
    #[default]
    Auto,
    /// User name and password.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// The token is the whole `Authorization` header, as crates.io and its kin want it.
    Bare,
}

impl Kept {
    /// A secret with or without a user name, as every tool but git brings it.
    #[must_use]
    pub fn new(username: Option<String>, secret: Secret) -> Self {
        Self { username, secret, authtype: None, expires_at: None, refresh_token: None, ephemeral: false }
    }
}

impl Credential {
    /// The value, for wires that a line break or another control character would break.
    ///
    /// # Errors
    /// [`Exit::Refused`] for a value that is not one line.
    pub fn one_line(&self) -> Result<&str, Failure> {
        if self.secret.is_one_line() {
            return Ok(self.secret.expose());
        }
        Err(Failure::new(Exit::Refused, format!("account `{}`: the token has a line break in it", self.account)))
    }

    /// The access token on one line, for doors that an id_token must not go through.
    ///
    /// # Errors
    /// [`Exit::Refused`] for another kind, and for a value that is not one line.
    pub fn access_token(&self) -> Result<&str, Failure> {
        match self.kind {
            Kind::Bearer => self.one_line(),
            Kind::Dpop | Kind::IdToken | Kind::Aws => {
                let what = format!("account `{}`: only an access token belongs here", self.account);
                Err(Failure::new(Exit::Refused, what))
            }
        }
    }

    /// The value of an `Authorization` header: `Bearer TOKEN`, or `Basic BASE64` or the token alone for an account that
    /// wants it so.
    ///
    /// # Errors
    /// Those of [`Credential::access_token`].
    pub fn authorization(&self) -> Result<Secret, Failure> {
        let token = self.access_token()?;
        Ok(match self.form {
            Form::Basic => {
                let pair = Secret::new(format!("{}:{token}", self.username));
                Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
            }
            Form::Auto | Form::Bearer => Secret::new(format!("Bearer {token}")),
            Form::Bare => self.secret.clone(),
        })
    }
}

#[cfg(test)]
impl Credential {
    /// One for the tests of the protocols.
    pub(crate) fn example(secret: &str) -> Self {
        Self {
            account: "work".into(),
            username: "oauth2".into(),
            secret: Secret::new(secret),
            kind: Kind::Bearer,
            expires_at: Some(1_795_350_896), // 2026-11-22T12:34:56Z
            id: "9f2c61d04b7e83aa".into(),
            form: Form::Auto,
            headers: Vec::new(),
            rule: "https://h.example".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, Form, Kind};

    #[test]
    fn spellings() {
        let mut credential = Credential::example("AT1");
        let spelled = |credential: &Credential| credential.authorization().map(|value| value.expose().to_owned());
        assert_eq!(spelled(&credential).as_deref(), Ok("Bearer AT1"));
        credential.form = Form::Basic;
        assert_eq!(spelled(&credential).as_deref(), Ok("Basic b2F1dGgyOkFUMQ=="));
        credential.form = Form::Bare;
        assert_eq!(spelled(&credential).as_deref(), Ok("AT1"));
        credential.kind = Kind::IdToken;
        assert!(spelled(&credential).is_err());
        assert!(Credential::example("a\r\nX: y").authorization().is_err());
    }
}
