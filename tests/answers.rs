//! What the authorization server is asked, what goes wrong, and what it answers then.

use std::time::Instant;

use serde_json::Value;

/// The endpoints a fault can be ordered for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum At {
    Metadata,
    Authorize,
    Token,
    Revoke,
    Userinfo,
    /// The device authorization endpoint.
    Device,
    /// The page where a person types the device's code.
    DevicePage,
    /// Where anybody registers a client (RFC 7591).
    Register,
    /// Where authorization requests are pushed (RFC 9126).
    Push,
    /// `/mcp`, a resource behind this server, and what it says of itself (RFC 9728).
    Mcp,
    McpMetadata,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    Status(u16, Vec<(&'static str, &'static str)>, &'static str),
    Html200,
    Hang,
    /// The token is spent, then the connection drops without a byte.
    CloseBeforeAnswer,
    /// The connection drops, and nothing was done.
    CloseBeforeReading,
    InvalidGrant,
    WrongIssuerInMetadata,
    /// Metadata whose token endpoint is plain http off loopback.
    PlainHttpEndpoint,
    TokenWithNewline,
    TokenOfAnotherType,
    NoAccessToken,
    /// A token that is bound to no key, and one that is, whatever was asked for.
    Bearer,
    Bound,
    /// The server's clock is off by so many seconds: its Date, and what its id_tokens say.
    Clock(i64),
    MissingExpiresIn,
    StringExpiresIn,
    NoRefreshTokenInAnswer,
    NoIdTokenOnRefresh,
    WrongNonce,
    ExpiredCode,
    Deny,
    WrongState,
    WrongIss,
    NoIss,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: At,
    /// `POST /token`: the method, and the target as it came.
    pub line: String,
    pub form: Vec<(String, String)>,
    pub bearer: Option<String>,
    /// The credentials of a client with a secret.
    pub basic: Option<String>,
    /// Its proof (RFC 9449).
    pub dpop: Option<String>,
    /// A JSON body.
    pub json: Value,
    pub when: Instant,
}

pub enum Answer {
    Say(u16, Vec<(&'static str, String)>, String),
    Hang,
    Cut,
}

pub fn json_answer(status: u16, body: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/json".into()), ("Cache-Control", "no-store".into())];
    Answer::Say(status, headers, body.to_string())
}
