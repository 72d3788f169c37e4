//! A scratch home with one account `work`, a browser that is a script, and the real binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::browser;
use crate::idp::Idp;
use crate::record;
use crate::runs::{Done, Running, done};

pub const BIN: &str = env!("CARGO_BIN_EXE_hallpass");

/// The binary under test: the proofs of tests/crash run against a release too.
pub fn bin() -> OsString {
    std::env::var_os("HALLPASS_BIN").unwrap_or_else(|| BIN.into())
}

/// The places the account `work` serves.
pub const SERVES: &str = r#"["https://git.example.com", "https://git.example.com:8443/team", "http://127.0.0.1:9",
    "https://k8s.example.com:6443", "smtp://mail.example.com:465", "imaps://mail.example.com"]"#;

/// What the scripted browser does with the URL it is given.
#[derive(Clone, Copy)]
pub enum Behaviour {
    /// Goes there and follows the redirect, in the background.
    Follow,
    /// Never answers.
    Ignore,
    /// Ends at once with an error.
    Broken,
}

pub struct World {
    dir: TempDir,
    /// What the environment of the children has, or has not, beside the usual.
    env: BTreeMap<&'static str, Option<OsString>>,
}

impl Drop for World {
    /// The kernel would keep the key of a keychain's world for twelve hours.
    fn drop(&mut self) {
        if !self.env.is_empty() {
            let _ = self.command(&["lock"]).output();
        }
    }
}

impl World {
    /// No configuration at all.
    pub fn bare() -> World {
        let world =
            World { dir: tempfile::Builder::new().prefix("hallpass-").tempdir().unwrap(), env: BTreeMap::new() };
        for folder in ["home/.config/hallpass", "home/.data", "home/.state", "browser"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        record::set_mode(&world.path("home/.config/hallpass"), 0o700);
        #[cfg(unix)]
        world.script("browser/run", &browser::script(&world.path("browser")));
        world.browser(Behaviour::Follow);
        world
    }

    /// One account `work` at this server.
    pub fn new(idp: &Idp) -> World {
        let world = World::bare();
        world.config(&World::account("work", idp, SERVES));
        world
    }

    /// The table of one account.
    pub fn account(name: &str, idp: &Idp, serves: &str) -> String {
        format!(
            "[account.{name}]\nissuer = \"{}\"\nclient_id = \"cli\"\nscope = [\"openid\", \"offline_access\"]\n\
             serves = {}\nusername = \"oauth2\"\n",
            idp.issuer,
            serves.replace('\n', " ")
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn config_file(&self) -> PathBuf {
        self.path("home/.config/hallpass/config.toml")
    }
    pub fn data(&self, name: &str) -> PathBuf {
        self.path("home").join(".data").join("hallpass").join(name)
    }

    /// Writes config.toml anew.
    pub fn config(&self, text: &str) {
        fs::write(self.config_file(), text).unwrap();
        record::set_mode(&self.config_file(), 0o600);
    }
    pub fn config_text(&self) -> String {
        fs::read_to_string(self.config_file()).unwrap()
    }
    /// config.toml is older than a clock's tick, as it is in life: after the next question nobody reads it.
    pub fn settle(&self) {
        let settled = SystemTime::now() - Duration::from_secs(60);
        fs::File::options().write(true).open(self.config_file()).unwrap().set_modified(settled).unwrap();
    }
    /// A second account beside what is there.
    pub fn add(&self, text: &str) {
        self.config(&format!("{}\n{text}", self.config_text()));
    }

    /// An executable script; returns its path. `cp` writes it: a file that we held open for writing while another
    /// thread forks could not be executed (ETXTBSY).
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let (path, text_file) = (self.path(name), self.path(&format!("{name}.txt")));
        fs::write(&text_file, text).unwrap();
        assert!(Command::new("cp").args([&text_file, &path]).status().unwrap().success());
        record::set_mode(&path, 0o755);
        path
    }

    pub fn browser(&self, behaviour: Behaviour) {
        let mode = match behaviour {
            Behaviour::Follow => "follow",
            Behaviour::Ignore => "ignore",
            Behaviour::Broken => "broken",
        };
        fs::write(self.path("browser/mode"), mode).unwrap();
    }
    /// Every URL the browser was given, in order.
    pub fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("browser/opened")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The environment of every child: PATH, a home, the file store, nobody to ask.
    pub fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear();
        #[cfg(windows)]
        command
            .envs(["SystemRoot", "PATHEXT"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("USERPROFILE", self.path("home"))
            .env("APPDATA", self.path("home/.config"))
            .env("LOCALAPPDATA", self.path("home/.data"));
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("XDG_DATA_HOME", self.path("home/.data"))
            .env("XDG_STATE_HOME", self.path("home/.state"))
            .env("HALLPASS_STORE", "file")
            .env("HALLPASS_INTERACTIVE", "never")
            .env("BROWSER", browser::program(&self.path("browser")))
            .current_dir(self.path("home"));
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
    /// From now on every child has this variable.
    #[cfg(target_os = "linux")]
    pub fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.env.insert(name, Some(value.into()));
    }
    /// From now on no child has this variable.
    #[cfg(target_os = "linux")]
    pub fn unset(&mut self, name: &'static str) {
        self.env.insert(name, None);
    }

    /// The binary, as a plain command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(bin());
        self.dress(&mut command);
        command.args(args);
        command
    }
    /// Any other program in the same world, with `$HALLPASS` naming the binary.
    pub fn program(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(name);
        self.dress(&mut command).env("HALLPASS", bin());
        command.args(args);
        command
    }
    /// The binary; its stdin is a pipe at its end unless the test writes one.
    pub fn hallpass(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        command.timeout(Duration::from_secs(90));
        command
    }
    pub fn run(&self, args: &[&str]) -> Done {
        done(&mut self.hallpass(args))
    }
    pub fn ask(&self, args: &[&str], stdin: impl Into<Vec<u8>>) -> Done {
        done(self.hallpass(args).write_stdin(stdin))
    }
    /// A shell snippet with the binary as `$HALLPASS`.
    #[cfg(unix)]
    pub fn sh(&self, snippet: &str) -> Done {
        let mut command = assert_cmd::Command::from_std(self.program("bash", &["-c", snippet]));
        done(command.timeout(Duration::from_secs(90)))
    }
    /// Started and left running, with a person present.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.env("HALLPASS_INTERACTIVE", "always");
        Running::start(command)
    }
    /// Runs to its end with a person present.
    pub fn with_person(&self, args: &[&str]) -> Done {
        done(self.hallpass(args).env("HALLPASS_INTERACTIVE", "always"))
    }

    pub fn sign_in(&self) -> Done {
        self.with_person(&["login", "work"]).expect(0)
    }
    /// A world whose account `work` is signed in.
    pub fn signed_in(idp: &Idp) -> World {
        let world = World::new(idp);
        world.sign_in();
        world
    }
    pub fn token(&self) -> String {
        self.run(&["get"]).expect(0).out.trim_end().to_owned()
    }

    pub fn token_of(&self, account: &str) -> String {
        self.run(&["get", account]).expect(0).out.trim_end().to_owned()
    }

    pub fn record(&self) -> Value {
        self.record_of("work")
    }
    pub fn record_of(&self, account: &str) -> Value {
        record::read(&self.data(account))
    }
    pub fn has_record(&self) -> bool {
        self.data("work").exists()
    }
    /// The secret of the first token of this kind.
    pub fn kept(&self, kind: &str) -> Value {
        let record = self.record();
        let tokens = record["tokens"].as_array().unwrap();
        tokens.iter().find(|token| token["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {record}")).clone()
    }
    /// Makes every token of the record this much older.
    pub fn shift(&self, seconds: i64) {
        let mut record = self.record();
        record::shift(&mut record, seconds);
        record::write(&self.data("work"), &record);
    }
    /// The names in the data folder that hold something: no locks, marks or routes.
    pub fn holdings(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.data("")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let aside = |name: &String| name == "routes" || Path::new(name).extension().is_some_and(|e| e != "next");
        let mut names: Vec<_> = names.filter(|name| !aside(name)).collect();
        names.sort();
        names
    }
}
