//! What a recipe may know, and what it makes of it

use std::path::PathBuf;

/// What a recipe may know.
pub(super) struct Wires<'a> {
    pub(super) accounts: Vec<Served<'a>>,
    /// How a shell would start us: an absolute path, so that programs with another PATH find it too.
    pub(super) program: String,
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

/// A marked block of lines in one file.
pub(super) struct Wiring {
    pub(super) file: PathBuf,
    /// What begins a comment there.
    pub(super) comment: &'static str,
    pub(super) body: String,
}
