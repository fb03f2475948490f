//! The rows of one board topic, and its last frames for those who were away for a moment.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use domain::{frame::RowsFrame, ports::Published, rows::Topic};

/// How many frames are kept; who has missed more begins anew.
const FRAMES_MAX: usize = 128;
/// How many bytes of them are kept in any case. Beyond that as many as all rows have: who has
/// missed more than everything begins anew, which is shorter.
const FRAMES_BYTES: usize = 64 * 1024;
/// How large a page of a reset is at most, in bytes of rows.
const PAGE_BYTES: usize = 48 * 1024;

/// A row that changed: its key, and its value unless it is gone.
pub(super) type Change = (String, Option<Bytes>);

/// See the module.
pub struct Ring {
    topic: Topic,
    epoch: u64,
    seq: u64,
    rows: BTreeMap<String, Bytes>,
    rows_bytes: usize,
    frames: VecDeque<Arc<Published>>,
    frames_bytes: usize,
    /// How many bytes of them are kept in any case.
    kept: usize,
    /// Everything, in pages, as somebody has read it since the last change: when all come back at
    /// once it is written once.
    whole: Option<Vec<Arc<Published>>>,
}

impl Ring {
    pub fn new(topic: Topic, epoch: u64) -> Self {
        let (rows, frames) = (BTreeMap::new(), VecDeque::new());
        Self {
            topic,
            epoch,
            seq: 0,
            rows,
            rows_bytes: 0,
            frames,
            frames_bytes: 0,
            kept: FRAMES_BYTES,
            whole: None,
        }
    }

    /// One of few rows, of which there are very many: it keeps no more than what all rows have.
    pub fn small(topic: Topic, epoch: u64) -> Self {
        Self { kept: 0, ..Self::new(topic, epoch) }
    }

    pub(super) fn topic(&self) -> Topic {
        self.topic
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes in changed rows and makes the next frames of them, if they change anything.
    pub(super) fn push(&mut self, changes: Vec<Change>) -> Vec<Arc<Published>> {
        let mut new = vec![];
        for (key, value) in changes {
            if self.rows.get(&key) == value.as_ref() {
                continue;
            }
            let before = match &value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(&key),
            };
            let length = |row: &Option<Bytes>| row.as_ref().map_or(0, |it| key.len() + it.len());
            self.rows_bytes = self.rows_bytes + length(&value) - length(&before);
            new.push((key, value));
        }
        pages(new).into_iter().map(|rows| self.next(rows)).collect()
    }

    /// Takes in the only rows that there are from now on.
    pub fn become_these(&mut self, rows: Vec<(String, Bytes)>) -> Vec<Arc<Published>> {
        let kept: BTreeSet<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
        let gone = self.rows.keys().filter(|key| !kept.contains(key.as_str())).cloned();
        let mut changes: Vec<Change> = gone.map(|key| (key, None)).collect();
        changes.extend(rows.into_iter().map(|(key, value)| (key, Some(value))));
        self.push(changes)
    }

    fn next(&mut self, rows: Vec<Change>) -> Arc<Published> {
        let prev = Some(self.seq);
        self.seq += 1;
        self.whole = None;
        let published = published(RowsFrame { prev, rows, ..self.frame() });
        self.frames_bytes += published.text.len();
        self.frames.push_back(Arc::clone(&published));
        let bytes_max = self.rows_bytes.max(self.kept);
        while FRAMES_MAX < self.frames.len() || bytes_max < self.frames_bytes {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.frames_bytes -= oldest.text.len();
        }
        published
    }

    /// What whoever has seen all up to `after` (epoch and seq) has missed: the frames since, or
    /// everything.
    pub fn read(&mut self, after: (u64, u64)) -> Vec<Arc<Published>> {
        if let Some(missed) = self.since(after) {
            return missed;
        }
        if self.whole.is_none() {
            self.whole = Some(self.anew());
        }
        self.whole.clone().unwrap_or_default()
    }

    /// The frames after `seq`, if all of them are still there.
    fn since(&self, (epoch, seq): (u64, u64)) -> Option<Vec<Arc<Published>>> {
        let missing = self.seq.checked_sub(seq).filter(|_| epoch == self.epoch)?;
        let from = self.frames.len().checked_sub(usize::try_from(missing).ok()?)?;
        Some(self.frames.iter().skip(from).cloned().collect())
    }

    /// Everything, in pages.
    fn anew(&self) -> Vec<Arc<Published>> {
        let rows = self.rows.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        let mut pages = pages(rows.collect());
        if pages.is_empty() {
            pages.push(vec![]);
        }
        let last = pages.len() - 1;
        let frame = |(n, rows)| RowsFrame { reset: n == 0, more: n < last, rows, ..self.frame() };
        pages.into_iter().enumerate().map(|page| published(frame(page))).collect()
    }

    fn frame(&self) -> RowsFrame {
        let (topic, epoch, seq) = (self.topic, self.epoch, self.seq);
        RowsFrame { topic, epoch, seq, prev: None, reset: false, more: false, rows: vec![] }
    }
}

/// Rows in pages of at most [`PAGE_BYTES`], but for a row that is larger by itself.
fn pages(rows: Vec<Change>) -> Vec<Vec<Change>> {
    let mut pages: Vec<Vec<Change>> = vec![];
    let mut bytes = 0;
    for (key, value) in rows {
        let row = key.len() + value.as_ref().map_or(0, Bytes::len);
        if PAGE_BYTES < bytes + row || pages.is_empty() {
            pages.push(vec![]);
            bytes = 0;
        }
        if let Some(page) = pages.last_mut() {
            page.push((key, value));
        }
        bytes += row;
    }
    pages
}

fn published(frame: RowsFrame) -> Arc<Published> {
    let text = Bytes::from(frame.write());
    Arc::new(Published::new(frame, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: &str) -> Change {
        (key.to_owned(), Some(Bytes::from(value.to_owned())))
    }

    #[test]
    fn who_was_away_for_a_moment_gets_what_was_missed() {
        let mut ring = Ring::new(Topic::Contents, 7);
        for n in 0..5 {
            ring.push(vec![row("a", &n.to_string())]);
        }
        let seqs =
            |frames: Vec<Arc<Published>>| frames.iter().map(|f| f.frame.seq).collect::<Vec<_>>();
        assert_eq!(seqs(ring.since((7, 3)).unwrap()), [4, 5]);
        assert!(ring.since((7, 5)).unwrap().is_empty());
        assert!(ring.since((6, 3)).is_none());
        assert!(ring.since((7, 6)).is_none());
    }

    #[test]
    fn who_was_away_for_long_begins_anew_in_pages() {
        let mut ring = Ring::new(Topic::Contents, 7);
        let long = format!("\"{}\"", "x".repeat(1_000));
        for n in 0..400 {
            ring.push(vec![row(&(n % 200).to_string(), &long.replace('x', &n.to_string()))]);
        }
        assert!(ring.since((7, 10)).is_none());
        let pages = ring.anew();
        assert!(pages.iter().all(|page| page.text.len() < 64 * 1024));
        assert!(pages[0].frame.reset && pages[0].frame.more && !pages.last().unwrap().frame.more);
        assert_eq!(pages.iter().map(|page| page.frame.rows.len()).sum::<usize>(), 200);
    }

    #[test]
    fn all_who_begin_anew_share_what_was_written_once_until_something_changes() {
        let mut ring = Ring::new(Topic::Contents, 7);
        ring.push(vec![row("a", "1")]);
        let (first, second) = (ring.read((0, 0)), ring.read((6, 9)));
        assert!(Arc::ptr_eq(&first[0], &second[0]));
        ring.push(vec![row("a", "2")]);
        let third = ring.read((0, 0));
        assert_eq!(third[0].frame.seq, 2);
        assert_eq!(third[0].frame.rows, [row("a", "2")]);
        assert_eq!(ring.read((7, 1))[0].frame.prev, Some(1));
    }

    #[test]
    fn a_row_that_stays_as_it_is_makes_no_frame() {
        let mut ring = Ring::new(Topic::Contents, 7);
        assert_eq!(ring.push(vec![row("a", "1")]).len(), 1);
        assert!(ring.push(vec![row("a", "1")]).is_empty());
    }

    #[test]
    fn a_change_of_very_many_rows_is_several_frames_one_after_the_other() {
        let mut ring = Ring::new(Topic::Contents, 7);
        let long = "x".repeat(1_000);
        let frames = ring.push((0..200).map(|n| row(&n.to_string(), &long)).collect());
        assert!(frames.len() > 1 && frames.iter().all(|frame| frame.text.len() < 64 * 1024));
        let chain: Vec<_> = frames.iter().map(|f| (f.frame.prev, f.frame.seq)).collect();
        let expected: Vec<_> = (1..).map(|seq| (Some(seq - 1), seq)).take(frames.len()).collect();
        assert_eq!(chain, expected);
    }
}
