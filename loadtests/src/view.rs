//! The rows of one topic, as a page keeps them; with an eye on the order of their frames.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::socket::{KeyedRow, Rows};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub rows: BTreeMap<String, Value>,
    /// The place of the last whole reading, or of the last frame after it.
    pub epoch: u64,
    pub seq: u64,
    /// A reading of which another page follows.
    reading: Option<Reading>,
    /// A whole reading has come.
    is_begun: bool,
    /// How many frames of rows came, and how many of them began anew.
    pub frames: u64,
    pub resets: u64,
}

/// Pages that came so far; they count once all are there.
#[derive(Clone, Debug)]
struct Reading {
    place: (u64, u64),
    reset: bool,
    rows: Vec<KeyedRow>,
}

impl View {
    /// Takes in a frame. Fails with what is wrong with its place among the others.
    pub fn take(&mut self, frame: &Rows) -> Result<(), String> {
        let told = || {
            format!(
                "{}: epoch {} seq {} prev {:?}",
                frame.topic, frame.epoch, frame.seq, frame.prev
            )
        };
        let known = format!("epoch {} seq {}", self.epoch, self.seq);
        let place = (frame.epoch, frame.seq);
        let mut reading = match self.reading.take() {
            Some(begun) if !frame.reset => {
                if place != begun.place || frame.prev.is_some() {
                    return Err(format!("{}, a page of {:?}", told(), begun.place));
                }
                begun
            }
            Some(_) | None => {
                if frame.reset {
                    self.resets += 1;
                } else if frame.epoch != self.epoch || frame.prev != Some(self.seq) {
                    return Err(format!("{}, a gap after {known}", told()));
                } else if frame.seq < self.seq || (frame.seq == self.seq && !frame.rows.is_empty())
                {
                    return Err(format!("{}, again after {known}", told()));
                }
                Reading { place, reset: frame.reset, rows: vec![] }
            }
        };
        self.frames += 1;
        reading.rows.extend(frame.rows.iter().cloned());
        if frame.more {
            self.reading = Some(reading);
        } else {
            self.put(reading);
        }
        Ok(())
    }

    /// The rest of a reading comes no more: its socket is lost.
    pub fn forget_reading(&mut self) {
        self.reading = None;
    }

    fn put(&mut self, reading: Reading) {
        if reading.reset {
            self.rows.clear();
        }
        (self.epoch, self.seq) = reading.place;
        self.is_begun = true;
        for row in reading.rows {
            if row.value.is_null() {
                self.rows.remove(&row.key);
            } else {
                self.rows.insert(row.key, row.value);
            }
        }
    }

    /// A row, or `null`.
    pub fn row(&self, key: &str) -> &Value {
        self.rows.get(key).unwrap_or(&Value::Null)
    }

    /// Whether everything was read that there was to read.
    pub fn is_whole(&self) -> bool {
        self.is_begun && self.reading.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame(json: Value) -> Rows {
        serde_json::from_value(json).unwrap()
    }

    fn after(seq: u64, prev: u64) -> Rows {
        let rows = json!([{ "key": "a", "value": seq }]);
        frame(json!({ "topic": "t", "epoch": 1, "seq": seq, "prev": prev, "rows": rows }))
    }

    #[test]
    fn a_gap_and_a_doubled_frame_are_seen() {
        let mut view = View::default();
        let reset = json!({ "topic": "t", "epoch": 1, "seq": 3, "reset": true, "rows": [] });
        view.take(&frame(reset)).unwrap();
        view.take(&after(5, 3)).unwrap();
        assert!(view.clone().take(&after(5, 3)).unwrap_err().contains("gap"));
        assert!(view.clone().take(&after(8, 6)).unwrap_err().contains("gap"));
        assert!(view.clone().take(&after(5, 5)).unwrap_err().contains("again"));
        view.take(&after(6, 5)).unwrap();
        assert_eq!(view.row("a"), 6);
    }

    #[test]
    fn pages_of_one_reading_hang_together() {
        let mut view = View::default();
        let page = |more, reset| json!({ "topic": "t", "epoch": 1, "seq": 3, "reset": reset, "more": more, "rows": [] });
        view.take(&frame(page(true, true))).unwrap();
        assert!(!view.is_whole());
        view.take(&frame(page(false, false))).unwrap();
        assert!(view.is_whole());
        view.take(&frame(page(false, false))).unwrap_err();
    }

    #[test]
    fn half_a_reading_changes_nothing_and_is_read_again_from_before() {
        let mut view = View::default();
        view.take(&frame(json!({
            "topic": "t", "epoch": 1, "seq": 3, "reset": true, "rows": [{ "key": "a", "value": 3 }],
        })))
        .unwrap();
        let half = json!({
            "topic": "t", "epoch": 1, "seq": 9, "prev": 3, "more": true,
            "rows": [{ "key": "a", "value": 9 }],
        });
        view.take(&frame(half)).unwrap();
        assert!(!view.is_whole());
        view.forget_reading();
        assert_eq!((view.row("a"), view.seq), (&json!(3), 3));
        view.take(&after(9, 3)).unwrap();
        assert_eq!(view.row("a"), 9);
    }
}
