//! Which records there are

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use super::key::KeyId;
use crate::account::is_name;
use crate::failure::fail;

/// One record file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordFile {
    pub(crate) name: String,
    pub(crate) sealed: bool,
    pub(super) file: String,
}

/// Every record, by name.
pub(crate) fn records(data: &Path) -> Result<Vec<RecordFile>> {
    // Half a listing would say that somebody is not signed in.
    let entries = match std::fs::read_dir(data).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(fail(Exit::Store, format!("`{}` cannot be read: {why}", data.display()))),
    };
    let mut found: Vec<_> = entries
        .into_iter()
        .filter(|entry| !entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let (name, sealed) = match file.split_once('@') {
                Some((name, id)) => (name, id.parse::<KeyId>().ok().map(|_| true)?),
                None => (file.as_str(), false),
            };
            let ours = is_name(name.strip_prefix('+').unwrap_or(name));
            ours.then(|| RecordFile { name: name.to_owned(), sealed, file: file.clone() })
        })
        .collect();
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// The accounts with a sealed session; kept passwords, whose names begin with `+`, are none.
pub(crate) fn sealed_names(data: &Path) -> Result<Vec<String>> {
    let sealed = records(data)?.into_iter().filter(|found| found.sealed && !found.name.starts_with('+'));
    Ok(sealed.map(|found| found.name).collect())
}
