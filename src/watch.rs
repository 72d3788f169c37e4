//! Waits until one of several things has something to say, or a while has passed
//!
//! On Unix with poll(2), which a signal ends too: who waits looks for it. Elsewhere short naps.

use std::time::Duration;

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What is waited for.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    #[cfg(unix)]
    all: Vec<PollFd<'a>>,
    #[cfg(not(unix))]
    all: std::marker::PhantomData<&'a ()>,
}

#[cfg(unix)]
impl<'a> Watch<'a> {
    /// Waits for this too.
    pub(crate) fn add(&mut self, source: &'a impl std::os::fd::AsFd) {
        self.all.push(PollFd::new(source, PollFlags::IN));
    }

    /// At most so long.
    pub(crate) fn wait(mut self, pause: Duration) {
        let _ = poll(&mut self.all, timespec(pause).as_ref());
        // macOS does not poll `/dev/tty`, and says so at once.
        if self.all.iter().any(|source| source.revents().contains(PollFlags::NVAL)) {
            std::thread::sleep(pause.min(Duration::from_millis(100)));
        }
    }
}

#[cfg(unix)]
fn timespec(pause: Duration) -> Option<Timespec> {
    Some(Timespec { tv_sec: i64::try_from(pause.as_secs()).ok()?, tv_nsec: pause.subsec_nanos().into() })
}

#[cfg(not(unix))]
impl<'a> Watch<'a> {
    pub(crate) fn add<T>(&mut self, _: &'a T) {}

    pub(crate) fn wait(self, pause: Duration) {
        std::thread::sleep(pause.min(Duration::from_millis(10)));
    }
}
