//! INT, TERM and HUP, held back while something must not be cut short
//!
//! Set up on the cold path only. The signal is delivered afterwards as if nothing had held it, so that a shell sees a
//! program that died of it.

#[cfg(unix)]
pub(crate) use unix::Held;

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use signal_hook::SigId;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    /// While this lives, the three signals only leave a note.
    #[derive(Debug)]
    pub(crate) struct Held {
        note: Arc<AtomicUsize>,
        hooks: Vec<SigId>,
    }

    impl Held {
        /// Begins to hold.
        pub(crate) fn begin() -> Self {
            let note = Arc::new(AtomicUsize::new(0));
            let hook = |signal: i32| {
                let number = usize::try_from(signal).unwrap_or_default();
                signal_hook::flag::register_usize(signal, Arc::clone(&note), number).ok()
            };
            let hooks = [SIGHUP, SIGINT, SIGTERM].into_iter().filter_map(hook).collect();
            Self { note, hooks }
        }

        /// Whether one has come.
        pub(crate) fn came(&self) -> bool {
            self.note.load(Ordering::SeqCst) != 0
        }

        /// Delivers what came, as dropping does.
        pub(crate) fn end(self) {}
    }

    impl Drop for Held {
        /// Delivers what came.
        fn drop(&mut self) {
            for hook in self.hooks.drain(..) {
                signal_hook::low_level::unregister(hook);
            }
            if let Ok(signal @ 1..) = i32::try_from(self.note.load(Ordering::SeqCst)) {
                let _ = signal_hook::low_level::emulate_default_handler(signal); // does not return
            }
        }
    }
}

/// Windows ends a program on Ctrl-C at once; what that can cost is what `ID.next` is for.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Held;

#[cfg(not(unix))]
impl Held {
    /// Holds nothing.
    pub(crate) fn begin() -> Self {
        Self
    }

    /// Never.
    pub(crate) fn came(&self) -> bool {
        false
    }

    /// Delivers nothing.
    pub(crate) fn end(self) {}
}
