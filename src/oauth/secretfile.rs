//! Files with a client's secret or key: read whole, and only where nobody else can write them

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use zeroize::Zeroizing;

use crate::failure::{fail, fail_hint};

/// More than any secret or key: a file that was named by mistake is not read to its end.
const MAX_BYTES: u64 = 64 << 10;

/// The text of such a file. `name`: the configuration's word for it.
pub(super) fn read(name: &str, file: &Path) -> Result<Zeroizing<String>> {
    let odd = |why: String| fail(Exit::Config, format!("`{name}` `{}` {why}", file.display()));
    let unreadable = |why: std::io::Error| odd(format!("cannot be read: {why}"));
    // Asked first: to open a pipe would wait for its writer.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(odd("is no file".to_owned()));
    }
    let opened = File::open(file).map_err(unreadable)?;
    if let Some(why) = not_ours_alone(&opened) {
        let what = format!("`{name}` `{}` {why}", file.display());
        return Err(fail_hint(Exit::Refused, what, format!("`chmod 600 {}`", file.display())));
    }
    let mut text = Zeroizing::new(String::new());
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(odd("is too long to be one".to_owned()));
    }
    Ok(text)
}

/// Whether somebody else could have put something in it. That others can read it is for `doctor` to say: what is mounted
/// into a container often has such a mode and cannot get another.
#[cfg(unix)]
fn not_ours_alone(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let found = file.metadata().ok()?;
    match (found.uid(), found.mode() & 0o777) {
        (_, mode) if mode & 0o022 != 0 => Some(format!("can be written by others (mode {mode:o})")),
        (owner, _) if owner != 0 && owner != rustix::process::getuid().as_raw() => {
            Some(format!("belongs to another user ({owner})"))
        }
        _ => None,
    }
}

#[cfg(not(unix))]
fn not_ours_alone(_: &File) -> Option<String> {
    None
}
