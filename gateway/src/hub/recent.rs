//! The frames that came while somebody was being brought up to date.

use std::collections::VecDeque;

use bytes::Bytes;
use domain::ports::Published;

use super::watch::{Fit, fit};
use crate::socket::wire::{self, Kind};

/// How many frames are kept, and how many bytes of them: who needs more reads again.
const FRAMES_MAX: usize = 256;
const BYTES_MAX: usize = 256 * 1024;

/// A frame as all sockets of a topic are sent it.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) prev: Option<u64>,
    /// Encoded once.
    pub(super) wire: Bytes,
}

impl Frame {
    pub(super) fn of(published: &Published) -> Self {
        let (epoch, seq, prev) = (published.frame.epoch, published.frame.seq, published.frame.prev);
        Self { epoch, seq, prev, wire: wire::frame(Kind::Text, &published.text) }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Recent {
    /// The last frame that came, kept or not.
    head: Option<(u64, u64)>,
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Recent {
    pub(super) fn add(&mut self, frame: &Frame, kept: bool) {
        self.head = self.head.max(Some((frame.epoch, frame.seq)));
        if kept {
            self.bytes += frame.wire.len();
            self.frames.push_back(frame.clone());
        }
        while FRAMES_MAX < self.frames.len() || BYTES_MAX < self.bytes {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.wire.len();
        }
    }

    /// There is a frame that was not passed on.
    pub(super) fn hear_of(&mut self, head: (u64, u64)) {
        self.head = self.head.max(Some(head));
    }

    /// Nobody needs them any more.
    pub(super) fn clear(&mut self) {
        *self = Self { head: self.head, ..Self::default() };
    }

    /// The epoch of the last frame.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.head.map(|(epoch, _)| epoch)
    }

    /// All frames behind `after`, if none is missing.
    pub(super) fn since(&self, after: (u64, u64)) -> Option<Vec<Frame>> {
        let (mut last, mut since) = (after, vec![]);
        for frame in &self.frames {
            match fit(last, frame) {
                Fit::Old => {}
                Fit::Next => {
                    last = (frame.epoch, frame.seq);
                    since.push(frame.clone());
                }
                Fit::Gap => return None,
            }
        }
        (self.head <= Some(last)).then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(seqs: std::ops::RangeInclusive<u64>) -> Recent {
        let mut recent = Recent::default();
        for seq in seqs {
            let wire = Bytes::from(vec![0; 1_000]);
            recent.add(&Frame { epoch: 1, seq, prev: Some(seq - 1), wire }, true);
        }
        recent
    }

    fn seqs(recent: &Recent, after: (u64, u64)) -> Option<Vec<u64>> {
        Some(recent.since(after)?.iter().map(|frame| frame.seq).collect())
    }

    #[test]
    fn what_came_since_a_reading_follows_it_without_a_hole() {
        let recent = recent(5..=7);
        assert_eq!(seqs(&recent, (1, 4)), Some(vec![5, 6, 7]));
        assert_eq!(seqs(&recent, (1, 6)), Some(vec![7]));
        assert_eq!(seqs(&recent, (1, 7)), Some(vec![]));
        assert_eq!(seqs(&recent, (1, 9)), Some(vec![]));
        assert_eq!(seqs(&recent, (1, 3)), None);
        assert_eq!(seqs(&recent, (2, 1)), Some(vec![]));
        assert_eq!(seqs(&Recent::default(), (1, 3)), Some(vec![]));
    }

    #[test]
    fn what_was_not_kept_is_missing() {
        let mut recent = recent(5..=6);
        recent.clear();
        assert_eq!(seqs(&recent, (1, 6)), Some(vec![]));
        assert_eq!(seqs(&recent, (1, 5)), None);
    }

    #[test]
    fn they_are_bounded() {
        let recent = recent(1..=400);
        assert!(recent.frames.len() <= FRAMES_MAX && recent.bytes <= BYTES_MAX);
        assert_eq!(seqs(&recent, (1, 1)), None);
        assert_eq!(seqs(&recent, (1, 399)), Some(vec![400]));
    }
}
