//! Points, to a hundredth.

use serde::{Deserialize, Serialize};

/// Points in hundredths, so that sums are exact. On the wire and in events a number like `12.5`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "f64", into = "f64")]
pub struct Points(u32);

impl Points {
    /// `hundredths` of a point.
    pub const fn from_hundredths(hundredths: u32) -> Self {
        Self(hundredths)
    }

    /// In hundredths of a point.
    pub const fn hundredths(self) -> u32 {
        self.0
    }

    /// `self × part ÷ whole`, rounded once, half up, to a hundredth; nothing of nothing is nothing.
    pub fn share(self, part: u128, whole: u128) -> Self {
        assert!(part <= whole, "a part is at most the whole");
        if whole == 0 {
            return Self(0);
        }
        let value = u128::from(self.0);
        let rounded = (2 * value * part + whole) / (2 * whole);
        Self(u32::try_from(rounded).expect("at most `self`"))
    }
}

/// A part of a whole, in millionths, so that sums are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32")]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const WHOLE: Self = Self(1_000_000);

    /// `part ÷ whole`, to a millionth; between nothing and all. `None` if that is no number.
    pub fn of(part: f64, whole: f64) -> Option<Self> {
        let share = part / whole;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let millionths = (share.clamp(0.0, 1.0) * 1e6).round() as u32;
        share.is_finite().then_some(Self(millionths))
    }

    /// In millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl From<u32> for Share {
    fn from(millionths: u32) -> Self {
        Self(millionths.min(Self::WHOLE.0))
    }
}

impl std::ops::AddAssign for Points {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        Self(points.map(|points| points.0).sum())
    }
}

impl From<f64> for Points {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn from(points: f64) -> Self {
        Self((points * 100.0).round().clamp(0.0, f64::from(u32::MAX)) as u32)
    }
}

impl From<Points> for f64 {
    fn from(points: Points) -> Self {
        Self::from(points.0) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_once_to_a_hundredth() {
        let points = Points::from_hundredths;
        assert_eq!(points(1_000).share(1, 3), points(333));
        assert_eq!(points(1_000).share(2, 3), points(667));
        assert_eq!(points(1).share(1, 2), points(1));
        assert_eq!(points(1_000).share(0, 0), points(0));
    }

    #[test]
    fn points_read_as_numbers() {
        assert_eq!(serde_json::to_string(&Points::from_hundredths(1_250)).unwrap(), "12.5");
        let read: Points = serde_json::from_str("0.07").unwrap();
        assert_eq!(read, Points::from_hundredths(7));
    }
}
