//! The tables of `integrations/{autocom,warmhub,whet}/README.md`: every row is there and names tests that exist.

use std::collections::BTreeSet;

use crate::tables::{Known, rows};

/// The first column's numbers: `44, 45, 61 refreshed by itself`.
fn numbers(cell: &str) -> Vec<u32> {
    cell.split([',', ' ']).filter(|word| !word.is_empty()).map_while(|word| word.parse().ok()).collect()
}

#[test]
fn every_row_names_tests_that_exist() {
    let known = Known::find();
    for (seed, all) in [("whet", 1..=35), ("warmhub", 36..=72), ("autocom", 73..=118)] {
        let mut shown = BTreeSet::new();
        for row in rows(&format!("{seed}/README.md")) {
            let of_row = numbers(&row[0]);
            if of_row.is_empty() {
                continue;
            }
            let cells = row[1..].join(" | ");
            assert!(!known.named(&cells).is_empty() && !cells.contains("not yet"), "{seed}: {row:?}");
            shown.extend(of_row);
        }
        assert_eq!(shown, all.collect(), "{seed}");
    }
}
