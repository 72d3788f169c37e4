//! Tools that ask, by many doors, and can be killed while they wait.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::runs::Done;
use crate::world::World;

/// What tools say, and what they ask on stdin.
pub const DOORS: [(&[&str], &str); 5] = [
    (&["get"], ""),
    (&["git", "get"], "protocol=https\nhost=git.example.com\n\n"),
    (&["kubectl"], ""),
    (&["json", "get"], r#"{"account":"work"}"#),
    (&["header"], ""),
];

pub struct Caller {
    child: Child,
    began: Instant,
}

/// Each door's question as a file, so that nobody has to write to a thousand pipes.
pub fn prepare(world: &World) {
    for (at, (_, question)) in DOORS.iter().enumerate() {
        fs::write(world.path(&format!("question-{at}")), question).unwrap();
    }
}

impl Caller {
    /// A tool that asks by this door of [`DOORS`].
    pub fn at(world: &World, door: usize) -> Caller {
        Caller::dressed(world, door, |_| ())
    }

    /// The same with another environment.
    pub fn dressed(world: &World, door: usize, dress: impl FnOnce(&mut Command)) -> Caller {
        let mut command = world.command(DOORS[door].0);
        command.stdin(File::open(world.path(&format!("question-{door}"))).unwrap());
        dress(&mut command);
        Caller::start(command)
    }

    pub fn start(mut command: Command) -> Caller {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Caller { child, began: Instant::now() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// To be called only while it is not over: then its number is its own.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid() as i32).unwrap(), signal).unwrap();
    }

    /// A signal needs a moment to arrive.
    pub fn until_stopped(&mut self) {
        let state = format!("/proc/{}/stat", self.pid());
        // `4711 (hallpass) T ...`
        let stopped = || fs::read_to_string(&state).is_ok_and(|text| text.contains(") T ") || text.contains(") Z "));
        while !stopped() {
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Killed, if it is not over; nobody else can have got its number, for it was not awaited.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub fn end(self) -> Done {
        self.end_within(Duration::from_secs(60))
    }

    /// No caller may hang.
    #[track_caller]
    pub fn end_within(mut self, limit: Duration) -> Done {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > limit {
                self.kill();
                panic!("a caller hung for {limit:?}");
            }
            thread::sleep(Duration::from_micros(200));
        };
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Done { code: status.code(), out, err }
    }
}

/// The token in an answer, whatever the door: the server's are 64 hex digits.
pub fn token(answer: &str) -> Option<&str> {
    let is_hex = |letter: char| letter.is_ascii_hexdigit();
    answer.split(|letter| !is_hex(letter)).find(|word| word.len() == 64)
}
