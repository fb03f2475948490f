//! How often somebody may do something: token buckets, in memory.

use std::{
    collections::HashMap,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::at::{At, Ms};
use tokio::time::Instant;

/// How many names are remembered at most; the fullest buckets go first, as they refuse nothing.
const NAMES_MAX: usize = 50_000;

/// A rate: so many at once, and one more after each `every`.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: i64,
    pub(crate) every: Ms,
}

/// Tries at a password, for one address or one email.
pub(crate) const SIGN_IN: Rate = Rate { burst: 10, every: Ms(6_000) };
/// Looks at links that do not exist, from one address.
pub(crate) const BAD_LINKS: Rate = Rate { burst: 30, every: Ms(2_000) };
/// Runs outside a session: trying validators, practice.
pub(crate) const TRIES: Rate = Rate { burst: 10, every: Ms(2_000) };

/// See the module.
#[derive(Default)]
pub(crate) struct Limits(Mutex<HashMap<String, At>>);

impl Limits {
    /// Whether `name` may do it once more at `now`. What is remembered is when its bucket will be
    /// full again (the "generic cell rate algorithm").
    pub(crate) fn allow(&self, name: &str, rate: Rate, now: At) -> bool {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if NAMES_MAX <= full_at.len() {
            full_at.retain(|_, at| now < *at);
        }
        let known = full_at.get(name).copied().unwrap_or(now).max(now);
        let next = known + rate.every;
        if Ms(rate.every.0 * rate.burst) < next - now {
            return false;
        }
        full_at.insert(name.to_owned(), next);
        true
    }
}

/// How fast something may flow: so much at once, and so much a second in the long run.
#[derive(Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) burst: u32,
    pub(crate) a_second: u32,
}

/// One bucket by itself, without a name or a lock.
#[derive(Default)]
pub(crate) struct Bucket {
    /// When it will be full again, in nanoseconds since [`BEGAN`].
    full_at: AtomicU64,
}

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Bucket {
    /// Whether so much more may flow now.
    pub(crate) fn take(&self, amount: u32, flow: Flow) -> bool {
        let now = u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.take_at(now, amount, flow)
    }

    fn take_at(&self, now: u64, amount: u32, flow: Flow) -> bool {
        let each = 1_000_000_000 / u64::from(flow.a_second);
        let most = now.saturating_add(each * u64::from(flow.burst));
        let next = |full_at: u64| {
            let next = full_at.max(now).saturating_add(each * u64::from(amount));
            (next <= most).then_some(next)
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flows_too_fast_is_stopped_until_there_is_room_again() {
        let (bucket, flow) = (Bucket::default(), Flow { burst: 10, a_second: 2 });
        let take = |ms: u64, amount| bucket.take_at(ms * 1_000_000, amount, flow);
        assert_eq!([take(0, 4), take(0, 6), take(0, 1)], [true, true, false]);
        assert_eq!([take(500, 2), take(500, 1), take(500, 1)], [false, true, false]);
        let later = 3_600_000;
        assert_eq!(
            [take(later, 10), take(later, 1)],
            [true, false],
            "no more than a burst is kept"
        );
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_at_a_time() {
        let limits = Limits::default();
        let rate = Rate { burst: 3, every: Ms(1_000) };
        let allowed = |at| limits.allow("a", rate, At(at));
        assert_eq!([allowed(0), allowed(0), allowed(0), allowed(0)], [true, true, true, false]);
        assert_eq!([allowed(999), allowed(1_000), allowed(1_000)], [false, true, false]);
        assert!(limits.allow("b", rate, At(0)));
    }
}
