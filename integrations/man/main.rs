//! The man pages, from the definition that the help and the completions come from: `cargo run --example man -- DIR`

#[allow(dead_code)]
#[path = "../../src/person/doors.rs"]
mod doors;
// The definition is a room of the binary's, which uses more of it than a page does.
#[allow(dead_code)]
#[path = "../../src/person/words.rs"]
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cargo run --example man -- DIR");
        return ExitCode::from(2);
    };
    let written = std::fs::create_dir_all(&dir)
        .and_then(|()| clap_mangen::generate_to(words::Cli::command(), &dir))
        .and_then(|()| Ok(std::fs::read_dir(&dir)?.count()));
    match written {
        Ok(count) => {
            eprintln!("{count} pages in {}", dir.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{}: {why}", dir.display());
            ExitCode::FAILURE
        }
    }
}
