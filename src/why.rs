//! `hallpass why TOOL URL`: which rule answers a tool for a place, and from what
//!
//! From the disk alone, as `status`.

use anyhow::Result;
use hallpass_protocol::place::{Pattern, Place};
use hallpass_protocol::talk::{Exit, Failure, Target};

use crate::broker;
use crate::choice::{Choice, Rule};
use crate::config::{self, Config};
use crate::failure::fail_hint;
use crate::login;
use crate::paths::Paths;
use crate::routes;
use crate::shown::shown;
use crate::status;

/// The lines of the answer, and the exit code that a request would end with before anything is refreshed.
pub(crate) fn explain(
    paths: &Paths,
    tool: &str,
    place: &Place,
    named: Option<&str>,
    tenant: Option<&str>,
) -> Result<(Vec<String>, Exit)> {
    if hallpass_protocol::find(tool).is_none() {
        let list: Vec<_> = hallpass_protocol::ALL.iter().map(|protocol| protocol.names()[0]).collect();
        let what = format!("`{}` is no tool that hallpass speaks with", shown(tool));
        return Err(fail_hint(Exit::Usage, what, format!("there are {}", list.join(", "))));
    }
    let config = config::load(paths)?;
    let mut lines = vec![format!("{tool} asks for {place}")];
    let rules = covering(&config, place);
    lines.extend(rules.iter().map(|(name, pattern)| format!("  account `{name}` serves `{pattern}`")));
    if let Some(named) = named {
        lines.push(format!("  only `{named}` is looked at: --account or HALLPASS_ACCOUNT says so"));
    }
    match routes::find(paths, &Target::Place(place.clone()), named, None)? {
        Choice::Account(rule) => {
            let name = &rule.account.name;
            lines.push(format!("answered by account `{name}`, for its rule `{}`", rule.pattern));
            lines.extend(sources(paths, &config, &rule, tenant)?);
            if let Some((variable, _)) = rule.account.token_from_environment() {
                lines.push(format!("  with the token in {variable}, which goes before its session"));
                return Ok((lines, Exit::Answered));
            }
            let state = status::states(paths, Some(name))?.pop();
            lines.extend(state.iter().map(|state| format!("  {}", state.who())));
            Ok((lines, state.map_or(Exit::SignIn, |state| state.exit())))
        }
        Choice::Missing(why) => {
            lines.push(match (&why, rules.is_empty()) {
                (Some(Failure { what, .. }), _) => format!("not answered: {what}"),
                (None, true) if !place.may_carry_a_token() => {
                    "not answered: tokens never go to http:// off this machine".to_owned()
                }
                (None, true) => {
                    "not answered: no account serves it; only a password that a tool brought could be".to_owned()
                }
                (None, false) => "not answered: no account that is looked at serves it".to_owned(),
            });
            lines.extend(why.and_then(|why| why.hint).map(|hint| format!("  next: {hint}")));
            Ok((lines, Exit::Missing))
        }
    }
}

/// Where the client and the tenant come from.
fn sources(paths: &Paths, config: &Config, rule: &Rule, flag: Option<&str>) -> Result<Vec<String>> {
    let account = &rule.account;
    let mut lines = Vec::new();
    let client = config.account(&account.name).map(|(_, client)| client);
    if let Some((id, from)) = client.and_then(|client| login::client_id(client, None)) {
        lines.push(format!("  signs in as client `{}`, {from}", shown(&id)));
    }
    if let Some(client) = client.filter(|client| client.flow.is_machine()) {
        let shows = client.identity().map_or(String::new(), |identity| format!(", shows {}", shown(&identity)));
        lines.push(format!("  needs nobody: {}{shows}", client.flow.words()));
    } else if account.ci.is_some() {
        lines.push("  is signed in to by a person: what its `ci` names is not here".to_owned());
    }
    if account.tenant_header.is_some() {
        let stored = broker::look(&paths.data, &account.name, rule.sealed).ok().flatten();
        let signed_in = stored.and_then(|stored| stored.value.tenant);
        let known = flag.map(|slug| (slug, "--tenant"));
        let known = known.or_else(|| Some((account.tenant.as_deref()?, "the configuration")));
        lines.push(match known.or_else(|| Some((signed_in.as_deref()?, "the sign-in"))) {
            Some((slug, from)) => format!("  in the tenant `{}`, from {from}", shown(slug)),
            None => "  in no tenant".to_owned(),
        });
    }
    Ok(lines)
}

/// Every entry of `serves` that covers the place, whichever wins.
fn covering<'a>(config: &'a Config, place: &Place) -> Vec<(&'a str, &'a str)> {
    let entries =
        config.accounts.iter().flat_map(|(name, (_, client))| client.serves.iter().map(move |entry| (name, entry)));
    let covers = |entry: &str| Pattern::parse(entry).is_ok_and(|pattern| pattern.covers(place).is_some());
    entries.filter(|(_, entry)| covers(entry)).map(|(name, entry)| (name.as_str(), entry.as_str())).collect()
}
