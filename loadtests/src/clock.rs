//! The server's time as a page knows it: the same as `web/src/lib/clock.svelte.ts`, so that it can
//! be measured how well that does.

/// How many of the last measurements count.
const SAMPLES_KEPT: usize = 8;

/// See the module. All times in ms; those of the page are monotonic.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Offset and round trip of each measurement.
    samples: Vec<(f64, f64)>,
    offset_ms: f64,
}

impl Clock {
    /// Takes one measurement: the server said `server_ms` between `sent` and `received`.
    pub fn sync(&mut self, server_ms: f64, sent: f64, received: f64) {
        if self.samples.len() == SAMPLES_KEPT {
            self.samples.remove(0);
        }
        self.samples.push((server_ms - f64::midpoint(sent, received), received - sent));
        // The first of equals, as the page has it.
        let best = self.samples.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        self.offset_ms = best.map_or(0.0, |best| best.0);
    }

    /// The server's time when the page's clock says `now`.
    pub fn exact(&self, now: f64) -> f64 {
        now + self.offset_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.001
    }

    #[test]
    fn the_quickest_of_the_last_eight_measurements_counts() {
        let mut clock = Clock::default();
        clock.sync(2_000_000.0, 980.0, 1_000.0);
        clock.sync(2_009_000.0, 100.0, 1_000.0);
        assert!(is(clock.exact(1_000.0), 2_000_010.0));
        for _ in 0..7 {
            clock.sync(3_000_000.0, 900.0, 1_000.0);
        }
        assert!(is(clock.exact(1_000.0), 3_000_050.0));
    }

    #[test]
    fn of_two_that_were_as_quick_the_first_counts() {
        let mut clock = Clock::default();
        clock.sync(2_000_000.0, 0.0, 100.0);
        clock.sync(3_000_000.0, 0.0, 100.0);
        assert!(is(clock.exact(0.0), 1_999_950.0));
    }
}
