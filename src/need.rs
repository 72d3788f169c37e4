//! What a request needs of a session

use hallpass_protocol::talk::{Exit, Kinds, Refused, Request};

use crate::account::{Account, HandOut};
use crate::failure::fail_hint;
use crate::shown::shown;
use crate::token::{Freshness, Purpose, Session, Token, Wants};

/// A token younger than this (seconds) that a server refuses is not stale: the access is.
pub(crate) const YOUNG: u64 = 60;

/// Which token will do.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) kinds: Kinds,
    pub(crate) purpose: Purpose,
    pub(crate) prefer_access: bool,
    pub(crate) wants: Wants,
    /// Seconds after which the tool that asks has given up.
    pub(crate) patience: Option<u64>,
    /// The [`Token::id`] of one that a server would not take.
    pub(crate) refused: Option<String>,
}

impl Need {
    /// What a request needs of an account.
    pub(crate) fn of(request: &Request, account: &Account) -> Self {
        let Request { audience, resource, scope, .. } = request;
        let purpose = Purpose { audience: audience.clone(), resource: resource.clone(), scope: scope.clone() };
        Self {
            kinds: match (request.kinds, purpose != Purpose::OWN) {
                // A token for a named audience is an access token: an id_token's audience is its client.
                (Kinds::Either, true) => Kinds::Access,
                (kinds, _) => kinds,
            },
            purpose,
            prefer_access: account.hand_out == HandOut::AccessToken,
            wants: Wants { leeway: account.leeway, min_life: request.min_life, ahead: account.ahead },
            patience: request.patience,
            refused: None,
        }
    }

    /// The session's token for this need, good or not.
    pub(crate) fn token<'a>(&self, session: &'a Session) -> Option<&'a Token> {
        session.token(self.kinds, &self.purpose, self.prefer_access)
    }

    /// Whether it is good enough to be handed out without more ado.
    pub(crate) fn is_met(&self, session: &Session, now: u64) -> bool {
        self.accepted(session).is_some_and(|token| token.freshness(now, self.wants) != Freshness::Stale)
    }

    /// Whether a server would still take it, whatever the leeway.
    pub(crate) fn usable(&self, session: &Session, now: u64) -> bool {
        self.accepted(session).is_some_and(|token| token.is_usable(now))
    }

    fn accepted<'a>(&self, session: &'a Session) -> Option<&'a Token> {
        self.token(session).filter(|token| Some(&token.id) != self.refused.as_ref())
    }
}

/// Whether the refusal in a request means this token. An older one that was refused has been replaced since.
pub(crate) fn is_refused(request: &Request, token: &Token) -> bool {
    match &request.refused {
        None => false,
        Some(Refused::Id(id)) => *id == token.id,
        Some(Refused::Value(value)) => *value == token.secret,
        Some(Refused::Last) => true,
    }
}

/// The way out when a session has no token of the kind that is needed.
pub(crate) fn no_such_token(name: &str, need: &Need) -> anyhow::Error {
    let Purpose { audience, resource, scope } = &need.purpose;
    let (what, hint) = match (need.kinds, audience.as_ref().or(resource.as_ref())) {
        (_, None) if scope.is_some() => {
            let scope = shown(scope.as_deref().unwrap_or_default());
            (format!("no token for the scope `{scope}`"), "was that granted at the sign-in?".to_owned())
        }
        (_, Some(audience)) => {
            (format!("no token for `{}`", shown(audience)), "does its server know that audience?".to_owned())
        }
        (Kinds::Id | Kinds::Aws | Kinds::Either, None) => (
            "no id_token that is still good".to_owned(),
            format!("if its `scope` has \"openid\", `hallpass login {name}`"),
        ),
        (Kinds::Access | Kinds::Vault, None) => ("no access token".to_owned(), format!("`hallpass login {name}`")),
    };
    fail_hint(Exit::SignIn, format!("account `{name}` has {what}"), hint)
}
