//! The rows of one topic, as a page keeps them; with an eye on the order of their frames.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::socket::Rows;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub rows: BTreeMap<String, Value>,
    pub epoch: u64,
    pub seq: u64,
    /// The last frame said that another page of it follows.
    has_more: bool,
    /// How many frames of rows came, and how many of them began anew.
    pub frames: u64,
    pub resets: u64,
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
        if frame.reset {
            self.rows.clear();
            self.resets += 1;
        } else if self.has_more {
            if (frame.epoch, frame.seq) != (self.epoch, self.seq) || frame.prev.is_some() {
                return Err(format!("{}, a page of {known}", told()));
            }
        } else if frame.epoch != self.epoch || frame.prev != Some(self.seq) {
            return Err(format!("{}, a gap after {known}", told()));
        } else if frame.seq < self.seq || (frame.seq == self.seq && !frame.rows.is_empty()) {
            return Err(format!("{}, again after {known}", told()));
        }
        (self.epoch, self.seq, self.has_more) = (frame.epoch, frame.seq, frame.more);
        self.frames += 1;
        for row in &frame.rows {
            if row.value.is_null() {
                self.rows.remove(&row.key);
            } else {
                self.rows.insert(row.key.clone(), row.value.clone());
            }
        }
        Ok(())
    }

    /// A row, or `null`.
    pub fn row(&self, key: &str) -> &Value {
        self.rows.get(key).unwrap_or(&Value::Null)
    }

    /// Whether everything was read that there was to read.
    pub fn is_whole(&self) -> bool {
        self.frames > 0 && !self.has_more
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
}
