//! What `status`, `whoami` and `accounts` tell: from the disk alone, nothing refreshed and nobody asked

use anyhow::Result;
use hallpass_protocol::talk::{Exit, Failure};
use hallpass_protocol::time::rfc3339;
use serde::Serialize;
use serde_json::{Value, json};

use crate::account::{Account, Client};
use crate::broker::look;
use crate::clock::now;
use crate::config;
use crate::failure;
use crate::paths::Paths;
use crate::shown::{shown, span};
use crate::store::{self, Kind};
use crate::token::{How, Session, Token, TokenKind, masked};

/// One account as it stands.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) account: Account,
    pub(crate) is_default: bool,
    /// `Err` when the record cannot be read: locked, damaged, refused.
    pub(crate) session: Result<Option<(Session, Kind)>, Failure>,
    /// The variable that stands in for the session.
    variable: Option<String>,
    /// The environment, for an account of a provider.
    api_url: Option<String>,
    /// What a machine shows of itself here.
    identity: Option<String>,
}

/// Every configured account, or the named one.
pub(crate) fn states(paths: &Paths, named: Option<&str>) -> Result<Vec<State>> {
    let config = config::load(paths)?;
    let sealed = store::sealed_names(&paths.data)?;
    let records = store::records(&paths.data)?;
    let default = config.default_account().map(str::to_owned);
    // What only a row makes is shown once it is used, or asked for.
    let is_used = |account: &Account, client: &Client| {
        !client.built_in
            || named == Some(&account.name)
            || account.token_from_environment().is_some()
            || records.iter().any(|record| record.name == account.name)
    };
    let all = config.accounts.into_values().filter(|(account, client)| is_used(account, client));
    Ok(all
        .map(|(account, client)| (account, client.identity(), client.provider.map(|provider| provider.api_url)))
        .filter(|(account, ..)| named.is_none_or(|named| account.name == named))
        .map(|(account, identity, api_url)| {
            let found = look(&paths.data, &account.name, sealed.contains(&account.name));
            State {
                is_default: default.as_deref() == Some(&account.name),
                session: found
                    .map(|found| found.map(|stored| (stored.value, stored.shelf.kind())))
                    .map_err(|why| failure::of(&why))
                    .and_then(|found| match &found {
                        Some((session, _)) if session.is_elsewhere(&account) => {
                            let made = session.api_url.as_deref().unwrap_or_default();
                            let what = format!("not signed in here, but to `{}`", shown(made));
                            Err(Failure::new(Exit::SignIn, what).hint(format!("`hallpass login {}`", account.name)))
                        }
                        _ => Ok(found),
                    }),
                variable: account.token_from_environment().map(|(variable, _)| variable),
                account,
                api_url,
                identity,
            }
        })
        .collect())
}

impl State {
    /// As `whoami` needs it: signed in and good for something.
    pub(crate) fn exit(&self) -> Exit {
        match &self.session {
            _ if self.variable.is_some() => Exit::Answered,
            Err(failure) => failure.exit,
            Ok(Some((session, _)))
                if session.refresh_token.is_some() || session.tokens.iter().any(|token| token.is_usable(now())) =>
            {
                Exit::Answered
            }
            Ok(_) => Exit::SignIn,
        }
    }

    /// What `whoami` warns of: the token is about to end, and nothing will renew it.
    pub(crate) fn warning(&self) -> Option<String> {
        const SOON: u64 = 30; // seconds: time enough to sign in before the next command
        let Ok(Some((session, _))) = &self.session else { return None };
        let left = |token: &Token| token.expires_at.map(|expires_at| expires_at.saturating_sub(now()));
        let left = session.tokens.iter().filter(|token| token.kind == TokenKind::AccessToken).filter_map(left).min()?;
        let name = &self.account.name;
        let soon = session.refresh_token.is_none() && self.variable.is_none() && left <= SOON;
        let when = if left == 0 { "has expired".to_owned() } else { format!("ends in {left} s") };
        soon.then(|| format!("the token of account `{name}` {when}; `hallpass login {name}`"))
    }

    /// Who it is, in a list that names the account beside it.
    pub(crate) fn identity(&self) -> String {
        let who = self.who();
        let end = format!(" (account {})", self.account.name);
        who.strip_suffix(end.as_str()).map_or_else(|| who.clone(), str::to_owned)
    }

    /// One line: who, where.
    pub(crate) fn who(&self) -> String {
        let name = &self.account.name;
        if let Some(variable) = &self.variable {
            return format!("whoever the token in {variable} is for (account {name})");
        }
        match &self.session {
            Ok(Some((session, _))) => {
                let identity = session.identity.as_deref().unwrap_or("somebody the server does not name");
                format!("{} (account {name}{})", shown(identity), at(&session.issuer))
            }
            Ok(None) => format!("not signed in (account {name})"),
            Err(failure) => format!("{} (account {name})", failure.what),
        }
    }

    /// The block that `status` prints.
    pub(crate) fn lines(&self, paths: &Paths) -> Vec<String> {
        let mut lines = vec![format!("{}{}", self.account.name, if self.is_default { " (default)" } else { "" })];
        let mut line = |label: &str, text: String| lines.push(format!("  {label:<14} {text}"));
        if let Some(api_url) = &self.api_url {
            line("base URL", api_url.clone());
        }
        if let Some(identity) = &self.identity {
            line("shows", format!("{}, for a token of its own", shown(identity)));
        }
        if let Some(variable) = &self.variable {
            line("token from", format!("{variable}, in place of the session"));
        }
        let (session, kind) = match &self.session {
            Ok(Some(found)) => found,
            Ok(None) => {
                line("signed in", format!("no; `hallpass login {}`", self.account.name));
                return lines;
            }
            Err(failure) => {
                line("unknown", failure.what.clone());
                if let Some(hint) = &failure.hint {
                    line("next", hint.clone());
                }
                return lines;
            }
        };
        let who = session.identity.as_deref().map_or(String::new(), |identity| format!("as {}, ", shown(identity)));
        line("signed in", format!("{who}by {}, {}", session.how.words(), rfc3339(session.signed_in_at)));
        if !session.issuer.is_empty() {
            line("issuer", shown(&session.issuer));
        }
        for token in &session.tokens {
            line(label(token), format!("{}, {}{}", masked(&token.secret), life(token), purpose(token)));
        }
        if let Some(tenant) = self.account.tenant.as_deref().or(session.tenant.as_deref()) {
            line("tenant", shown(tenant));
        }
        line(
            "refreshed",
            match session.refresh_token {
                Some(_) => match session.refresh_expires_at {
                    Some(end) => format!("by itself, until {}", rfc3339(end)),
                    None => "by itself, before it expires".to_owned(),
                },
                None if session.how == How::Machine => "by itself: it signs in anew".to_owned(),
                None => "never: there is no refresh token".to_owned(),
            },
        );
        line("kept", store::in_words(&paths.data, &self.account.name, kind));
        if let Some((path, mode)) = store::too_open(&paths.data, &self.account.name, kind) {
            line("warning", format!("others could read it (mode {mode:o}); `chmod 600 {}`", path.display()));
        }
        line(
            "serves",
            if session.serves.is_empty() {
                "no place".to_owned()
            } else {
                session.serves.iter().map(|place| shown(place)).collect::<Vec<_>>().join(", ")
            },
        );
        lines
    }

    /// The same for programs.
    pub(crate) fn json(&self, paths: &Paths) -> Value {
        let mut value = json!({ "account": self.account.name, "default": self.is_default });
        if let Some(identity) = &self.identity {
            value["machine_identity"] = identity.clone().into();
        }
        if let Some(variable) = &self.variable {
            value["token_variable"] = variable.clone().into();
        }
        match &self.session {
            Ok(None) => value["signed_in"] = false.into(),
            Err(failure) => {
                value["signed_in"] = Value::Null;
                value["error"] = json!({ "code": failure.exit as u8, "message": failure.what, "hint": failure.hint });
            }
            Ok(Some((session, kind))) => {
                #[derive(Serialize)]
                struct Shown {
                    kind: TokenKind,
                    audience: Option<String>,
                    resource: Option<String>,
                    scope: Option<String>,
                    token: String,
                    expires_at: Option<u64>,
                    refused: bool,
                }
                let tokens: Vec<_> = session
                    .tokens
                    .iter()
                    .map(|token| Shown {
                        kind: token.kind,
                        audience: token.audience.clone(),
                        resource: token.resource.clone(),
                        scope: token.scope.clone(),
                        token: masked(&token.secret),
                        expires_at: token.expires_at,
                        refused: token.dead,
                    })
                    .collect();
                value["signed_in"] = true.into();
                value["identity"] = session.identity.clone().into();
                value["issuer"] = session.issuer.clone().into();
                value["how"] = session.how.words().into();
                value["signed_in_at"] = session.signed_in_at.into();
                value["refreshable"] = session.refresh_token.is_some().into();
                value["refresh_expires_at"] = session.refresh_expires_at.into();
                value["tokens"] = json!(tokens);
                value["kept"] = store::in_words(&paths.data, &self.account.name, kind).into();
                value["serves"] = json!(session.serves);
                value["tenant"] = self.account.tenant.clone().or_else(|| session.tenant.clone()).into();
            }
        }
        value
    }
}

fn at(issuer: &str) -> String {
    if issuer.is_empty() { String::new() } else { format!(" at {}", shown(issuer)) }
}

fn label(token: &Token) -> &'static str {
    match token.kind {
        TokenKind::AccessToken => "access token",
        TokenKind::IdToken => "id token",
    }
}

/// What it is for, where not for all that the account is.
fn purpose(token: &Token) -> String {
    let audience = token.audience.iter().chain(&token.resource).map(|name| format!(", for {}", shown(name)));
    let scope = token.scope.iter().map(|scope| format!(", scope {}", shown(scope)));
    audience.chain(scope).collect()
}

fn life(token: &Token) -> String {
    let now = now();
    match token.expires_at {
        _ if token.dead => "refused by a server, refreshed at the next use".to_owned(),
        None => "no known expiry".to_owned(),
        Some(expires_at) if expires_at <= now => format!("expired {}", rfc3339(expires_at)),
        Some(expires_at) => format!("expires {} (in {})", rfc3339(expires_at), span(expires_at - now)),
    }
}
