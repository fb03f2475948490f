//! What runs print, while they run: kept for whoever comes late, forgotten soon after the verdict.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::SubmissionId,
    ports::{Bus, Published},
    rows::Topic,
    run::{Channel, Progress},
    session::RunResult,
};
use serde::Serialize;

/// How many characters of one channel of one validator are kept and shown.
const SHOWN_MAX: usize = 64 * 1024;

/// What came of the output of all runs that go on here.
pub struct Outputs {
    bus: Arc<dyn Bus>,
    logs: Mutex<HashMap<SubmissionId, Log>>,
    begun: AtomicU64,
}

/// What one run printed.
#[derive(Default)]
struct Log {
    /// Another one for each run that begins; 0 while it waits.
    epoch: u64,
    /// All bytes so far, over all channels; other news count for one.
    seq: u64,
    /// Its state, and the verdicts so far.
    rows: BTreeMap<String, Bytes>,
    texts: BTreeMap<(u16, Channel), Text>,
}

#[derive(Default)]
struct Text {
    shown: String,
    /// The start of a character whose end has not come yet.
    rest: Vec<u8>,
    /// Bytes of `shown`, before they were made text, and of `rest`.
    bytes: u64,
}

/// Row `state` of the topic `output.<submission>`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// `place` counts from 1; `wait_ms` is an estimate.
    Queued {
        place: usize,
        wait_ms: u64,
    },
    Compiling,
    Running {
        validator: u16,
    },
}

/// Row `<validator>.<channel>`: more text behind the `offset` bytes before it.
#[derive(Serialize)]
struct Chunk<'a> {
    offset: u64,
    text: &'a str,
}

impl Outputs {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, logs: Mutex::default(), begun: AtomicU64::new(0) }
    }

    /// A run begins, perhaps not for the first time.
    pub(crate) fn begin(&self, submission: SubmissionId) {
        let epoch = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.insert(submission, Log { epoch, ..Log::default() });
    }

    /// The verdict is there; everything that matters is in its rows.
    pub(crate) fn end(&self, submission: SubmissionId) {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).remove(&submission);
    }

    /// Something happened in a run. Never waits.
    pub(crate) fn tell(&self, submission: SubmissionId, progress: Progress) {
        match progress {
            Progress::Compiling => self.tell_state(submission, RunState::Compiling),
            Progress::Running { validator } => {
                self.tell_state(submission, RunState::Running { validator });
            }
            Progress::Output { validator, channel, bytes, .. } => {
                self.tell_output(submission, (validator, channel), &bytes);
            }
            // Told by whoever knows what is hidden.
            Progress::Judged(_) => {}
        }
    }

    pub(crate) fn tell_state(&self, submission: SubmissionId, state: RunState) {
        self.tell_row(submission, "state".to_owned(), &state);
    }

    /// One validator is judged, before the whole run is.
    pub(crate) fn tell_result(&self, submission: SubmissionId, result: &RunResult) {
        self.tell_row(submission, format!("judged.{}", result.validator), &result.as_told());
    }

    fn tell_row(&self, submission: SubmissionId, key: String, row: &impl Serialize) {
        let row = Bytes::from(serde_json::to_vec(row).expect("rows are plain data"));
        let frame = {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let log = logs.entry(submission).or_default();
            let prev = log.seq;
            log.seq += 1;
            log.rows.insert(key.clone(), row.clone());
            log.frame(submission, prev, (key, Some(row)))
        };
        self.publish(frame);
    }

    fn tell_output(&self, submission: SubmissionId, key: (u16, Channel), bytes: &[u8]) {
        let frame = {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(log) = logs.get_mut(&submission) else { return };
            let text = log.texts.entry(key).or_default();
            let offset = text.bytes - text.rest.len() as u64;
            let Some(new) = text.push(bytes) else { return };
            let chunk = Chunk { offset, text: &new };
            let row = serde_json::to_vec(&chunk).expect("chunks are plain data");
            let prev = log.seq;
            log.seq += bytes.len() as u64;
            log.frame(submission, prev, (name(key), Some(row.into())))
        };
        self.publish(frame);
    }

    fn publish(&self, frame: RowsFrame) {
        let text = Bytes::from(frame.write());
        self.bus.publish(Arc::new(Published { frame, text }));
    }

    /// All that a run has printed, as one frame that begins anew; nothing for a run that waits for
    /// its runner or is over.
    pub fn read(&self, submission: SubmissionId) -> RowsFrame {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Log::default();
        let log = logs.get(&submission).unwrap_or(&nothing);
        let plain = log.rows.iter().map(|(key, row)| (key.clone(), Some(row.clone())));
        let texts = log.texts.iter().map(|(key, text)| {
            let row = serde_json::to_vec(&Chunk { offset: 0, text: &text.shown });
            (name(*key), Some(row.expect("chunks are plain data").into()))
        });
        RowsFrame {
            topic: Topic::Output(submission),
            epoch: log.epoch,
            seq: log.seq,
            prev: None,
            reset: true,
            more: false,
            rows: plain.chain(texts).collect(),
        }
    }
}

impl Log {
    fn frame(
        &self,
        submission: SubmissionId,
        prev: u64,
        row: (String, Option<Bytes>),
    ) -> RowsFrame {
        let topic = Topic::Output(submission);
        let (epoch, seq, prev, rows) = (self.epoch, self.seq, Some(prev), vec![row]);
        RowsFrame { topic, epoch, seq, prev, reset: false, more: false, rows }
    }
}

impl Text {
    /// Adds bytes and answers the characters that are whole now; `None` if nothing is shown.
    fn push(&mut self, bytes: &[u8]) -> Option<String> {
        if SHOWN_MAX <= self.shown.len() {
            return None;
        }
        self.bytes += bytes.len() as u64;
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(bytes);
        let cut = match std::str::from_utf8(&whole) {
            // Without a length the end is just not there yet.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => whole.len(),
        };
        self.rest = whole.split_off(cut);
        let new = String::from_utf8_lossy(&whole).replace('\0', "\u{fffd}");
        self.shown.push_str(&new);
        (!new.is_empty()).then_some(new)
    }
}

fn name((validator, channel): (u16, Channel)) -> String {
    let channel = match channel {
        Channel::Compiler => "compiler",
        Channel::Stdout => "stdout",
        Channel::Stderr => "stderr",
    };
    format!("{validator}.{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_shown_once_it_is_whole() {
        let mut text = Text::default();
        let bytes = "é€".as_bytes();
        assert_eq!(text.push(&bytes[..3]).as_deref(), Some("é"));
        assert_eq!(text.push(&bytes[3..]).as_deref(), Some("€"));
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_holds_up_nothing() {
        let mut text = Text::default();
        assert_eq!(text.push(b"a\xff\0b").as_deref(), Some("a\u{fffd}\u{fffd}b"));
    }
}
