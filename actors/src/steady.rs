//! The time as a cluster has it: what the store's clock said, carried on by a clock that nobody sets.
//! A machine whose time of day jumps ends nobody's test early, and none late.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::{
    at::{At, Ms},
    ports::Clock,
};
use tokio::time::Instant;

/// A clock that is further from the store's than this is wrong.
pub(crate) const CLOCK_MAX: Ms = Ms(100);
/// How far it is moved at once towards a clock that is nearly its own.
const NUDGE: i64 = 10;
/// Nothing was heard of the store's clock.
const UNTOLD: i64 = i64::MIN;

/// See the module. Until it hears of a clock to follow, it is the machine's.
pub(crate) struct SteadyClock {
    day: Arc<dyn Clock>,
    began: Instant,
    /// What the store's clock would have said at `began`, in ms.
    began_at: AtomicI64,
}

impl Clock for SteadyClock {
    fn now(&self) -> At {
        match self.began_at.load(Ordering::SeqCst) {
            UNTOLD => self.day.now(),
            began_at => At(began_at) + self.runs_for(),
        }
    }
}

impl SteadyClock {
    /// Of a machine whose time of day is `day`.
    pub(crate) fn new(day: Arc<dyn Clock>) -> Self {
        Self { day, began: Instant::now(), began_at: AtomicI64::new(UNTOLD) }
    }

    /// Asks the clock that it is to follow, which may have none. A step of the machine's time counts
    /// only if that clock agrees with it.
    ///
    /// # Errors
    ///
    /// How far it is from that clock, if neither itself nor the machine's time of day is near it.
    pub(crate) async fn follow(&self, ask: impl Future<Output = Option<At>>) -> Result<(), Ms> {
        let before = (self.now(), self.day.now());
        let Some(told) = ask.await else { return Ok(()) };
        let (own, day) = (self.now(), self.day.now());
        let far = off(before.0, told, own);
        let mut both = [(far, own), (off(before.1, told, day), day)].into_iter();
        let near = both.find(|(off, _)| off.0.abs() <= CLOCK_MAX.0);
        let (off, now) = near.ok_or(far)?;
        let began_at = now + Ms(off.0.clamp(-NUDGE, NUDGE)) - self.runs_for();
        self.began_at.store(began_at.0, Ordering::SeqCst);
        Ok(())
    }

    fn runs_for(&self) -> Ms {
        Ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// How far `told`, which was asked at `before` and heard at `after`, is ahead for certain.
fn off(before: At, told: At, after: At) -> Ms {
    if told < before { told - before } else { (told - after).max(Ms(0)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, sleep};

    use super::*;

    /// A time of day that somebody sets.
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> At {
            At(self.0.load(Ordering::SeqCst))
        }
    }

    async fn heard(clock: &SteadyClock, told: i64) -> Result<(), Ms> {
        clock.follow(async { Some(At(told)) }).await
    }

    fn steady(day: i64) -> (SteadyClock, Arc<Set>) {
        let day = Arc::new(Set(AtomicI64::new(day)));
        (SteadyClock::new(Arc::clone(&day) as _), day)
    }

    #[tokio::test(start_paused = true)]
    async fn without_another_clock_it_is_the_machines() {
        let (clock, day) = steady(5_000);
        assert_eq!(clock.follow(async { None }).await, Ok(()));
        day.0.store(9_000, Ordering::SeqCst);
        assert_eq!(clock.now(), At(9_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_of_the_machines_time_is_not_followed_but_with_the_store() {
        let (clock, day) = steady(5_000);
        assert_eq!(heard(&clock, 5_000).await, Ok(()));
        advance(Duration::from_secs(1)).await;
        day.0.store(3_600_000, Ordering::SeqCst);
        assert_eq!(clock.now(), At(6_000));
        assert_eq!(heard(&clock, 6_000).await, Ok(()));
        assert_eq!(clock.now(), At(6_000));
        // As after the machine was suspended.
        assert_eq!(heard(&clock, 3_600_050).await, Ok(()));
        assert_eq!(clock.now(), At(3_600_010));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_drawn_to_a_clock_that_is_near_and_not_to_one_that_is_far() {
        let (clock, _day) = steady(5_000);
        assert_eq!(heard(&clock, 5_090).await, Ok(()));
        assert_eq!(clock.now(), At(5_010));
        assert_eq!(heard(&clock, 4_930).await, Ok(()));
        assert_eq!(clock.now(), At(5_000));
        assert_eq!(heard(&clock, 6_000).await, Err(Ms(1_000)));
        assert_eq!(heard(&clock, 1_000).await, Err(Ms(-4_000)));
        assert_eq!(clock.now(), At(5_000));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_way_may_have_taken_is_no_difference() {
        let (clock, day) = steady(5_000);
        assert_eq!(heard(&clock, 5_000).await, Ok(()));
        let slow = async {
            sleep(Duration::from_secs(2)).await;
            day.0.store(7_000, Ordering::SeqCst);
            Some(At(5_700))
        };
        assert_eq!(clock.follow(slow).await, Ok(()));
        assert_eq!(clock.now(), At(7_000));
    }
}
