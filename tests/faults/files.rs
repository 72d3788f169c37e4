//! What may stand where a record or a lock should: refused by name, left alone, and nobody else's trouble.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::{has, until};
use crate::world::World;

use super::{all_refuse, bound_by_modes, expired, sound};

fn mode(world: &World, name: &str, mode: u32) {
    fs::set_permissions(world.data(name), Permissions::from_mode(mode)).unwrap();
}

/// F30, F35, F37, F38, F39, F41, F42: at every door.
#[test]
fn what_is_no_record_of_ours_answers_nobody() {
    type Put = fn(&World);
    let rows: [(&str, i32, Put); 9] = [
        ("F30 empty", 7, |world| drop(File::create(world.data("work")).unwrap())),
        ("F35 a gigabyte", 7, |world| File::create(world.data("work")).unwrap().set_len(1 << 30).unwrap()),
        ("F37 others can write", 9, |world| mode(world, "work", 0o666)),
        ("F37 the group can write", 9, |world| mode(world, "work", 0o620)),
        ("F39 a link", 9, |world| {
            fs::rename(world.data("work"), world.path("elsewhere")).unwrap();
            symlink(world.path("elsewhere"), world.data("work")).unwrap();
        }),
        ("F41 a pipe", 7, |world| {
            fs::remove_file(world.data("work")).unwrap();
            assert!(Command::new("mkfifo").arg(world.data("work")).status().unwrap().success());
        }),
        ("F41 a folder", 7, |world| {
            fs::remove_file(world.data("work")).unwrap();
            fs::create_dir(world.data("work")).unwrap();
        }),
        ("F41 a socket", 7, |world| {
            fs::remove_file(world.data("work")).unwrap();
            drop(UnixListener::bind(world.data("work")).unwrap());
        }),
        ("F42 a second name", 9, |world| fs::hard_link(world.data("work"), world.path("second")).unwrap()),
    ];
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (whole, calls) = (fs::read(world.data("work")).unwrap(), idp.every_call());
    for (fault, code, put) in rows {
        put(&world);
        all_refuse(&world, code, &[world.data("work").to_str().unwrap()]);
        assert_eq!(idp.every_call(), calls, "{fault} made a request");
        if let Ok(target) = fs::read(world.path("elsewhere")) {
            assert_eq!(target, whole, "{fault}: the target changed");
        }
        let _ = fs::remove_file(world.data("work")).or_else(|_| fs::remove_dir(world.data("work")));
        let _ = fs::remove_file(world.path("elsewhere"));
        let _ = fs::remove_file(world.path("second"));
        fs::write(world.data("work"), &whole).unwrap();
        mode(&world, "work", 0o600);
        sound(&idp, &world);
    }
}

/// F35: many small values in place of one large file.
#[test]
fn a_record_that_is_a_bomb_is_read_in_bounds() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let whole = fs::read(world.data("work")).unwrap();
    for bomb in ["[".repeat(4 << 20), format!("{{\"tokens\":[{}0]}}", "0,".repeat(2 << 20))] {
        let head = format!("hallpass-record 1 plain {}\n", crate::record::checksum(bomb.as_bytes()));
        fs::write(world.data("work"), head + &bomb).unwrap();
        let done = world.sh("ulimit -v 262144; exec \"$HALLPASS\" get");
        done.refused(&[7], &[world.data("work").to_str().unwrap()]);
    }
    fs::write(world.data("work"), whole).unwrap();
    sound(&idp, &world);
}

/// F38, F47: a record, or a whole home, of another user.
#[test]
fn what_belongs_to_somebody_else_is_refused() {
    let idp = Idp::start();
    let world = expired(&idp);
    if super::is_root() {
        let chown = |name: &str, uid: u32| std::os::unix::fs::chown(world.data(name), Some(uid), None).unwrap();
        chown("work", 65533);
        all_refuse(&world, 9, &[world.data("work").to_str().unwrap(), "belongs to somebody else"]);
        chown("work", 0);
        chown("", 65533);
        world.run(&["get"]).refused(&[9], &["belongs to somebody else"]); // F47
        chown("", 0);
    } else if !cfg!(target_os = "linux") {
        crate::runs::skip("only root can give a file away here");
    } else if has("unshare") {
        // In a namespace that does not know the owner of a file that is mounted there.
        let script = format!("mount --bind /etc/hostname {} && exec \"$HALLPASS\" get", world.data("work").display());
        let mut command = assert_cmd::Command::from_std(world.program("unshare", &["-rm", "sh", "-c", &script]));
        crate::runs::done(&mut command).refused(&[9], &["belongs to somebody else"]);
    }
    assert_eq!(idp.count("refresh_token"), 0);
    sound(&idp, &world);
}

/// F37: nothing is written to a folder that others can write to.
#[test]
fn a_folder_that_others_can_write_to_gets_no_new_token() {
    let idp = Idp::start();
    let world = expired(&idp);
    for wide in [0o770, 0o777, 0o707] {
        mode(&world, "", wide);
        world.run(&["get"]).refused(&[9], &[world.data("").to_str().unwrap().trim_end_matches('/'), "chmod 700"]);
    }
    assert_eq!(idp.count("refresh_token"), 0);
    mode(&world, "", 0o700);
    sound(&idp, &world);
}

/// F36: a hit says nothing and writes nothing; `status` and `doctor` tell, and the next save narrows it.
#[test]
fn what_others_could_read_is_told_by_status_and_doctor() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    mode(&world, "work", 0o644);
    assert_eq!(world.run(&["get"]).expect(0).err, "");
    let status = world.run(&["status"]).expect(0).out;
    assert!(status.contains("mode 644") && status.contains("chmod 600"), "{status}");
    let doctor = world.run(&["doctor"]).expect(7).out;
    assert!(doctor.contains("mode 644") && doctor.contains("chmod 600"), "{doctor}");
    world.shift(4000);
    mode(&world, "work", 0o644);
    world.token();
    assert_eq!(fs::metadata(world.data("work")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!world.run(&["status"]).expect(0).out.contains("mode 6"));
    world.run(&["doctor"]).expect(0);
    sound(&idp, &world);
}

/// F40: the whole folder may be a link of the person's own.
#[test]
fn a_folder_that_is_the_persons_own_link_is_theirs() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    fs::rename(world.data(""), world.path("dotfiles")).unwrap();
    symlink(world.path("dotfiles"), world.path("home/.data/hallpass")).unwrap();
    world.shift(4000);
    sound(&idp, &world);
    assert_eq!(idp.count("refresh_token"), 1);
}

/// F43: the lock file goes while its holder works. The next one waits for the journal, which is held too.
#[test]
fn a_deleted_lock_file_makes_no_second_refresh() {
    let idp = Idp::builder().latency(1500).start();
    let world = expired(&idp);
    let holder = world.start(&["get"]);
    until("the request", || (idp.count("refresh_token") == 1).then_some(()));
    fs::remove_file(world.data("work.lock")).unwrap();
    let second = world.start(&["get"]);
    let first = holder.end().expect(0).out;
    assert_eq!(second.end().expect(0).out, first);
    assert_eq!(idp.count("refresh_token"), 1);
    sound(&idp, &world);
}

/// F44: a lock that cannot be opened is not gone without.
#[test]
fn a_lock_that_cannot_be_opened_is_8() {
    let idp = Idp::start();
    let world = expired(&idp);
    mode(&world, "work.lock", 0o000);
    let Some(done) = bound_by_modes(&world, &["get"]) else { return };
    done.refused(&[8], &[world.data("work.lock").to_str().unwrap()]);
    mode(&world, "work.lock", 0o600);
    assert_eq!(idp.count("refresh_token"), 0);
    sound(&idp, &world);
}

/// F45: nor is a file system that knows no locks. A hit needs none.
#[cfg(target_os = "linux")]
#[test]
fn where_nothing_can_be_locked_nothing_is_spent() {
    for error in ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EIO"] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        let (token, inject) = (world.token(), format!("inject=flock:error={error}"));
        let Some(hit) = super::injected(&world, &["-e", &inject], &["get"]) else { return };
        assert_eq!(hit.expect(0).out.trim_end(), token);
        world.shift(4000);
        let done = super::injected(&world, &["-e", &inject], &["get"]).unwrap();
        done.refused(&[8], &["work.lock", "cannot be locked", "XDG_DATA_HOME"]);
        assert_eq!(idp.count("refresh_token"), 0, "{error}");
        sound(&idp, &world);
    }
}

/// F54: what a dead run left behind goes by its state and not by its age.
#[test]
fn what_a_dead_run_left_is_judged_by_its_state() {
    let idp = Idp::start();
    let world = expired(&idp);
    let old = fs::read(world.data("work")).unwrap();
    idp.once(At::Token, Fault::Status(500, vec![], ""));
    world.run(&["get"]).refused(&[6], &["work"]);
    let nonsense: [&[u8]; 4] = [b"", b"nonsense", &old, &old[..old.len() / 2]];
    for left in nonsense {
        fs::write(world.data("work.next"), left).unwrap();
        mode(&world, "work.next", 0o600);
        world.shift(4000);
        sound(&idp, &world);
    }
    assert_eq!(idp.count("refresh_token"), 1 + nonsense.len());
}
