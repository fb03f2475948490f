//! What runs print, while they run: kept for whoever comes late, forgotten soon after the verdict.

mod transcript;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::SubmissionId,
    ports::{Bus, Clock, Published},
    rows::Topic,
    run::{Channel, Progress},
    session::RunResult,
};
use serde::Serialize;

use self::transcript::{Piece, Transcript};
use crate::epochs::Epochs;

/// How many bytes are told at once: what a socket may have waiting holds several of them.
const CHUNK_MAX: usize = 16 * 1024;
/// How many bytes of rows one reading has at most that goes to another node; of texts the beginning
/// is left out.
const READING_MAX: usize = 512 * 1024;

/// What came of the output of all runs that go on here, and the places of those that wait here.
pub struct Outputs {
    bus: Arc<dyn Bus>,
    epochs: Arc<Epochs>,
    clock: Arc<dyn Clock>,
    logs: Mutex<HashMap<SubmissionId, Log>>,
}

/// What one run printed.
#[derive(Default)]
struct Log {
    /// Another one, and a greater one, each time that it waits or is run; 0 when nothing is known of
    /// it.
    epoch: u64,
    waits: bool,
    /// All bytes of text so far, over all channels; other news count for one.
    seq: u64,
    /// Its state, and the verdicts so far.
    rows: BTreeMap<String, Bytes>,
    texts: BTreeMap<(u16, Channel), Transcript>,
}

/// One run, for whoever runs it: what is told through it once it has ended, or once another runner
/// has it, is not told.
#[derive(Clone)]
pub(crate) struct Told {
    outputs: Arc<Outputs>,
    submission: SubmissionId,
    epoch: u64,
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

impl Outputs {
    pub(crate) fn new(bus: Arc<dyn Bus>, epochs: Arc<Epochs>, clock: Arc<dyn Clock>) -> Self {
        Self { bus, epochs, clock, logs: Mutex::default() }
    }

    /// A run begins, perhaps not for the first time.
    pub(crate) fn begin(self: &Arc<Self>, submission: SubmissionId, epoch: u64) -> Told {
        self.logs().insert(submission, Log { epoch, ..Log::default() });
        Told { outputs: Arc::clone(self), submission, epoch }
    }

    /// It waits no more, but goes on, wherever that is. Answers the epoch of what it will print.
    pub(crate) fn hand_over(&self, submission: SubmissionId) -> u64 {
        self.forget(submission);
        self.next_epoch()
    }

    /// It waits no more.
    pub(crate) fn forget(&self, submission: SubmissionId) {
        let mut logs = self.logs();
        if logs.get(&submission).is_some_and(|log| log.waits) {
            logs.remove(&submission);
        }
    }

    /// Nothing waits here any more.
    pub(crate) fn forget_waiting(&self) {
        self.logs().retain(|_, log| !log.waits);
    }

    fn next_epoch(&self) -> u64 {
        self.epochs.next(self.clock.now())
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<SubmissionId, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a submission stands that waits.
    pub(crate) fn tell_state(&self, submission: SubmissionId, state: RunState) {
        self.tell_row(submission, "state".to_owned(), &state);
    }

    fn tell_row(&self, submission: SubmissionId, key: String, row: &impl Serialize) {
        let row = Bytes::from(serde_json::to_vec(row).expect("rows are plain data"));
        let frame = {
            let mut logs = self.logs();
            let new = || Log { epoch: self.next_epoch(), waits: true, ..Log::default() };
            let log = logs.entry(submission).or_insert_with(new);
            if !log.waits {
                // It goes on here, and will find out that it was given up.
                *log = new();
            }
            log.rows.insert(key.clone(), row.clone());
            log.next_frame(submission, 1, (key, Some(row)))
        };
        self.publish(frame);
    }

    fn publish(&self, frame: RowsFrame) {
        let text = Bytes::from(frame.write());
        self.bus.publish(Arc::new(Published::new(frame, text)));
    }

    /// All that a run has printed that goes on here, or the place of one that waits here, as one
    /// frame that begins anew; nothing for any other.
    pub fn read(&self, submission: SubmissionId) -> RowsFrame {
        self.known(submission).unwrap_or_else(|| nothing(submission))
    }

    /// The same, if there is anything.
    pub(crate) fn known(&self, submission: SubmissionId) -> Option<RowsFrame> {
        self.reading(submission, usize::MAX)
    }

    /// The same, as it goes to another node.
    pub(crate) fn to_be_sent(&self, submission: SubmissionId) -> RowsFrame {
        self.reading(submission, READING_MAX).unwrap_or_else(|| nothing(submission))
    }

    fn reading(&self, submission: SubmissionId, max: usize) -> Option<RowsFrame> {
        let logs = self.logs();
        let log = logs.get(&submission)?;
        let plain: Vec<_> =
            log.rows.iter().map(|(key, row)| (key.clone(), Some(row.clone()))).collect();
        let bytes: usize = plain.iter().map(|(key, row)| size(key, row.as_ref())).sum();
        let rows = plain.into_iter().chain(log.latest_texts(max.saturating_sub(bytes))).collect();
        Some(RowsFrame { epoch: log.epoch, seq: log.seq, rows, ..nothing(submission) })
    }
}

/// What is known of a run that is over.
pub(crate) fn nothing(submission: SubmissionId) -> RowsFrame {
    let (topic, rows) = (Topic::Output(submission), vec![]);
    RowsFrame { topic, epoch: 0, seq: 0, prev: None, reset: true, more: false, rows }
}

/// How much a row takes in a frame.
fn size(key: &str, row: Option<&Bytes>) -> usize {
    key.len() + row.map_or(0, Bytes::len) + 24
}

impl Told {
    /// Something happened in the run. Never waits.
    pub(crate) fn tell(&self, progress: Progress) {
        match progress {
            Progress::Compiling => self.tell_row("state".to_owned(), &RunState::Compiling),
            Progress::Running { validator } => {
                self.tell_row("state".to_owned(), &RunState::Running { validator });
            }
            Progress::Output { validator, channel, bytes, .. } => {
                for bytes in bytes.chunks(CHUNK_MAX) {
                    self.tell_text((validator, channel), |transcript| transcript.print(bytes));
                }
            }
            // Told by whoever knows what is hidden.
            Progress::Judged(_) => {}
        }
    }

    /// One validator is judged, before the whole run is.
    pub(crate) fn tell_result(&self, result: &RunResult) {
        self.tell_row(format!("judged.{}", result.validator), &result.as_told());
    }

    /// The person typed something into their program.
    pub(crate) fn tell_typed(&self, text: &str) {
        self.tell_text((0, Channel::Stdout), |transcript| transcript.type_in(text));
    }

    /// Row `input`: whether the person may type.
    pub(crate) fn tell_input(&self, open: bool) {
        self.tell_row("input".to_owned(), &serde_json::json!({ "open": open }));
    }

    /// What standard output was, and what was typed in between.
    pub(crate) fn conversation(&self) -> String {
        let mut logs = self.outputs.logs();
        let log = self.log(&mut logs);
        let stdout = log.and_then(|log| log.texts.get(&(0, Channel::Stdout)));
        stdout.map(Transcript::text).unwrap_or_default()
    }

    /// The verdict is there, and everything that matters is in its rows; or somebody else is to run
    /// it, from the beginning.
    pub(crate) fn end(&self) {
        let mut logs = self.outputs.logs();
        if self.log(&mut logs).is_some() {
            logs.remove(&self.submission);
        }
    }

    fn tell_row(&self, key: String, row: &impl Serialize) {
        let row = Bytes::from(serde_json::to_vec(row).expect("rows are plain data"));
        let frame = {
            let mut logs = self.outputs.logs();
            let Some(log) = self.log(&mut logs) else { return };
            log.rows.insert(key.clone(), row.clone());
            log.next_frame(self.submission, 1, (key, Some(row)))
        };
        self.outputs.publish(frame);
    }

    fn tell_text(&self, key: (u16, Channel), add: impl FnOnce(&mut Transcript) -> Option<Piece>) {
        let frame = {
            let mut logs = self.outputs.logs();
            let Some(log) = self.log(&mut logs) else { return };
            let Some(piece) = add(log.texts.entry(key).or_default()) else { return };
            let bytes = piece.text.len() as u64;
            log.next_frame(self.submission, bytes, (name(key), Some(piece.row())))
        };
        self.outputs.publish(frame);
    }

    fn log<'a>(&self, logs: &'a mut HashMap<SubmissionId, Log>) -> Option<&'a mut Log> {
        logs.get_mut(&self.submission).filter(|log| log.epoch == self.epoch)
    }
}

impl Piece {
    fn row(&self) -> Bytes {
        serde_json::to_vec(self).expect("pieces are plain data").into()
    }
}

impl Log {
    /// The rows of all texts; of more than `max` bytes the last ones. The first of each channel says
    /// what is left out before it.
    fn latest_texts(&self, max: usize) -> Vec<(String, Option<Bytes>)> {
        let all = self.texts.iter().flat_map(|(key, transcript)| {
            transcript.pieces().into_iter().map(|piece| (name(*key), piece))
        });
        let (mut latest, mut bytes) = (VecDeque::new(), 0);
        for (key, piece) in all {
            let row = piece.row();
            bytes += size(&key, Some(&row));
            latest.push_back((key, piece, row));
            while max < bytes
                && let Some((key, _, row)) = latest.pop_front()
            {
                bytes -= size(&key, Some(&row));
            }
        }
        let mut channels = HashSet::new();
        let row = |(key, mut piece, mut row): (String, Piece, Bytes)| {
            if channels.insert(key.clone()) && piece.skipped < piece.offset {
                piece.skipped = piece.offset;
                row = piece.row();
            }
            (key, Some(row))
        };
        latest.into_iter().map(row).collect()
    }

    /// One row of news, which count for so much.
    fn next_frame(
        &mut self,
        submission: SubmissionId,
        counts: u64,
        row: (String, Option<Bytes>),
    ) -> RowsFrame {
        let prev = self.seq;
        self.seq += counts;
        let topic = Topic::Output(submission);
        let (epoch, seq, prev, rows) = (self.epoch, self.seq, Some(prev), vec![row]);
        RowsFrame { topic, epoch, seq, prev, reset: false, more: false, rows }
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
