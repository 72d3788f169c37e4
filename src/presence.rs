//! Whether a person may be asked to sign in now
//!
//! A tool's own "no" first, which nothing overrides; then `HALLPASS_INTERACTIVE`, the account, CI, and at last whether
//! somebody sits at the terminal. Decided on a miss only.

use std::process::{Command, Stdio};

use crate::account::Interactive;
use crate::opener::program;
use crate::paths::set;
use crate::terminal;
use crate::whereabouts::is_ci;

/// Why nobody is asked, in words; `Ok` when somebody may be.
pub(crate) fn may_ask(tool_says_no: Option<&'static str>, account: Interactive) -> Result<(), String> {
    if let Some(why) = tool_says_no {
        return Err(why.to_owned());
    }
    if git_says_no() {
        return Err("git says credential.interactive=false".to_owned());
    }
    match set("HALLPASS_INTERACTIVE").as_deref() {
        Some("never") => return Err("HALLPASS_INTERACTIVE=never".to_owned()),
        Some("always") => return Ok(()),
        _ => {}
    }
    match account {
        Interactive::Never => return Err("its configuration says interactive = \"never\"".to_owned()),
        Interactive::Always => return Ok(()),
        Interactive::Auto => {}
    }
    if is_ci() {
        return Err("this is CI".to_owned());
    }
    if terminal::is_ours() { Ok(()) } else { Err("nobody is at a terminal".to_owned()) }
}

/// `credential.interactive` of git's configuration, which `git maintenance` sets for its background runs. Only git
/// can tell, with its files and the `-c` options of its caller; asked only when git called.
fn git_says_no() -> bool {
    if set("GIT_EXEC_PATH").is_none() {
        return false;
    }
    let Some(git) = program("git") else { return false };
    let answer = Command::new(git)
        .args(["config", "--get", "credential.interactive"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(answer) = answer else { return false };
    matches!(answer.stdout.trim_ascii(), b"false" | b"never" | b"no" | b"off" | b"0")
}
