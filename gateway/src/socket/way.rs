//! How long the way to a client and back takes, as the server itself measured it.

use std::collections::VecDeque;

use domain::at::{At, Ms};

/// How many measurements count: a quarter of a minute for a candidate.
const LATEST: usize = 5;

/// A ping carries when it was sent; it is answered by the same (RFC 6455, section 5.5.3).
type Sent = [u8; 8];

/// The last measurements. A pong can be late for many reasons and early for none, so the smallest
/// of them is nearest to the truth (RFC 5905, section 10, the clock filter).
#[derive(Default)]
pub(super) struct Way {
    latest: VecDeque<Ms>,
    /// The last pings that are not answered yet.
    asked: VecDeque<Sent>,
}

impl Way {
    /// What a ping carries that is sent at `now`.
    pub(super) fn ping(&mut self, now: At) -> Sent {
        let sent = now.0.to_be_bytes();
        if self.asked.len() == LATEST {
            self.asked.pop_front();
        }
        self.asked.push_back(sent);
        sent
    }

    /// A pong came. Only the answer to a ping counts, and once: whoever makes one up, of an earlier
    /// time, would be given what they say their way takes.
    pub(super) fn pong(&mut self, carried: &[u8], now: At) {
        let Some(place) = self.asked.iter().position(|sent| *sent == *carried) else { return };
        if let Some(sent) = self.asked.remove(place) {
            self.measured(now - At(i64::from_be_bytes(sent)));
        }
    }

    fn measured(&mut self, rtt: Ms) {
        if self.latest.len() == LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(rtt.max(Ms(0)));
    }

    /// The smallest of the last few; 0 before the first.
    pub(super) fn rtt(&self) -> Ms {
        self.latest.iter().copied().min().unwrap_or_default()
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
    fn an_answer_to_a_ping_that_was_never_sent_counts_for_nothing() {
        let mut way = Way::default();
        let sent = way.ping(At(9_000));
        way.pong(&At(4_000).0.to_be_bytes(), At(9_010));
        way.pong(b"short", At(9_010));
        assert_eq!(way.rtt(), Ms(0));
        let next = way.ping(At(12_000));
        way.pong(&sent, At(12_500));
        way.pong(&next, At(12_510));
        assert_eq!(way.rtt(), Ms(510), "a way may be longer than pings are apart");
        // Once answered, it cannot be answered later as well.
        for late in 0..10 {
            way.pong(&next, At(12_900 + late));
        }
        assert_eq!((way.rtt(), way.latest.len()), (Ms(510), 2));
    }

    #[test]
    fn who_answers_one_ping_late_gains_nothing() {
        assert_eq!(rtt_after(&[20, 20, 20, 250, 20]), Ms(20));
    }
}
