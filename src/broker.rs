//! Answers a request: fresh, refreshed or signed in, one process at a time
//!
//! ```text
//!   hit    choose the account, load its record, still fresh: answer         no lock, no network
//!   ageing the same, and one caller a minute refreshes first
//!   miss   `renew`: lock, load again, refresh or sign in, save, answer
//!   else   a place that no account serves: `kept`
//! ```

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Credential, Exit, Kind, Kinds, Refused, Reply, Request, ShownWith, Target, Verb};

use crate::account::Account;
use crate::choice::{Choice, Rule};
use crate::clock::now;
use crate::failure::{self, fail_hint};
use crate::flow::Flow;
use crate::login::{self, Wishes};
use crate::logout::{self, Reach};
use crate::need::{Need, is_refused, no_such_token};
use crate::oauth::Dpop;
use crate::paths::Paths;
use crate::renew::Renewal;
use crate::shown::shown;
use crate::store::{self, Stored};
use crate::token::{Freshness, How, Session, Token, TokenKind, Wants};
use crate::trade::Trade;
use crate::workload::Named;
use crate::{claims, config, kept, routes};

/// Who asks, beside what they ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) paths: &'a Paths,
    /// `--account`, else `HALLPASS_ACCOUNT`: narrows the choice.
    pub(crate) account: Option<&'a str>,
    /// The door, for those who wait for us: `git`, `get`.
    pub(crate) command: &'a str,
    /// `--tenant`.
    pub(crate) tenant: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn renewal(self, rule: &'a Rule, now: u64) -> Renewal<'a> {
        Renewal { paths: self.paths, rule, command: self.command, now }
    }
}

/// The answer; whatever fails is said in it.
pub(crate) fn answer(caller: Caller<'_>, request: &Request) -> Reply {
    try_answer(caller, request).unwrap_or_else(|why| Reply::Failed(failure::of(&why)))
}

fn try_answer(caller: Caller<'_>, request: &Request) -> Result<Reply> {
    let caller = Caller { account: request.account.as_deref().or(caller.account), ..caller };
    if matches!(request.verb, Verb::List) {
        return names(caller, request).map(Reply::Names);
    }
    let choice = routes::find(caller.paths, &request.target, caller.account, request.username.as_deref())?;
    let rule = match (choice, &request.target) {
        (Choice::Account(rule), _) => rule,
        (Choice::Missing(None), Target::Place(place)) if nobody_serves(caller, request)? => {
            return kept::answer(caller.paths, place, request);
        }
        (Choice::Missing(None), _) => return Ok(Reply::Missing(None)),
        // Another helper may still have it: not ours, with words for the person.
        (Choice::Missing(Some(why)), Target::Place(_)) => return Ok(Reply::Missing(Some(why))),
        (Choice::Missing(Some(why)), _) => return Ok(Reply::Failed(why)),
    };
    match request.kinds {
        Kinds::Aws | Kinds::Vault => bought(caller, request, &rule),
        _ => of_account(caller, request, &rule),
    }
}

fn of_account(caller: Caller<'_>, request: &Request, rule: &Rule) -> Result<Reply> {
    match &request.verb {
        Verb::Get => get(caller, request, rule).map(|credential| Reply::Pass(Box::new(credential))),
        Verb::Store(kept) if is_our_own(caller, rule, &kept.secret) => Ok(Reply::Done), // coming back
        Verb::Store(_) => {
            let name = &rule.account.name;
            Ok(Reply::Unsupported(format!("account `{name}` is signed in to, not stored: `hallpass login {name}`")))
        }
        Verb::Erase(Some(secret)) => {
            caller.renewal(rule, now()).mark_refused(secret)?;
            Ok(Reply::Done)
        }
        // Never a logout: other tools live on that session too.
        Verb::Erase(None) => {
            let name = &rule.account.name;
            Ok(Reply::Unsupported(format!("account `{name}` stays signed in: `hallpass logout {name}` ends that")))
        }
        Verb::Whose => {
            let name = &rule.account.name;
            let way = format!("`hallpass login {name}`, `hallpass logout {name}`");
            Ok(Reply::Unsupported(format!("account `{name}` is signed in to and out of, not stored: {way}")))
        }
        Verb::SignOut => logout::account(caller.paths, &rule.account.name, Reach::Usual).map(|_| Reply::Done),
        Verb::List => Ok(Reply::Done),
    }
}

/// What is bought with the account's token, where that is what the door wants.
fn bought(caller: Caller<'_>, request: &Request, rule: &Rule) -> Result<Reply> {
    let config = config::load(caller.paths)?;
    let client = config.account(&rule.account.name).map(|(_, client)| client.clone()).unwrap_or_default();
    let own = Request { kinds: Kinds::Access, ..request.clone() };
    let Some(trade) = Trade::of(caller.paths, rule, &client, caller.command, request)? else {
        return of_account(caller, &own, rule);
    };
    match &request.verb {
        Verb::Get => {
            let credential = trade.answer(request, |ask| get(caller, ask, rule))?;
            Ok(Reply::Pass(Box::new(credential)))
        }
        Verb::Store(kept) if trade.is_ours(&kept.secret) => Ok(Reply::Done),
        Verb::Erase(_) => trade.forget().map(|()| Reply::Done),
        _ => of_account(caller, &own, rule),
    }
}

/// Whether a tool brings back what it was given here.
fn is_our_own(caller: Caller<'_>, rule: &Rule, secret: &Secret) -> bool {
    let account = &rule.account;
    let of_variable = account.token_from_environment().is_some_and(|(_, token)| token == *secret);
    let stored = || look(&caller.paths.data, &account.name, rule.sealed).ok().flatten();
    of_variable || stored().is_some_and(|stored| stored.value.tokens.iter().any(|token| token.secret == *secret))
}

/// Whole hosts of the accounts that are signed in, and what is kept for this door.
fn names(caller: Caller<'_>, request: &Request) -> Result<Vec<(Place, String)>> {
    let config = config::load(caller.paths)?;
    let sealed = store::sealed_names(&caller.paths.data)?;
    let mut names = kept::names(caller.paths, request.drawer)?;
    for (name, (account, client)) in &config.accounts {
        let is_meant = caller.account.is_none_or(|account| account == name);
        let is_signed_in = account.token_from_environment().is_some()
            || look(&caller.paths.data, name, sealed.contains(name)).is_ok_and(|stored| stored.is_some());
        if is_meant && is_signed_in {
            let places = client.serves.iter().filter_map(|entry| Place::from_url(entry).ok());
            let whole = places.filter(|place| place.path.as_deref().unwrap_or_default().is_empty());
            let http = whole.filter(|place| matches!(place.scheme.as_str(), "https" | "http"));
            names.extend(http.map(|place| (place, account.username.clone())));
        }
    }
    Ok(names)
}

/// An account that was not named still hides what is kept for its places.
fn nobody_serves(caller: Caller<'_>, request: &Request) -> Result<bool> {
    if caller.account.is_none() {
        return Ok(true);
    }
    let choice = routes::find(caller.paths, &request.target, None, request.username.as_deref())?;
    Ok(matches!(choice, Choice::Missing(None)))
}

fn get(caller: Caller<'_>, request: &Request, rule: &Rule) -> Result<Credential> {
    let (account, now) = (&rule.account, now());
    let name = &account.name;
    if let Some((variable, secret)) = account.token_from_environment() {
        let mut credential = from_variable(account, request, &variable, secret, now)?;
        credential.rule.clone_from(&rule.pattern);
        credential.headers = account.headers(caller.tenant, None);
        return Ok(credential);
    }
    let mut need = Need::of(request, account);
    if let Some(session) = exchanged(caller, request, rule, now)? {
        let token = need.token(&session).ok_or_else(|| no_such_token(name, &need))?;
        return credential(caller, request, rule, &session, token, need.wants);
    }
    let renewal = caller.renewal(rule, now);
    let stored: Option<Stored<Session>> = store::load(&caller.paths.data, name, rule.sealed, store::BACKGROUND)?;
    if let Some(Stored { value: session, .. }) = &stored {
        check_environment(session, account)?;
        check_who(session, account)?;
        check_place(session, request, rule)?;
        if let Some(token) = need.token(session) {
            match (is_refused(request, token), token.freshness(now, need.wants)) {
                (false, Freshness::Fresh) => return credential(caller, request, rule, session, token, need.wants),
                (false, Freshness::Ageing) => {
                    let renewed = renewal.ahead(&need);
                    let token = renewed.as_ref().and_then(|session| need.token(session)).unwrap_or(token);
                    return credential(caller, request, rule, session, token, need.wants);
                }
                (true, _) => {
                    renewal.brake(session, token)?;
                    need.refused = Some(token.id.clone());
                }
                (false, Freshness::Stale) => {}
            }
        }
    }
    drop(stored);
    let session = renewal.renew(&need, request.no_prompt)?;
    check_place(&session, request, rule)?;
    match need.token(&session) {
        Some(token) => credential(caller, request, rule, &session, token, need.wants),
        None => Err(no_such_token(name, &need)),
    }
}

/// A session for whoever the tool asks for, in exchange for the token it brought: kept nowhere, or somebody else would
/// get it.
fn exchanged(caller: Caller<'_>, request: &Request, rule: &Rule, now: u64) -> Result<Option<Session>> {
    let (Some(subject), name) = (&request.subject, &rule.account.name) else { return Ok(None) };
    let config = config::load(caller.paths)?;
    let client = config
        .account(name)
        .map(|(_, client)| client)
        .filter(|client| client.machine.subject.named == Some(Named::Caller));
    let Some(client) = client.filter(|client| client.flow == Flow::TokenExchange) else { return Ok(None) };
    let tenant = rule.account.tenant.clone();
    let purpose = Need::of(request, &rule.account).purpose;
    let wishes = Wishes { subject: Some(subject.clone()), tenant, purpose, ..Wishes::default() };
    Ok(Some(login::sign_in(name, client, &wishes, now)?.session))
}

/// A row's variable may move its account to another environment: what was signed in to stays where it was.
fn check_environment(session: &Session, account: &Account) -> Result<()> {
    if !session.is_elsewhere(account) {
        return Ok(());
    }
    let (name, made) = (&account.name, session.api_url.as_deref().unwrap_or_default());
    let now = account.api_url.as_deref().unwrap_or_default();
    let what = format!("account `{name}` is signed in to `{}`, and now stands for `{}`", shown(made), shown(now));
    Err(fail_hint(Exit::Refused, what, format!("`hallpass login {name}` signs in there instead")))
}

/// A CI job is not the person who signed in on the same machine.
fn check_who(session: &Session, account: &Account) -> Result<()> {
    let Some(found) = account.ci.as_ref().filter(|_| session.how != How::Machine).and_then(|ci| ci.found()) else {
        return Ok(());
    };
    let name = &account.name;
    let what = format!("account `{name}` is signed in to by a person, and here {found} says who asks");
    Err(fail_hint(Exit::Refused, what, "give the job a home of its own: `XDG_DATA_HOME=... hallpass ...`"))
}

/// The places are sealed with the session: a changed configuration shows it to nobody new.
fn check_place(session: &Session, request: &Request, rule: &Rule) -> Result<()> {
    let name = &rule.account.name;
    match &request.target {
        // The rule covers the place, or it would not have been chosen.
        Target::Place(place) if !session.serves.contains(&rule.pattern) && !session.covers(place) => Err(fail_hint(
            Exit::Refused,
            format!("account `{name}`: {place} was not among the places it serves when you signed in"),
            format!("if you added it, `hallpass login {name}`"),
        )),
        _ => Ok(()),
    }
}

fn credential(
    caller: Caller<'_>,
    request: &Request,
    rule: &Rule,
    session: &Session,
    token: &Token,
    wants: Wants,
) -> Result<Credential> {
    let account = &rule.account;
    let mut headers = account.headers(caller.tenant, session.tenant.as_deref());
    let kind = match (token.kind, &session.dpop_key) {
        (TokenKind::IdToken, _) => Kind::IdToken,
        (TokenKind::AccessToken, None) => Kind::Bearer,
        (TokenKind::AccessToken, Some(key)) => {
            headers.push(("DPoP".to_owned(), proof(&account.name, request, key, &token.secret)?));
            Kind::Dpop
        }
    };
    Ok(Credential {
        account: account.name.clone(),
        username: account.username.clone(),
        secret: token.secret.clone(),
        kind,
        expires_at: token.expires_at.map(|expires_at| expires_at.saturating_sub(token.leeway(wants))),
        id: token.id.clone(),
        form: account.form.into(),
        headers,
        rule: rule.pattern.clone(),
    })
}

/// That we hold the key of a token, for the one request that shows it.
fn proof(name: &str, request: &Request, key: &Secret, token: &Secret) -> Result<String> {
    let Some(ShownWith { method, url, nonce }) = &request.shown_with else {
        let what = format!("account `{name}`: its token is bound to a key (DPoP), and is good only beside a proof");
        let hint = "`hallpass header URL --method GET`, or `hallpass json get` with `url` and `method`";
        return Err(fail_hint(Exit::Refused, what, hint));
    };
    let made = Dpop::read(key).and_then(|key| key.proof(method, url, Some(token), nonce.as_deref()));
    made.map(|proof| proof.expose().to_owned()).ok_or_else(|| {
        let what = format!("account `{name}`: no proof can be made for that URL with the key of its session");
        fail_hint(Exit::SignIn, what, format!("`hallpass login {name}`"))
    })
}

/// `HALLPASS_TOKEN_WORK`: for the account's places only, never saved and never refreshed.
fn from_variable(account: &Account, request: &Request, variable: &str, secret: Secret, now: u64) -> Result<Credential> {
    let name = &account.name;
    let again = |what: &str| {
        let what = format!("account `{name}`: the token in {variable} {what}");
        fail_hint(Exit::SignIn, what, format!("set {variable} to a new one, or unset it"))
    };
    if request.kinds == Kinds::Id || !secret.is_one_line() {
        return Err(again("is not what is asked for here"));
    }
    let expires_at = claims::expiry(&secret);
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(again("has expired"));
    }
    let known = match &request.refused {
        Some(Refused::Value(value)) => *value == secret,
        Some(Refused::Last) => true,
        _ => false,
    };
    if known {
        return Err(again("was refused by the server"));
    }
    Ok(Credential {
        account: name.clone(),
        username: account.username.clone(),
        secret,
        kind: Kind::Bearer,
        expires_at,
        id: String::new(),
        form: account.form.into(),
        headers: Vec::new(),
        rule: String::new(),
    })
}

/// The session of an account as it is kept, for `status` and the like.
pub(crate) fn look(data: &Path, name: &str, sealed: bool) -> Result<Option<Stored<Session>>> {
    store::load(data, name, sealed, store::BACKGROUND)
}
