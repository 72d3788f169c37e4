//! Google's libraries: the executable of an external account's credentials file, where there is such a file

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::json;
use super::super::wires::{Wires, Wiring};
use super::{taken, unreadable};
use crate::failure::fail_hint;
use crate::paths::set;

const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const GATE: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let nothing = |what: String| {
        let hint = "`gcloud iam workload-identity-pools create-cred-config` makes one; `integrations/google` shows it";
        fail_hint(Exit::Config, what, hint)
    };
    let Some(file) = set(FILE).map(PathBuf::from) else {
        return match wires.accounts.is_empty() {
            true => Ok(Wiring::default()),
            false => Err(nothing(format!("{FILE} names no file"))),
        };
    };
    if wires.accounts.is_empty() {
        return Ok(Wiring::of(file, Vec::new()));
    }
    let text = (wires.texts)(&file)?;
    let get = |path: &[&str]| json::get(&text, path).map_err(|why| unreadable(&file, why));
    if text.trim().is_empty() || get(&["type"])? != Some("\"external_account\"") {
        return Err(nothing(format!("`{}` is not of type `external_account`", file.display())));
    }
    let command = wires.plain("Google's libraries", &["google", "--account", &wires.sole("google")?.account.name])?;
    let edit = |key: &str, value: String| Edit::Member {
        path: ["credential_source", "executable", key].map(str::to_owned).to_vec(),
        value,
    };
    let edits =
        vec![edit("command", serde_json::Value::from(command).to_string()), edit("timeout_millis", "30000".to_owned())];
    if get(&["credential_source"])?.is_some_and(|source| source != "null") {
        for key in ["file", "url", "environment_id", "certificate"] {
            if get(&["credential_source", key])?.is_some() {
                return Err(taken(&file, "credential_source", key));
            }
        }
    }
    let mut wiring = Wiring::of(file, edits);
    if set(GATE).as_deref() != Some("1") {
        wiring.says.push(format!("the libraries start a program only where `{GATE}=1` is set"));
    }
    Ok(wiring)
}
