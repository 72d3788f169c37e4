//! The AWS tools: a profile for each account that names a role

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::sections::{self, Syntax};
use super::super::wires::{Wires, Wiring, home};
use super::{taken, unreadable};
use crate::failure::fail_hint;
use crate::paths::set;

/// What the AWS tools ask before, or instead of, `credential_process`.
const OTHER_WAYS: [&str; 7] = [
    "aws_access_key_id",
    "role_arn",
    "web_identity_token_file",
    "credential_source",
    "sso_session",
    "sso_start_url",
    "login_session",
];

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let file = set("AWS_CONFIG_FILE").map_or_else(|| home(".aws/config"), |file| Ok(PathBuf::from(file)))?;
    let there = sections::read(&(wires.texts)(&file)?, Syntax::Ini).map_err(|why| unreadable(&file, &why))?;
    let keys =
        set("AWS_SHARED_CREDENTIALS_FILE").map_or_else(|| home(".aws/credentials"), |file| Ok(PathBuf::from(file)))?;
    let with_keys = sections::read(&(wires.texts)(&keys)?, Syntax::Ini).unwrap_or_default(); // not ours to complain of
    let mut edits = Vec::new();
    for served in wires.accounts.iter().filter(|served| served.has_role) {
        let name = &served.account.name;
        let profile = if name == "default" { name.clone() } else { format!("profile {name}") };
        let section = there.iter().find(|section| section.name == profile);
        let other = section.and_then(|section| OTHER_WAYS.iter().find(|key| section.get(key).is_some()));
        if let Some(key) = other {
            return Err(taken(&file, &profile, key));
        }
        if with_keys.iter().any(|section| section.name == *name) {
            return Err(taken(&keys, name, "aws_access_key_id"));
        }
        let command = command(wires, name)?;
        edits.push(Edit::line(Syntax::Ini, &profile, "credential_process", &command));
    }
    if edits.is_empty() && !wires.accounts.is_empty() {
        let hint = "write it into `config.toml`: `integrations/aws` shows how";
        return Err(fail_hint(Exit::Config, "no account has an `aws_role_arn` or an `aws_role`", hint));
    }
    let mut wiring = Wiring::of(file, edits);
    wiring.sheets[0].private = true;
    Ok(wiring)
}

/// Some of them split as a shell does and some let one do it: words with blanks stand in double quotes, and what means
/// something inside those cannot be said to all of them.
fn command(wires: &Wires<'_>, account: &str) -> Result<String> {
    let words = wires.words(&["aws", "--account", account]);
    if let Some(odd) = words.iter().find(|word| word.contains(['"', '\'', '\\', '$', '`', '%', '#', ';'])) {
        let what = format!("the AWS tools cannot be given `{odd}`, which has signs that they do not read alike");
        return Err(fail_hint(Exit::Config, what, "put a link to hallpass into a folder with a plain name on PATH"));
    }
    let quoted = |word: String| if word.contains(' ') { format!("\"{word}\"") } else { word };
    Ok(words.into_iter().map(quoted).collect::<Vec<_>>().join(" "))
}
