//! From a place to its account by one file name, without reading the configuration
//!
//! `routes/STAMP/KEY`: STAMP is made of the configuration file's device, inode, size and times, so that a changed
//! configuration has other routes; KEY is an origin, an account's name or the default, and the file of an origin has the
//! rules of the wildcards above it, too. A missing folder means: read the configuration and write them. Nothing here is trusted beyond speed: the place is checked again against the
//! session's own list, and a file whose inner key differs from the one looked up is not used.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::{Exit, Failure, Target};
use serde::{Deserialize, Serialize};

use crate::account::Client;
use crate::choice::{Choice, Rule, by_name, for_place};
use crate::config::{self, Config};
use crate::lock::Lock;
use crate::paths::{Paths, below, set};
use crate::provider::API_URL_VARIABLES;
use crate::shown::shown;
use crate::{signals, store};

/// The form of these files; another form has other folders.
const FORMAT: &str = "2";

/// A configuration younger than this may change again within one tick of the file system's clock, unseen.
const SETTLED: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Route {
    key: String,
    rules: Vec<Rule>,
}

/// The account that answers. `named` is `--account`, else `HALLPASS_ACCOUNT`.
pub(crate) fn find(paths: &Paths, target: &Target, named: Option<&str>, username: Option<&str>) -> Result<Choice> {
    let name = match target {
        Target::Place(place) => {
            return Ok(for_place(rules(paths, place.origin())?, place, named, username));
        }
        _ => match by_name(target, named) {
            Ok(name) => name,
            Err(failure) => return Ok(Choice::Missing(Some(failure))),
        },
    };
    let key = name.map_or_else(|| DEFAULT.to_owned(), account_key);
    let found = rules(paths, key)?.into_iter().next();
    Ok(match (found, name) {
        (Some(rule), _) => Choice::Account(Box::new(rule)),
        (None, Some(name)) => {
            let what = format!("there is no account `{}`", shown(name));
            let hint = match keeps_links(paths) {
                true => {
                    "`hallpass accounts` lists them; the tokens of a link made by `connect` are kept by the backend"
                }
                false => "`hallpass accounts` lists them",
            };
            Choice::Missing(Some(Failure::new(Exit::Missing, what).hint(hint)))
        }
        (None, None) => {
            let what = "no account was named, and there is no default one";
            let hint = "name one, or `hallpass accounts use NAME`; `hallpass login URL` adds one";
            Choice::Missing(Some(Failure::new(Exit::Missing, what).hint(hint)))
        }
    })
}

/// Whether links to other platforms may have been made from here: their names are no accounts.
fn keeps_links(paths: &Paths) -> bool {
    let in_use = |client: &Client| {
        let links = client.provider.as_ref().and_then(|provider| provider.connect.as_ref());
        links.is_some_and(|links| !client.built_in || set(&links.api_key_env).is_some())
    };
    config::load(paths).is_ok_and(|config| config.accounts.values().any(|(_, client)| in_use(client)))
}

/// Records came, went or changed their kind: the next call builds the routes anew.
pub(crate) fn forget(paths: &Paths) {
    put_away(&paths.data.join(FOLDER));
}

const FOLDER: &str = "routes";
/// What a folder is called on its way out.
const GONE: &str = ".gone.";
const DEFAULT: &str = "default";

fn account_key(name: &str) -> String {
    format!("account {name}")
}

/// `https://*.example.com:443` for `https://git.example.com:443`, and for `https://*.git.example.com:443`.
fn wildcard_above(key: &str) -> Option<String> {
    let (scheme, host) = key.split_once("://")?;
    let (_, parent) = host.strip_prefix("*.").unwrap_or(host).split_once('.')?;
    parent.contains('.').then(|| format!("{scheme}://*.{parent}"))
}

/// The rules under a key; under the next wildcard above it where it has none of its own.
fn rules(paths: &Paths, key: String) -> Result<Vec<Rule>> {
    let found = fs::metadata(&paths.config).ok();
    let folder = below(&paths.data, &[FOLDER, &stamp(paths, found.as_ref())]);
    match from_files(&folder, key.clone()) {
        // Once more: the first look may have fallen between a folder and its successor.
        Some(rules) if rules.is_empty() => {
            if let Some(rules) = from_files(&folder, key.clone()) {
                return Ok(rules);
            }
        }
        Some(rules) => return Ok(rules),
        None => put_away(&folder), // gone or damaged
    }
    let all = all_rules(&config::load(paths)?, &store::sealed_names(&paths.data)?);
    let settled = found
        .and_then(|found| found.modified().ok())
        .is_none_or(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age >= SETTLED));
    if settled && store::make_folder(&paths.data).is_ok() {
        let _ = write(&paths.data, &folder, &all); // without them the next call reads the configuration again
    }
    let mut keys = std::iter::successors(Some(key), |key| wildcard_above(key));
    Ok(keys.find_map(|key| all.get(&key).cloned()).unwrap_or_default())
}

/// `None` when the files cannot tell: there are none, one is damaged, or they went while we read.
fn from_files(folder: &Path, mut key: String) -> Option<Vec<Rule>> {
    loop {
        match fs::read_to_string(below(folder, &[&file_name(&key)])) {
            Ok(text) => {
                let route: Route = serde_json::from_str(&text).ok()?;
                return (route.key == key).then_some(route.rules);
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => match wildcard_above(&key) {
                Some(above) => key = above,
                // Nothing found means something only if the folder is there to be searched.
                None => return folder.is_dir().then(Vec::new),
            },
            Err(_) => return None,
        }
    }
}

fn all_rules(config: &Config, sealed: &[String]) -> BTreeMap<String, Vec<Rule>> {
    let mut routes: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    let default = config.default_account();
    for (name, (account, client)) in &config.accounts {
        let is_default = default == Some(name.as_str());
        let rule = |pattern: &str| Rule {
            pattern: pattern.to_owned(),
            account: account.clone(),
            default: is_default,
            sealed: sealed.contains(name),
        };
        for pattern in &client.serves {
            let Ok(parsed) = Pattern::parse(pattern) else { continue };
            routes.entry(parsed.origin()).or_default().push(rule(pattern));
        }
        routes.entry(account_key(name)).or_default().push(rule(""));
        if is_default {
            routes.entry(DEFAULT.to_owned()).or_default().push(rule(""));
        }
    }
    let wild: BTreeMap<_, _> = routes
        .iter()
        .filter(|(key, _)| key.contains("://*."))
        .map(|(key, rules)| (key.clone(), rules.clone()))
        .collect();
    for (key, rules) in &mut routes {
        let above = std::iter::successors(wildcard_above(key), |key| wildcard_above(key));
        rules.extend(above.filter_map(|key| wild.get(&key)).flatten().cloned());
    }
    routes
}

/// Written aside and renamed, so that a folder with this name is always complete. By one process at a time: what stands
/// aside otherwise was left by one that was killed.
fn write(data: &Path, folder: &Path, rules: &BTreeMap<String, Vec<Rule>>) -> Result<()> {
    signals::outlive_file_limit();
    // `+` is in no account's name.
    let Some(_lock) = Lock::try_take(&data.join("+routes.lock"), "routes")? else { return Ok(()) };
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    for (folder, prefix) in [(data, GONE), (parent, ".")] {
        let begins = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        for left in fs::read_dir(folder)?.flatten().filter(begins) {
            let _ = fs::remove_dir_all(left.path()); // the next one tries again
        }
    }
    let aside = parent.join(format!(".{}", std::process::id()));
    fs::create_dir(&aside)?;
    for (key, rules) in rules {
        let route = Route { key: key.clone(), rules: rules.clone() };
        fs::write(aside.join(file_name(key)), serde_json::to_vec(&route)?)?;
    }
    // If another process was first, its folder is as good.
    if fs::rename(&aside, folder).is_err() {
        fs::remove_dir_all(&aside)?;
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ours = name(folder);
    let same_config = ours.rsplit_once('-').map_or(ours.as_str(), |(config, _)| config).to_owned();
    for other in fs::read_dir(parent)?.flatten() {
        let other = other.path();
        if name(&other).starts_with(&same_config) && name(&other) != ours {
            put_away(&other);
        }
    }
    Ok(())
}

/// Takes a folder away in one step: nobody may read from one that is half gone.
fn put_away(folder: &Path) {
    let aside = folder.with_file_name(format!("{GONE}{}", std::process::id()));
    let _ = fs::remove_dir_all(&aside); // of a process that had our number before
    let _ = fs::rename(folder, &aside).and_then(|()| fs::remove_dir_all(&aside));
}

/// A key as a file name. Two keys may share one: the key inside decides.
fn file_name(key: &str) -> String {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    key.bytes().take(200).map(|byte| if plain(byte) { char::from(byte) } else { '_' }).collect()
}

#[cfg(unix)]
fn stamp(paths: &Paths, found: Option<&fs::Metadata>) -> String {
    use std::os::unix::fs::MetadataExt;
    let facts = found.map_or([0; 7], |found| {
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()].map(i64::cast_unsigned);
        [found.dev(), found.ino(), found.size(), times[0], times[1], times[2], times[3]]
    });
    stamp_of(paths, &facts)
}

#[cfg(not(unix))]
fn stamp(paths: &Paths, found: Option<&fs::Metadata>) -> String {
    let modified = found.and_then(|found| found.modified().ok());
    let since = modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    stamp_of(paths, &[found.map_or(0, fs::Metadata::len), since.as_secs(), u64::from(since.subsec_nanos())])
}

/// `FORMAT-CONFIG-STATE`: two configurations in turn do not delete each other's routes. Variables that move a row's
/// account to another place are part of the configuration.
fn stamp_of(paths: &Paths, facts: &[u64]) -> String {
    let mut config = paths.config.as_os_str().as_encoded_bytes().to_vec();
    for (variable, url) in API_URL_VARIABLES.iter().filter_map(|variable| Some((variable, set(variable)?))) {
        config.extend_from_slice(format!("\0{variable}={url}").as_bytes());
    }
    let config = store::checksum(&config);
    let facts: Vec<u8> = facts.iter().flat_map(|fact| fact.to_le_bytes()).collect();
    let mut stamp = FORMAT.to_owned();
    for sum in [config, store::checksum(&facts)] {
        stamp.push('-');
        let digits = (0..16).rev().map(|digit| (sum >> (4 * digit)) as usize & 15);
        stamp.extend(digits.map(|digit| char::from(b"0123456789abcdef"[digit]))); // `format!` takes four times as long
    }
    stamp
}

#[cfg(test)]
mod tests {
    use super::{file_name, wildcard_above};

    #[test]
    fn a_place_has_its_own_key_and_those_of_its_wildcards() {
        let keys = std::iter::successors(Some("https://a.b.example.com:443".to_owned()), |key| wildcard_above(key));
        let keys: Vec<_> = keys.collect();
        assert_eq!(keys, ["https://a.b.example.com:443", "https://*.b.example.com:443", "https://*.example.com:443"]);
        assert_eq!(file_name(&keys[1]), "https____.b.example.com_443");
        for whole in ["default", "account a.b", "https://localhost:443", "https://[::1]:443", "https://example:443"] {
            assert_eq!(wildcard_above(whole), None, "{whole}");
        }
    }
}
