//! What a credential is for: scheme, host, port and path
//!
//! A [`Place`] is what a tool names; a [`Pattern`] is what an account serves. Nothing is guessed: scheme, host and
//! port match exactly, a path only on segment borders, and text that two URL parsers could read differently
//! (a user name before the host, a backslash, dot segments) is refused.

use std::fmt;

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
        let (scheme, rest) = url.split_once("://").ok_or(NotAPlace("it is not a URL of the form https://host/path"))?;
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
        format!("{}://{}:{}", self.scheme, self.host, self.port)
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

/// What an account serves: a place, or with `*.` before the host all its subdomains (not the host itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    place: Place,
    wildcard: bool,
}

impl Pattern {
    /// Reads one entry of `serves`.
    ///
    /// # Errors
    /// No URL, a wildcard over a whole top-level domain, or http off this machine.
    pub fn parse(text: &str) -> Result<Self, NotAPlace> {
        let (wildcard, url) = match text.split_once("://*.") {
            Some((scheme, rest)) => (true, format!("{scheme}://{rest}")),
            None => (false, text.to_owned()),
        };
        let place = Place::from_url(&url)?;
        if wildcard && !place.host.contains('.') {
            return Err(NotAPlace("a wildcard must leave at least two labels, as in https://*.example.com"));
        }
        if !place.may_carry_a_token() {
            return Err(NotAPlace("tokens never go to http:// off this machine"));
        }
        Ok(Self { place, wildcard })
    }

    /// Whether it covers the place; how well: the exact host before a longer wildcard before a shorter one, then
    /// the longer path.
    #[must_use]
    pub fn covers(&self, place: &Place) -> Option<Rank> {
        let host = if self.wildcard {
            let rest = place.host.strip_suffix(self.place.host.as_str())?;
            (rest.len() > 1 && rest.ends_with('.')).then_some(self.place.host.len())?
        } else {
            (self.place.host == place.host).then_some(usize::MAX)?
        };
        if self.place.scheme != place.scheme || self.place.port != place.port {
            return None;
        }
        let rule = self.place.path.as_deref().unwrap_or_default();
        let asked = place.path.as_deref().unwrap_or_default();
        let on_border = asked.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (rule.is_empty() || on_border).then_some(Rank { host, path: rule.len() })
    }

    /// The part of a place that the rule is about: its origin and the rule's path, as a prefix for tools that have
    /// such. `None` for a place that it does not cover.
    #[must_use]
    pub fn prefix_at(&self, place: &Place) -> Option<Place> {
        self.covers(place)?;
        let path = self.place.path.clone().filter(|path| !path.is_empty());
        Some(Place { path, ..place.clone() })
    }

    /// Whether the rule has a path and therefore cannot be tried on a question without one.
    #[must_use]
    pub fn needs_a_path(&self) -> bool {
        self.place.path.as_deref().is_some_and(|path| !path.is_empty())
    }

    /// The key under which the rule is found: [`Place::origin`], with `*.` before a wildcard's host.
    #[must_use]
    pub fn origin(&self) -> String {
        let star = if self.wildcard { "*." } else { "" };
        format!("{}://{star}{}:{}", self.place.scheme, self.place.host, self.place.port)
    }
}

/// How well a [`Pattern`] covers a place: higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    host: usize,
    path: usize,
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
    use super::{Pattern, Place};

    fn covers(pattern: &str, url: &str) -> bool {
        let place = Place::from_url(url).expect(url);
        Pattern::parse(pattern).expect(pattern).covers(&place).is_some()
    }

    #[test]
    fn hosts_match_exactly() {
        let rule = "https://git.example.com";
        for same in ["https://git.example.com/x.git", "https://GIT.Example.COM:443/", "https://git.example.com"] {
            assert!(covers(rule, same), "{same}");
        }
        for other in [
            "http://git.example.com",
            "https://git.example.com:8443",
            "https://evil-git.example.com",
            "https://git.example.com.evil.test",
            "https://git.example.com.",
            "https://gitxexample.com",
            "https://example.com",
            "https://a.git.example.com",
        ] {
            assert!(!covers(rule, other), "{other}");
        }
    }

    #[test]
    fn wildcards_cover_subdomains_only() {
        assert!(covers("https://*.example.com", "https://a.b.example.com"));
        for other in
            ["https://example.com", "https://.example.com", "https://notexample.com", "https://a.example.com:8443"]
        {
            assert!(!covers("https://*.example.com", other), "{other}");
        }
        assert!(Pattern::parse("https://*.com").is_err());
    }

    #[test]
    fn paths_match_on_segment_borders() {
        let rule = "https://h.example/team";
        assert!(covers(rule, "https://h.example/team/app.git"));
        assert!(covers(rule, "https://h.example/team/"));
        for other in ["https://h.example/team2/app", "https://h.example/Team/app", "https://h.example/"] {
            assert!(!covers(rule, other), "{other}");
        }
        for odd in ["https://h.example/team/../x", "https://h.example/a/%2E%2e/team", "https://h.example/a\\b"] {
            assert!(Place::from_url(odd).is_err(), "{odd}");
        }
    }

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
    fn a_prefix_is_no_wider_than_the_rule() {
        let place = Place::from_url("https://a.b.example/team/x/y").expect("a URL");
        let prefix = |rule: &str| Pattern::parse(rule).expect(rule).prefix_at(&place).map(|place| place.to_string());
        assert_eq!(prefix("https://*.b.example").as_deref(), Some("https://a.b.example"));
        assert_eq!(prefix("https://a.b.example/team").as_deref(), Some("https://a.b.example/team"));
        assert_eq!(prefix("https://b.example"), None);
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

    #[test]
    fn longer_rules_win() {
        let place = Place::from_url("https://a.b.example/team/x").expect("a URL");
        let rank = |rule: &str| Pattern::parse(rule).expect(rule).covers(&place);
        assert!(rank("https://a.b.example") > rank("https://*.b.example/team"));
        assert!(rank("https://a.b.example/team") > rank("https://a.b.example"));
        assert!(rank("https://*.b.example").is_some());
    }
}
