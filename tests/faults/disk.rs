//! A disk that is full, read-only or broken, and the order in which things reach it.

use std::fs;

use crate::hit::{calls, traced};
use crate::idp::Idp;
use crate::runs::{Done, has};
use crate::world::World;

use super::{bound_by_modes, expired, injected, sound};

/// F12: what a power cut may lose is never all: the intent is synced before the request leaves, the record before it
/// takes the old one's place, and the folder after that.
#[test]
fn the_order_in_which_a_refresh_reaches_the_disk() {
    let idp = Idp::start();
    let world = expired(&idp);
    let Some((_, log)) = traced(&world, &["get"], "") else { return };
    let mut steps = calls(&log, &["fsync", "sendto", "rename"]);
    steps.retain(|line| !line.contains("/routes/")); // which are no secret and no loss
    let names: Vec<_> = steps.iter().filter_map(|line| line.split_whitespace().nth(1)?.split('(').next()).collect();
    let mut order = names.clone();
    order.dedup();
    assert_eq!(order, ["fsync", "sendto", "fsync", "rename", "fsync"], "{steps:#?}");
    assert_eq!(names.iter().filter(|name| **name == "fsync").count(), 4, "file and folder, both times");
    sound(&idp, &world);
}

/// In a namespace whose data folder is a small disk of its own.
fn on_a_small_disk(world: &World, script: &str) -> Option<Done> {
    if !has("unshare") {
        return None;
    }
    let data = world.data("");
    let script = format!(
        "set -e; cp -a {0}/. ../kept; mount -t tmpfs -o size=96k,mode=700 none {0}; cp -a ../kept/. {0}; {script}",
        data.display()
    );
    fs::create_dir_all(world.path("kept")).unwrap();
    let command = world.program("unshare", &["-rm", "sh", "-c", &script]);
    Some(crate::runs::done(&mut assert_cmd::Command::from_std(command)))
}

/// F24: full before the refresh. Nothing is spent; a token that still works is served.
#[test]
fn a_disk_that_is_full_before_the_refresh() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.shift(3000);
    let fill = "dd if=/dev/zero of=$XDG_DATA_HOME/hallpass/filler bs=4096 2>/dev/null || true";
    let Some(done) = on_a_small_disk(&world, &format!("{fill}; exec \"$HALLPASS\" get")) else { return };
    assert_eq!((done.clone().expect(0).out.trim_end(), idp.count("refresh_token")), (token.as_str(), 0), "{done:?}");
    world.shift(1000);
    let done = on_a_small_disk(&world, &format!("{fill}; exec \"$HALLPASS\" get")).unwrap();
    done.refused(&[7], &["work.next", "make room there"]);
    assert_eq!(idp.count("refresh_token"), 0, "spent though it could not be kept");
    sound(&idp, &world);
}

/// F25, F26: a write or sync that fails after the answer came is done once more in a new file.
#[test]
fn one_failure_at_the_commit_costs_nothing() {
    for inject in [
        "write:error=ENOSPC:when=2",
        "write:error=EDQUOT:when=2",
        "write:error=EIO:when=2",
        "ftruncate:error=EIO:when=2",
        "fsync:error=EIO:when=2",
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        let next = world.data("work.next");
        let inject = format!("inject={inject}");
        let Some(done) = injected(&world, &["-P", next.to_str().unwrap(), "-e", &inject], &["get"]) else { return };
        assert!(idp.live_access_token(done.clone().expect(0).out.trim_end()), "{inject}: {done:?}");
        assert_eq!(done.err, "", "{inject}");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 1, "{inject}");
    }
}

/// F25, F26: one that goes on failing. The token is handed out, the reason is said, and where the journal was complete
/// the next run takes it over.
#[test]
fn a_commit_that_goes_on_failing_still_hands_out_the_token() {
    for (inject, kept) in [
        ("rename:error=ENOSPC", true),
        ("rename:error=EIO", true),
        ("rename:error=EACCES", true),
        ("write:error=ENOSPC:when=2+", false),
        ("fsync:error=EIO:when=2+", true),
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        let next = world.data("work.next");
        let option = format!("inject={inject}");
        let Some(done) = injected(&world, &["-P", next.to_str().unwrap(), "-e", &option], &["get"]) else { return };
        assert!(idp.live_access_token(done.clone().expect(0).out.trim_end()), "{inject}: {done:?}");
        done.says(&["hallpass: error:", "work"]);
        assert_eq!(idp.count("refresh_token"), 1, "{inject}");
        if kept {
            sound(&idp, &world);
            assert_eq!(idp.count("refresh_token"), 1, "{inject}: taken over from the journal");
        } else {
            // A disk that failed in the moment after 64 KiB had been reserved on it: the successor was never on disk.
            world.run(&["get"]).refused(&[4], &["work", "hallpass login work"]);
            world.sign_in();
            assert_eq!(world.holdings(), ["work"]);
        }
    }
}

/// F24, F26: one that fails before the request leaves.
#[test]
fn a_journal_that_cannot_be_written_spends_nothing() {
    for inject in [
        "write:error=ENOSPC:when=1",
        "write:error=EDQUOT:when=1",
        "write:error=EIO:when=1",
        "ftruncate:error=EIO:when=1",
        "fallocate:error=ENOSPC",
        "fallocate:error=EDQUOT",
        "fallocate:error=EFBIG",
        "fsync:error=EIO:when=1",
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        let (next, before) = (world.data("work.next"), world.record());
        let option = format!("inject={inject}");
        let Some(done) = injected(&world, &["-P", next.to_str().unwrap(), "-e", &option], &["get"]) else { return };
        done.refused(&[7], &["work.next"]);
        assert_eq!((idp.count("refresh_token"), world.record()), (0, before), "{inject}");
        sound(&idp, &world);
    }
}

/// F29: interrupted calls, and disks that cannot reserve, are no failure.
#[test]
fn interrupted_calls_go_on() {
    for inject in [
        "flock:error=EINTR:when=1",
        "flock:error=EINTR:when=2",
        "read:error=EINTR:when=1+2",
        "write:error=EINTR:when=1+2",
        "openat:error=EINTR:when=1+2",
        "fallocate:error=EINTR:when=1",
        "fallocate:error=EOPNOTSUPP",
        "fallocate:error=ENOSYS",
        "fsync:error=EINTR:when=1+2",
        "ftruncate:error=EINTR:when=1+2",
        "recvfrom:error=EINTR:when=1",
        "sendto:error=EINTR:when=1",
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        // Of our own files only: the system's loader of programs knows no second try.
        let (record, next) = (world.data("work"), world.data("work.next"));
        let (record, next, option) = (record.to_str().unwrap(), next.to_str().unwrap(), format!("inject={inject}"));
        let mut options = vec!["-e", &option];
        if ["read", "write", "openat"].iter().any(|call| inject.starts_with(call)) {
            options.extend(["-P", record, "-P", next]);
        }
        let Some(done) = injected(&world, &options, &["get"]) else { return };
        assert!(idp.live_access_token(done.clone().expect(0).out.trim_end()), "{inject}: {done:?}");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 1, "{inject}");
    }
}

/// F27, F28: a store that cannot be written is read, and found out before anything is spent.
#[test]
fn a_store_that_is_read_only() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let folder = world.data("");
    let mode = |mode: u32| {
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(0o500);
    let Some(done) = bound_by_modes(&world, &["get"]) else { return };
    assert_eq!(done.expect(0).out.trim_end(), token, "F28: a hit");
    mode(0o700);
    world.shift(4000);
    mode(0o500);
    let done = bound_by_modes(&world, &["get"]).unwrap();
    assert!(done.clone().expect_any(&[7, 8]).err.contains("work.next"), "F28: {done:?}");
    mode(0o700);
    if has("unshare") {
        let data = folder.display();
        let script = format!("mount --bind {data} {data} && mount -o remount,ro,bind {data} && exec \"$HALLPASS\" get");
        let mut command = assert_cmd::Command::from_std(world.program("unshare", &["-rm", "sh", "-c", &script]));
        crate::runs::done(&mut command).refused(&[7], &["work.lock"]);
    }
    assert_eq!(idp.count("refresh_token"), 0);
    sound(&idp, &world);
}
