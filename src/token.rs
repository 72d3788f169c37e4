//! A session and its tokens: what the authorization server gave, and whether it is still good

use hallpass_protocol::place::{Pattern, Place};
use hallpass_protocol::secret::{Secret, exposed, exposed_option};
use hallpass_protocol::talk::Kinds;
use serde::{Deserialize, Serialize};

use crate::account::Account;

/// One sign-in: at most one refresh token, and the tokens bought with it. The unit of locking.
///
/// An empty field is mentioned all the same when it is saved: what a save does not mention is carried over from the old
/// record.
///
/// Everything that decides where a secret may go is in here and not in the configuration, so that it is sealed
/// together with the secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Goes up by one at each save.
    pub(crate) generation: u64,
    /// The issuer as configured or discovered; empty when endpoints were configured one by one.
    #[serde(default)]
    pub(crate) issuer: String,
    /// Where the refresh token may be sent.
    #[serde(default)]
    pub(crate) token_endpoint: String,
    #[serde(default)]
    pub(crate) revocation_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) client_id: String,
    /// What a registration gave the client to show.
    #[serde(default, with = "exposed_option")]
    pub(crate) client_secret: Option<Secret>,
    /// What the configuration said then, where another was given for the sign-in.
    #[serde(default)]
    pub(crate) configured_client_id: Option<String>,
    /// The places it may be handed out for.
    pub(crate) serves: Vec<String>,
    #[serde(default, with = "exposed_option")]
    pub(crate) refresh_token: Option<Secret>,
    /// The key that its tokens are bound to (RFC 9449).
    #[serde(default, with = "exposed_option")]
    pub(crate) dpop_key: Option<Secret>,
    /// Seconds since the epoch; `None` when the server did not say.
    #[serde(default)]
    pub(crate) refresh_expires_at: Option<u64>,
    /// What was granted, when the server said so.
    #[serde(default)]
    pub(crate) scope: Option<String>,
    /// Who signed in, as the server told: name or address, and its own identifier.
    #[serde(default)]
    pub(crate) identity: Option<String>,
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// The environment of its provider that it was made for.
    #[serde(default)]
    pub(crate) api_url: Option<String>,
    /// The tenant that was named at the sign-in.
    #[serde(default)]
    pub(crate) tenant: Option<String>,
    pub(crate) how: How,
    /// Seconds since the epoch.
    pub(crate) signed_in_at: u64,
    /// When a refused token last forced a refresh, seconds since the epoch.
    #[serde(default)]
    pub(crate) forced_at: Option<u64>,
    pub(crate) tokens: Vec<Token>,
}

/// How the person signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    Browser,
    Paste,
    Device,
    Token,
    Machine,
}

impl How {
    /// Nobody is asked, so it is done whenever a token is needed.
    pub(crate) fn is_unattended(self) -> bool {
        self == Self::Machine
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Paste => "paste-back",
            Self::Device => "device flow",
            Self::Token => "piped token",
            Self::Machine => "machine identity",
        }
    }
}

/// One token of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// What it was had for, as in [`Purpose`]; nothing for the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(with = "exposed")]
    pub(crate) secret: Secret,
    /// A random name, to recognise it when it is refused without saying anything about it.
    pub(crate) id: String,
    /// Seconds since the epoch.
    pub(crate) obtained_at: u64,
    /// Seconds since the epoch; `None` when the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<u64>,
    /// A server refused it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dead: bool,
}

/// For whom and for what a token is to be, where not for all that the account is; a session has one of its own for each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purpose {
    #[serde(default)]
    pub(crate) audience: Option<String>,
    /// RFC 8707.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    /// Scopes with a space between them, in alphabetical order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
}

impl Purpose {
    /// The account's own.
    pub(crate) const OWN: Self = Self { audience: None, resource: None, scope: None };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    AccessToken,
    IdToken,
}

/// How good a token is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Hand it out.
    Fresh,
    /// Hand it out; somebody should refresh soon.
    Ageing,
    /// Refresh first.
    Stale,
}

/// How much life a caller wants left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    /// The account's leeway in seconds.
    pub(crate) leeway: u64,
    /// What the caller asked for in so many words.
    pub(crate) min_life: Option<u64>,
    /// The part of the life, in hundredths, in which it is refreshed ahead.
    pub(crate) ahead: u64,
}

/// A clock that is further behind than this was set wrong, now or when the token came.
const CLOCK_SLACK: u64 = 300;

impl Token {
    /// Whether it was had for this.
    pub(crate) fn is_for(&self, purpose: &Purpose) -> bool {
        let Purpose { audience, resource, scope } = purpose;
        self.audience == *audience && self.resource == *resource && self.scope == *scope
    }

    /// Whether it takes the place of another.
    pub(crate) fn replaces(&self, old: &Self) -> bool {
        (self.kind, &self.audience, &self.resource, &self.scope) == (old.kind, &old.audience, &old.resource, &old.scope)
    }

    /// Seconds of life it had in all; no expiry is no end.
    fn life(&self) -> Option<u64> {
        self.expires_at.map(|expires_at| expires_at.saturating_sub(self.obtained_at))
    }

    /// The leeway that can be had of this token. A leeway near the whole life would make every call refresh, so it
    /// is at most a fifth; an explicit wish is honoured as long as a new token could fulfil it.
    pub(crate) fn leeway(&self, wants: Wants) -> u64 {
        let life = self.life().unwrap_or(u64::MAX);
        match wants.min_life {
            Some(asked) if asked <= life / 10 * 9 => asked,
            Some(asked) => asked.min(life / 5),
            None => wants.leeway.min(life / 5),
        }
    }

    pub(crate) fn freshness(&self, now: u64, wants: Wants) -> Freshness {
        if self.dead {
            return Freshness::Stale;
        }
        let (Some(expires_at), Some(life)) = (self.expires_at, self.life()) else { return Freshness::Fresh };
        let set_back = self.obtained_at > now.saturating_add(CLOCK_SLACK);
        if set_back {
            return Freshness::Stale;
        }
        let left = expires_at.saturating_sub(now);
        if left <= self.leeway(wants) {
            Freshness::Stale
        } else if left <= life / 100 * wants.ahead {
            Freshness::Ageing
        } else {
            Freshness::Fresh
        }
    }

    /// Whether a server would still take it, whatever the leeway.
    pub(crate) fn is_usable(&self, now: u64) -> bool {
        !self.dead && self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

impl Session {
    /// The token of the kinds a door may hand out. Never another kind in its place: an id_token shown where an
    /// access token belongs could be replayed by the place it was shown to.
    pub(crate) fn token(&self, kinds: Kinds, purpose: &Purpose, prefer_access: bool) -> Option<&Token> {
        let find = |kind| self.tokens.iter().find(|token| token.kind == kind && token.is_for(purpose));
        match kinds {
            Kinds::Access | Kinds::Vault => find(TokenKind::AccessToken),
            Kinds::Id | Kinds::Aws => find(TokenKind::IdToken),
            Kinds::Either if prefer_access || !self.has_id_token() => find(TokenKind::AccessToken),
            Kinds::Either => find(TokenKind::IdToken),
        }
    }

    /// Those of the wanted scopes that the server did not grant; none if it did not say what it granted.
    pub(crate) fn missing_scopes<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        let Some(granted) = &self.scope else { return Vec::new() };
        let is_granted = |scope: &str| granted.split([' ', ',']).any(|granted| granted == scope);
        // Whether there is a refresh token says more than whether this one is repeated.
        let wanted = wanted.iter().map(String::as_str).filter(|scope| *scope != "offline_access");
        wanted.filter(|scope| !is_granted(scope)).collect()
    }

    /// Those of the scopes in a text that were not granted.
    pub(crate) fn beyond(&self, scope: &str) -> Vec<String> {
        let wanted: Vec<_> = scope.split(' ').map(str::to_owned).collect();
        self.missing_scopes(&wanted).into_iter().map(str::to_owned).collect()
    }

    fn has_id_token(&self) -> bool {
        self.tokens.iter().any(|token| token.kind == TokenKind::IdToken)
    }

    /// Whether it was made for another environment than the account is for now: its token is nobody else's business.
    pub(crate) fn is_elsewhere(&self, account: &Account) -> bool {
        matches!((&self.api_url, &account.api_url), (Some(made), Some(now)) if made != now)
    }

    /// Whether this session may be shown to a place.
    pub(crate) fn covers(&self, place: &Place) -> bool {
        let covers = |pattern: &String| Pattern::parse(pattern).is_ok_and(|pattern| pattern.covers(place).is_some());
        self.serves.iter().any(covers)
    }
}

/// `7a3f4b2c…e2d8 (64 chars hex)`: enough to recognise a secret by, not enough to use it. Short ones show nothing.
pub(crate) fn masked(secret: &Secret) -> String {
    const SHOWN_FROM: usize = 32; // below this, twelve characters would be a good part of the secret
    let text = secret.expose();
    let count = text.chars().count();
    let alphabet = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()) { " hex" } else { "" };
    if count < SHOWN_FROM || !text.is_ascii() {
        return format!("… ({count} chars{alphabet})");
    }
    format!("{}…{} ({count} chars{alphabet})", &text[..8], &text[count - 4..])
}

#[cfg(test)]
mod tests {
    use super::{Freshness, Token, TokenKind, Wants, masked};
    use hallpass_protocol::secret::Secret;

    fn token(obtained_at: u64, life: u64) -> Token {
        Token {
            kind: TokenKind::AccessToken,
            audience: None,
            resource: None,
            scope: None,
            secret: Secret::new("AT"),
            id: String::new(),
            obtained_at,
            expires_at: Some(obtained_at + life),
            dead: false,
        }
    }

    const WANTS: Wants = Wants { leeway: 60, min_life: None, ahead: 20 };

    #[test]
    fn an_hour() {
        let token = token(1_000_000, 3600);
        for (age, freshness) in [
            (0, Freshness::Fresh),
            (2879, Freshness::Fresh),
            (2880, Freshness::Ageing),
            (3539, Freshness::Ageing),
            (3540, Freshness::Stale),
            (9999, Freshness::Stale),
        ] {
            assert_eq!(token.freshness(1_000_000 + age, WANTS), freshness, "{age}");
        }
        let patient = Wants { min_life: Some(1200), ..WANTS };
        assert_eq!(token.freshness(1_000_000 + 2401, patient), Freshness::Stale);
        assert_eq!(token.freshness(1_000_000 + 100, patient), Freshness::Fresh);
    }

    #[test]
    fn short_lives_make_no_storm() {
        let minute = token(1_000_000, 60);
        assert_eq!(minute.freshness(1_000_001, WANTS), Freshness::Fresh);
        let more_than_it_has = Wants { min_life: Some(7200), ..WANTS };
        assert_eq!(token(1_000_000, 3600).freshness(1_000_001, more_than_it_has), Freshness::Fresh);
    }

    #[test]
    fn a_clock_set_back_makes_no_immortal_token() {
        assert_eq!(token(1_000_000, 3600).freshness(1_000, WANTS), Freshness::Stale);
    }

    #[test]
    fn masks() {
        let hex = "7a3f4b2c".repeat(7) + "0000e2d8";
        assert_eq!(masked(&Secret::new(hex)), "7a3f4b2c…e2d8 (64 chars hex)");
        assert_eq!(masked(&Secret::new("short")), "… (5 chars)");
        assert_eq!(masked(&Secret::new("é".repeat(40))), "… (40 chars)");
    }
}
