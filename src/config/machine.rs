//! The keys of accounts that sign in without a person, and what is different for an account in CI

use anyhow::Result;
use toml_edit::{Item, Table};

use super::values::Values;
use crate::account::{Account, Client, Machine};
use crate::flow::{Flow, Method};
use crate::workload::{NAMES, Named, Source};

/// All of them; each begins as nothing else does.
pub(super) const KEYS: &[&str] = &[
    "token_endpoint_auth_method",
    "client_assertion_key_file",
    "client_assertion_key_id",
    "client_assertion_audience",
    "subject_account",
    "subject_token",
    "subject_token_file",
    "subject_token_env",
    "subject_token_command",
    "subject_token_type",
    "subject_token_audience",
    "actor_account",
    "actor_token",
    "actor_token_file",
    "actor_token_env",
    "actor_token_command",
    "actor_token_type",
    "actor_token_audience",
];

/// What a table `[account.NAME.ci]` may say anew, beside those. Not the places: they are the account's, wherever it is.
const IN_CI: &[&str] = &[
    "flow",
    "issuer",
    "token_endpoint",
    "client_id",
    "client_secret_file",
    "scope",
    "resource",
    "audience",
    "timeout",
];

/// Sets one; false when it is none of them.
pub(super) fn set(values: &Values<'_>, machine: &mut Machine, key: &str, item: &Item) -> Result<bool> {
    match key {
        "token_endpoint_auth_method" => {
            let words = [
                ("client_secret_basic", Method::Basic),
                ("client_secret_post", Method::Post),
                ("private_key_jwt", Method::PrivateKeyJwt),
            ];
            machine.method = Some(values.choice(key, item, &words)?);
        }
        "client_assertion_key_file" => machine.key_file = Some(values.file(key, item)?),
        "client_assertion_key_id" => machine.key_id = Some(values.string(key, item)?),
        "client_assertion_audience" => {
            machine.to_token_endpoint = values.choice(key, item, &[("issuer", false), ("token_endpoint", true)])?;
        }
        _ => match key.strip_prefix("subject_") {
            Some(rest) => return source(values, &mut machine.subject, rest, key, item),
            None => match key.strip_prefix("actor_") {
                Some(rest) => return source(values, &mut machine.actor, rest, key, item),
                None => return Ok(false),
            },
        },
    }
    Ok(true)
}

fn source(values: &Values<'_>, source: &mut Source, rest: &str, key: &str, item: &Item) -> Result<bool> {
    match rest {
        "account" => source.account = Some(values.string(key, item)?),
        "token" => source.named = Some(values.choice(key, item, &NAMES)?),
        "token_file" => source.file = Some(values.file(key, item)?),
        "token_env" => source.env = Some(values.string(key, item)?),
        "token_command" => source.command = Some(values.strings(key, item)?),
        "token_type" => source.kind = Some(values.string(key, item)?),
        "token_audience" => source.audience = Some(values.string(key, item)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The account as `[account.NAME.ci]` has it, where the job's identity that it names is to be had. The table is read
/// everywhere: what is wrong in it is known before it is needed.
pub(super) fn in_ci(
    values: &Values<'_>,
    name: &str,
    table: &Table,
    account: (Account, Client),
    fill: impl Fn(&Table, &mut (Account, Client)) -> Result<()>,
) -> Result<(Account, Client)> {
    let Some(item) = table.get("ci") else { return Ok(account) };
    let Some(table) = item.as_table() else {
        let what = format!("`ci` is no table: write `[account.{name}.ci]`");
        return Err(values.error(item.span(), what));
    };
    values.known(table, &[IN_CI, KEYS].concat(), &format!(" of `[account.{name}.ci]`"))?;
    let mut there = account.clone();
    forget_the_person(&mut there.1, table);
    fill(table, &mut there)?;
    if !there.1.flow.is_machine() {
        let what = "`ci` needs a `flow`: \"token_exchange\", \"jwt_bearer\" or \"client_credentials\"";
        return Err(values.error(item.span(), what));
    }
    let source = &mut there.1.machine.subject;
    if source.is_empty() {
        source.named = Some(Named::Ci);
    }
    let by_what_is_here = source.named.is_some() || source.file.is_some() || source.env.is_some();
    if !by_what_is_here || source.named == Some(Named::Caller) || source.account.is_some() {
        let what = "`ci` needs something to know CI by: `subject_token`, `subject_token_env` or `subject_token_file`";
        return Err(values.error(item.span(), what));
    }
    let ci = Some(Box::new(source.clone()));
    let (mut account, client) = if source.found().is_some() { there } else { account };
    account.ci = ci;
    Ok((account, client))
}

/// What belongs to the person's way to sign in, and must not be taken along by half.
fn forget_the_person(client: &mut Client, table: &Table) {
    (client.flow, client.pushes) = (Flow::Auto, false);
    (client.machine.subject, client.machine.actor) = (Source::default(), Source::default());
    if table.contains_key("client_id") {
        (client.machine, client.client_secret_file) = (Machine::default(), None); // another client's proof is none
    }
    if table.contains_key("issuer") {
        (client.token_endpoint, client.authorization_endpoint) = (None, None);
        (client.revocation_endpoint, client.userinfo_endpoint) = (None, None);
    }
}
