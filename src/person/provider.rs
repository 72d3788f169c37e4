//! Commands that ask the provider itself: `tenants`, `token`

use anyhow::Result;
use hallpass_protocol::talk::{Credential, Exit, Reply, Request, Target, Verb};

use super::chosen::chosen;
use super::stdout::out;
use super::words::{TenantsCommand, TokenCommand};
use crate::broker::{self, Caller};
use crate::failure::{fail, fail_hint};
use crate::paths::Paths;
use crate::pats::{Pats, Wish};
use crate::{config, enrol, tenants, terminal};

pub(super) fn tokens(paths: &Paths, named: Option<&str>, command: &TokenCommand) -> Result<Exit> {
    let name = chosen(paths, None, named)?.account.name;
    let config = config::load(paths)?;
    let (_, client) = config.account(&name).ok_or_else(|| fail(Exit::Bug, "an account without a client"))?;
    let pats = Pats::new(&name, client, token_of(paths, &name, None)?.secret)?;
    match command {
        TokenCommand::Create { name, scope, days } => {
            let wish = Wish { name: name.clone(), scope: scope.clone(), days: *days };
            let new = pats.create(&wish)?;
            if let Some(words) = new.in_words() {
                terminal::say(&words);
            }
            if new.is_narrower(&wish) {
                terminal::say("the server gave it fewer scopes than were asked for");
            }
            out(&[new.token.expose().to_owned()])
        }
        TokenCommand::List => {
            let list = pats.list()?;
            if list.is_empty() {
                terminal::say("there are none; `hallpass token create NAME` makes one");
            } else {
                terminal::say("identifier, name, scopes, end, last use:");
            }
            out(&list)
        }
        TokenCommand::Revoke { id } => {
            let words = if pats.revoke(id)? { "is revoked" } else { "was gone already" };
            terminal::say(&format!("the token `{}` {words}", crate::shown::shown(id)));
            Ok(Exit::Answered)
        }
    }
}

/// A token of an account for a request of our own.
fn token_of(paths: &Paths, name: &str, tenant: Option<&str>) -> Result<Credential> {
    let caller = Caller { paths, account: Some(name), command: "person", tenant };
    let request = Request::new(Verb::Get, Target::Account(name.to_owned()));
    match broker::answer(caller, &request) {
        Reply::Pass(credential) => Ok(*credential),
        other => Err(other.failure(&request).into()),
    }
}

pub(super) fn tenants(
    paths: &Paths,
    named: Option<&str>,
    command: Option<&TenantsCommand>,
    flag: Option<&str>,
) -> Result<Exit> {
    let rule = chosen(paths, None, named)?;
    let name = &rule.account.name;
    let token = token_of(paths, name, flag)?;
    let config = config::load(paths)?;
    let (_, client) = config.account(name).ok_or_else(|| fail(Exit::Bug, "an account without a client"))?;
    let list = tenants::list(name, client, &token.secret, &token.headers)?;
    if let Some(TenantsCommand::Use { slug }) = command {
        if !list.iter().any(|tenant| tenant.slug == *slug) {
            let what = format!("account `{name}` is no member of the tenant `{}`", crate::shown::shown(slug));
            return Err(fail_hint(Exit::Missing, what, "`hallpass tenants list` shows those it is in"));
        }
        enrol::set_tenant(paths, name, slug)?;
        terminal::say(&format!("account `{name}` works in the tenant `{slug}`"));
        return Ok(Exit::Answered);
    }
    let stored = broker::look(&paths.data, name, rule.sealed)?;
    let signed_in = stored.and_then(|stored| stored.value.tenant);
    let current = flag.or(rule.account.tenant.as_deref()).or(signed_in.as_deref());
    let line = |tenant: &tenants::Tenant| {
        let mark = if current == Some(tenant.slug.as_str()) { "*" } else { " " };
        format!("{mark} {}  {}", tenant.slug, tenant.name)
    };
    out(&list.iter().map(line).collect::<Vec<_>>())
}
