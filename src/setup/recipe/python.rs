//! pip and uv: both ask a program called `keyring`, if they are told to

use std::path::PathBuf;

use anyhow::Result;

use super::super::edit::Edit;
use super::super::format::sections::Syntax;
use super::super::format::toml;
use super::super::link::is_us;
use super::super::wires::{Wires, Wiring, of_macos, usual};
use crate::opener::program;
use crate::paths::set;

pub(in crate::setup) fn pip(wires: &Wires<'_>) -> Result<Wiring> {
    // On macOS its folder there goes first, if somebody has made it.
    let of_macos = of_macos("pip")?.filter(|folder| folder.is_dir()).map(|folder| folder.join("pip.conf"));
    let file = match (set("PIP_CONFIG_FILE"), of_macos) {
        (Some(file), _) => file.into(),
        (None, Some(file)) => file,
        (None, None) => usual(if cfg!(windows) { "pip/pip.ini" } else { "pip/pip.conf" })?,
    };
    Ok(keyring(wires, file, Edit::line(Syntax::Ini, "global", "keyring-provider", "subprocess")))
}

pub(in crate::setup) fn uv(wires: &Wires<'_>) -> Result<Wiring> {
    let file = set("UV_CONFIG_FILE").map_or_else(|| usual("uv/uv.toml"), |file| Ok(PathBuf::from(file)))?;
    let value = toml::quoted("subprocess").trim().to_owned();
    Ok(keyring(wires, file, Edit::Key { table: Vec::new(), key: "keyring-provider".to_owned(), value }))
}

/// The name is made in a folder of its own: it must come before the real one on PATH, and other programs should not.
fn keyring(wires: &Wires<'_>, file: PathBuf, edit: Edit) -> Wiring {
    let folder = wires.data.join("programs");
    let mut wiring = Wiring::of(file, vec![edit]).linked(wires.link("keyring", Some(folder.clone())));
    if !program("keyring").is_some_and(|found| is_us(&found, &wires.program)) {
        let folder = folder.display();
        let how = if cfg!(windows) { String::new() } else { format!(": `export PATH=\"{folder}:$PATH\"`") };
        wiring.says.push(format!("`{folder}` has to be the first folder on PATH{how}"));
    }
    wiring
}
