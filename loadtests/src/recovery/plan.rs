//! What happens to one client's link, drawn from the seed.

use fastrand::Rng;
use loadtests::proxy::Fault;
use tokio::time::Duration;

/// Within this a client is still coming back.
const EARLY: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Plan {
    random: Rng,
    every: Duration,
    /// The last blow fell while the client was coming back.
    was_early: bool,
}

/// One blow to a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blow {
    /// How long the link is left alone before.
    pub(super) after: Duration,
    pub(super) fault: Fault,
    /// How long there is no way to the server then.
    pub(super) down: Duration,
}

impl Plan {
    pub(super) fn new((seed, number): (u64, u64), every: Duration) -> Self {
        let mut mixer = Rng::with_seed(seed);
        let random = Rng::with_seed(mixer.u64(..) ^ number);
        Self { random, every, was_early: false }
    }

    /// The next blow. One in five falls while the client is still coming back, and never two such
    /// in a row, as the page waits twice as long each time.
    pub(super) fn next(&mut self) -> Blow {
        self.was_early = !self.was_early && self.random.u8(..5) == 0;
        let longest = if self.was_early { EARLY } else { self.every * 2 };
        let after = self.up_to(longest);
        let fault = match self.random.u8(..100) {
            0..75 => Fault::Cut,
            75..90 => Fault::HalfOpen,
            90..98 => Fault::Stall(self.up_to(Duration::from_secs(2))),
            _ => Fault::Silent,
        };
        let is_down = self.random.u8(..10) < 3 && matches!(fault, Fault::Cut | Fault::HalfOpen);
        let down = if is_down { self.up_to(Duration::from_millis(300)) } else { Duration::ZERO };
        Blow { after, fault, down }
    }

    /// What a client does next with its test, and when.
    pub(super) fn random(&mut self) -> &mut Rng {
        &mut self.random
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_plan_and_every_kind_of_end_is_in_it() {
        let draw = |id| {
            let mut plan = Plan::new(id, Duration::from_secs(2));
            (0..1_000).map(|_| plan.next()).collect::<Vec<_>>()
        };
        let all = draw((7, 3));
        assert_eq!(all, draw((7, 3)));
        assert_ne!(all, draw((7, 4)));
        for fault in [Fault::Cut, Fault::HalfOpen, Fault::Silent] {
            assert!(all.iter().any(|blow| blow.fault == fault), "{fault:?}");
        }
        assert!(all.iter().any(|blow| matches!(blow.fault, Fault::Stall(_))));
        assert!(all.iter().any(|blow| !blow.down.is_zero()));
    }
}
