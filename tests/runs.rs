//! Running a program to its end, and waiting for something to happen.

use std::env::consts::EXE_SUFFIX;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Done {
        Done {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn done(command: &mut assert_cmd::Command) -> Done {
    command.output().unwrap().into()
}

impl Done {
    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        self.expect_any(&[code])
    }
    #[track_caller]
    pub fn expect_any(self, codes: &[i32]) -> Done {
        assert!(!self.err.contains("panicked"), "a panic: {self:?}");
        assert!(self.code.is_some_and(|code| codes.contains(&code)), "exit code not in {codes:?}: {self:?}");
        self
    }
    /// Exit code, nothing on stdout, and an error line that names all of `words`.
    #[track_caller]
    pub fn refused(self, codes: &[i32], words: &[&str]) -> Done {
        let done = self.expect_any(codes);
        assert_eq!(done.out, "", "stdout belongs to the answer: {done:?}");
        assert!(done.err.lines().any(|line| line.starts_with("hallpass: error:")), "no error line: {done:?}");
        done.says(words)
    }
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Done {
        for word in words {
            assert!(self.err.contains(word), "stderr does not name {word:?}: {self:?}");
        }
        self
    }
    /// After a sign-in a line or two on stderr are welcome.
    pub fn without_stderr(mut self) -> Done {
        self.err.clear();
        self
    }
    /// Exit 0 and not a byte on either stream.
    #[track_caller]
    pub fn silent(self) -> Done {
        let done = self.expect(0);
        assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""), "not silent");
        done
    }
}

/// A program that was started and not yet awaited.
pub struct Running {
    pid: u32,
    over: bool,
    ended: Receiver<Output>,
}

impl Running {
    /// stdin is /dev/null; both streams are collected.
    pub fn start(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start_as_is(command)
    }
    pub fn start_as_is(mut command: Command) -> Running {
        let child = command.spawn().unwrap();
        let pid = child.id();
        let (send, ended) = channel();
        thread::spawn(move || send.send(child.wait_with_output().unwrap()));
        Running { pid, over: false, ended }
    }
    #[track_caller]
    pub fn end(self) -> Done {
        self.end_within(90)
    }
    #[track_caller]
    pub fn end_within(mut self, seconds: u64) -> Done {
        let output = self.ended.recv_timeout(Duration::from_secs(seconds));
        self.over = output.is_ok();
        output.unwrap_or_else(|_| panic!("still running after {seconds} s")).into()
    }
    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> u32 {
        self.pid
    }
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid as i32).unwrap();
        let _ = kill_process(pid, signal);
    }
    /// Ends it in the middle of whatever it does.
    pub fn kill(&self) {
        #[cfg(unix)]
        self.signal(Signal::KILL);
        #[cfg(windows)]
        let _ = Command::new("taskkill").args(["/F", "/PID", &self.pid.to_string()]).output();
    }
    /// How often this process has gone to sleep by itself (Linux): one that waits in a loop does so again and again.
    pub fn sleeps(&self) -> u32 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        if !self.over && self.ended.try_recv().is_err() {
            self.kill();
        }
    }
}

/// Polls until `look` has something, for at most 30 seconds.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited 30 s for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A command that prints the variable `T`, on a line that may end in CR LF.
pub const ECHO_T: [&str; 3] = if cfg!(windows) { ["cmd", "/c", "echo %T%"] } else { ["sh", "-c", "echo $T"] };

/// Said past the harness, which keeps what a passing test prints to itself.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIP {why}");
}

/// Whether a program this test needs is there; if not, the test skips, except where CI must not.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(format!("{program}{EXE_SUFFIX}")).is_file()) {
        return true;
    }
    skip(&format!("{program} is not here"));
    assert!(std::env::var_os("CI").is_none(), "{program} is missing in CI");
    false
}
