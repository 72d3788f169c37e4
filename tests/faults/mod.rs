//! The fault suite: a row is a fault, how it is brought about, and what is promised
//!
//! After each: an exit code, a message that names the object, an end, and nothing lost. The table of all rows is
//! `integrations/faults/README.md`; `table` keeps it true.

mod answers;
mod callers;
mod clocks;
#[cfg(target_os = "linux")]
mod disk;
mod files;
mod homes;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod limits;
mod network;
#[cfg(target_os = "linux")]
mod portals;
mod server;
mod signals;
pub mod table;
mod turns;
#[cfg(target_os = "linux")]
mod watch;
mod wire;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;

use crate::idp::Idp;
use crate::runs::{Done, done, has};
use crate::world::World;

/// Every door that can hand out a token, and what it reads.
const DOORS: [(&[&str], &str); 5] = [
    (&["get"], ""),
    (&["header"], ""),
    (&["json", "get"], r#"{"account":"work"}"#),
    (&["kubectl"], ""),
    (&["git", "get"], "protocol=https\nhost=git.example.com\n\n"),
];

/// No door answers: each ends with this code and names the object. git knows no exit code and gets no token.
#[track_caller]
fn all_refuse(world: &World, code: i32, words: &[&str]) {
    for (args, stdin) in DOORS {
        let done = world.ask(args, stdin);
        match args[0] {
            "git" => {
                assert!(!done.out.contains("password="), "{done:?}");
                done.expect(0).says(words);
            }
            "json" => {
                assert!(done.out.starts_with(&format!(r#"{{"error":{{"code":{code},"#)), "{done:?}");
                done.expect(code).says(words);
            }
            _ => drop(done.refused(&[code], words)),
        }
    }
}

/// A world whose access token has just expired.
fn expired(idp: &Idp) -> World {
    let world = World::signed_in(idp);
    world.shift(4000);
    world
}

/// Nothing is lost: the next call has a token that works, from one record in one place, with nothing beside it, and
/// both locks are free.
#[track_caller]
fn sound(idp: &Idp, world: &World) {
    later(world);
    let token = world.token();
    assert!(idp.live_access_token(&token), "the token is not good");
    assert_eq!(world.holdings(), ["work"], "in one place, and nothing beside it");
    assert_eq!((idp.family_alive(), idp.reuses()), (true, 0));
    free(world);
}

/// Nobody holds a lock.
#[track_caller]
fn free(world: &World) {
    for name in ["work.lock", "work.signin"] {
        if let Ok(file) = File::open(world.data(name)) {
            assert!(file.try_lock().is_ok(), "{name} is still held");
        }
    }
}

/// The ten seconds of a replay and the pause that a server asked for are over.
pub fn later(world: &World) {
    age_intent(world, 3_600);
    let setback = world.data("work.setback");
    if let Ok(text) = fs::read_to_string(&setback) {
        let mut json: Value = serde_json::from_str(&text).unwrap();
        let at = json["at"]["secs_since_epoch"].as_u64().unwrap();
        json["at"]["secs_since_epoch"] = (at - 3_600).into();
        fs::write(setback, json.to_string()).unwrap();
    }
}

/// Makes the intent of a refresh without an end this much older.
fn age_intent(world: &World, seconds: i64) {
    const INTENT: &str = "hallpass-intent ";
    let next = world.data("work.next");
    let Ok(bytes) = fs::read(&next) else { return };
    let Some(json) = bytes.get(INTENT.len()..256).filter(|_| bytes.starts_with(INTENT.as_bytes())) else { return };
    let mut json: Value = serde_json::from_slice(json).unwrap();
    json["since"] = (json["since"].as_i64().unwrap() - seconds).into();
    let line = format!("{:255}\n", format!("{INTENT}{json}"));
    fs::write(next, [line.as_bytes(), &bytes[256..]].concat()).unwrap();
}

/// Whether we may do everything; then a mode stops nobody.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// hallpass, for which a file's mode counts even where the tests run as root.
fn bound_by_modes(world: &World, args: &[&str]) -> Option<Done> {
    if !is_root() {
        return Some(world.run(args));
    }
    if !has("setpriv") {
        return None;
    }
    let bound = ["--bounding-set=-all", "--inh-caps=-all", crate::world::BIN];
    Some(done(&mut assert_cmd::Command::from_std(world.program("setpriv", &[&bound[..], args].concat()))))
}

/// hallpass under strace with these of its options. `None` where there is no strace.
#[cfg(target_os = "linux")]
fn injected(world: &World, options: &[&str], args: &[&str]) -> Option<Done> {
    if !has("strace") {
        return None;
    }
    let all = [&["-f", "-o", "/dev/null"], options, &[crate::world::BIN], args].concat();
    Some(done(&mut assert_cmd::Command::from_std(world.program("strace", &all))))
}
