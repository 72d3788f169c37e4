//! What a recipe may know, and what it makes of it

use std::path::PathBuf;

use super::block;
use super::json;
use super::note::Note;

/// What a recipe may know.
pub(super) struct Wires<'a> {
    /// None: only the place of the file is asked for.
    pub(super) accounts: Vec<Served<'a>>,
    /// How a shell would start us: an absolute path, so that programs with another PATH find it too.
    pub(super) program: String,
    /// The path of the tool's own name for us, where it wants one.
    pub(super) named: String,
    /// `--config FILE`, where the configuration is not in its usual place.
    pub(super) config: Option<String>,
}

/// An account and its places.
pub(super) struct Served<'a> {
    pub(super) name: &'a str,
    pub(super) serves: &'a [String],
    /// Its private places answer 404 to those who bring no token.
    pub(super) proactive_auth: bool,
}

impl Wires<'_> {
    /// A line that names the program, if there is anybody to answer.
    pub(super) fn line(&self, line: impl Fn(&str) -> String) -> String {
        if self.accounts.is_empty() { String::new() } else { line(&self.named) }
    }
}

/// What one file is to say, and the name under which the tool looks for us.
pub(super) struct Wiring {
    pub(super) file: PathBuf,
    pub(super) edits: Vec<Edit>,
    pub(super) link: Option<Link>,
}

/// A name of this program's.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) name: &'static str,
    /// Where the tool looks; `None` is PATH.
    pub(super) folder: Option<PathBuf>,
}

/// One change of the file.
pub(super) enum Edit {
    /// Lines between two comments. `alone` must not begin a line elsewhere.
    Block { body: String, alone: Option<&'static str> },
    /// A member of a JSON object, with its value as JSON.
    Member { path: Vec<String>, value: String },
}

const COMMENT: &str = "#";

impl Edit {
    pub(super) fn block(body: &str, alone: Option<&'static str>) -> Self {
        Self::Block { body: body.to_owned(), alone }
    }

    pub(super) fn put(&self, text: &str, tool: &str) -> Result<String, String> {
        match self {
            Self::Block { body, alone } => match alone.filter(|alone| has_line(text, alone)) {
                Some(alone) => Err(format!("it has a line `{alone}` already, and there can be only one")),
                None => Ok(block::put(text, COMMENT, tool, body)),
            },
            Self::Member { path, value } => json::set(text, path, value).map_err(str::to_owned),
        }
    }

    pub(super) fn take(&self, text: &str, tool: &str, note: Option<&Note>) -> Result<String, String> {
        match self {
            Self::Block { .. } => block::take(text, COMMENT, tool, note).map_err(str::to_owned),
            Self::Member { path, value } => json::unset(text, path, value).map_err(str::to_owned),
        }
    }
}

fn has_line(text: &str, begins: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(begins))
}
