//! The proofs that a session is never lost: integrations/crash/README.md says what each shows and how to run it.
//!
//! They run the binary that `HALLPASS_BIN` names, and are as long as they should be with `HALLPASS_PROOF=full`.

mod beside;
pub mod callers;
pub mod dice;
mod flows;
pub mod scene;
mod soak;
mod stampede;
pub mod strace;
mod survival;
mod sweep;

/// How long (seconds) a lenient server lets a spent refresh token pass.
const GRACE: u64 = 30;

fn is_full() -> bool {
    std::env::var("HALLPASS_PROOF").is_ok_and(|length| length == "full")
}

/// Figures, past the harness that keeps what a passing test says to itself.
fn print(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}
