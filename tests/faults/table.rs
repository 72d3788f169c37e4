//! The published table has a line for every fault, and every test that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The faults of the plan that this suite answers for.
fn faults() -> BTreeSet<u32> {
    (1..=54).chain(66..=90).chain(94..=100).chain(118..=121).chain(134..=140).collect()
}

/// `module::test` of every `#[test]` below this folder.
pub fn tests(folder: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let stem = entry.file_stem().unwrap().to_str().unwrap();
        let name = if stem == "mod" { module.trim_end_matches("::").to_owned() } else { format!("{module}{stem}") };
        if entry.is_dir() {
            tests(&entry, &format!("{name}::"), found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "#[test]");
            while let Some(line) = lines.next() {
                if let Some(rest) = line.strip_prefix("fn ") {
                    found.insert(format!("{name}::{}", rest.split('(').next().unwrap()));
                    lines.by_ref().find(|line| *line == "#[test]");
                }
            }
        }
    }
}

#[test]
fn every_fault_has_its_line_and_every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    tests(&root.join("tests"), "", &mut known);
    assert!(known.contains("faults::table::every_fault_has_its_line_and_every_named_test_exists"), "{known:?}");
    let table = fs::read_to_string(root.join("integrations/faults/README.md")).unwrap();
    let mut lines = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| F") && !line.starts_with("| Fault ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [fault, _, named, promise] = cells[..] else { panic!("not four cells: {line}") };
        let number: u32 = fault.trim_start_matches('F').parse().unwrap();
        assert!(lines.insert(number, ()).is_none(), "F{number} has two lines");
        assert!(!promise.is_empty(), "{line}");
        let names: Vec<_> = named.split(' ').filter(|word| word.contains("::")).collect();
        assert!(!names.is_empty() || named == "none", "F{number} names no test: {named}");
        for name in names {
            let name = name.trim_matches(['`', ',']);
            assert!(known.contains(name), "F{number}: there is no test `{name}`");
        }
        if named == "none" {
            assert!(promise.contains("cannot be injected here"), "F{number} has no test and no reason");
        }
    }
    assert_eq!(lines.keys().copied().collect::<BTreeSet<_>>(), faults());
}

/// A file that no `mod` line names would be compiled by nobody and pass for ever.
#[test]
fn no_file_of_faults_is_forgotten() {
    let listed = include_str!("mod.rs");
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap();
        assert!(
            module == "mod" || listed.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {module};")),
            "{name}"
        );
    }
}
