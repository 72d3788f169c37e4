//! From a place to its account by one file name, without reading the configuration
//!
//! `routes/STAMP/KEY`: STAMP is made of the configuration file's device, inode, size and times, so that a changed
//! configuration has other routes; KEY is an origin, an account's name or the default. A missing folder means: read
//! the configuration and write them. Nothing here is trusted beyond speed: the place is checked again against the
//! session's own list, and a file whose inner key differs from the one looked up is not used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use hallpass_protocol::place::{Pattern, Place, is_loopback};
use hallpass_protocol::talk::{Exit, Failure, Target};
use serde::{Deserialize, Serialize};

use crate::choice::{Choice, Rule, by_name, for_place};
use crate::config::{Config, shown};
use crate::paths::Paths;
use crate::store;

/// The form of these files; another form has other folders.
const FORMAT: u32 = 1;

/// A configuration younger than this may change again within one tick of the file system's clock, unseen.
const SETTLED: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Route {
    key: String,
    rules: Vec<Rule>,
}

/// The account that answers. `named` is `--account`, else `HALLPASS_ACCOUNT`.
pub(crate) fn find(paths: &Paths, target: &Target, named: Option<&str>, username: Option<&str>) -> Result<Choice> {
    let table = Table::open(paths)?;
    if let Target::Place(place) = target {
        let mut rules = Vec::new();
        for key in keys(place) {
            rules.extend(table.rules(&key)?);
        }
        return Ok(for_place(rules, place, named, username));
    }
    let name = match by_name(target, named) {
        Ok(name) => name,
        Err(failure) => return Ok(Choice::Missing(Some(failure))),
    };
    let key = name.map_or_else(|| DEFAULT.to_owned(), account_key);
    let found = table.rules(&key)?.into_iter().next();
    Ok(match (found, name) {
        (Some(rule), _) => Choice::Account(Box::new(rule)),
        (None, Some(name)) => {
            let what = format!("there is no account `{}`", shown(name));
            Choice::Missing(Some(Failure::new(Exit::Missing, what).hint("`hallpass accounts` lists them")))
        }
        (None, None) => {
            let what = "no account was named, and there is no default one";
            let hint = "name one, or `hallpass accounts use NAME`; `hallpass login URL` adds one";
            Choice::Missing(Some(Failure::new(Exit::Missing, what).hint(hint)))
        }
    })
}

/// Records came, went or changed their kind: the next call builds the routes anew.
pub(crate) fn forget(paths: &Paths) {
    let _ = fs::remove_dir_all(paths.data.join("routes")); // if it stays, a hit finds it out by itself
}

const DEFAULT: &str = "default";

fn account_key(name: &str) -> String {
    format!("account {name}")
}

/// The keys that may hold rules for a place: its origin, then each wildcard above it.
fn keys(place: &Place) -> impl Iterator<Item = String> + '_ {
    let wild = (!is_loopback(&place.host)).then_some(place.host.as_str()).into_iter();
    let parents = wild.flat_map(|host| host.match_indices('.').map(|(at, _)| &host[at + 1..]));
    let parents = parents.filter(|parent| parent.contains('.'));
    std::iter::once(place.origin()).chain(parents.map(|parent| format!("{}://*.{parent}:{}", place.scheme, place.port)))
}

/// The routes of one state of the configuration.
enum Table {
    Files(PathBuf),
    Memory(BTreeMap<String, Vec<Rule>>),
}

impl Table {
    fn open(paths: &Paths) -> Result<Self> {
        let found = fs::metadata(&paths.config).ok();
        let folder = paths.data.join("routes").join(stamp(paths, found.as_ref()));
        if folder.is_dir() {
            return Ok(Self::Files(folder));
        }
        let config = Config::load(paths)?;
        let rules = all_rules(&config, &store::sealed_names(&paths.data)?);
        let settled = found
            .and_then(|found| found.modified().ok())
            .is_none_or(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age >= SETTLED));
        if settled && store::make_folder(&paths.data).is_ok() {
            let _ = write(&folder, &rules); // without them the next call reads the configuration again
        }
        Ok(Self::Memory(rules))
    }

    fn rules(&self, key: &str) -> Result<Vec<Rule>> {
        match self {
            Self::Memory(rules) => Ok(rules.get(key).cloned().unwrap_or_default()),
            Self::Files(folder) => match fs::read(folder.join(file_name(key))) {
                Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(_) => Ok(Vec::new()),
                Ok(bytes) => match serde_json::from_slice::<Route>(&bytes) {
                    Ok(route) if route.key == key => Ok(route.rules),
                    _ => Err(damaged(folder)),
                },
            },
        }
    }
}

fn damaged(folder: &Path) -> anyhow::Error {
    let _ = fs::remove_dir_all(folder);
    Failure::new(Exit::Store, format!("a file in `{}` was damaged and has been removed", folder.display()))
        .hint("try again")
        .into()
}

fn all_rules(config: &Config, sealed: &[String]) -> BTreeMap<String, Vec<Rule>> {
    let mut routes: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    let sole = (config.accounts.len() == 1).then(|| config.accounts.keys().next().cloned()).flatten();
    let default = config.default.clone().or(sole);
    for (name, (account, client)) in &config.accounts {
        let is_default = default.as_deref() == Some(name);
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
    routes
}

/// Written aside and renamed, so that a folder with this name is always complete.
fn write(folder: &Path, rules: &BTreeMap<String, Vec<Rule>>) -> Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let aside = parent.join(format!(".{}", std::process::id()));
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir(&aside)?;
    for (key, rules) in rules {
        let route = Route { key: key.clone(), rules: rules.clone() };
        fs::write(aside.join(file_name(key)), serde_json::to_vec(&route)?)?;
    }
    if fs::rename(&aside, folder).is_err() {
        fs::remove_dir_all(&aside)?; // another process was first
    }
    for entry in fs::read_dir(parent)?.flatten() {
        let other = entry.path();
        let in_work = entry.file_name().to_string_lossy().starts_with('.');
        if other != folder && !in_work {
            let _ = fs::remove_dir_all(other);
        }
    }
    Ok(())
}

/// A key as a file name. Two keys may share one: the key inside decides.
fn file_name(key: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-".contains(letter);
    key.chars().take(200).map(|letter| if plain(letter) { letter } else { '_' }).collect()
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

fn stamp_of(paths: &Paths, facts: &[u64]) -> String {
    let mut bytes = paths.config.as_os_str().as_encoded_bytes().to_vec();
    bytes.extend(facts.iter().flat_map(|fact| fact.to_le_bytes()));
    format!("{FORMAT}-{:016x}", store::checksum(&bytes))
}

#[cfg(test)]
mod tests {
    use super::{file_name, keys};
    use hallpass_protocol::place::Place;

    #[test]
    fn a_place_has_its_own_key_and_those_of_its_wildcards() {
        let place = Place::from_url("https://a.b.example.com/x").expect("a URL");
        let keys: Vec<_> = keys(&place).collect();
        assert_eq!(keys, ["https://a.b.example.com:443", "https://*.b.example.com:443", "https://*.example.com:443"]);
        assert_eq!(file_name(&keys[1]), "https____.b.example.com_443");
    }
}
