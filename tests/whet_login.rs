//! The agent token: brought by a person, bound to one URL, kept, shown by its ends; as the whet seed asks for it.

use std::fs;
use std::time::{Duration, Instant};

use crate::record;
#[cfg(target_os = "linux")]
use crate::runs::has;
use crate::runs::{Done, done, until};
use crate::whet_backend::{Backend, KEY};
use crate::world::World;

pub const LOCAL: &str = "http://localhost:7891/api/agent/v1";
pub const TEAM: &str = "https://your-team.whet.so/api/agent/v1";
pub const PAGE: &str = "Settings, Agent tokens";

/// 64 hexadecimal characters.
pub fn token(seed: &str) -> String {
    format!("7a3f4b2c{}{seed}", "0123456789abc".repeat(4))
}

pub fn pipe(world: &World, args: &[&str], stdin: &str) -> Done {
    done(world.hallpass(&[&["login", "whet"], args].concat()).write_stdin(stdin))
}

pub fn signed_in(token: &str) -> World {
    let world = World::bare();
    pipe(&world, &["--token-stdin"], token).expect(0);
    world
}

#[test]
fn both_spellings_of_both_flags() {
    let good = token("beef");
    assert_eq!(good.len(), 64);
    for (token_flag, url_flag) in [("--token", "--base-url"), ("-t", "-u"), ("--token", "--api-url")] {
        let world = World::bare();
        let done = world.run(&["login", "whet", token_flag, &good, url_flag, TEAM]).expect(0);
        let warnings: Vec<_> = done.err.lines().filter(|line| line.contains("can be seen by others")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains("--token-stdin"), "{done:?}");
        assert!(!done.err.contains(&good) && done.out.is_empty(), "{done:?}");
        for url in [TEAM.to_owned(), format!("{TEAM}/"), format!("{TEAM}/inbox/7?a=b")] {
            assert_eq!(world.run(&["get", &url]).expect(0).out, format!("{good}\n"), "{url}");
        }
        assert_eq!(world.opened(), [""; 0], "never a browser");
    }
}

#[test]
fn the_local_instance_needs_no_configuration() {
    let good = token("0001");
    let world = signed_in(&good);
    let show = |args: &[&str]| world.run(args).expect(0).out;
    assert_eq!(show(&["get", "whet"]), format!("{good}\n"));
    assert_eq!(show(&["header", &format!("{LOCAL}/inbox")]), format!("Authorization: Bearer {good}\n"));
    assert!(!world.config_file().exists());
    let shown = show(&["status"]);
    assert!(shown.contains(LOCAL) && shown.contains("7a3f4b2c…0001 (64 chars hex)"), "{shown}");
    for args in [["status", "--json"].as_slice(), &["whoami", "whet"], &["accounts"], &["why", "get", LOCAL]] {
        let done = world.run(args);
        assert!(!format!("{done:?}").contains(&good[8..60]), "{args:?}: {done:?}");
    }
}

#[test]
fn only_for_the_prefix() {
    let good = token("0002");
    let world = signed_in(&good);
    for url in [
        "http://localhost:7891",
        "http://localhost:7891/",
        "http://localhost:7891/api/agent/v10",
        "http://localhost:7891/api/agent",
        "http://localhost:7892/api/agent/v1",
        "https://localhost:7891/api/agent/v1",
        "http://127.0.0.1:7891/api/agent/v1",
        "http://localhost.evil.example:7891/api/agent/v1",
    ] {
        for args in [["get", url], ["header", url]] {
            let done = world.run(&args).expect_any(&[2, 3, 9]);
            assert!(!format!("{done:?}").contains(&good), "{args:?}: {done:?}");
        }
    }
}

#[test]
fn a_wrong_shape_is_refused_and_not_repeated() {
    let world = World::bare();
    for wrong in ["7a".repeat(31), "7g".repeat(32), format!("whet_{}", "7a".repeat(32)), "7a".repeat(33)] {
        let flag = world.run(&["login", "whet", "-t", &wrong]);
        for done in [pipe(&world, &["--with-token"], &wrong), pipe(&world, &["--token-stdin"], &wrong), flag] {
            let done = done.refused(&[2], &[PAGE, "64 hex"]);
            assert!(!done.err.contains(&wrong), "{done:?}");
        }
    }
    assert_eq!(world.holdings(), [""; 0]);
    pipe(&world, &[], "").refused(&[2], &["--token-stdin", PAGE]);
}

#[cfg(unix)]
#[test]
fn the_record_is_private_whatever_the_umask() {
    for umask in ["000", "077"] {
        let world = World::bare();
        let done =
            world.sh(&format!("umask {umask}; printf {} | \"$HALLPASS\" login whet --token-stdin", token("0003")));
        done.expect(0);
        let mode = |name: &str| record::mode(&world.data(name));
        assert_eq!((mode("whet"), mode("")), (0o600, 0o700), "umask {umask}");
    }
}

#[test]
fn variables_stand_in_and_are_never_saved() {
    let (kept, brought) = (token("0004"), token("0005"));
    let world = signed_in(&kept);
    let before = fs::read(world.data("whet")).unwrap();
    let with = |args: &[&str]| {
        let mut command = world.hallpass(args);
        command.env("WHET_TOKEN", &brought);
        done(&mut command)
    };
    assert_eq!(with(&["get", LOCAL]).expect(0).out, format!("{brought}\n"));
    with(&["get", "http://localhost:7891/other"]).refused(&[3], &[]);
    let shown = with(&["status"]).expect(0).out;
    assert!(shown.contains("WHET_TOKEN") && !shown.contains(&brought), "{shown}");
    assert_eq!(world.run(&["get", LOCAL]).expect(0).out, format!("{kept}\n"));
    assert_eq!(fs::read(world.data("whet")).unwrap(), before);
    // The environment's URL moves the account; the token that was kept for the other place stays there.
    let mut moved = world.hallpass(&["get", TEAM]);
    moved.env("WHET_BASE_URL", TEAM);
    let refused = done(&mut moved).expect_any(&[3, 4, 9]);
    assert!(!format!("{refused:?}").contains(&kept), "{refused:?}");
    assert_eq!(done(moved.env("WHET_TOKEN", &brought)).expect(0).out, format!("{brought}\n"));
    assert_eq!(world.run(&["get", LOCAL]).expect(0).out, format!("{kept}\n"), "and back again");
    let mut empty = world.hallpass(&["get", LOCAL]);
    assert_eq!(done(empty.env("WHET_TOKEN", "").env("WHET_BASE_URL", "")).expect(0).out, format!("{kept}\n"));
}

#[test]
fn the_config_flag_is_stronger_than_the_variable() {
    let world = signed_in(&token("0006"));
    let file = |name: &str, url: &str| {
        let path = world.path(name);
        fs::write(&path, format!("[account.team]\nprovider = \"whet\"\napi_url = \"{url}\"\n")).unwrap();
        record::set_mode(&path, 0o600);
        path
    };
    let (flag, variable) =
        (file("flag.toml", "https://flag.example/v1"), file("variable.toml", "https://variable.example/v1"));
    let mut command = world.hallpass(&["status", "--config", flag.to_str().unwrap()]);
    let shown = done(command.env("HALLPASS_CONFIG", &variable)).expect(0).out;
    assert!(shown.contains("https://flag.example/v1") && !shown.contains("variable.example"), "{shown}");
    let gone = world.path("gone.toml");
    world.run(&["--config", gone.to_str().unwrap(), "status"]).refused(&[10], &[gone.to_str().unwrap()]);
}

#[test]
fn a_rotated_token_is_replaced_in_one_step() {
    let (old, new) = (token("aaaa"), token("bbbb"));
    let world = signed_in(&old);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    until("the new token", || {
                        let got = world.run(&["get", "whet"]).expect(0).out;
                        assert!(got.trim_end() == old || got.trim_end() == new, "{got}");
                        (got.trim_end() == new).then_some(())
                    });
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        pipe(&world, &["--with-token"], &new).expect(0);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    let kept = fs::read_dir(world.data("")).unwrap().flatten().filter_map(|entry| fs::read(entry.path()).ok());
    assert!(kept.into_iter().all(|bytes| !String::from_utf8_lossy(&bytes).contains(&old)), "no copy of the old one");
}

#[test]
fn a_refused_token_is_4_and_names_the_way_to_a_new_one() {
    let old = token("0007");
    let world = signed_in(&old);
    let mut record = world.record_of("whet");
    record::shift(&mut record, 120); // a younger one that is refused is an access problem
    record::write(&world.data("whet"), &record);
    let place = "protocol=http\nhost=localhost:7891\npath=api/agent/v1\n";
    world.ask(&["git", "erase"], format!("{place}username=oauth2\npassword={old}\n")).expect(0);
    let began = Instant::now();
    for args in [["get", "whet"], ["header", "whet"]] {
        let done = world.run(&args).refused(&[4], &["hallpass login whet", PAGE]);
        assert!(!done.err.contains(&old), "{done:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "no loop");
    assert_eq!(world.opened(), [""; 0]);
    pipe(&world, &["--with-token"], &token("0008")).expect(0);
    assert_eq!(world.run(&["get", "whet"]).expect(0).out.trim_end(), token("0008"));
}

#[test]
fn neither_job_touches_the_other() {
    let (backend, world) = (Backend::start(), signed_in(&token("0009")));
    let connect = |args: &[&str]| {
        let mut command = world.hallpass(&[&["connect"], args].concat());
        done(command.env("BACKEND_BASE_URL", &backend.url).env("WHET_API_KEY", KEY)).expect(0)
    };
    let record = fs::read(world.data("whet")).unwrap();
    connect(&["github", "--port", "0"]);
    assert_eq!(fs::read(world.data("whet")).unwrap(), record);
    assert_eq!(world.holdings(), ["whet"]);
    world.run(&["get", "github"]).expect(3);
    let links = backend.links();
    let calls = backend.calls().len();
    pipe(&world, &["--with-token"], &token("000a")).expect(0);
    world.run(&["status"]).expect(0);
    world.run(&["logout", "whet"]).expect(0);
    assert_eq!((backend.links(), backend.calls().len()), (links, calls));
    connect(&["--revoke", "cred_1"]);
    assert_eq!(world.holdings(), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn status_opens_no_inet_socket() {
    let world = signed_in(&token("000b"));
    if !has("strace") {
        return;
    }
    let trace = world.path("trace");
    let mut command = world
        .program("strace", &["-f", "-e", "trace=%network", "-o", trace.to_str().unwrap(), crate::world::BIN, "status"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    if fs::read_to_string(&trace).unwrap_or_default().contains("Operation not permitted") {
        crate::runs::skip("strace may not trace here");
        return;
    }
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(&trace).unwrap();
    assert!(text.contains("exited with 0") && !text.contains("AF_INET"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn typed_unseen_on_a_terminal() {
    if !has("setsid") {
        return;
    }
    let (world, good) = (World::bare(), token("000c"));
    let mut terminal = crate::terminal::Terminal::run(&world, "exec \"$HALLPASS\" login whet");
    until("the question", || terminal.screen().contains("not shown").then_some(()));
    terminal.keys(&format!("{good}\n"));
    let done = terminal.end().expect(0);
    assert!(!format!("{done:?}").contains(&good), "{done:?}");
    assert_eq!(world.run(&["get", "whet"]).expect(0).out.trim_end(), good);
    assert_eq!(world.opened(), [""; 0], "never a browser");
}
