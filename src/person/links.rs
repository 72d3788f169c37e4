//! `connect`: links to other platforms, kept by a provider's backend

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use serde_json::json;

use super::stdout::{address, out};
use super::words::Connect;
use crate::connect::{Connection, Whom, Wishes};
use crate::failure;
use crate::paths::Paths;
use crate::terminal;

pub(super) fn connect(paths: &Paths, named: Option<&str>, words: &Connect) -> Result<Exit> {
    let done = run(paths, named, words);
    if let Err(why) = done.as_ref().map_err(failure::of)
        && words.json
    {
        let error = json!({ "code": why.exit as u8, "message": why.what, "hint": why.hint });
        out(&[json!({ "error": error }).to_string()])?;
    }
    done
}

fn run(paths: &Paths, named: Option<&str>, words: &Connect) -> Result<Exit> {
    let key = words.api_key.clone().map(Secret::new);
    let whom = Whom { account: named, backend_url: words.backend_base_url.as_deref(), key };
    let connection = Connection::find(paths, &whom)?;
    if words.api_key.is_some() {
        let variable = connection.key_variable();
        terminal::say(&format!("a key on the command line can be seen by others: set {variable} to it"));
    }
    if let Some(id) = &words.revoke {
        let is_new = connection.revoke(id)?;
        if words.json {
            return out(&[json!({ "id": id, "revoked": true, "already_gone": !is_new }).to_string()]);
        }
        terminal::say(&format!("link `{id}` {}", if is_new { "is revoked" } else { "is gone already" }));
        return Ok(Exit::Answered);
    }
    let Some(platform) = &words.platform else {
        let links = connection.list()?;
        return out(&if words.json { vec![json!(links).to_string()] } else { links.lines() });
    };
    let wishes = Wishes { port: words.port, open: !words.no_open, timeout: words.timeout, url_to: address };
    let link = connection.link(platform, &wishes)?;
    if words.json {
        return out(&[json!(link).to_string()]);
    }
    terminal::say(&link.words());
    Ok(Exit::Answered)
}
