//! The keys of an account's table, and what each of them may say

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use toml_edit::Table;

use super::machine;
use super::values::Values;
use crate::account::{Account, Client, HandOut, Interactive, Spelling, StoreWish, is_slug};
use crate::failure::fail;
use crate::flow::Flow;
use crate::shown::shown;

pub(super) const KEYS: &[&str] = &[
    "provider",
    "api_url",
    "tenant",
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "registration_endpoint",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "dpop_bound_access_tokens",
    "client_id",
    "client_secret_file",
    "scope",
    "resource",
    "audience",
    "serves",
    "username",
    "hand_out",
    "authorization",
    "flow",
    "token_command",
    "redirect_uri",
    "redirect_ports",
    "ca_file",
    "client_certificate_file",
    "client_key_file",
    "store",
    "leeway",
    "refresh_ahead",
    "timeout",
    "interactive",
    "browser",
    "exec",
    "aws_role_arn",
    "aws_sts_endpoint",
    "aws_start_url",
    "aws_role",
    "vault_mount",
    "vault_role",
    "vault_namespace",
];

/// Sets what a table says.
pub(super) fn fill(values: &Values<'_>, table: &Table, (account, client): &mut (Account, Client)) -> Result<()> {
    for (key, item) in table.iter() {
        match key {
            "provider" | "api_url" => {} // they have chosen the row
            "tenant" => {
                let slug = values.string(key, item)?;
                if !is_slug(&slug) {
                    return Err(values.error(item.span(), format!("`{}` is no tenant's name", shown(&slug))));
                }
                account.tenant = Some(slug);
            }
            "issuer" => client.issuer = Some(values.endpoint(key, item)?),
            "authorization_endpoint" => client.authorization_endpoint = Some(values.endpoint(key, item)?),
            "token_endpoint" => client.token_endpoint = Some(values.endpoint(key, item)?),
            "device_authorization_endpoint" => {
                client.device_authorization_endpoint = Some(values.endpoint(key, item)?);
            }
            "revocation_endpoint" => client.revocation_endpoint = Some(values.endpoint(key, item)?),
            "userinfo_endpoint" => client.userinfo_endpoint = Some(values.endpoint(key, item)?),
            "registration_endpoint" => client.registration_endpoint = Some(values.endpoint(key, item)?),
            "pushed_authorization_request_endpoint" => {
                client.pushed_authorization_request_endpoint = Some(values.endpoint(key, item)?);
            }
            "require_pushed_authorization_requests" => client.pushes = values.yes(key, item)?,
            "dpop_bound_access_tokens" => client.dpop = values.yes(key, item)?,
            "token_command" => client.token_command = Some(values.strings(key, item)?),
            "client_id" => client.client_id = Some(values.string(key, item)?),
            "client_secret_file" => client.client_secret_file = Some(values.file(key, item)?),
            "scope" => client.scope = values.strings(key, item)?,
            "resource" => client.resource = values.resources(key, item)?,
            "audience" => client.audience = values.one_or_more(key, item)?,
            "serves" => client.serves = values.serves(key, item)?,
            "username" => {
                account.username = values.string(key, item)?;
                if account.username.is_empty() {
                    let what = "`username` is empty: git drops the token of a user without a name";
                    return Err(values.error(item.span(), what));
                }
            }
            "hand_out" => {
                let words = [("access_token", HandOut::AccessToken), ("id_token", HandOut::IdToken)];
                account.hand_out = values.choice(key, item, &words)?;
            }
            "authorization" => {
                let words = [
                    ("auto", Spelling::Auto),
                    ("basic", Spelling::Basic),
                    ("bearer", Spelling::Bearer),
                    ("bare", Spelling::Bare),
                ];
                account.form = values.choice(key, item, &words)?;
            }
            "flow" => {
                let words = [
                    ("auto", Flow::Auto),
                    ("browser", Flow::Browser),
                    ("paste", Flow::Paste),
                    ("device", Flow::Device),
                    ("token", Flow::Token),
                    ("client_credentials", Flow::ClientCredentials),
                    ("token_exchange", Flow::TokenExchange),
                    ("jwt_bearer", Flow::JwtBearer),
                ];
                client.flow = values.choice(key, item, &words)?;
            }
            "redirect_uri" => client.redirect_uri = Some(values.redirect(key, item)?),
            "redirect_ports" => client.redirect_ports = values.ports(key, item)?,
            "ca_file" => client.trust.ca_file = Some(values.file(key, item)?),
            "client_certificate_file" => {
                client.trust.client_certificate_file = Some(values.file(key, item)?);
            }
            "client_key_file" => client.trust.client_key_file = Some(values.file(key, item)?),
            "store" => {
                let words = [("auto", StoreWish::Auto), ("keychain", StoreWish::Keychain), ("file", StoreWish::File)];
                account.store = values.choice(key, item, &words)?;
            }
            "leeway" => account.leeway = values.seconds(key, item)?,
            "timeout" => client.timeout = values.seconds(key, item)?.max(1),
            "refresh_ahead" => account.ahead = values.hundredths(key, item)?,
            "interactive" => {
                let words =
                    [("auto", Interactive::Auto), ("never", Interactive::Never), ("always", Interactive::Always)];
                client.interactive = values.choice(key, item, &words)?;
            }
            "browser" => {
                let words = values.strings(key, item)?;
                if words.first().is_none_or(String::is_empty) {
                    return Err(values.error(item.span(), "`browser` names no program: `[\"firefox\", \"%s\"]`"));
                }
                client.browser = Some(words);
            }
            "exec" => client.no_exec = values.choice(key, item, &[("always", false), ("never", true)])?,
            "aws_role_arn" => client.aws_role_arn = Some(values.string(key, item)?),
            "aws_sts_endpoint" => client.aws_sts_endpoint = Some(values.endpoint(key, item)?),
            "aws_start_url" => client.aws_start_url = Some(values.endpoint(key, item)?),
            "aws_role" => client.aws_role = Some(values.string(key, item)?),
            "vault_mount" => client.vault_mount = Some(values.path(key, item)?),
            "vault_role" => client.vault_role = Some(values.string(key, item)?),
            "vault_namespace" => client.vault_namespace = Some(values.path(key, item)?),
            "ci" => {} // said anew below
            _ if machine::set(values, &mut client.machine, key, item)? => {}
            _ => return Err(fail(Exit::Bug, format!("the key `{key}` is known and not read"))),
        }
    }
    Ok(())
}
