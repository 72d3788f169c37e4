//! What a credential is for: scheme, host, port and path
//!
//! A [`Place`] is what a tool names; a [`Pattern`] is what an account serves. Nothing is guessed: scheme, host and
//! port match exactly, a path only on segment borders, and text that two URL parsers could read differently
//! (a user name before the host, a backslash, dot segments) is refused.

use std::fmt;

pub use crate::pattern::{Pattern, Rank};

/// One place: `https://git.example.com:8443/team/app.git`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Lower case: https, http, smtp, smtps, imap, imaps, ...
    pub scheme: String,
    /// Lower-case ASCII (`xn--` for other scripts); IPv6 in brackets; may be empty for schemes without a host.
    pub host: String,
    /// The port, the scheme's own when none was named, 0 when the scheme has none we know.
    pub port: u16,
    /// No leading or trailing slash; case and suffix as given; `None` when the tool did not send one.
    pub path: Option<String>,
}

/// Why a text is no place, in words for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPlace(pub &'static str);

impl fmt::Display for NotAPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAPlace {}

impl Place {
    /// From the parts as git sends them: `host` may carry a port.
    ///
    /// # Errors
    /// A scheme, host or port that cannot be, or a path that names its own parent.
    pub fn from_parts(scheme: &str, authority: &str, path: Option<&str>) -> Result<Self, NotAPlace> {
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return Err(NotAPlace("the protocol is missing or has odd characters"));
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_authority(authority)?;
        let port = match port {
            Some(port) => port,
            None => default_port(&scheme),
        };
        let path = path.map(clean_path).transpose()?;
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, path })
    }

    /// From a URL; query and fragment are dropped.
    ///
    /// # Errors
    /// Anything but `scheme://host[:port][/path]`.
    pub fn from_url(url: &str) -> Result<Self, NotAPlace> {
        let parts = url.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)));
        let (scheme, rest) = parts.ok_or(NotAPlace("it is not a URL of the form https://host/path"))?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        if authority.is_empty() {
            return Err(NotAPlace("the host is missing"));
        }
        Self::from_parts(scheme, authority, path)
    }

    /// From `host[:port][/path]` without a scheme, as registries are named, or from a URL. On this machine http is
    /// meant, elsewhere https; [`Place::over_tls`] is the other reading.
    ///
    /// # Errors
    /// Those of [`Place::from_parts`] and [`Place::from_url`].
    pub fn from_registry(text: &str) -> Result<Self, NotAPlace> {
        if text.contains("://") {
            return Self::from_url(text);
        }
        let (authority, path) = match text.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (text, None),
        };
        if authority.is_empty() {
            return Err(NotAPlace("the host is missing"));
        }
        let tls = Self::from_parts("https", authority, path)?;
        if tls.is_loopback() { Self::from_parts("http", authority, path) } else { Ok(tls) }
    }

    /// The same with https, for a place on this machine that was named without a scheme; `None` for others.
    #[must_use]
    pub fn over_tls(&self) -> Option<Self> {
        let port = if self.port == 80 { 443 } else { self.port };
        (self.scheme == "http").then(|| Self { scheme: "https".to_owned(), port, ..self.clone() })
    }

    /// `host[:port]`, without the scheme's own port.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == default_port(&self.scheme) {
            return self.host.clone();
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the host is this machine: 127.0.0.0/8, `[::1]` or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether a token may go there: plain http only on this machine.
    #[must_use]
    pub fn may_carry_a_token(&self) -> bool {
        self.scheme != "http" || self.is_loopback()
    }

    /// Scheme, host and port, always with the port: the key under which rules for this place are found.
    #[must_use]
    pub fn origin(&self) -> String {
        [&self.scheme, "://", &self.host, ":", &self.port.to_string()].concat()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())?;
        match self.path.as_deref() {
            Some(path) if !path.is_empty() => write!(f, "/{path}"),
            _ => Ok(()),
        }
    }
}

/// Whether a host is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), NotAPlace> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or(NotAPlace("the IPv6 address has no closing bracket"))?;
        if inside.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(NotAPlace("the IPv6 address is not one"));
        }
        (&authority[..inside.len() + 2], after)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, after) = authority.split_at(end);
        if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            return Err(NotAPlace("the host has characters that no host name has"));
        }
        (host, after)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| NotAPlace("the port is not a number below 65,536"))?)
        }
        _ => return Err(NotAPlace("the port is not a number below 65,536")),
    };
    Ok((host, port))
}

fn clean_path(path: &str) -> Result<String, NotAPlace> {
    let path = path.trim_matches('/');
    if path.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\') {
        return Err(NotAPlace("the path has a control character or a backslash"));
    }
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.split('/').any(dots) {
        return Err(NotAPlace("the path has `.` or `..` in it"));
    }
    Ok(path.to_owned())
}

fn default_port(scheme: &str) -> u16 {
    match scheme {
        "https" => 443,
        "http" => 80,
        "smtp" => 25,
        "smtps" => 465,
        "imap" => 143,
        "imaps" => 993,
        "ftp" => 21,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn ambiguous_urls_are_refused() {
        for odd in [
            "https://good@evil.example/",
            "https://evil.example\\@good.example/",
            "https:evil.example",
            "https:/\\evil.example",
            "https://",
            "https://a b/",
            "https://a%0ahost=b/",
            "https://[::1/",
            "https://h:99999/",
            "https://h:+1/",
            "https://g\u{131}t.example/",
            "//h/x",
            "git.example.com",
        ] {
            assert!(Place::from_url(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn registries_have_no_scheme() {
        for (text, want) in [
            ("reg.example.com", "https://reg.example.com"),
            ("REG.example.com:5000/team", "https://reg.example.com:5000/team"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("localhost", "http://localhost"),
            ("https://index.docker.io/v1/", "https://index.docker.io/v1"),
        ] {
            assert_eq!(Place::from_registry(text).map(|place| place.to_string()).as_deref(), Ok(want), "{text}");
        }
        for odd in ["", "/", "/x", "a b", "a@b", "h:x", "h/../x"] {
            assert!(Place::from_registry(odd).is_err(), "{odd}");
        }
        let here = Place::from_registry("localhost").expect("a host");
        assert_eq!(here.over_tls().map(|place| place.to_string()).as_deref(), Some("https://localhost"));
        let port = Place::from_registry("localhost:5000").expect("a host");
        assert_eq!(port.over_tls().map(|place| place.authority()).as_deref(), Some("localhost:5000"));
    }

    #[test]
    fn plain_http_only_here() {
        for (url, may) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://127.0.0.1.example.com", false),
            ("http://example.com", false),
            ("https://example.com", true),
        ] {
            assert_eq!(Place::from_url(url).expect(url).may_carry_a_token(), may, "{url}");
        }
    }
}
