//! cargo: a credential provider for each registry whose index an account serves

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::toml;
use super::super::wires::{Wires, Wiring, folder};
use super::unreadable;
use crate::failure::fail_hint;

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let home = folder("CARGO_HOME", ".cargo", "")?;
    // cargo reads the one without an ending first, and warns of the other.
    let old = home.join("config");
    let file = if old.is_file() { old } else { home.join("config.toml") };
    let text = (wires.texts)(&file)?;
    let broken = |why: String| unreadable(&file, &why);
    let registries = ["registries".to_owned()];
    let mut edits = Vec::new();
    for name in toml::names(&text, &registries).map_err(broken)? {
        let table = [registries.as_slice(), &[name]].concat();
        let Some(index) = toml::get(&text, &table, "index").map_err(broken)? else { continue };
        let url = index.strip_prefix("sparse+").or_else(|| index.strip_prefix("registry+")).unwrap_or(&index);
        let Ok(place) = Place::from_url(url) else { continue };
        if wires.serving(&place)?.is_some() {
            let value = format!("[{}, \"cargo\"]", toml::quoted(&wires.program));
            edits.push(Edit::Key { table, key: "credential-provider".to_owned(), value });
        }
    }
    if edits.is_empty() && !wires.accounts.is_empty() {
        let what = format!("`{}` has no registry whose index an account serves", file.display());
        let hint = "add one there: `[registries.NAME]` with its `index`; `integrations/cargo` shows it";
        return Err(fail_hint(Exit::Config, what, hint));
    }
    Ok(Wiring::of(file, edits))
}
