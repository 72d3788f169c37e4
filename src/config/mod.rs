//! `config.toml`: read strictly, written without losing a comment
//!
//! An unknown key, a wrong type or an unusable value is an error that names file, line and, where one is near, the
//! key that was probably meant.

mod machine;
mod tables;
mod values;
mod words;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::fail;
use crate::paths::Paths;
pub(crate) use words::{Config, Keep};

/// More than a configuration ever has; a file that is larger is not one.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the file; there need not be one, unless somebody named it.
pub(crate) fn load(paths: &Paths) -> Result<Config> {
    match text(paths)? {
        Some(text) => tables::read(paths, &text),
        None if paths.named => Err(fail(Exit::Config, format!("there is no file `{}`", paths.config.display()))),
        None => tables::none(),
    }
}

/// The file as text.
pub(crate) fn text(paths: &Paths) -> Result<Option<String>> {
    let broken = |why: String| fail(Exit::Config, format!("`{}` {why}", paths.config.display()));
    let found = match std::fs::metadata(&paths.config) {
        Ok(found) => found,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(broken(format!("cannot be read: {why}"))),
    };
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(broken("is not a file of at most 8 MiB".into()));
    }
    let bytes = std::fs::read(&paths.config).map_err(|why| broken(format!("cannot be read: {why}")))?;
    String::from_utf8(bytes).map(Some).map_err(|_| broken("is not UTF-8".into()))
}
