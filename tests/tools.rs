//! What the tests of the tools share: the binary under another name, and a home that keeps what tools bring.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::runs::{Done, done};
use crate::world::{BIN, World};

/// The binary, called by a tool's name for it.
pub struct Link<'a> {
    world: &'a World,
    path: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl<'a> Link<'a> {
    pub fn new(world: &'a World, name: &str) -> Link<'a> {
        let folder = world.path("programs");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        if !path.exists() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(BIN, &path).unwrap();
            #[cfg(not(unix))]
            std::fs::hard_link(BIN, &path).or_else(|_| std::fs::copy(BIN, &path).map(drop)).unwrap();
        }
        Link { world, path, env: Vec::new() }
    }
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Link<'a> {
        self.env.push((name, value.into()));
        self
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        self.world.dress(&mut command).args(args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
    pub fn ask(&self, args: &[&str], stdin: impl Into<Vec<u8>>) -> Done {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        done(command.write_stdin(stdin).timeout(Duration::from_secs(60)))
    }
    pub fn run(&self, args: &[&str]) -> Done {
        self.ask(args, "")
    }
}

/// No accounts, and every secret that a tool brings is kept.
pub fn keeping() -> World {
    let world = World::bare();
    world.config("keep = \"always\"\n");
    world
}
