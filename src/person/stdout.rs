//! stdout, for what a person asked to see

use std::io::Write;

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::{fail, fail_hint};

/// Lines for stdout. A reader that has gone has what it wanted.
pub(super) fn out(lines: &[String]) -> Result<Exit> {
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(fail(Exit::Store, format!("stdout cannot be written: {why}")))
        }
        _ => Ok(Exit::Answered),
    }
}

/// The address of a page that a person is to open: nobody can whom it does not reach.
pub(super) fn address(url: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{url}").and_then(|()| stdout.flush()).map_err(|why| {
        let what = format!("the page's address cannot be written to stdout: {why}");
        fail_hint(Exit::Store, what, "read it there, or leave out `--no-open`")
    })
}
