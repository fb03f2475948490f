//! What comes, read once for everybody to whom the same came: thousands hear the same frames, and
//! whoever measures must not be what is measured.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::FixedState;
use loadtests::{
    socket::{Heard, KeyedRow, Rows},
    view::View,
};
use serde_json::Value;

/// See the module.
#[derive(Default)]
pub(super) struct Frames {
    /// By a number that stands for the text. Not many: a wall has four a second at most.
    known: Mutex<HashMap<u64, Arc<Frame>>>,
}

/// What is looked at of a frame.
pub(super) enum Frame {
    Rows(Marked),
    /// The last epoch and seq of each topic.
    Pong(BTreeMap<String, (u64, u64)>),
    /// The server wants to see us again after so long.
    Bye {
        retry_after_ms: u64,
    },
    /// There is nothing to be watched, for good or for so long.
    Unwatched {
        why: String,
        retry_after_ms: Option<u64>,
    },
    Other,
}

/// A frame of rows, of each of which there is a number for its key, and one for both key and value.
pub(super) struct Marked {
    pub(super) place: (u64, u64),
    pub(super) prev: Option<u64>,
    pub(super) reset: bool,
    pub(super) more: bool,
    pub(super) rows: Vec<(u64, Option<u64>)>,
}

impl Frames {
    pub(super) fn read(&self, text: &str) -> Result<Arc<Frame>, String> {
        let mark = mark(text);
        let known = self.known().get(&mark).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let heard = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        let frame = Arc::new(Frame::of(heard));
        if matches!(*frame, Frame::Rows(_)) {
            self.known().insert(mark, Arc::clone(&frame));
        }
        Ok(frame)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Arc<Frame>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frame {
    fn of(heard: Heard) -> Self {
        match heard {
            Heard::Rows(rows) => Self::Rows(Marked::of(&rows)),
            Heard::Pong { heads, .. } => Self::Pong(heads),
            Heard::Bye { retry_after_ms, .. } => {
                Self::Bye { retry_after_ms: retry_after_ms.unwrap_or(0) }
            }
            Heard::Unwatched { why, .. } => {
                Self::Unwatched { why: why.text, retry_after_ms: why.retry_after_ms }
            }
            Heard::Done { .. }
            | Heard::Refused { .. }
            | Heard::Untyped { .. }
            | Heard::Closed(_) => Self::Other,
        }
    }
}

impl Marked {
    fn of(rows: &Rows) -> Self {
        let marked = |KeyedRow { key, value }: &KeyedRow| {
            let row = (!value.is_null()).then(|| mark_row(key, value));
            (mark(key), row)
        };
        Self {
            place: (rows.epoch, rows.seq),
            prev: rows.prev,
            reset: rows.reset,
            more: rows.more,
            rows: rows.rows.iter().map(marked).collect(),
        }
    }
}

/// What stands for all rows of a view, in whatever order they came.
pub(super) fn sum(view: &View) -> u64 {
    let marks = view.rows.iter().map(|(key, value)| mark_row(key, value));
    marks.fold(0, u64::wrapping_add)
}

fn mark_row(key: &str, value: &Value) -> u64 {
    mark((key, value.to_string()))
}

fn mark(of: impl Hash) -> u64 {
    FixedState::default().hash_one(of)
}

#[cfg(test)]
mod tests {
    use super::{super::screen::Screen, *};

    #[test]
    fn what_stands_for_a_frame_is_what_stands_for_a_view_of_it() {
        let text = r#"{"type":"rows","topic":"t","epoch":1,"seq":3,"reset":true,
            "rows":[{"key":"a","value":{"y":1.50,"x":[]}},{"key":"b","value":2}]}"#;
        let frames = Frames::default();
        let frame = frames.read(text).unwrap();
        let Frame::Rows(marked) = &*frame else { panic!("rows are rows") };
        let mut screen = Screen::default();
        assert_eq!(screen.take(marked), Ok(true));
        let Ok(Heard::Rows(rows)) = serde_json::from_str(text) else { panic!("rows are rows") };
        let mut view = View::default();
        view.take(&rows).unwrap();
        assert_eq!(screen.sum(), sum(&view));
        assert!(Arc::ptr_eq(&frame, &frames.read(text).unwrap()), "it is read once");
    }
}
