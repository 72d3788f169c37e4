//! What the tour writes: plain lines, in colour only where a person looks at a terminal.

use std::io::{IsTerminal, StdoutLock, Write};

use anyhow::Result;

/// Longer lines would wrap and hide the shape of the output.
const WIDTH: usize = 108;
const BOLD: &str = "1";
const CYAN: &str = "36";
const GREEN: &str = "32";

/// stdout, held for the whole tour: only the tour writes there.
pub(crate) struct Screen {
    out: StdoutLock<'static>,
    colour: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        // A Windows console may not know the sequences.
        let colour = cfg!(unix) && std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb;
        Self { out: std::io::stdout().lock(), colour }
    }

    /// What this is.
    pub(crate) fn opening(&mut self, text: &str) -> Result<()> {
        self.line(BOLD, text)
    }

    /// The head of a stop on the tour.
    pub(crate) fn title(&mut self, text: &str) -> Result<()> {
        self.say("")?;
        self.line(BOLD, text)
    }

    /// A command as a person would type it.
    pub(crate) fn command(&mut self, line: &str) -> Result<()> {
        self.line(CYAN, &format!("  $ {line}"))
    }

    /// What was measured.
    pub(crate) fn fact(&mut self, text: &str) -> Result<()> {
        self.line(GREEN, &format!("  => {text}"))
    }

    /// What a command said; long lines are cut.
    pub(crate) fn output(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let cut: String = if line.chars().count() > WIDTH {
                line.chars().take(WIDTH).chain(['…']).collect()
            } else {
                line.to_owned()
            };
            self.say(&format!("    {cut}"))?;
        }
        Ok(())
    }

    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    fn line(&mut self, colour: &str, text: &str) -> Result<()> {
        if self.colour { self.say(&format!("\x1b[{colour}m{text}\x1b[0m")) } else { self.say(text) }
    }
}

/// A token as far as it should be seen.
pub(crate) fn short(token: &str) -> String {
    let start: String = token.chars().take(8).collect();
    format!("{start}… ({} characters)", token.chars().count())
}

/// Words on stderr. Nobody can be told that it is closed.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
