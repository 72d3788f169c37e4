//! What each tool's configuration is to say

use std::path::Path;

use hallpass_protocol::talk::Exit;

use crate::failure::fail_hint;

pub(super) mod agents;
pub(super) mod aws;
pub(super) mod cargo;
pub(super) mod git;
pub(super) mod google;
pub(super) mod hosts;
pub(super) mod kubectl;
pub(super) mod mail;
pub(super) mod python;
pub(super) mod rclone;

/// The folder below `integrations/` that shows it.
pub(super) fn folder(tool: &str) -> &str {
    match tool {
        "pip" | "uv" => "python",
        "msmtp" | "mbsync" => "mail",
        "vault" => "openbao",
        "claude" | "codex" => "agents",
        other => other,
    }
}

/// A file that is not what its tool reads: nothing of it is touched.
fn unreadable(file: &Path, why: &str) -> anyhow::Error {
    fail_hint(Exit::Config, format!("`{}`: {why}", file.display()), "nothing was changed; repair it, then try again")
}

/// A way that somebody has chosen already: ours would have no effect, or theirs.
fn taken(file: &Path, place: &str, key: &str) -> anyhow::Error {
    let what = format!("`{}`: `{place}` has `{key}` already", file.display());
    fail_hint(Exit::Config, what, "nothing was changed; take that out, then try again")
}
