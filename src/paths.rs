//! Where configuration and data live
//!
//! XDG folders on Linux and the BSDs, the platform's own on macOS and Windows. Never the working directory.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::fail;

/// The two places everything is in.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// `config.toml`.
    pub(crate) config: PathBuf,
    /// Somebody named it: then it must be there.
    pub(crate) named: bool,
    /// Records, locks, marks and routes.
    pub(crate) data: PathBuf,
}

impl Paths {
    /// From `--config`, else `HALLPASS_CONFIG`, else the platform's folder.
    pub(crate) fn find(config: Option<&Path>) -> Result<Self> {
        let named = config.map(Path::to_owned).or_else(|| set("HALLPASS_CONFIG").map(PathBuf::from));
        let is_named = named.is_some();
        let config = match named {
            Some(file) => std::path::absolute(&file)
                .map_err(|why| fail(Exit::Config, format!("`{}` is no usable path: {why}", file.display())))?,
            None => folder(CONFIG, &["hallpass", "config.toml"])?,
        };
        Ok(Self { config, named: is_named, data: folder(DATA, &["hallpass"])? })
    }

    /// `config.toml` and `config.toml:7` in messages.
    pub(crate) fn config_line(&self, line: usize) -> String {
        format!("{}:{line}", self.config.display())
    }
}

/// A path some names below a folder, in one allocation.
pub(crate) fn below(folder: &Path, names: &[&str]) -> PathBuf {
    let mut path =
        PathBuf::with_capacity(folder.as_os_str().len() + names.iter().map(|name| name.len() + 1).sum::<usize>());
    path.push(folder);
    path.extend(names);
    path
}

/// An environment variable that is set to something.
pub(crate) fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

struct Folder {
    variable: &'static str,
    under_home: &'static str,
}

#[cfg(not(any(windows, target_os = "macos")))]
const CONFIG: Folder = Folder { variable: "XDG_CONFIG_HOME", under_home: ".config" };
#[cfg(not(any(windows, target_os = "macos")))]
const DATA: Folder = Folder { variable: "XDG_DATA_HOME", under_home: ".local/share" };
// People who set XDG variables on macOS mean them; the others expect the configuration where command lines keep it.
#[cfg(target_os = "macos")]
const CONFIG: Folder = Folder { variable: "XDG_CONFIG_HOME", under_home: ".config" };
#[cfg(target_os = "macos")]
const DATA: Folder = Folder { variable: "XDG_DATA_HOME", under_home: "Library/Application Support" };
#[cfg(windows)]
const CONFIG: Folder = Folder { variable: "APPDATA", under_home: "AppData/Roaming" };
// Not the roaming folder: a lock and a rotating token belong to one machine.
#[cfg(windows)]
const DATA: Folder = Folder { variable: "LOCALAPPDATA", under_home: "AppData/Local" };

fn folder(folder: Folder, names: &[&str]) -> Result<PathBuf> {
    // A relative XDG variable is to be ignored (XDG Base Directory Specification).
    let named = std::env::var_os(folder.variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match named {
        Some(base) => base,
        None => match std::env::home_dir().filter(|home| home.is_absolute()) {
            Some(home) => home.join(folder.under_home),
            None => {
                let what = format!("no home folder: neither HOME nor {} is an absolute path", folder.variable);
                return Err(fail(Exit::Config, what));
            }
        },
    };
    // What no system call takes is the configuration's trouble and not the store's.
    let too_long = |part: &std::ffi::OsStr| part.len() > LONGEST_NAME;
    let length = base.as_os_str().len();
    if length > LONGEST_PATH || length > LONGEST_NAME && base.iter().any(too_long) {
        return Err(fail(Exit::Config, format!("the folder that {} or HOME names is too long", folder.variable)));
    }
    Ok(below(&base, names))
}

/// What is left of PATH_MAX with the names of our own files.
const LONGEST_PATH: usize = 4096 - 512;
const LONGEST_NAME: usize = 255;
