//! The time as a cluster has it: what the store's clock said, carried on by a clock that nobody sets.
//! A machine whose time of day jumps ends nobody's test early, and none late.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
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
    /// The machine's time and the store's were the same once: from then on it is a third opinion.
    was_right: AtomicBool,
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
        let (began_at, was_right) = (AtomicI64::new(UNTOLD), AtomicBool::new(false));
        Self { day, began: Instant::now(), began_at, was_right }
    }

    /// Asks the clock that it is to follow, which may have none. A step of the machine's time counts
    /// only if that clock agrees with it; a step of that clock only if the machine does.
    ///
    /// # Errors
    ///
    /// How far the machine's time of day is from that clock, if neither it nor this clock is near. Who
    /// was never right tells that clock's time from then on; who was keeps their own, or takes the
    /// machine's, as after it was suspended, whichever is nearer.
    pub(crate) async fn follow(&self, ask: impl Future<Output = Option<At>>) -> Result<(), Ms> {
        let before = (self.now(), self.day.now());
        let Some(told) = ask.await else { return Ok(()) };
        let (own, day) = (self.now(), self.day.now());
        let (own_off, day_off) = (off(before.0, told, own), off(before.1, told, day));
        let was_right = self.was_right.load(Ordering::SeqCst);
        if was_right && is_near(own_off) {
            self.set(own + nudge(own_off));
            return Ok(());
        }
        if is_near(day_off) {
            self.set(day + nudge(day_off));
            self.was_right.store(true, Ordering::SeqCst);
            return Ok(());
        }
        if !was_right {
            self.set(told);
        } else if day_off.0.abs() < own_off.0.abs() {
            self.set(day);
        }
        Err(day_off)
    }

    /// From now on it is `now`.
    fn set(&self, now: At) {
        self.began_at.store((now - self.runs_for()).0, Ordering::SeqCst);
    }

    fn runs_for(&self) -> Ms {
        Ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

fn is_near(off: Ms) -> bool {
    off.0.abs() <= CLOCK_MAX.0
}

fn nudge(off: Ms) -> Ms {
    Ms(off.0.clamp(-NUDGE, NUDGE))
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
        // The database's clock stepped: the machine and this clock know better.
        assert_eq!(heard(&clock, 6_000).await, Err(Ms(1_000)));
        assert_eq!(heard(&clock, 1_000).await, Err(Ms(-4_000)));
        assert_eq!(clock.now(), At(5_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_is_wrong_from_the_start_stamps_with_the_stores_time_and_is_not_fit() {
        let (clock, day) = steady(5_000);
        for told in [90_000, 90_000] {
            assert_eq!(heard(&clock, told).await, Err(Ms(85_000)));
            assert_eq!(clock.now(), At(90_000));
        }
        day.0.store(90_020, Ordering::SeqCst);
        assert_eq!(heard(&clock, 90_000).await, Ok(()));
        assert_eq!(clock.now(), At(90_010));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_suspension_a_clock_that_is_nearly_right_is_better_than_one_that_stood_still() {
        let (clock, day) = steady(5_000);
        assert_eq!(heard(&clock, 5_000).await, Ok(()));
        day.0.store(7_200_150, Ordering::SeqCst);
        assert_eq!(heard(&clock, 7_200_000).await, Err(Ms(-150)));
        assert_eq!(clock.now(), At(7_200_150));
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
