//! Little memory, few files, no processes, no room in a file: an answer or one clean line, and the store intact.

use crate::idp::Idp;
use crate::runs::Done;
use crate::world::World;

use super::{expired, free, sound};

/// hallpass under these limits of the shell.
fn limited(world: &World, limits: &str, args: &str) -> Done {
    world.sh(&format!("{limits}; exec \"$HALLPASS\" {args}"))
}

/// F20, F21: enough for a hit and for a refresh.
#[test]
fn little_memory_and_few_files_are_enough() {
    for limits in ["ulimit -v 262144; ulimit -s 256", "ulimit -n 8"] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        let token = world.token();
        assert_eq!(limited(&world, limits, "get").expect(0).out.trim_end(), token, "{limits}");
        world.shift(4000);
        let token = limited(&world, limits, "get").expect(0).out;
        assert!(idp.live_access_token(token.trim_end()), "{limits}");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 1);
    }
}

/// F21: too few files are one line, and the refresh token is not spent in vain.
#[test]
fn too_few_files_are_said() {
    let idp = Idp::start();
    let world = expired(&idp);
    for limit in 4..=5 {
        // with fewer not even the system's loader of programs works

        let done = limited(&world, &format!("ulimit -n {limit}"), "get").expect_any(&[6, 7, 8, 10]);
        assert_eq!(done.out, "");
        assert!(done.err.contains("Too many open files"), "{limit}: {done:?}");
        assert_eq!(idp.count("refresh_token"), 0, "{limit}");
    }
    sound(&idp, &world);
}

/// F22: no process and no thread can be started. root has no such limit, so it is asked without its privileges.
#[test]
fn no_process_and_no_thread() {
    if !crate::runs::has("setpriv") || !crate::runs::has("prlimit") {
        return;
    }
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let bound =
        if super::is_root() { "setpriv --reuid=65533 --clear-groups --bounding-set=-all --inh-caps=-all" } else { "" };
    if super::is_root() {
        // The world must be that user's own.
        assert!(world.sh("chmod 755 .. && chown -R 65533 .. && chmod 755 ..").code == Some(0));
    }
    let run = |args: &str| world.sh(&format!("exec {bound} prlimit --nproc=0 \"$HALLPASS\" {args}"));
    assert_eq!(run("get").expect(0).out.trim_end(), token);
    for command in ["login work", "login work --device", "refresh work", "doctor"] {
        let done = run(command).expect_any(&[5, 6]);
        assert!(format!("{}{}", done.out, done.err).contains("no thread"), "{command}: {done:?}");
    }
    assert_eq!(run("get").expect(0).out.trim_end(), token);
    free(&world);
}

/// F23: a limit on the size of files is an error and not the end.
#[test]
fn no_room_in_a_file() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let _ = std::fs::remove_dir_all(world.data("routes"));
    let settled = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(world.config_file()).unwrap().set_modified(settled).unwrap();
    assert_eq!(limited(&world, "ulimit -f 0", "get").expect(0).out.trim_end(), token, "a hit that cannot write routes");
    world.shift(4000);
    let before = world.record();
    let done = limited(&world, "ulimit -f 0", "get").refused(&[7], &["work.next", "too large"]);
    assert_eq!((world.record(), idp.count("refresh_token")), (before, 0), "{done:?}");
    sound(&idp, &world);
}
