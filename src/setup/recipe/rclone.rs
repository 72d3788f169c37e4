//! rclone: a command for the token of each WebDAV remote that an account serves

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::sections::{self, Syntax};
use super::super::wires::{Wires, Wiring, folder, home, usual};
use super::unreadable;
use crate::failure::fail_hint;
use crate::paths::set;
use crate::shown::shown;

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let file = file()?;
    let text = (wires.texts)(&file)?;
    if text.lines().any(|line| line.starts_with("RCLONE_ENCRYPT_V")) {
        let what = format!("`{}` is encrypted", file.display());
        return Err(fail_hint(
            Exit::Config,
            what,
            "`rclone config update REMOTE bearer_token_command='hallpass get URL'`",
        ));
    }
    let mut wiring = Wiring::of(file, Vec::new());
    let (file, edits) = (&wiring.sheets[0].file, &mut Vec::new());
    for section in sections::read(&text, Syntax::Plain).map_err(|why| unreadable(file, &why))? {
        let (Some("webdav"), Some(url)) = (section.get("type"), section.get("url")) else { continue };
        let Ok(place) = Place::from_url(url) else { continue };
        if wires.serving(&place)?.is_none() {
            continue;
        }
        match ["pass", "bearer_token"].into_iter().find(|key| section.get(key).is_some_and(|value| !value.is_empty())) {
            Some(key) => {
                wiring.says.push(format!("remote `{}` is left as it is: it has `{key}`", shown(&section.name)))
            }
            None => {
                let command = wires.plain("rclone", &["get", url])?;
                edits.push(Edit::line(Syntax::Plain, &section.name, "bearer_token_command", &command));
            }
        }
    }
    if edits.is_empty() && !wires.accounts.is_empty() {
        let left = wiring.says.first().map_or(String::new(), |says| format!(" ({says})"));
        let what = format!("`{}` has no remote of type webdav whose url an account serves{left}", file.display());
        return Err(fail_hint(Exit::Config, what, "`rclone config create NAME webdav url=URL vendor=other` adds one"));
    }
    wiring.sheets[0].edits = std::mem::take(edits);
    Ok(wiring)
}

/// Where rclone looks, in its order; the first place where there is none anywhere.
fn file() -> Result<PathBuf> {
    if let Some(file) = set("RCLONE_CONFIG") {
        return Ok(file.into());
    }
    let first = usual("rclone/rclone.conf")?;
    let others = [folder("XDG_CONFIG_HOME", ".config", "rclone/rclone.conf")?, home(".config/rclone/rclone.conf")?];
    let places = [first.clone()].into_iter().chain(others).chain([home(".rclone.conf")?]);
    Ok(places.into_iter().find(|file| file.exists()).unwrap_or(first))
}
