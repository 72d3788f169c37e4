//! The published table has a row for every demand, and every test that it names is there.
#![allow(clippy::print_stdout)] // what is captured unless it is asked for

use std::collections::BTreeMap;
use std::process::Command;

use crate::tables::{Known, nothing_is_forgotten, rows};

/// How a row is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Word {
    Shown,
    None,
    Open,
}

struct Norm {
    number: u32,
    demand: String,
    tests: Vec<String>,
    word: Word,
    /// The reason of a row without tests.
    why: String,
}

fn norms() -> Vec<Norm> {
    let known = Known::find();
    let read = |row: &Vec<String>| {
        let [number, source, demand, cell] = &row[..] else { panic!("not four cells: {row:?}") };
        assert!(!source.is_empty() && !demand.is_empty(), "{row:?}");
        let (word, why) = match (cell.strip_prefix("none: "), cell.strip_prefix("open: ")) {
            (Some(why), _) => (Word::None, why),
            (_, Some(why)) => (Word::Open, why),
            _ => (Word::Shown, ""),
        };
        let tests = known.named(cell);
        assert!(
            if word == Word::Shown { !tests.is_empty() } else { !why.is_empty() },
            "neither a test nor a reason: {row:?}"
        );
        Norm { number: number[1..].parse().unwrap(), demand: demand.clone(), tests, word, why: why.to_owned() }
    };
    rows("norms/README.md").iter().map(read).collect()
}

#[test]
fn every_norm_has_its_row_and_every_named_test_exists() {
    let norms = norms();
    for norm in &norms {
        let named = if norm.tests.is_empty() { &norm.why } else { &norm.tests.join(", ") };
        println!("N{:<3} {:?}: {}: {named}", norm.number, norm.word, norm.demand);
    }
    let count = |word| norms.iter().filter(|norm| norm.word == word).count();
    let numbers: Vec<_> = norms.iter().map(|norm| norm.number).collect();
    let missing: Vec<_> = (1..=98).filter(|number| !numbers.contains(number)).collect();
    let (shown, none, open) = (count(Word::Shown), count(Word::None), count(Word::Open));
    println!("{shown} shown, {none} do not apply, {open} open, {} missing", missing.len());
    assert_eq!((missing, numbers.is_sorted(), numbers.len()), (vec![], true, 98), "each once, in order");
}

#[test]
fn no_file_of_norms_is_forgotten() {
    nothing_is_forgotten("tests/norms", include_str!("mod.rs"));
}

/// How the tests of one program ended that have a name of the table.
fn ends(module: &str, target: &[&str], norms: &[Norm]) -> Vec<(String, bool)> {
    let words = norms.iter().flat_map(|norm| &norm.tests).map(|name| match name.strip_suffix("::*") {
        Some(module) => format!("{}::", module.rsplit("::").next().unwrap()),
        None => name.rsplit("::").next().unwrap().to_owned(),
    });
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["test", "--no-fail-fast"]).args(target).arg("--").args(words);
    let output = command.output().unwrap();
    // `test claims::tests::bad_ones ... ok`
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
        .filter(|(_, end)| !end.starts_with("ignored"))
        .map(|(name, end)| (format!("{module}{}", name.replace("::tests::", "::")), end == "ok"))
        .collect()
}

/// Runs what the table names, unit tests too, and prints how each row came out.
#[test]
#[ignore = "runs the tests that the table names once more"]
fn every_named_test_passes() {
    let norms = norms();
    let ends: BTreeMap<_, _> = [
        ("", ["--package=hallpass", "--test=hallpass"]),
        ("src::", ["--package=hallpass", "--bin=hallpass"]),
        ("protocol::", ["--package=hallpass-protocol", "--lib"]),
    ]
    .into_iter()
    .flat_map(|(module, target)| ends(module, &target, &norms))
    .collect();
    let mut wrong = Vec::new();
    for norm in &norms {
        for name in &norm.tests {
            let of: Vec<_> = match name.strip_suffix('*') {
                Some(module) => {
                    ends.iter().filter(|(known, _)| known.starts_with(module)).map(|(_, end)| *end).collect()
                }
                None => ends.get(name).copied().into_iter().collect(),
            };
            let good = of.iter().filter(|end| **end).count();
            println!("N{:<3} {:?}: {name}: {good} of {} ok", norm.number, norm.word, of.len());
            if of.is_empty() || good < of.len() {
                wrong.push(name);
            }
        }
        if norm.tests.is_empty() {
            println!("N{:<3} {:?}: {}", norm.number, norm.word, norm.why);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
