//! How often somebody may do something: token buckets, in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::at::{At, Ms};

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

#[cfg(test)]
mod tests {
    use super::*;

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
