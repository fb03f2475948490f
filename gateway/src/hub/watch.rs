//! One socket's watch of one topic: what it has seen.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Rank, recent::Frame};
use crate::socket::outbox::{Offered, Outbox};

/// See the module. One line of the processor's cache.
#[repr(align(64))]
pub(super) struct Watch {
    pub(super) outbox: Outbox,
    pub(super) rank: Rank,
    seen: Mutex<Seen>,
}

struct Seen {
    /// The epoch and the seq up to which everything was sent.
    after: (u64, u64),
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Being brought up to date; what comes meanwhile is sent then.
    Behind,
    Live,
    Ended,
}

/// The watch has ended, or its socket.
pub(super) struct Ended;

/// How a frame fits to what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Next,
    /// Seen already, or of an owner that has lost its place.
    Old,
    /// Something is missing in between.
    Gap,
}

/// How `frame` fits behind `after`.
pub(super) fn fit(after: (u64, u64), frame: &Frame) -> Fit {
    if (frame.epoch, frame.seq) <= after {
        return Fit::Old;
    }
    if frame.epoch == after.0 && frame.prev == Some(after.1) { Fit::Next } else { Fit::Gap }
}

impl Watch {
    pub(super) fn new(outbox: Outbox, after: (u64, u64), rank: Rank) -> Self {
        Self { outbox, rank, seen: Mutex::new(Seen { after, state: State::Behind }) }
    }

    /// Reads a little of what [`Self::take`] needs, so that it is in the cache then.
    pub(super) fn touch(&self) -> i32 {
        self.outbox.touch()
    }

    /// Sends the frame that was just made. Answers `false` if the watch has to be brought up to date.
    /// What is `latest` is not queued for a slow socket: once that takes in again it gets what is
    /// latest then.
    pub(super) fn take(&self, frame: &Frame, latest: bool) -> bool {
        let mut seen = self.seen();
        if seen.state != State::Live {
            return true;
        }
        match fit(seen.after, frame) {
            Fit::Old => return true,
            Fit::Gap => {
                seen.state = State::Behind;
                return false;
            }
            Fit::Next => {}
        }
        let wire = frame.wire.clone();
        let offered = if latest {
            self.outbox.offer(wire)
        } else {
            self.outbox.send(wire).map(|()| Offered::Taken)
        };
        match offered {
            Ok(Offered::Taken) => seen.after = (frame.epoch, frame.seq),
            Ok(Offered::Slow) => seen.state = State::Behind,
            Err(_) => seen.state = State::Ended,
        }
        seen.state != State::Behind
    }

    /// What was seen, unless it has ended.
    pub(super) fn after(&self) -> Result<(u64, u64), Ended> {
        let seen = self.seen();
        if seen.state == State::Ended { Err(Ended) } else { Ok(seen.after) }
    }

    /// Sends a page of what was read.
    pub(super) fn send(&self, page: Bytes) -> Result<(), Ended> {
        let seen = self.seen();
        if seen.state == State::Ended || self.outbox.send(page).is_err() {
            return Err(Ended);
        }
        Ok(())
    }

    /// Everything up to `after` was read and sent.
    pub(super) fn has_read(&self, after: (u64, u64)) {
        self.seen().after = after;
    }

    /// Sends what came since, and is live from now on. Answers `false` if that is too much for a socket
    /// that is slow: it is read for again, when there is room, and has lost nothing.
    pub(super) fn go_live(&self, frames: &[Frame]) -> bool {
        let mut seen = self.seen();
        for frame in frames {
            if seen.state == State::Ended {
                return true;
            }
            match self.outbox.offer(frame.wire.clone()) {
                Ok(Offered::Taken) => seen.after = (frame.epoch, frame.seq),
                Ok(Offered::Slow) => return false,
                Err(_) => seen.state = State::Ended,
            }
        }
        if seen.state == State::Behind {
            seen.state = State::Live;
        }
        true
    }

    /// It was live, and has to be brought up to date.
    pub(super) fn fall_behind(&self) -> bool {
        let mut seen = self.seen();
        let was_live = seen.state == State::Live;
        if was_live {
            seen.state = State::Behind;
        }
        was_live
    }

    pub(super) fn end(&self) {
        self.seen().state = State::Ended;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_one_another_or_there_is_a_gap() {
        let frame = |epoch, prev, seq| Frame { epoch, seq, prev, wire: Bytes::new() };
        assert_eq!(fit((1, 5), &frame(1, Some(5), 7)), Fit::Next);
        assert_eq!(fit((1, 5), &frame(1, Some(4), 5)), Fit::Old);
        assert_eq!(fit((1, 5), &frame(1, Some(6), 7)), Fit::Gap);
        assert_eq!(fit((2, 5), &frame(1, Some(5), 7)), Fit::Old);
        assert_eq!(fit((1, 5), &frame(2, Some(0), 1)), Fit::Gap);
        assert_eq!(fit((1, 5), &frame(1, None, 7)), Fit::Gap);
    }
}
