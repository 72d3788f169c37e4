//! The published tables of `integrations/`: their rows, and whether the tests that they name are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every test there is, as `module::test`: those of this program, `protocol::` and `src::` those beside the code.
pub struct Known(BTreeSet<String>);

impl Known {
    pub fn find() -> Known {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        for (folder, module) in [("tests", ""), ("protocol", "protocol::"), ("src", "src::")] {
            collect(&root.join(folder), module, &mut found);
        }
        Known(found)
    }

    /// `module::*` is every test of a module that has one.
    pub fn has(&self, name: &str) -> bool {
        match name.strip_suffix('*') {
            Some(module) => self.0.iter().any(|known| known.starts_with(module)),
            None => self.0.contains(name),
        }
    }

    /// The tests that a cell names in backticks; `::other` is in the module of the one before it. All of them exist.
    #[track_caller]
    pub fn named(&self, cell: &str) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        for word in cell.split('`').skip(1).step_by(2).filter(|word| word.contains("::")) {
            let module = named.last().and_then(|last| Some(last.rsplit_once("::")?.0)).unwrap_or_default();
            let name = if word.starts_with("::") { format!("{module}{word}") } else { word.to_owned() };
            assert!(self.has(&name), "there is no test `{name}`: {cell}");
            named.push(name);
        }
        named
    }
}

/// The rows of every table of a document below `integrations/`, without heads and rules.
pub fn rows(document: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations").join(document);
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let is_rule = |line: &&str| line.starts_with('|') && line.bytes().all(|byte| b"|-: ".contains(&byte));
    let is_row =
        |at: usize| lines[at].starts_with("| ") && !is_rule(&lines[at]) && !lines.get(at + 1).is_some_and(is_rule);
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    (0..lines.len()).filter(|at| is_row(*at)).map(|at| cells(lines[at])).collect()
}

/// The `#[test]`s below this folder.
fn collect(folder: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let stem = entry.file_stem().unwrap().to_str().unwrap();
        let name = if stem == "mod" { module.trim_end_matches("::").to_owned() } else { format!("{module}{stem}") };
        if entry.is_dir() {
            collect(&entry, &format!("{name}::"), found);
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

/// Each of `tests/` is compiled only if a `mod` line names it; one that is not would pass for ever.
#[track_caller]
pub fn nothing_is_forgotten(folder: &str, listed: &str) {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs") else { continue };
        let is_listed = listed.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {module};"));
        assert!(is_listed || module == "mod" || module == "main", "{folder} has {name}, which nobody lists");
    }
}

#[test]
fn what_is_there_is_found_and_nothing_else() {
    let known = Known::find();
    for name in [
        "tables::what_is_there_is_found_and_nothing_else",
        "faults::table::every_fault_has_its_line_and_every_named_test_exists",
        "protocol::keyring::words::options_in_every_shape",
        "src::claims::bad_ones",
        "kept::*",
    ] {
        assert!(known.has(name), "{name}");
    }
    assert!(!known.has("tables::no_such_test") && !known.has("no_such_module::*"));
    let named = known.named("`src::claims::bad_ones`, `::a_good_one`; `no test`");
    assert_eq!(named, ["src::claims::bad_ones", "src::claims::a_good_one"]);
}
