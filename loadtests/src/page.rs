//! How the page keeps its link (`web/src/lib/live.svelte.ts`), for clients that are to come back as
//! it does.

use fastrand::Rng;
use tokio::time::{Duration, Instant};

/// How long it waits before it tries again: anywhere up to the first of these, then to twice as
/// much, and so on to the second; to the third after so many tries in vain, half a minute.
const RETRY_MS: (u64, u64, u64) = (250, 1_500, 8_000);
const PROMPT_TRIES: u32 = 40;
/// How often it asks for a sign of life.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// Nothing heard for this long: the link is dead, whatever the socket says.
const SILENCE_MAX: Duration = Duration::from_secs(12);

/// See the module.
pub struct Link {
    random: Rng,
    failures: u32,
    retry_after_ms: u64,
    heard_at: Instant,
}

impl Link {
    pub fn new(random: Rng) -> Self {
        Self { random, failures: 0, retry_after_ms: 0, heard_at: Instant::now() }
    }

    /// Something was heard, or the socket was opened.
    pub fn heard(&mut self) {
        self.heard_at = Instant::now();
    }

    /// A ping was answered.
    pub fn is_well(&mut self) {
        self.failures = 0;
    }

    /// The server says when it wants to see us again.
    pub fn told_to_wait(&mut self, retry_after_ms: u64) {
        self.retry_after_ms = retry_after_ms;
    }

    /// Looked at with each ping.
    pub fn is_dead(&self) -> bool {
        SILENCE_MAX < self.heard_at.elapsed()
    }

    /// How long to wait, now that it is lost.
    pub fn wait(&mut self) -> Duration {
        let spread = spread_ms(self.failures);
        self.failures += 1;
        let wait_ms = std::mem::take(&mut self.retry_after_ms) + self.random.u64(0..spread);
        Duration::from_millis(wait_ms)
    }
}

/// Up to how long it waits after so many tries in vain.
pub fn spread_ms(failures: u32) -> u64 {
    let (first, prompt, patient) = RETRY_MS;
    let most = if failures < PROMPT_TRIES { prompt } else { patient };
    most.min(first << failures.min(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_until_it_is_well_again_and_as_long_as_it_was_told() {
        let mut link = Link::new(Rng::with_seed(7));
        for spread in [250, 500, 1_000, 1_500, 1_500] {
            assert!(link.wait() < Duration::from_millis(spread));
        }
        for _ in 5..PROMPT_TRIES {
            assert!(link.wait() < Duration::from_millis(1_500));
        }
        let longest = (0..100).map(|_| link.wait()).max().unwrap();
        assert!(Duration::from_secs(7) < longest);
        link.is_well();
        link.told_to_wait(3_000);
        let told = link.wait();
        assert!((3_000..3_250).contains(&told.as_millis()));
        assert!(link.wait() < Duration::from_millis(500));
    }
}
