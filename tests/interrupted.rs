//! What a fault in the middle of something leaves behind, found by the sweep of tests/crash and kept here by itself.

use std::fs;

use crate::idp::Idp;
use crate::record;
use crate::world::World;

#[test]
fn folders_that_stand_aside_are_cleared_away() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let settled = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(world.config_file()).unwrap().set_modified(settled).unwrap();
    // Of processes that were killed while they wrote or removed the routes; and something of a person's own.
    for left in ["routes/.4711", "routes/.gone.4711", ".gone.4712", ".gone.4712/1-a", ".git"] {
        fs::create_dir_all(world.data(left)).unwrap();
    }
    fs::write(world.data("routes/.4711/default"), "{").unwrap();
    world.token();
    for (left, is_there) in
        [("routes/.4711", false), ("routes/.gone.4711", false), (".gone.4712", false), (".git", true)]
    {
        assert_eq!(world.data(left).exists(), is_there, "{left}");
    }
    assert_eq!(fs::read_dir(world.data("routes")).unwrap().count(), 1, "the routes themselves");
}

#[test]
fn a_sign_in_over_a_damaged_record_goes_on_counting() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for _ in 0..3 {
        world.shift(4000);
        world.token();
    }
    let before = world.record()["generation"].as_u64().unwrap();
    fs::write(world.data("work"), "damaged").unwrap();
    world.sign_in();
    let after = record::read(&world.data("work"))["generation"].as_u64().unwrap();
    assert!(after > before, "generation {after} after {before}");
}
