//! Whether git's question is waiting on stdin, found out without taking a byte of it
//!
//! `hallpass get` without an argument answers the shell: `$(hallpass get)` in a script that is piped into bash must not
//! eat the rest of the script. But `credential.helper = /path/hallpass` makes git call the very same thing.

/// A line that only git's question begins with.
#[cfg(any(unix, test))]
fn is_gits(line: &[u8]) -> bool {
    [&b"protocol="[..], b"url=", b"capability[]="].iter().any(|start| line.starts_with(start))
}

/// The first line of a pipe or file on stdin is git's. Waits for one only under git.
#[cfg(target_os = "linux")]
pub(crate) fn git_is_waiting() -> bool {
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, SeekFrom, fstat, seek};
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};
    use rustix::stdio::stdin;

    /// git writes its question right after it started us.
    const PATIENCE: Duration = Duration::from_millis(200);

    /// `printf ... | hallpass get` starts both at once; a pipe that a script waits behind stays empty, and costs this.
    const BREATH: Duration = Duration::from_millis(20);

    let first_line = || -> rustix::io::Result<Vec<u8>> {
        let mut start = [0; 64];
        let kind = FileType::from_raw_mode(fstat(stdin())?.st_mode);
        if kind == FileType::RegularFile {
            let at = seek(stdin(), SeekFrom::Current(0))?;
            let count = rustix::io::pread(stdin(), &mut start, at)?;
            return Ok(start[..count].to_vec());
        }
        if kind != FileType::Fifo {
            return Ok(Vec::new());
        }
        let until = Instant::now() + if crate::paths::set("GIT_EXEC_PATH").is_some() { PATIENCE } else { BREATH };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let pause = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
            let stdin = stdin();
            let mut pipe = [PollFd::new(&stdin, PollFlags::IN)];
            if poll(&mut pipe, Some(&pause))? == 0 || !pipe[0].revents().contains(PollFlags::IN) {
                return Ok(Vec::new());
            }
            // tee copies between pipes without consuming.
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            tee(stdin, &write, start.len(), SpliceFlags::NONBLOCK)?;
            let count = rustix::io::read(&read, &mut start)?;
            if start[..count].contains(&b'\n') || left.is_zero() || count == start.len() {
                return Ok(start[..count].to_vec());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    first_line().is_ok_and(|line| line.contains(&b'\n') && is_gits(&line) || line.len() == 64 && is_gits(&line))
}

/// Only files can be looked at without taking from them; a pipe is left alone: `hallpass git get` is unmistakable.
#[cfg(not(target_os = "linux"))]
pub(crate) fn git_is_waiting() -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{FileType, SeekFrom, fstat, seek};
        use rustix::stdio::stdin;
        let mut start = [0; 64];
        let is_file = fstat(stdin()).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
        let count =
            is_file.then(|| rustix::io::pread(stdin(), &mut start, seek(stdin(), SeekFrom::Current(0)).ok()?).ok());
        count.flatten().is_some_and(|count| start[..count].contains(&b'\n') && is_gits(&start[..count]))
    }
    #[cfg(not(unix))]
    false
}

#[cfg(test)]
mod tests {
    use super::is_gits;

    #[test]
    fn lines() {
        assert!(is_gits(b"protocol=https\n") && is_gits(b"capability[]=authtype\n"));
        for other in [&b"echo group\n"[..], b"{\"url\":1}\n", b"protocol\n", b"", b" protocol=https\n"] {
            assert!(!is_gits(other));
        }
    }
}
