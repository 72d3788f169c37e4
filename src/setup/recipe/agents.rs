//! Coding agents: a command that prints the token of what they talk to

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::toml;
use super::super::wires::{Wires, Wiring, folder};
use super::{taken, unreadable};
use crate::failure::fail_hint;

/// Claude Code: one command for whatever it talks to.
pub(in crate::setup) fn claude(wires: &Wires<'_>) -> Result<Wiring> {
    let file = folder("CLAUDE_CONFIG_DIR", ".claude", "settings.json")?;
    if wires.accounts.is_empty() {
        return Ok(Wiring::of(file, Vec::new()));
    }
    let command = wires.shell(&["get", &wires.sole("claude")?.account.name]);
    let value = serde_json::Value::from(command).to_string();
    Ok(Wiring::of(file, vec![Edit::Member { path: vec!["apiKeyHelper".to_owned()], value }]))
}

/// Codex: a table below each model provider whose address an account serves.
pub(in crate::setup) fn codex(wires: &Wires<'_>) -> Result<Wiring> {
    let file = folder("CODEX_HOME", ".codex", "config.toml")?;
    let text = (wires.texts)(&file)?;
    let broken = |why: String| unreadable(&file, &why);
    let providers = ["model_providers".to_owned()];
    let mut body = String::new();
    for name in toml::names(&text, &providers).map_err(broken)? {
        let table = [providers.as_slice(), std::slice::from_ref(&name)].concat();
        let Some(url) = toml::get(&text, &table, "base_url").map_err(broken)? else { continue };
        let Ok(place) = Place::from_url(&url) else { continue };
        if wires.serving(&place)?.is_none() {
            continue;
        }
        for key in ["auth", "env_key", "experimental_bearer_token", "requires_openai_auth"] {
            if toml::get(&text, &table, key).map_err(broken)?.is_some() {
                return Err(taken(&file, &table.join("."), key));
            }
        }
        let is_bare = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        let name = if is_bare { name } else { toml::quoted(&name) };
        let words = wires.words(&["get", &url]);
        let args: Vec<_> = words[1..].iter().map(|word| toml::quoted(word)).collect();
        body += &format!(
            "[model_providers.{name}.auth]\ncommand = {}\nargs = [{}]\ntimeout_ms = 30000\nrefresh_interval_ms = 300000\n",
            toml::quoted(&words[0]),
            args.join(", ")
        );
    }
    if body.is_empty() && !wires.accounts.is_empty() {
        let what = format!("`{}` has no model provider whose base_url an account serves", file.display());
        let hint = "add one there: `[model_providers.NAME]`; `integrations/agents` shows it";
        return Err(fail_hint(Exit::Config, what, hint));
    }
    let edits = if body.is_empty() { Vec::new() } else { vec![Edit::block(&body, None)] };
    let mut wiring = Wiring::of(file, edits);
    wiring.sheets[0].check = toml::check;
    Ok(wiring)
}
