//! Where a topic's rows are read from, for who has not seen them yet.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use actors::{
    board::{Board, Watching},
    journal::STREAM_EPOCH,
};
use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::SubmissionId,
    ports::{AppendError, Published, RowQuery, Unavailable},
    rows::Topic,
    stream::Stream,
};

use super::{Part, Watched, around::Around};
use crate::{
    app::{App, Shared},
    socket::wire::{self, Kind},
};

/// How many rows are read at once.
const PAGE: usize = 500;
/// How large a page of a reset is at most, in bytes.
const PAGE_BYTES: usize = 48 * 1024;

/// See the module.
pub(super) struct Source {
    app: Weak<App>,
    topic: Topic,
    part: Part,
    around: Option<Around>,
    /// Kept at work as long as somebody watches.
    board: Mutex<Option<Held>>,
    whole: Mutex<Option<Whole>>,
}

/// A board, and its monitor if that is what is watched.
struct Held {
    board: Arc<Board>,
    _watching: Option<Watching>,
}

/// A reading of everything, as it goes over sockets: who comes back with all others shares it.
struct Whole {
    /// The first page that it is of.
    of: Arc<Published>,
    pages: Vec<Bytes>,
}

/// What was read: whole frames for a socket, and up to where they bring it.
pub(super) struct Reading {
    pub(super) pages: Vec<Bytes>,
    /// From behind where on; 0 and 0 for everything.
    pub(super) from: (u64, u64),
    pub(super) after: (u64, u64),
}

impl Source {
    pub(super) fn new(app: &Shared, Watched { topic, part }: Watched) -> Self {
        let around = match (topic, part) {
            (Topic::Place(campaign), Part::Around(session)) => Some(Around::new(campaign, session)),
            _ => None,
        };
        let app = Arc::downgrade(app);
        Self { app, topic, part, around, board: Mutex::default(), whole: Mutex::default() }
    }

    /// The epoch of a stream's own topic, which resumes across owners.
    pub(super) fn epoch(&self) -> Option<u64> {
        matches!(self.topic, Topic::Of(_)).then_some(STREAM_EPOCH)
    }

    /// Whether the board that was read from is there no more.
    pub(super) fn is_lost(&self) -> bool {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.as_ref().is_some_and(|held| !held.board.is_alive())
    }

    /// What changed since `after` (epoch and seq), or everything.
    pub(super) async fn read(&self, after: (u64, u64)) -> Result<Reading, Unavailable> {
        let app = self.app()?;
        let reading = match self.topic {
            Topic::Monitor(_) | Topic::Wall(_) | Topic::Place(_) => self.joined(after).await,
            Topic::Output(submission) => output(&app, submission).await,
            Topic::Of(stream) => self.stream(&app, stream, after.1).await,
            Topic::Candidates(_)
            | Topic::Contents
            | Topic::Tests
            | Topic::Campaigns
            | Topic::Queue
            | Topic::Unfiled
            | Topic::Gateways => Err(unavailable("this is for no page")),
        };
        reading.map(|reading| Reading { from: after, ..reading })
    }

    /// What a board has made since `after`.
    pub(super) async fn since(
        &self,
        after: (u64, u64),
    ) -> Result<Vec<Arc<Published>>, Unavailable> {
        let app = self.app()?;
        let (Topic::Monitor(campaign) | Topic::Wall(campaign) | Topic::Place(campaign)) =
            self.topic
        else {
            return Err(unavailable("no board has this"));
        };
        let board = app.node.board(campaign).await.ok_or_else(|| unavailable("no board"))?;
        let watching = matches!(self.topic, Topic::Monitor(_)).then(|| board.watch_monitor());
        let frames = match (self.part, &self.around) {
            (_, Some(around)) => around.read(&app, &board, after).await,
            (Part::Rows(window), None) => board.read_window(window, after).await,
            (Part::Whole | Part::Around(_), None) => board.read(self.topic, after).await,
        };
        *self.board.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Held { board, _watching: watching });
        frames.ok_or_else(|| unavailable("no board"))
    }

    fn app(&self) -> Result<Shared, Unavailable> {
        self.app.upgrade().ok_or_else(|| unavailable("the server stops"))
    }

    /// A topic of one stream: read from the store, resumable by its seq.
    async fn stream(&self, app: &App, stream: Stream, after: u64) -> Result<Reading, Unavailable> {
        let rows = self.rows(app, Some(after).filter(|after| *after > 0)).await?;
        let newest = rows.iter().map(|row| row.1).max();
        let resumes = after > 0 && (newest.is_some() || knows(app, stream, after).await?);
        let rows = if resumes || after == 0 { rows } else { self.rows(app, None).await? };
        let seq =
            rows.iter().map(|row| row.1).max().unwrap_or(0).max(if resumes { after } else { 0 });
        let rows = rows.into_iter().map(|(key, _, value)| (key, value)).collect();
        let prev = resumes.then_some(after);
        Ok(pages(self.topic, (STREAM_EPOCH, seq), prev, rows))
    }

    /// The rows that changed after a seq, or all that are there.
    async fn rows(
        &self,
        app: &App,
        changed_after: Option<u64>,
    ) -> Result<Vec<(String, u64, Option<Bytes>)>, Unavailable> {
        let (mut rows, mut after_key) = (vec![], None);
        loop {
            let query = RowQuery { topic: self.topic, after_key, changed_after, limit: PAGE };
            let page = app.node.deps.store.rows(query).await?;
            let is_last = page.len() < PAGE;
            after_key = page.last().map(|row| row.key.clone());
            rows.extend(page.into_iter().map(|row| (row.key, row.seq, row.value)));
            if is_last {
                return Ok(rows);
            }
        }
    }

    /// A topic that a board joins: resumable from its last frames, otherwise anew.
    async fn joined(&self, after: (u64, u64)) -> Result<Reading, Unavailable> {
        let frames = self.since(after).await?;
        let Some((first, last)) = frames.first().zip(frames.last()) else {
            return Ok(Reading { pages: vec![], from: after, after });
        };
        let after = (last.frame.epoch, last.frame.seq);
        if first.frame.reset {
            let from = (0, 0);
            return Ok(Reading { pages: self.shared(first, &frames), from, after });
        }
        Ok(pages(self.topic, after, first.frame.prev, latest(&frames)))
    }

    /// The pages of a reset, written once for everybody who reads the same.
    fn shared(&self, first: &Arc<Published>, frames: &[Arc<Published>]) -> Vec<Bytes> {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = whole.as_ref().filter(|known| Arc::ptr_eq(&known.of, first)) {
            return known.pages.clone();
        }
        let write = |page: &Arc<Published>| wire::frame(Kind::Text, &page.text);
        let pages: Vec<Bytes> = frames.iter().map(write).collect();
        *whole = Some(Whole { of: Arc::clone(first), pages: pages.clone() });
        pages
    }
}

/// Whether the stream has come as far as somebody says they have seen it. It has not, if it was
/// restored from an older backup.
async fn knows(app: &App, stream: Stream, seq: u64) -> Result<bool, Unavailable> {
    match app.node.deps.store.head(stream).await {
        Ok(head) => Ok(seq <= head.seq),
        Err(AppendError::Unavailable(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// What a run prints: all of it so far.
async fn output(app: &App, submission: SubmissionId) -> Result<Reading, Unavailable> {
    let RowsFrame { topic, epoch, seq, rows, .. } = app.node.output(submission).await?;
    Ok(pages(topic, (epoch, seq), None, rows))
}

/// The rows of several frames, each once and with its latest value.
fn latest(frames: &[Arc<Published>]) -> Vec<(String, Option<Bytes>)> {
    let rows = frames.iter().flat_map(|one| one.frame.rows.iter().cloned());
    rows.collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Rows in frames of at most [`PAGE_BYTES`], but for a row that is larger by itself.
fn pages(
    topic: Topic,
    after: (u64, u64),
    prev: Option<u64>,
    rows: Vec<(String, Option<Bytes>)>,
) -> Reading {
    let mut pages: Vec<Vec<(String, Option<Bytes>)>> = vec![vec![]];
    let mut bytes = 0;
    for (key, value) in rows {
        let row = key.len() + value.as_ref().map_or(0, Bytes::len);
        if PAGE_BYTES < bytes + row && pages.last().is_some_and(|page| !page.is_empty()) {
            pages.push(vec![]);
            bytes = 0;
        }
        bytes += row;
        if let Some(page) = pages.last_mut() {
            page.push((key, value));
        }
    }
    let last = pages.len() - 1;
    let page = |(n, rows)| {
        // Pages of one reading hang together by `more`; only the first has something before it.
        let (prev, reset) = (prev.filter(|_| n == 0), prev.is_none() && n == 0);
        let (epoch, seq) = after;
        wire(&RowsFrame { topic, epoch, seq, prev, reset, more: n < last, rows })
    };
    let pages = pages.into_iter().enumerate().map(page).collect();
    Reading { pages, from: (0, 0), after }
}

fn wire(frame: &RowsFrame) -> Bytes {
    wire::frame(Kind::Text, frame.write().as_bytes())
}

fn unavailable(why: &'static str) -> Unavailable {
    Unavailable(anyhow::anyhow!(why))
}
