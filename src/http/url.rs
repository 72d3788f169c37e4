//! Where a secret may be sent, and how much of that is said

use url::Url;

/// Whether a URL may be sent a secret.
pub(crate) fn check_endpoint(text: &str) -> std::result::Result<(), &'static str> {
    // A parser would leave some of them out: nobody should read another address than it does.
    if text.contains(|letter: char| letter.is_control() || letter == ' ') {
        return Err("has a space or a control character in it");
    }
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user name, a password or a fragment in it");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if hallpass_protocol::place::is_loopback(host) => Ok(()),
        ("http", _) => Err("is http:// and not on this machine: use https://"),
        _ => Err("is not an https:// URL"),
    }
}

/// Whether a URL may be an issuer's name (RFC 8414 2): an endpoint's, without a query.
pub(crate) fn check_issuer(text: &str) -> std::result::Result<(), &'static str> {
    match check_endpoint(text) {
        Ok(()) if text.contains('?') => Err("has a query in it, which no issuer's name has"),
        checked => checked,
    }
}

/// Host, port and path of one of our endpoints.
pub(crate) fn endpoint(url: &str) -> String {
    let path = Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    host(url) + &path
}

/// Host and port for messages: a path or query may hold what must not be shown.
pub(super) fn host(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return "another path of the same server".to_owned() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => url.scheme().to_owned(),
    }
}
