//! One pipe out of a run: read without waiting, gathered, passed on in frames.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use tokio::time::{Duration, Instant};

use crate::frame::{self, Kind};

/// Output is passed on when so much of it is there …
const FRAME_BYTES: usize = 16 * 1024;
/// … or when it has waited so long.
const FRAME_AGE: Duration = Duration::from_millis(20);
/// Output that nobody waits for goes on in larger pieces.
const UNSTREAMED_FRAME_BYTES: usize = 256 * 1024;
/// After a read of less than this, the pipe is left alone for [`PAUSE`]: a program that prints
/// line by line would otherwise wake its watcher for each.
const SMALL_READ_BYTES: usize = 4096;
const PAUSE: Duration = Duration::from_millis(3);
/// What one read takes: as much as a pipe holds by default.
const READ_BYTES: usize = 64 * 1024;

/// One pipe.
pub(crate) struct Tap {
    pipe: OwnedFd,
    kind: Kind,
    streamed: bool,
    gathered: Vec<u8>,
    gathered_since: Option<Instant>,
    paused_until: Option<Instant>,
    taken: usize,
    limit: usize,
    over: bool,
    closed: bool,
}

impl Tap {
    /// Reads from `pipe`, which must not block, at most `limit` bytes.
    pub(crate) fn new(pipe: OwnedFd, kind: Kind, streamed: bool, limit: usize) -> Self {
        Self {
            pipe,
            kind,
            streamed,
            gathered: Vec::new(),
            gathered_since: None,
            paused_until: None,
            taken: 0,
            limit,
            over: false,
            closed: false,
        }
    }

    /// Whether the pipe is worth waiting for.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        !self.closed && self.paused_until.is_none_or(|until| now >= until)
    }

    /// Whether more came than the limit lets through.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// When to look again without being woken.
    pub(crate) fn due(&self) -> Option<Instant> {
        let pause = self.paused_until.filter(|_| !self.closed);
        let flush = self.gathered_since.filter(|_| self.streamed).map(|since| since + FRAME_AGE);
        [pause, flush].into_iter().flatten().min()
    }

    /// Takes what is there, once. Answers how much it was; what passes the limit is dropped.
    pub(crate) fn read(&mut self, now: Instant) -> usize {
        let mut buffer = vec![0; READ_BYTES];
        let len = match rustix::io::read(&self.pipe, &mut buffer) {
            Ok(0) => {
                self.closed = true;
                0
            }
            Ok(len) => len,
            Err(_) => 0,
        };
        let kept = len.min(self.limit - self.taken);
        self.over |= kept < len;
        self.taken += kept;
        self.gathered.extend(buffer.iter().take(kept));
        if kept > 0 {
            self.gathered_since.get_or_insert(now);
        }
        self.paused_until = (len < SMALL_READ_BYTES).then(|| now + PAUSE);
        len
    }

    /// Passes on what is due.
    pub(crate) fn flush(&mut self, now: Instant, to: &UnixStream) -> io::Result<()> {
        self.paused_until = self.paused_until.filter(|until| now < *until);
        let enough = if self.streamed { FRAME_BYTES } else { UNSTREAMED_FRAME_BYTES };
        let old = self.gathered_since.is_some_and(|since| now >= since + FRAME_AGE);
        if self.gathered.len() >= enough || (self.streamed && old) {
            self.flush_all(to)?;
        }
        Ok(())
    }

    /// Passes on everything.
    pub(crate) fn flush_all(&mut self, mut to: &UnixStream) -> io::Result<()> {
        for piece in self.gathered.chunks(UNSTREAMED_FRAME_BYTES) {
            frame::write(&mut to, self.kind, piece)?;
        }
        self.gathered.clear();
        self.gathered_since = None;
        Ok(())
    }

    /// All that was gathered.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.gathered
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
