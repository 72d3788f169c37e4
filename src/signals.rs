//! INT, TERM and HUP, held back while something must not be cut short; XFSZ, taken as the error it also is
//!
//! Set up on the cold path only. The signal is delivered afterwards as if nothing had held it, so that a shell sees a
//! program that died of it.

#[cfg(unix)]
pub(crate) use unix::{Held, outlive_file_limit};

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag::{register, register_conditional_default, register_usize};

    /// The handlers stay once they are set up; what they do hangs on these two.
    struct Handlers {
        /// The last signal that came.
        note: Arc<AtomicUsize>,
        /// A signal does what it does without us.
        released: Arc<AtomicBool>,
    }

    fn handlers() -> &'static Handlers {
        static HANDLERS: OnceLock<Handlers> = OnceLock::new();
        HANDLERS.get_or_init(|| {
            let handlers = Handlers { note: Arc::default(), released: Arc::default() };
            for signal in [SIGHUP, SIGINT, SIGTERM] {
                let number = usize::try_from(signal).unwrap_or_default();
                // A signal that cannot be handled keeps its own way of ending us: nothing else can be done about it.
                let _ = register_conditional_default(signal, Arc::clone(&handlers.released))
                    .and_then(|_| register_usize(signal, Arc::clone(&handlers.note), number));
            }
            handlers
        })
    }

    /// A write beyond `ulimit -f` fails and says so, in place of ending us. For whoever is about to write a file.
    pub(crate) fn outlive_file_limit() {
        static ONCE: OnceLock<()> = OnceLock::new();
        ONCE.get_or_init(|| drop(register(SIGXFSZ, Arc::default())));
    }

    /// While this lives, the three signals only leave a note. Not to be nested.
    #[derive(Debug)]
    pub(crate) struct Held;

    impl Held {
        /// Begins to hold.
        pub(crate) fn begin() -> Self {
            handlers().released.store(false, Ordering::SeqCst);
            Self
        }

        /// Whether one has come.
        pub(crate) fn came(&self) -> bool {
            handlers().note.load(Ordering::SeqCst) != 0
        }

        /// Delivers what came: does not return then.
        pub(crate) fn deliver(&self) {
            handlers().released.store(true, Ordering::SeqCst);
            if let Ok(signal @ 1..) = i32::try_from(handlers().note.load(Ordering::SeqCst)) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }

        /// Delivers what came, as dropping does.
        pub(crate) fn end(self) {}
    }

    impl Drop for Held {
        fn drop(&mut self) {
            self.deliver();
        }
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn outlive_file_limit() {}

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
    pub(crate) fn deliver(&self) {}

    /// Delivers nothing.
    pub(crate) fn end(self) {}
}
