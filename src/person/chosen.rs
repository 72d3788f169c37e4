//! The account that a command means

use anyhow::Result;
use hallpass_protocol::talk::{Exit, Target};

use crate::choice::{Choice, Rule};
use crate::failure::fail_hint;
use crate::paths::Paths;
use crate::routes;

/// The account that a command means.
pub(super) fn chosen(paths: &Paths, what: Option<&str>, named: Option<&str>) -> Result<Rule> {
    let target = match what {
        Some(what) => hallpass_protocol::target(what)?,
        None => Target::Default,
    };
    match routes::find(paths, &target, named, None)? {
        Choice::Account(rule) => Ok(*rule),
        Choice::Missing(Some(why)) => Err(why.into()),
        Choice::Missing(None) => {
            let what = format!("no account serves {}", what.unwrap_or_default());
            Err(fail_hint(Exit::Missing, what, "`hallpass accounts` lists them"))
        }
    }
}
