//! The tables of `integrations/{autocom,warmhub,whet}/README.md`: every row is there and names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The first column's numbers: `44, 45, 61 refreshed by itself`.
fn numbers(cell: &str) -> Vec<u32> {
    cell.split([',', ' ']).filter(|word| !word.is_empty()).map_while(|word| word.parse().ok()).collect()
}

/// What stands in backticks and is a test's name, with the file it is in.
fn tests(cells: &str) -> Vec<(String, String)> {
    let mut file = String::new();
    let mut found = Vec::new();
    for word in cells.split('`').skip(1).step_by(2) {
        let Some((named, test)) = word.split_once("::") else { continue };
        if !named.is_empty() {
            named.clone_into(&mut file);
        }
        found.push((file.clone(), test.to_owned()));
    }
    found
}

fn exists(file: &str, test: &str) -> bool {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = Vec::new();
    sources.extend(fs::read_to_string(base.join(format!("{file}.rs"))));
    for entry in fs::read_dir(base.join(file)).into_iter().flatten() {
        sources.extend(fs::read_to_string(entry.unwrap().path()));
    }
    let is_there = |source: &String| test == "*" || source.contains(&format!("#[test]\nfn {test}() {{"));
    sources.iter().any(is_there)
}

#[test]
fn every_row_names_tests_that_exist() {
    assert!(exists("rows", "every_row_names_tests_that_exist") && !exists("rows", "no_such_test"));
    for (seed, rows) in [("whet", 1..=35), ("warmhub", 36..=72), ("autocom", 73..=118)] {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("integrations/{seed}/README.md"));
        let readme = fs::read_to_string(readme).unwrap();
        let mut shown = BTreeSet::new();
        for line in readme.lines().filter(|line| line.starts_with("| ")) {
            let (first, cells) = line[2..].split_once('|').unwrap();
            let of_row = numbers(first);
            if of_row.is_empty() {
                continue;
            }
            let named = tests(cells);
            assert!(!named.is_empty() && !line.contains("not yet"), "{seed}: {line}");
            for (file, test) in named {
                assert!(exists(&file, &test), "{seed}: there is no test {file}::{test}: {line}");
            }
            shown.extend(of_row);
        }
        assert_eq!(shown, rows.collect(), "{seed}");
    }
}
