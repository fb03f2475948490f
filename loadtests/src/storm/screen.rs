//! What one client has on its screen, kept small: eight thousand of them are in one process, each
//! with hundreds of rows. It reads as [`loadtests::view::View`] does.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::frames::Marked;

/// See the module.
#[derive(Default)]
pub(super) struct Screen {
    rows: HashMap<u64, u64, FixedState>,
    /// Stands for all rows, as [`super::frames::sum`] does.
    sum: u64,
    /// Epoch and seq of the last whole reading, or of the last frame after it.
    place: (u64, u64),
    /// A reading of which another page follows.
    reading: Option<Reading>,
}

/// Pages that came so far; they count once all are there.
struct Reading {
    place: (u64, u64),
    reset: bool,
    rows: Vec<(u64, Option<u64>)>,
}

impl Screen {
    pub(super) fn place(&self) -> (u64, u64) {
        self.place
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The rest of a reading comes no more: its socket is lost.
    pub(super) fn forget_reading(&mut self) {
        self.reading = None;
    }

    /// Takes in a frame. Answers whether that is all of a reading; fails with what is wrong with its
    /// place among the others.
    pub(super) fn take(&mut self, frame: &Marked) -> Result<bool, String> {
        let mut reading = match self.reading.take() {
            Some(begun) if !frame.reset => {
                if frame.place != begun.place || frame.prev.is_some() {
                    return Err(format!("{:?}, a page of {:?}", frame.place, begun.place));
                }
                begun
            }
            Some(_) | None => {
                self.expect(frame)?;
                Reading { place: frame.place, reset: frame.reset, rows: vec![] }
            }
        };
        reading.rows.extend_from_slice(&frame.rows);
        if frame.more {
            self.reading = Some(reading);
            return Ok(false);
        }
        self.put(reading);
        Ok(true)
    }

    /// It begins anew, or follows the frame before.
    fn expect(&self, frame: &Marked) -> Result<(), String> {
        let (place, known) = (frame.place, self.place);
        if frame.reset {
            return Ok(());
        }
        if place.0 != known.0 || frame.prev != Some(known.1) {
            return Err(format!("{place:?} behind {:?}, a gap after {known:?}", frame.prev));
        }
        if place.1 < known.1 || (place.1 == known.1 && !frame.rows.is_empty()) {
            return Err(format!("{place:?} again after {known:?}"));
        }
        Ok(())
    }

    fn put(&mut self, reading: Reading) {
        if reading.reset {
            self.rows.clear();
            self.sum = 0;
        }
        self.place = reading.place;
        for (key, row) in reading.rows {
            let before = match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
            let (before, now) = (before.unwrap_or(0), row.unwrap_or(0));
            self.sum = self.sum.wrapping_sub(before).wrapping_add(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(prev: Option<u64>, seq: u64, more: bool, rows: &[(u64, Option<u64>)]) -> Marked {
        Marked { place: (1, seq), prev, reset: prev.is_none(), more, rows: rows.to_vec() }
    }

    #[test]
    fn the_sum_follows_the_rows_and_half_a_reading_changes_nothing() {
        let mut screen = Screen::default();
        let page = Marked { reset: false, ..frame(None, 3, false, &[(2, Some(30))]) };
        assert_eq!(screen.take(&frame(None, 3, true, &[(1, Some(10))])), Ok(false));
        assert_eq!((screen.count(), screen.place()), (0, (0, 0)));
        assert_eq!(screen.take(&page), Ok(true));
        assert_eq!((screen.count(), screen.sum(), screen.place()), (2, 40, (1, 3)));
        assert_eq!(screen.take(&frame(Some(3), 4, false, &[(1, Some(5)), (2, None)])), Ok(true));
        assert_eq!((screen.count(), screen.sum()), (1, 5));
        screen.take(&frame(Some(5), 6, false, &[])).unwrap_err();
        screen.take(&frame(Some(3), 4, false, &[])).unwrap_err();
        screen.take(&frame(None, 9, true, &[(7, Some(1))])).unwrap();
        screen.forget_reading();
        assert_eq!((screen.count(), screen.sum(), screen.place()), (1, 5, (1, 4)));
    }
}
