//! How long the way to a client and back takes, as the server itself measured it.

use std::collections::VecDeque;

use domain::at::Ms;
use tokio::time::Instant;

/// How many measurements count: a quarter of a minute for a candidate.
const LATEST: usize = 5;
/// The most that is given for the way to the server.
const COMPENSATION_MAX: Ms = Ms(250);
/// How many pings without an answer are remembered; more than come in the longest silence.
const ASKED_MAX: usize = 8;

/// The last measurements. A pong can be late for many reasons and early for none, so the smallest
/// of them is nearest to the truth (RFC 5905, section 10, the clock filter).
///
/// A ping has a number that nobody can guess, and only its first answer counts: who makes up
/// answers, or says one again, measures nothing.
#[derive(Default)]
pub(super) struct Way {
    asked: VecDeque<([u8; 8], Instant)>,
    measured: VecDeque<Ms>,
}

impl Way {
    /// The payload of a ping that is sent now.
    pub(super) fn ask(&mut self, now: Instant) -> [u8; 8] {
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        let number = fastrand::u64(..).to_be_bytes();
        self.asked.push_back((number, now));
        number
    }

    /// Takes the payload of a pong. Answers whether it answers a ping of ours. Earlier ones are
    /// forgotten then: a client may answer only the last of several (RFC 6455, section 5.5.3).
    pub(super) fn answered(&mut self, payload: &[u8], now: Instant) -> bool {
        let Some(place) = self.asked.iter().position(|(number, _)| number == payload) else {
            return false;
        };
        let Some((_, sent)) = self.asked.drain(..=place).next_back() else { return false };
        if self.measured.len() == LATEST {
            self.measured.pop_front();
        }
        let took = now.saturating_duration_since(sent).as_millis();
        self.measured.push_back(Ms(i64::try_from(took).unwrap_or(i64::MAX)));
        true
    }

    /// The smallest of the last few; 0 before the first.
    pub(super) fn rtt(&self) -> Ms {
        self.measured.iter().copied().min().unwrap_or_default()
    }

    /// By how much earlier something counts than it came.
    pub(super) fn compensation(&self) -> Ms {
        self.rtt().min(COMPENSATION_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(all: &[u64]) -> Way {
        let (mut way, mut now) = (Way::default(), Instant::now());
        for ms in all {
            let ping = way.ask(now);
            now += Duration::from_millis(*ms);
            assert!(way.answered(&ping, now));
        }
        way
    }

    fn rtt_after(all: &[u64]) -> Ms {
        after(all).rtt()
    }

    #[test]
    fn who_is_far_away_is_given_the_way_and_no_more_than_a_quarter_of_a_second() {
        for (ms, given) in [(0, 0), (100, 100), (250, 250), (400, 250), (60_000, 250)] {
            assert_eq!(after(&[ms]).compensation(), Ms(given));
        }
    }

    #[test]
    fn the_smallest_of_the_last_five_counts() {
        assert_eq!(rtt_after(&[]), Ms(0));
        assert_eq!(rtt_after(&[80, 400, 60, 90]), Ms(60));
        // A way that has become longer is believed once the short one is forgotten.
        assert_eq!(rtt_after(&[20, 300, 310, 300, 305]), Ms(20));
        assert_eq!(rtt_after(&[20, 300, 310, 300, 305, 300]), Ms(300));
    }

    #[test]
    fn who_answers_one_ping_late_gains_nothing() {
        assert_eq!(rtt_after(&[20, 20, 20, 250, 20]), Ms(20));
    }

    #[test]
    fn who_lies_about_pings_gains_nothing() {
        let (mut way, began) = (Way::default(), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        let first = way.ask(at(0));
        assert!(way.answered(&first, at(20)));
        for n in 0..100_u64 {
            // What was answered already, times, nothing, and far too much.
            assert!(!way.answered(&first, at(240 + n)));
            assert!(!way.answered(&(n * 1_000).to_be_bytes(), at(300)));
            assert!(!way.answered(&[], at(300)) && !way.answered(&[0; 125], at(300)));
        }
        assert_eq!(way.rtt(), Ms(20));
        let (older, newer) = (way.ask(at(400)), way.ask(at(500)));
        assert!(way.answered(&newer, at(520)));
        assert!(!way.answered(&older, at(521)), "a later answer was there first");
        assert_eq!(way.rtt(), Ms(20));
    }
}
