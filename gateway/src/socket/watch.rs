//! One watched topic: what is there, then every change; a gap is read again.

use actors::journal::STREAM_EPOCH;
use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ports::{RowQuery, Subscription, Unavailable},
    rows::Topic,
};

use super::outbox::{Outbox, Overflow};
use crate::app::Shared;

/// How many rows are read at once.
const PAGE: usize = 500;
/// How large a page of a reset is at most, in bytes.
const PAGE_BYTES: usize = 48 * 1024;
/// How long it waits when the store is away.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Why a watch ends.
enum End {
    Overflow,
    Unavailable,
}

impl From<Overflow> for End {
    fn from(_: Overflow) -> Self {
        Self::Overflow
    }
}

impl From<Unavailable> for End {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// Streams `topic` from behind `after` on, until the socket is gone.
pub(super) async fn run(app: Shared, outbox: Outbox, topic: Topic, mut after: (u64, u64)) {
    loop {
        let ended = match topic {
            Topic::Monitor(campaign) | Topic::Wall(campaign) => {
                joined(&app, &outbox, topic, campaign, &mut after).await
            }
            Topic::Output(submission) => output(&app, &outbox, topic, submission).await,
            Topic::Of(_)
            | Topic::Candidates(_)
            | Topic::Contents
            | Topic::Tests
            | Topic::Campaigns
            | Topic::Queue
            | Topic::Unfiled => stream(&app, &outbox, topic, &mut after).await,
        };
        match ended {
            Ok(()) | Err(End::Overflow) => return,
            Err(End::Unavailable) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// A topic of one stream: read from the store, resumable by its seq.
async fn stream(
    app: &Shared,
    outbox: &Outbox,
    topic: Topic,
    after: &mut (u64, u64),
) -> Result<(), End> {
    // Subscribed first: what is published while we read is behind what we read, or dropped as old.
    let mut changes = app.node.deps.bus.subscribe(topic);
    catch_up(app, outbox, topic, after).await?;
    while let Some(published) = changes.next().await {
        let frame = &published.frame;
        if frame.seq <= after.1 {
            continue;
        }
        if frame.prev.is_some_and(|prev| prev != after.1) {
            catch_up(app, outbox, topic, after).await?;
            continue;
        }
        outbox.text(published.text.clone())?;
        after.1 = frame.seq;
    }
    Ok(())
}

/// Sends what changed since `after`, or everything.
async fn catch_up(
    app: &Shared,
    outbox: &Outbox,
    topic: Topic,
    after: &mut (u64, u64),
) -> Result<(), End> {
    let resumes = after.0 == STREAM_EPOCH && after.1 > 0;
    let changed_after = resumes.then_some(after.1);
    let mut rows: Vec<(String, Option<Bytes>)> = vec![];
    let (mut after_key, mut seq) = (None, if resumes { after.1 } else { 0 });
    loop {
        let query = RowQuery { topic, after_key, changed_after, limit: PAGE };
        let page = app.node.deps.store.rows(query).await?;
        let is_last = page.len() < PAGE;
        after_key = page.last().map(|row| row.key.clone());
        seq = page.iter().map(|row| row.seq).max().unwrap_or(0).max(seq);
        rows.extend(page.into_iter().map(|row| (row.key, row.value)));
        if is_last {
            break;
        }
    }
    let prev = resumes.then_some(after.1);
    *after = (STREAM_EPOCH, seq);
    send_pages(outbox, topic, *after, prev, rows).await
}

async fn send_pages(
    outbox: &Outbox,
    topic: Topic,
    (epoch, seq): (u64, u64),
    prev: Option<u64>,
    rows: Vec<(String, Option<Bytes>)>,
) -> Result<(), End> {
    let mut pages: Vec<Vec<(String, Option<Bytes>)>> = vec![vec![]];
    let mut bytes = 0;
    for (key, value) in rows {
        bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        if PAGE_BYTES < bytes && pages.last().is_some_and(|page| !page.is_empty()) {
            pages.push(vec![]);
            bytes = value.as_ref().map_or(0, Bytes::len);
        }
        if let Some(page) = pages.last_mut() {
            page.push((key, value));
        }
    }
    let last = pages.len() - 1;
    for (n, rows) in pages.into_iter().enumerate() {
        let reset = prev.is_none() && n == 0;
        // Pages of one reading hang together by `more`; only the first has something before it.
        let prev = prev.filter(|_| n == 0);
        let frame = RowsFrame { topic, epoch, seq, prev, reset, more: n < last, rows };
        outbox.room().await;
        outbox.text(frame.write().into())?;
    }
    Ok(())
}

/// A topic that a board joins: resumable from its last frames, otherwise anew.
async fn joined(
    app: &Shared,
    outbox: &Outbox,
    topic: Topic,
    campaign: domain::ids::CampaignId,
    after: &mut (u64, u64),
) -> Result<(), End> {
    let mut changes = app.node.deps.bus.subscribe(topic);
    let Some(board) = app.node.board(campaign).await else { return Err(End::Unavailable) };
    loop {
        let Some(frames) = board.read(topic, *after).await else { return Err(End::Unavailable) };
        for published in frames {
            outbox.room().await;
            outbox.text(published.text.clone())?;
            *after = (published.frame.epoch, published.frame.seq);
        }
        if follow(&mut changes, outbox, after).await? {
            return Ok(());
        }
    }
}

/// Passes on frames until one is missing (`false`) or the bus is gone (`true`). A socket that
/// takes in slowly lets the bus drop frames for it, and then gets what is latest.
async fn follow(
    changes: &mut Box<dyn Subscription>,
    outbox: &Outbox,
    after: &mut (u64, u64),
) -> Result<bool, End> {
    while let Some(published) = changes.next().await {
        let frame = &published.frame;
        if frame.epoch == after.0 && frame.seq <= after.1 {
            continue;
        }
        if frame.epoch != after.0 || frame.prev != Some(after.1) {
            return Ok(false);
        }
        outbox.room().await;
        outbox.text(published.text.clone())?;
        after.1 = frame.seq;
    }
    Ok(true)
}

/// What a run prints: all of it so far, then more.
async fn output(
    app: &Shared,
    outbox: &Outbox,
    topic: Topic,
    submission: domain::ids::SubmissionId,
) -> Result<(), End> {
    let mut changes = app.node.deps.bus.subscribe(topic);
    loop {
        let frame = app.node.outputs.read(submission);
        let mut after = (frame.epoch, frame.seq);
        send_pages(outbox, topic, after, None, frame.rows).await?;
        if follow(&mut changes, outbox, &mut after).await? {
            return Ok(());
        }
    }
}
