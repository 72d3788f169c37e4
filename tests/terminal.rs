//! A terminal of our own, with a child that believes a person sits there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::runs::{Done, Running, until};
use crate::world::World;

pub struct Terminal {
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    child: Running,
}

impl Terminal {
    /// Runs `sh -c "exec SNIPPET"` with a controlling terminal on all three streams; `$HALLPASS` names the binary.
    pub fn run(world: &World, snippet: &str) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        let mut command = world.program("setsid", &["--ctty", "sh", "-c", snippet]);
        command.env_remove("HALLPASS_INTERACTIVE");
        let child = Running::start_as_is(on_all_three(command, &slave));
        drop(slave);
        let keys = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (keys.try_clone().unwrap(), screen.clone());
        let reader = thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut part) {
                shown.lock().unwrap().extend_from_slice(&part[..count]);
            }
        });
        Terminal { keys, screen, reader, child }
    }

    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// The authorization URL shown on the screen.
    pub fn url(&self, issuer: &str) -> String {
        let start = format!("{issuer}/authorize?");
        until("the URL on the screen", || {
            let screen = self.screen();
            let from = screen.find(&start)?;
            let (url, _) = screen[from..].split_once(|c: char| c.is_whitespace() || c.is_control() || c == '`')?;
            Some(url.to_owned())
        })
    }

    /// Types these keys.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The exit code, and everything that was on the screen as `out`.
    pub fn end(self) -> Done {
        let done = self.child.end();
        // The last words may still be on their way.
        until("the end of the screen", || self.reader.is_finished().then_some(()));
        let out = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        Done { out, ..done }
    }
}

fn on_all_three(mut command: Command, slave: &File) -> Command {
    command.stdin(slave.try_clone().unwrap());
    command.stdout(slave.try_clone().unwrap());
    command.stderr(slave.try_clone().unwrap());
    command
}
