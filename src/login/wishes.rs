//! What is wanted of one sign-in

use anyhow::Result;
use hallpass_protocol::secret::Secret;

use crate::flow::Flow;
use crate::hyperlink;
use crate::token::Purpose;

/// What the person asked for on the command line, or nothing.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) flow: Flow,
    pub(crate) port: Option<u16>,
    /// Whether to open a browser; if not, the page's address is the one line on stdout.
    pub(crate) open: bool,
    /// The tenant: flag, else configuration.
    pub(crate) tenant: Option<String>,
    /// A client id given on the command line.
    pub(crate) client_id: Option<String>,
    /// A token given on the command line.
    pub(crate) token: Option<Secret>,
    /// The token that is exchanged for another (RFC 8693), of the account that is configured for it.
    pub(crate) subject: Option<Secret>,
    /// The same for the token of who acts for that.
    pub(crate) actor: Option<Secret>,
    /// What the token is for, where nobody is asked.
    pub(crate) purpose: Purpose,
    /// Writes the page's address where it was asked for.
    pub(crate) url_to: fn(&str) -> Result<()>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            flow: Flow::Auto,
            port: None,
            open: true,
            tenant: None,
            client_id: None,
            token: None,
            subject: None,
            actor: None,
            purpose: Purpose::OWN,
            url_to: |url| {
                hyperlink::show(url);
                Ok(())
            },
        }
    }
}
