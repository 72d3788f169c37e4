//! The ways to sign in, as the configuration and a row name them

/// The redirect URI of servers that show the code on a page of their own: it is pasted back.
pub(crate) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flow {
    #[default]
    Auto,
    Browser,
    Paste,
    Device,
    Token,
    ClientCredentials,
    TokenExchange,
    JwtBearer,
}

impl Flow {
    /// As the configuration spells it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Browser => "browser",
            Self::Paste => "paste",
            Self::Device => "device",
            Self::Token => "token",
            Self::ClientCredentials => "client_credentials",
            Self::TokenExchange => "token_exchange",
            Self::JwtBearer => "jwt_bearer",
        }
    }

    /// Nobody is asked.
    pub(crate) fn is_machine(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::TokenExchange | Self::JwtBearer)
    }
}

/// How a confidential client proves who it is (RFC 7591 2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Basic,
    Post,
    PrivateKeyJwt,
}
