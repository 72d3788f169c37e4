//! A question to a server on a thread of its own, so that whoever asks can listen elsewhere meanwhile
//!
//! Nobody has to wait for the answer: a thread that nobody listens to any more ends with its request, or with us.

use std::io::{PipeReader, Result};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::Builder;

use crate::watch::Watch;

/// A question that is on its way.
#[derive(Debug)]
pub(crate) struct Asking<T> {
    answer: Receiver<T>,
    /// At its end as soon as there is an answer: what poll can see of a thread.
    done: PipeReader,
}

impl<T: Send + 'static> Asking<T> {
    pub(crate) fn begin(question: impl FnOnce() -> T + Send + 'static) -> Result<Self> {
        let (done, at_work) = std::io::pipe()?;
        let (send, answer) = channel();
        Builder::new().spawn(move || {
            let _ = send.send(question()); // nobody may want to know any more
            drop(at_work);
        })?;
        Ok(Self { answer, done })
    }

    pub(crate) fn watch<'a>(&'a self, watch: &mut Watch<'a>) {
        watch.add(&self.done);
    }

    /// The answer, if there is one; an error if there never will be.
    pub(crate) fn look(&self) -> Option<std::result::Result<T, &'static str>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(Ok(answer)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("the question came to nothing")),
        }
    }
}
