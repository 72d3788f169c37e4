//! The keys of accounts that sign in without a person, and what is different for an account in CI

use anyhow::Result;
use toml_edit::Item;

use super::values::Values;
use crate::account::Machine;
use crate::flow::Method;
use crate::workload::{NAMES, Source};

/// All of them; each begins as nothing else does.
pub(super) const KEYS: &[&str] = &[
    "token_endpoint_auth_method",
    "client_key_file",
    "client_key_id",
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
pub(super) const IN_CI: &[&str] = &[
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
        "client_key_file" => machine.key_file = Some(values.file(key, item)?),
        "client_key_id" => machine.key_id = Some(values.string(key, item)?),
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
