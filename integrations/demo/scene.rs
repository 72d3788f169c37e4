//! A scratch home, and children that run in it with nothing of the person's environment.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// The configuration, where the variables of [`Scene::tool`] put it on every system.
pub(crate) const CONFIG: &str = ".config/hallpass/config.toml";
const DATA: &str = ".local/share";

/// Set by Ctrl-C: whatever runs is ended, and the scratch home removed.
pub(crate) type Stop = Arc<AtomicBool>;

/// Somebody pressed Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("interrupted")
    }
}
impl std::error::Error for Interrupted {}

pub(crate) fn stop_on_signals() -> Result<Stop> {
    let stop = Stop::default();
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

/// Builds the binary the way this program was built; where it is.
pub(crate) fn build(stop: &Stop) -> Result<PathBuf> {
    let us = std::env::current_exe()?;
    // target/PROFILE/examples/demo
    let profile = us.ancestors().nth(2).and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or("debug");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--bin", "hallpass", "--message-format", "json-render-diagnostics"])
        .args(["--profile", if profile == "debug" { "dev" } else { profile }])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // What `cargo run` tells about the package it runs would make build scripts believe that something has changed.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.output().context("cargo cannot be started")?;
    stopped(stop)?;
    ensure!(built.status.success(), "`cargo build --bin hallpass` failed");
    let messages = String::from_utf8_lossy(&built.stdout);
    let binary = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    binary.context("cargo did not say where it put hallpass")
}

/// Where a program is on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// The scratch home; removed when it goes out of scope.
pub(crate) struct Scene {
    home: TempDir,
    hallpass: PathBuf,
    stop: Stop,
}

impl Scene {
    pub(crate) fn new(hallpass: PathBuf, stop: Stop) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("hallpass-demo-").tempdir()?;
        Ok(Self { home, hallpass, stop })
    }

    /// Removes the home now, and says if it cannot be removed.
    pub(crate) fn remove(self) -> Result<()> {
        self.home.close().context("the scratch home cannot be removed")
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file of the home that only its owner may change.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.home().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }

    /// A tool in the scratch home: `hallpass` is on its PATH, and nobody is asked anything.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let home = self.home();
        let us = std::env::current_exe().ok();
        let ours = [self.hallpass.parent(), us.as_deref().and_then(Path::parent)];
        let theirs = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(ours.into_iter().flatten().map(Path::to_owned).chain(std::env::split_paths(&theirs)));
        command.args(args).current_dir(home).env_clear().env("PATH", path.unwrap_or(theirs));
        // Without these no program starts on Windows, and temporary files have no place.
        for name in ["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for name in ["HOME", "USERPROFILE"] {
            command.env(name, home);
        }
        for name in ["XDG_CONFIG_HOME", "APPDATA"] {
            command.env(name, home.join(".config"));
        }
        for name in ["XDG_DATA_HOME", "LOCALAPPDATA"] {
            command.env(name, home.join(DATA));
        }
        command
            .env("HALLPASS_STORE", "file")
            .env("HALLPASS_INTERACTIVE", "never")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn hallpass(&self, args: &[&str]) -> Command {
        self.tool(&self.hallpass, args)
    }

    /// hallpass with the person's own environment, without which their browser would not be their browser; only
    /// what hallpass itself reads and writes is in the scratch home.
    pub(crate) fn at_the_desktop(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.hallpass);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("HALLPASS_")) {
                command.env_remove(name);
            }
        }
        let data = self.home().join(DATA);
        command.args(args).env("HALLPASS_CONFIG", self.home().join(CONFIG)).env("HALLPASS_STORE", "file");
        command.env(if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_DATA_HOME" }, data);
        command
    }

    /// Starts a child with nothing on its stdin; what it writes to stdout is ours.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Result<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("`{name}` cannot be started"))?;
        Ok(Running { child: Some(child), name: name.to_owned(), stop: self.stop.clone(), began })
    }

    /// Waits; Ctrl-C ends it.
    pub(crate) fn pause(&self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            stopped(&self.stop)?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn stopped(stop: &Stop) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
}

/// A child at work; ended when it goes out of scope.
pub(crate) struct Running {
    child: Option<Child>,
    name: String,
    stop: Stop,
    began: Instant,
}

impl Running {
    /// Waits for its end. What it says is read after that: the tools of the tour say less than a pipe holds.
    pub(crate) fn end(mut self, limit: Duration) -> Result<Done> {
        while let Some(child) = self.child.as_mut() {
            if child.try_wait()?.is_some() {
                break;
            }
            stopped(&self.stop)?;
            if self.began.elapsed() > limit {
                bail!("`{}` did not end within {} s", self.name, limit.as_secs());
            }
            thread::sleep(Duration::from_millis(1));
        }
        let took = self.began.elapsed();
        stopped(&self.stop)?;
        let output = self.child.take().context("a child ends once")?.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Ok(Done { status: output.status, out, err, took })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // it may have ended by itself
            let _ = child.wait();
        }
    }
}

/// How a child ended, and what it said.
pub(crate) struct Done {
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Done {
    pub(crate) fn is_well(&self) -> bool {
        self.status.success()
    }

    pub(crate) fn both(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    pub(crate) fn ending(&self) -> String {
        self.status.code().map_or_else(|| self.status.to_string(), |code| format!("exit code {code}"))
    }
}
