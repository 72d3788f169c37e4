//! A question that is not ours goes to the program that would have been started without us
//!
//! which is the next one of that name on PATH. Each program that was tried is remembered in the environment, so that a
//! script around us, or a copy of us, does not send the question round for ever.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::opener::programs;

/// The programs that have had their turn, as a list like PATH.
const TRIED: &str = "HALLPASS_PASSED_ON";

/// Lets the next program take our place, with our streams. Comes back only if there is none.
pub(crate) fn take_over(name: &str, args: &[String]) {
    let us = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let tried: Vec<PathBuf> = std::env::var_os(TRIED).iter().flat_map(std::env::split_paths).collect();
    let is_new =
        |path: &Path| path.canonicalize().is_ok_and(|path| Some(&path) != us.as_ref() && !tried.contains(&path));
    for path in programs(name).into_iter().filter(|path| is_new(path)) {
        let own = path.canonicalize().unwrap_or_else(|_| path.clone());
        let list: OsString = std::env::join_paths(tried.iter().chain([&own])).unwrap_or_default();
        let mut command = Command::new(&path);
        command.args(args).env(TRIED, list);
        become_it(command);
    }
}

/// Runs a command in our place; comes back only if it cannot be started.
#[cfg(unix)]
pub(crate) fn become_it(mut command: Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

/// No program takes another's place here: waits for it and ends as it did.
#[cfg(not(unix))]
pub(crate) fn become_it(mut command: Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(why) => why,
    }
}
