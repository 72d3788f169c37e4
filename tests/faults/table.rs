//! The published table has a line for every fault, and every test that it names is there.

use std::collections::BTreeSet;

use crate::tables::{Known, nothing_is_forgotten, rows};

/// The faults of the plan that this suite answers for.
fn faults() -> BTreeSet<u32> {
    (1..=54).chain(66..=100).chain([116]).chain(118..=121).chain(134..=140).collect()
}

#[test]
fn every_fault_has_its_line_and_every_named_test_exists() {
    let known = Known::find();
    let mut lines = BTreeSet::new();
    for row in rows("faults/README.md").iter().filter(|row| row[0].starts_with('F')) {
        let [fault, _, named, promise] = &row[..] else { panic!("not four cells: {row:?}") };
        assert!(lines.insert(fault[1..].parse().unwrap()), "{fault} has two lines");
        assert!(!promise.is_empty(), "{row:?}");
        let names = known.named(named);
        assert!(!names.is_empty() || named == "none", "{fault} names no test: {named}");
        if named == "none" {
            assert!(promise.contains("cannot be injected here"), "{fault} has no test and no reason");
        }
    }
    assert_eq!(lines, faults());
}

#[test]
fn no_file_of_faults_is_forgotten() {
    nothing_is_forgotten("tests/faults", include_str!("mod.rs"));
}
