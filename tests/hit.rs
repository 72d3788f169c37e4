//! A hit: no lock, no socket, no thread, one process; it answers while others hold both locks.

use std::fs::{self, File};

use crate::idp::Idp;
use crate::runs::{Done, done, has};
use crate::world::World;

/// The system calls of one run.
pub fn traced(world: &World, args: &[&str], stdin: &str) -> Option<(Done, String)> {
    if !has("strace") {
        return None;
    }
    let log = world.path("strace");
    let mut all = vec!["-f", "-o", log.to_str().unwrap(), crate::world::BIN];
    all.extend(args);
    let mut command = assert_cmd::Command::from_std(world.program("strace", &all));
    let done = done(command.write_stdin(stdin)).expect(0);
    Some((done, fs::read_to_string(&log).unwrap()))
}

pub fn calls<'a>(log: &'a str, names: &[&str]) -> Vec<&'a str> {
    let named = |line: &&str| {
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        names.iter().any(|name| call.starts_with(&format!("{name}(")))
    };
    log.lines().filter(named).collect()
}

const GIT: &str = "protocol=https\nhost=git.example.com\n\n";
const NOTHING: [&str; 0] = [];

#[test]
fn a_hit_is_one_process_without_locks_or_sockets() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.settle();
    world.ask(&["git", "get"], GIT).expect(0);
    let before = idp.every_call();
    let doors = [
        (["get"].as_slice(), ""),
        (&["get", "work"], ""),
        (&["get", "https://git.example.com/a.git"], ""),
        (&["header"], ""),
        (&["git", "get"], GIT),
        (&["kubectl"], ""),
        (&["json", "get"], r#"{"account":"work"}"#),
    ];
    for (args, stdin) in doors {
        let Some((done, log)) = traced(&world, args, stdin) else { return };
        assert!(done.out.contains(&token), "{args:?}: {done:?}");
        assert_eq!(calls(&log, &["execve", "execveat"]).len(), 1, "{args:?}");
        let processes = ["clone", "clone3", "fork", "vfork"];
        assert_eq!(calls(&log, &processes), NOTHING, "{args:?}: a thread or a process");
        assert_eq!(calls(&log, &["socket", "connect", "bind"]), NOTHING, "{args:?}: a socket");
        assert_eq!(calls(&log, &["flock"]), NOTHING, "{args:?}: a lock");
        let locks: Vec<_> = calls(&log, &["fcntl"]).into_iter().filter(|call| call.contains("SETLK")).collect();
        assert_eq!(locks, NOTHING, "{args:?}: a lock");
        let writes: Vec<_> = calls(&log, &["openat", "open", "creat"])
            .into_iter()
            .filter(|call| {
                (call.contains("O_WRONLY") || call.contains("O_RDWR") || call.contains("O_CREAT"))
                    && call.contains("/home/")
            })
            .collect();
        assert_eq!(writes, NOTHING, "{args:?}: a hit writes nothing");
    }
    assert_eq!(idp.every_call(), before);
}

#[test]
fn a_hit_answers_while_another_holds_both_locks() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let locks: Vec<File> = ["work.lock", "work.signin"]
        .map(|name| File::options().create(true).append(true).open(world.data(name)).unwrap())
        .into();
    locks.iter().for_each(|file| file.lock().unwrap());
    for args in [["get"].as_slice(), &["header"], &["kubectl"], &["status"], &["accounts"]] {
        let done = world.start(args).end_within(30).expect(0);
        assert!(!done.out.is_empty(), "{args:?}: {done:?}");
    }
    assert_eq!(world.start(&["get"]).end_within(30).out.trim_end(), token);
    // In the last fifth the refresh is somebody else's: answered at once, too.
    world.shift(3000);
    assert_eq!(world.start(&["get"]).end_within(30).expect(0).out.trim_end(), token);
    assert_eq!(idp.count("refresh_token"), 0);
}

/// A world that keeps what tools bring.
fn keeping(idp: &Idp) -> World {
    let world = World::new(idp);
    world.config(&format!("keep = \"always\"\n{}", world.config_text()));
    world.sign_in();
    world.settle();
    world.ask(&["git", "get"], GIT).expect(0);
    world
}

const ASKED: &str = "protocol=https\nhost=kept.example.com\n";

fn brought(password: &str) -> String {
    format!("{ASKED}username=alice\npassword={password}\n\n")
}

/// Beside a hundred thousand others a listing takes a quarter of a second.
#[test]
fn no_folder_is_listed_for_what_is_kept_or_refreshed() {
    let idp = Idp::start();
    let world = keeping(&idp);
    let steps = [
        (["git", "store"], brought("one")),
        (["git", "get"], format!("{ASKED}\n")),
        (["git", "store"], brought("one")),
        (["git", "store"], brought("two")),
        (["git", "get"], GIT.to_owned()),
        (["refresh", "work"], String::new()),
    ];
    for (args, stdin) in steps {
        let Some((_, log)) = traced(&world, &args, &stdin) else { return };
        assert_eq!(calls(&log, &["getdents", "getdents64"]), NOTHING, "{args:?} {stdin:?}");
    }
    let kept = world.ask(&["git", "get"], format!("{ASKED}\n")).expect(0);
    assert!(kept.out.contains("password=two\n"), "{kept:?}");
    assert_eq!(idp.count("refresh_token"), 1);
}

/// git brings back what it was given, after each command.
#[test]
fn a_kept_password_that_comes_back_is_only_looked_at() {
    let idp = Idp::start();
    let world = keeping(&idp);
    world.ask(&["git", "store"], brought("one")).expect(0);
    let Some((done, log)) = traced(&world, &["git", "store"], &brought("one")) else { return };
    done.silent();
    assert_eq!(calls(&log, &["flock", "fsync", "rename", "unlink", "ftruncate", "write"]), NOTHING);
    let opened = calls(&log, &["open", "openat"]);
    assert!(!opened.iter().any(|call| call.contains("config.toml")), "{opened:?}");
    // An older one that comes back is the newest again.
    let of_bob = format!("{ASKED}username=bob\npassword=three\n\n");
    world.ask(&["git", "store"], of_bob).silent();
    world.ask(&["git", "store"], brought("one")).silent();
    let kept = world.ask(&["git", "get"], format!("{ASKED}\n")).expect(0);
    assert!(kept.out.contains("username=alice\npassword=one\n"), "{kept:?}");
}
