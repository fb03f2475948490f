//! Clocks: the system's, and one that tests set.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use domain::{
    at::{At, Ms},
    ports::Clock,
};

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> At {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        At(i64::try_from(since).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `at`.
    pub const fn at(at: At) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Shows `at` from now on; back in time too.
    pub fn set(&self, at: At) {
        self.0.store(at.0, Ordering::SeqCst);
    }

    /// Moves on by `by`.
    pub fn advance(&self, by: Ms) {
        self.0.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> At {
        At(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_clock_moves_only_when_told() {
        let clock = TestClock::at(At(5));
        assert_eq!(clock.now(), At(5));
        clock.advance(Ms(10));
        assert_eq!(clock.now(), At(15));
        clock.set(At(1));
        assert_eq!(clock.now(), At(1));
    }

    #[test]
    fn the_system_clock_is_past_the_year_2020() {
        assert!(SystemClock.now() > At(1_577_836_800_000));
    }
}
