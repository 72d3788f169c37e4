//! What a recipe may know, and what it makes of it

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::place::{Pattern, Place};
use hallpass_protocol::talk::Exit;

use super::edit::Edit;
use super::link;
use crate::account::Account;
use crate::choice::{Choice, Rule, for_place};
use crate::failure::{fail, fail_hint};
use crate::paths::set;

/// What a recipe may know.
pub(super) struct Wires<'a> {
    /// None: only the place of the file is asked for.
    pub(super) accounts: Vec<Served<'a>>,
    /// The account that answers where no place is asked for.
    pub(super) default: Option<&'a str>,
    /// How a shell would start us: an absolute path, so that programs with another PATH find it too.
    pub(super) program: String,
    /// `--config FILE`, where the configuration is not in its usual place.
    pub(super) config: Option<String>,
    /// Our own data folder.
    pub(super) data: &'a Path,
    /// What a file says without us.
    pub(super) texts: &'a dyn Fn(&Path) -> Result<String>,
}

/// An account and its places.
pub(super) struct Served<'a> {
    pub(super) account: &'a Account,
    pub(super) serves: &'a [String],
    /// Its private places answer 404 to those who bring no token.
    pub(super) proactive_auth: bool,
    /// It names a role at AWS.
    pub(super) has_role: bool,
}

impl<'a> Wires<'a> {
    /// Our program and these words, for tools that take a list of words.
    pub(super) fn words(&self, words: &[&str]) -> Vec<String> {
        let config = self.config.iter().flat_map(|file| ["--config", file]);
        let all = std::iter::once(self.program.as_str()).chain(config).chain(words.iter().copied());
        all.map(str::to_owned).collect()
    }

    /// The same for a shell.
    pub(super) fn shell(&self, words: &[&str]) -> String {
        self.words(words).iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
    }

    /// The same for a tool that splits at blanks and knows no quotes, or other ones than a shell.
    pub(super) fn plain(&self, tool: &str, words: &[&str]) -> Result<String> {
        let words = self.words(words);
        match words.iter().find(|word| !word.chars().all(is_plain)) {
            None => Ok(words.join(" ")),
            Some(odd) => {
                let what =
                    format!("{tool} cannot be given `{odd}`, which has more than letters, digits and a few signs");
                Err(fail_hint(Exit::Config, what, "put a link to hallpass into a folder with a plain name on PATH"))
            }
        }
    }

    /// A name of this program's: in the folder where the tool looks, else on PATH.
    pub(super) fn link(&self, name: &'static str, folder: Option<PathBuf>) -> PathBuf {
        link::place(name, folder, &self.program)
    }

    /// The account that answers for a place; an error where several could.
    pub(super) fn serving(&self, place: &Place) -> Result<Option<&Served<'a>>> {
        let rules = self.accounts.iter().flat_map(|served| {
            let covers =
                |pattern: &&String| Pattern::parse(pattern).is_ok_and(|pattern| pattern.covers(place).is_some());
            served.serves.iter().filter(covers).map(|pattern| Rule {
                pattern: pattern.clone(),
                account: served.account.clone(),
                default: self.default == Some(&served.account.name),
                sealed: false,
            })
        });
        match for_place(rules.collect(), place, None, None) {
            Choice::Account(rule) => Ok(self.accounts.iter().find(|served| served.account.name == rule.account.name)),
            Choice::Missing(Some(why)) => Err(why.into()),
            Choice::Missing(None) => Ok(None),
        }
    }

    /// The account that is meant where a tool names no place: the only one, or the default.
    pub(super) fn sole(&self, tool: &str) -> Result<&Served<'a>> {
        let named = |served: &&Served<'_>| self.default == Some(&served.account.name);
        match self.accounts.as_slice() {
            [only] => Ok(only),
            several => several.iter().find(named).ok_or_else(|| {
                let what = format!("several accounts could be meant for {tool}");
                fail_hint(Exit::Config, what, format!("`hallpass setup {tool} --account NAME`"))
            }),
        }
    }
}

/// What the files of one tool are to say, and the name under which the tool looks for us.
#[derive(Default)]
pub(super) struct Wiring {
    pub(super) sheets: Vec<Sheet>,
    pub(super) link: Option<PathBuf>,
    /// What a person has to know or do besides.
    pub(super) says: Vec<String>,
}

impl Wiring {
    pub(super) fn of(file: PathBuf, edits: Vec<Edit>) -> Self {
        Self { sheets: vec![Sheet { file, edits, private: false, check: |_| Ok(()) }], ..Self::default() }
    }

    pub(super) fn linked(self, link: PathBuf) -> Self {
        Self { link: Some(link), ..self }
    }
}

/// What one file is to say.
pub(super) struct Sheet {
    pub(super) file: PathBuf,
    pub(super) edits: Vec<Edit>,
    /// A new one is for its owner alone.
    pub(super) private: bool,
    /// What the whole of it has to be in the end.
    pub(super) check: fn(&str) -> Result<(), String>,
}

/// A path in the home folder.
pub(super) fn home(path: &str) -> Result<PathBuf> {
    let home = std::env::home_dir().ok_or_else(|| fail(Exit::Config, "no home folder: HOME is not set"))?;
    Ok(home.join(path))
}

/// A path in the folder that a variable names, else in one of the home folder.
pub(super) fn folder(variable: &str, under_home: &str, path: &str) -> Result<PathBuf> {
    let folder = set(variable).map_or_else(|| home(under_home), |folder| Ok(PathBuf::from(folder)))?;
    Ok(folder.join(path))
}

/// A path in the folder where most programs look for their configuration.
pub(super) fn usual(path: &str) -> Result<PathBuf> {
    if cfg!(windows) { folder("APPDATA", "AppData/Roaming", path) } else { folder("XDG_CONFIG_HOME", ".config", path) }
}

/// A path in the folder where macOS wants configuration: some look there only, and some before [`usual`].
pub(super) fn of_macos(path: &str) -> Result<Option<PathBuf>> {
    let library = || home("Library/Application Support").map(|folder| folder.join(path));
    cfg!(target_os = "macos").then(library).transpose()
}

/// For a shell: `'/opt/my tools/hallpass'`, in quotes only where it needs them. On Windows it may be `cmd.exe`, which knows
/// no others than `"`.
pub(super) fn shell_word(text: &str) -> String {
    match () {
        () if text.chars().all(is_plain) => text.to_owned(),
        () if cfg!(windows) => format!("\"{text}\""),
        () => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A letter that means itself to shells and to those who split like them.
fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || "/._-+:@,=".contains(letter)
}
