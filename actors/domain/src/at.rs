//! Moments and lengths of time. Moments come from a [`Clock`](crate::ports::Clock), by parameter.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct At(pub i64);

/// A length of time in milliseconds; negative when it points back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ms(pub i64);

impl Ms {
    /// `seconds` as milliseconds.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000)
    }
}

impl Add<Ms> for At {
    type Output = Self;

    fn add(self, length: Ms) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub<Ms> for At {
    type Output = Self;

    fn sub(self, length: Ms) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}

impl Sub for At {
    type Output = Ms;

    fn sub(self, earlier: Self) -> Ms {
        Ms(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for Ms {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Ms {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
