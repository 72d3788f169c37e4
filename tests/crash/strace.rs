//! One run of the binary under strace: every system call of it, or a fault at one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{World, bin};

/// Whoever takes longer is stuck: the slowest is a sign-in that nobody hears of, which waits for four seconds, on a busy
/// machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What touches a file or a folder; each of these is made to fail. Not `close`: a call that fails here does not happen,
/// and Linux closes a file whatever `close` says of it.
const FILES: &[&str] = &[
    "open",
    "openat",
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "lseek",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "ftruncate",
    "fallocate",
    "flock",
    "chmod",
    "fchmod",
    "fchmodat",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "getdents64",
    "fcntl",
    "readlink",
    "readlinkat",
    "link",
    "linkat",
];
const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EDQUOT", "EINTR"];

/// At which call what goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub call: String,
    pub nth: usize,
    /// None: the process is killed as it makes the call.
    pub error: Option<&'static str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} at {} #{}", self.error.unwrap_or("KILL"), self.call, self.nth)
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    /// The fault was met.
    pub met: bool,
    pub stuck: bool,
}

/// Every fault that a run with these system calls can meet.
pub fn faults(log: &str) -> Vec<Fault> {
    // strace counts for each thread by itself.
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *counts.entry((call, thread)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((call, _), count) in counts {
        let most = most.entry(call).or_default();
        *most = count.max(*most);
    }
    most.remove("execve"); // before it there is no hallpass
    let mut all = Vec::new();
    for (call, most) in most {
        let errors = ERRORS.iter().copied().map(Some).filter(|_| FILES.contains(&call));
        for error in std::iter::once(None).chain(errors) {
            all.extend((1..=most).map(|nth| Fault { call: call.to_owned(), nth, error }));
        }
    }
    all
}

/// The system calls of one run without a fault.
pub fn trace(world: &World, args: &[&str], stdin: &str) -> (Ran, String) {
    let ran = run(world, &[], args, stdin);
    (ran, std::fs::read_to_string(world.path("strace")).unwrap())
}

pub fn with_fault(world: &World, fault: &Fault, args: &[&str], stdin: &str) -> Ran {
    let what = fault.error.map_or("signal=KILL".to_owned(), |error| format!("error={error}"));
    let (trace, inject) = (format!("trace={}", fault.call), format!("inject={}:{what}:when={}", fault.call, fault.nth));
    run(world, &["-e", &trace, "-e", &inject], args, stdin)
}

fn run(world: &World, options: &[&str], args: &[&str], stdin: &str) -> Ran {
    let log = world.path("strace");
    let mut command = world.program("strace", &["-f", "-qq", "-o", log.to_str().unwrap()]);
    command.args(options).arg(bin()).args(args);
    let mut ran = to_its_end(command, stdin);
    let seen = std::fs::read_to_string(&log).unwrap_or_default();
    ran.met = seen.contains("(INJECTED)") || seen.contains("+++ killed by SIGKILL");
    ran
}

/// Runs a program; whatever page it names on stdout is answered with yes.
pub fn to_its_end(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()); // a program that is dead reads nothing
    let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || {
        let mut out = String::new();
        let mut stdout = BufReader::new(stdout);
        while stdout.read_line(&mut out).is_ok_and(|count| count > 0) {
            if let Some(page) = out.lines().last().filter(|line| line.starts_with("http")) {
                let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
                let _ = agent.new_agent().get(page).call(); // nobody may be listening any more
            }
        }
        out
    });
    let err = thread::spawn(move || {
        let mut err = String::new();
        let _ = stderr.read_to_string(&mut err);
        err
    });
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if began.elapsed() > LIMIT => break None,
            None => thread::sleep(Duration::from_micros(500)),
        }
    };
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let code = status.and_then(|status| status.code());
    let killed = status.is_some_and(|status| status.signal().is_some());
    Ran { code, out: out.join().unwrap(), err: err.join().unwrap(), met: killed, stuck: status.is_none() }
}
