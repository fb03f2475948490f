//! A pipe into a run: standard input that comes in frames, while the program runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One pipe. Whoever sends bounds what may wait in it.
pub(crate) struct Feed {
    /// `None` once nothing more comes, or nobody reads.
    pipe: Option<OwnedFd>,
    waiting: Vec<u8>,
    ended: bool,
}

impl Feed {
    /// Writes to `pipe`, which must not block; `first` comes first.
    pub(crate) fn new(pipe: OwnedFd, first: &[u8]) -> Self {
        Self { pipe: Some(pipe), waiting: first.to_vec(), ended: false }
    }

    /// More was typed; nothing: that was all.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.ended |= bytes.is_empty();
        self.waiting.extend_from_slice(bytes);
        self.pass_on();
    }

    /// Our end, which no run inherits.
    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// The pipe, if there is something to be written to it.
    pub(crate) fn wants(&self) -> Option<BorrowedFd<'_>> {
        let pipe = self.pipe.as_ref()?;
        (!self.waiting.is_empty()).then(|| pipe.as_fd())
    }

    /// Writes what the pipe takes. A program that has closed its end gets nothing more.
    pub(crate) fn pass_on(&mut self) {
        if let (Some(pipe), false) = (&self.pipe, self.waiting.is_empty()) {
            match rustix::io::write(pipe, &self.waiting) {
                Ok(len) => drop(self.waiting.drain(..len)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(_) => self.pipe = None,
            }
        }
        if self.ended && self.waiting.is_empty() {
            self.pipe = None;
        }
    }
}
