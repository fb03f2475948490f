//! How long the way to a client and back takes, as the server itself measured it.

use std::collections::VecDeque;

use domain::at::Ms;

/// How many measurements count: a quarter of a minute for a candidate.
const LATEST: usize = 5;

/// The last measurements. A pong can be late for many reasons and early for none, so the smallest
/// of them is nearest to the truth (RFC 5905, section 10, the clock filter).
#[derive(Default)]
pub(super) struct Way(VecDeque<Ms>);

impl Way {
    pub(super) fn measured(&mut self, rtt: Ms) {
        if self.0.len() == LATEST {
            self.0.pop_front();
        }
        self.0.push_back(rtt.max(Ms(0)));
    }

    /// The smallest of the last few; 0 before the first.
    pub(super) fn rtt(&self) -> Ms {
        self.0.iter().copied().min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtt_after(all: &[i64]) -> Ms {
        let mut way = Way::default();
        for ms in all {
            way.measured(Ms(*ms));
        }
        way.rtt()
    }

    #[test]
    fn the_smallest_of_the_last_five_counts() {
        assert_eq!(rtt_after(&[]), Ms(0));
        assert_eq!(rtt_after(&[80, 400, 60, 90]), Ms(60));
        // A way that has become longer is believed once the short one is forgotten.
        assert_eq!(rtt_after(&[20, 300, 310, 300, 305]), Ms(20));
        assert_eq!(rtt_after(&[20, 300, 310, 300, 305, 300]), Ms(300));
        // A clock that was set back in between.
        assert_eq!(rtt_after(&[-5]), Ms(0));
    }

    #[test]
    fn who_answers_one_ping_late_gains_nothing() {
        assert_eq!(rtt_after(&[20, 20, 20, 250, 20]), Ms(20));
    }
}
