//! Opens a page in the person's browser
//!
//! The browser gets nothing of the caller's: a tool that waits for the end of our stdout would wait for the browser's
//! too. So it is started through `hallpass __detach`, which makes a session of its own and lets go of every file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::log;
use crate::whereabouts::{Whereabouts, has_display, here};

/// A launcher and its arguments, the URL among them as one argument.
pub(crate) type Launch = Vec<OsString>;

/// The launchers to try, in order: the account's own, then `$BROWSER`'s, else the system's. None for a URL that is not
/// plainly http(s).
pub(crate) fn launchers(url: &str, own: Option<&[String]>) -> Vec<Launch> {
    if !is_plain(url) {
        return Vec::new();
    }
    let own = own.map(|words| with_url(words.iter().map(String::as_str), url));
    let found = match std::env::var("BROWSER") {
        Ok(list) if !list.trim().is_empty() => from_variable(&list, url),
        _ => systems().map(|words| with_url(words.iter().copied(), url)).collect(),
    };
    own.into_iter().chain(found).filter_map(located).collect()
}

/// The system's own, that of Windows first where we are a guest in it.
fn systems() -> impl Iterator<Item = &'static &'static [&'static str]> {
    let outside = if here() == Whereabouts::Wsl { WINDOWS } else { &[] };
    outside.iter().chain(SYSTEM)
}

/// Why no browser can be opened here, as far as can be told beforehand.
pub(crate) fn no_browser(own: Option<&[String]>) -> Option<String> {
    if own.is_some() || crate::paths::set("BROWSER").is_some() {
        return None;
    }
    let has_screen = match here() {
        Whereabouts::Wsl => true,
        // `open` would open it on a screen that nobody sits at.
        Whereabouts::Ssh if cfg!(any(target_os = "macos", windows)) => false,
        _ => has_display(),
    };
    if !has_screen {
        return Some("no browser can be opened here, for there is no display".to_owned());
    }
    (!systems().any(|words| is_here(words[0]))).then(|| "no program is here that opens a browser".to_owned())
}

/// Whether a launcher's program is there.
pub(crate) fn is_here(name: &str) -> bool {
    located(vec![name.into()]).is_some()
}

/// Starts a launcher, detached from everything of the caller's.
pub(crate) fn start(launch: &Launch) -> std::io::Result<Child> {
    log::note(|| format!("starts `{}`", launch[0].to_string_lossy()));
    // On Linux the very file that runs, even if an update has replaced it since.
    let us = if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
    let mut command = if cfg!(unix) {
        let mut command = Command::new(us);
        command.arg(DETACH).args(launch);
        command
    } else {
        let mut command = Command::new(&launch[0]);
        command.args(&launch[1..]);
        command
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// The argument that only [`start`] gives.
pub(crate) const DETACH: &str = "__detach";

/// `hallpass __detach PROGRAM ARGUMENT...`: becomes the program, in a session of its own and without our files.
#[cfg(unix)]
pub(crate) fn detach(words: &[OsString]) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let Some((program, args)) = words.split_first() else { return std::io::ErrorKind::InvalidInput.into() };
    let _ = rustix::process::setsid(); // fails only for the leader of a group, which has one already
    close_fds::set_fds_cloexec(3, &[]);
    Command::new(program).args(args).exec()
}

#[cfg(not(unix))]
pub(crate) fn detach(_: &[OsString]) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}

#[cfg(target_os = "macos")]
const SYSTEM: &[&[&str]] = &[&["/usr/bin/open", "%s"]];
#[cfg(windows)]
const SYSTEM: &[&[&str]] = &[&["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]];
#[cfg(not(any(target_os = "macos", windows)))]
const SYSTEM: &[&[&str]] = &[&["xdg-open", "%s"], &["sensible-browser", "%s"], &["x-www-browser", "%s"]];
/// From inside WSL. No `cmd.exe`, to which `&` says something.
const WINDOWS: &[&[&str]] = &[
    &["wslview", "%s"],
    &["rundll32.exe", "url.dll,FileProtocolHandler", "%s"],
    &["/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler", "%s"],
];

/// `$BROWSER` is a colon-separated list; `%s` stands for the URL. Each entry is split into words before the URL goes
/// in, so that nothing in the URL becomes an option (RUSTSEC-2026-0257).
fn from_variable(list: &str, url: &str) -> Vec<Launch> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    let entries = list.split(separator).map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| with_url(entry.split_whitespace(), url)).collect()
}

fn with_url<'a>(words: impl Iterator<Item = &'a str>, url: &str) -> Launch {
    let mut placed = false;
    let mut launch: Launch = words
        .map(|word| {
            placed |= word.contains("%s");
            word.replace("%s", url).into()
        })
        .collect();
    if !placed {
        launch.push(url.into());
    }
    launch
}

/// With the program's absolute path.
fn located(mut launch: Launch) -> Option<Launch> {
    let named = PathBuf::from(launch.first()?);
    launch[0] =
        if named.is_absolute() { Some(named).filter(|file| file.exists()) } else { program(named.to_str()?) }?.into();
    Some(launch)
}

/// Where a program is. What lies in the working directory, or in a folder that PATH names relative to it, is never
/// started.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    programs(name).into_iter().next()
}

/// All programs of that name, in the order of PATH.
pub(crate) fn programs(name: &str) -> Vec<PathBuf> {
    if Path::new(name).components().count() != 1 {
        return Vec::new();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let names = spelled(name);
    let files = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    files.filter(|file| is_program(file)).collect()
}

/// What the file of a program may be called.
#[cfg(not(windows))]
fn spelled(name: &str) -> [&str; 1] {
    [name]
}

/// The same on Windows, where `npm` may be `npm.cmd`: with each ending of PATHEXT that a program can be started by.
#[cfg(windows)]
fn spelled(name: &str) -> Vec<String> {
    const STARTED: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];
    let endings = crate::paths::set("PATHEXT").unwrap_or_else(|| STARTED.join(";")).to_ascii_lowercase();
    let has_one = STARTED.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
    let as_is = has_one.then(|| name.to_owned());
    let endings = endings.split(';').filter(|ending| STARTED.contains(ending));
    as_is.into_iter().chain(endings.map(|ending| format!("{name}{ending}"))).collect()
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// http(s), printable ASCII, and nothing a shell or `rundll32` could read otherwise.
pub(crate) fn is_plain(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'()*+,-./:;=?@[]_~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{from_variable, is_plain};

    #[test]
    fn the_url_is_one_argument() {
        let url = "https://h/?a=1&b=-x";
        assert_eq!(from_variable("firefox", url), [["firefox", url]]);
        let several = if cfg!(windows) { "a --new %s;b" } else { "a --new %s:b" };
        assert_eq!(from_variable(several, url).len(), 2);
        assert_eq!(from_variable("a --x=%s", url)[0][1], "--x=https://h/?a=1&b=-x");
        assert!(from_variable(if cfg!(windows) { " ; " } else { " : " }, url).is_empty());
    }

    #[test]
    fn only_plain_urls() {
        for bad in
            ["javascript:alert(1)", "file:///etc/passwd", "https://h/\" & calc", "https://h/ -x", "https://h/`id`"]
        {
            assert!(!is_plain(bad), "{bad}");
        }
        assert!(is_plain("https://id.example.com/authorize?client_id=a&state=b%20c"));
    }
}
