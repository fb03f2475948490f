//! What a way does by itself, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both ends are told at once.
    Cut,
    /// The client is told; the server is not, and goes on to believe in it.
    HalfOpen,
    /// Nothing passes any more, and nobody is told.
    Silent,
    /// Nothing passes for so long; then all of it does.
    Stall(Duration),
}

/// How a way is. The default is a way like none at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// What passes takes so long in each direction.
    pub delay: Duration,
    /// Give or take so much. What was sent later does not come earlier for it.
    pub jitter: Duration,
    pub faults: Option<Faults>,
}

/// What goes wrong by itself.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// With each connection so often, on the average.
    pub every: Duration,
    /// One of these, each as likely.
    pub kinds: &'static [Fault],
}

/// What lies before one connection.
pub(super) struct Fate {
    random: Rng,
    faults: Option<Faults>,
}

impl Fate {
    pub(super) fn new(faults: Option<Faults>, random: Rng) -> Self {
        Self { random, faults }
    }

    /// How long it goes well, and what happens then; `None` for ever.
    pub(super) fn next(&mut self) -> Option<(Duration, Fault)> {
        let Faults { every, kinds } = self.faults?;
        let wait = every.mul_f64(2.0 * self.random.f64());
        Some((wait, self.random.choice(kinds).copied()?))
    }
}

/// When what is sent now arrives, in one direction.
pub(super) struct Delays {
    random: Rng,
    weather: Weather,
    last: Option<Instant>,
}

impl Delays {
    pub(super) fn new(weather: Weather, random: Rng) -> Self {
        Self { random, weather, last: None }
    }

    pub(super) fn arrival(&mut self, now: Instant) -> Instant {
        let Weather { delay, jitter, .. } = self.weather;
        let spread = jitter.mul_f64(2.0 * self.random.f64());
        let arrival = (now + delay + spread).checked_sub(jitter).unwrap_or(now).max(now);
        let arrival = self.last.map_or(arrival, |last| last.max(arrival));
        self.last = Some(arrival);
        arrival
    }
}

/// The chance of connection `number`, in what it needs it for.
pub(super) fn random((seed, number): (u64, u64), purpose: u64) -> Rng {
    // Seeds that are near each other begin alike until they are mixed.
    let mut mixer = Rng::with_seed(seed);
    Rng::with_seed(mixer.u64(..) ^ number.wrapping_mul(4).wrapping_add(purpose))
}
