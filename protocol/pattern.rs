//! What an account serves: a place, or with `*.` before the host all that lies below it

use crate::place::{NotAPlace, Place};

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
        let (wildcard, place) = match text.split_once("://*.") {
            Some((scheme, rest)) => (true, Place::from_url(&format!("{scheme}://{rest}"))?),
            None => (false, Place::from_url(text)?),
        };
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

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::place::Place;

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
    fn a_prefix_is_no_wider_than_the_rule() {
        let place = Place::from_url("https://a.b.example/team/x/y").expect("a URL");
        let prefix = |rule: &str| Pattern::parse(rule).expect(rule).prefix_at(&place).map(|place| place.to_string());
        assert_eq!(prefix("https://*.b.example").as_deref(), Some("https://a.b.example"));
        assert_eq!(prefix("https://a.b.example/team").as_deref(), Some("https://a.b.example/team"));
        assert_eq!(prefix("https://b.example"), None);
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
