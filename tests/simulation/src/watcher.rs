//! Who watches a stream's topic: a gateway that subscribes, reads, drops what it has read, and reads
//! again after a gap; and the page behind it, which comes back to another one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actors::node::Node;
use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ports::{Heard, RowQuery, Subscription, Unavailable},
    rows::Topic,
    stream::Stream,
};
use tokio::{sync::mpsc, time::timeout};

use crate::{check::Frame, host::Request, person::Person};

/// How often it is looked whether the last frame was lost.
const LOOK: Duration = Duration::from_secs(2);
/// After how long without a sign a page comes back elsewhere.
const SILENCE: Duration = Duration::from_secs(6);
/// How many frames wait for a page.
const BEHIND_MAX: usize = 256;

/// What a page gets.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    Rows(Frame),
    /// It is still there.
    Pong,
}

/// The gateway's side, until the page is gone.
pub(crate) async fn serve(
    node: Arc<Node>,
    stream: Stream,
    mut after: u64,
    sights: mpsc::Sender<Sight>,
) {
    let mut hears = node.deps.bus.subscribe(Topic::Of(stream));
    loop {
        match read(&node, stream, after).await {
            Ok(None) => {}
            Ok(Some(frame)) => {
                after = frame.seq;
                if sights.send(Sight::Rows(frame)).await.is_err() {
                    return;
                }
            }
            Err(_) => tokio::time::sleep(LOOK / 4).await,
        }
        if live(&node, stream, &mut after, &mut *hears, &sights).await.is_none() {
            return;
        }
    }
}

/// Passes on what comes until something is missing; `None` when nobody is there any more.
async fn live(
    node: &Node,
    stream: Stream,
    after: &mut u64,
    hears: &mut dyn Subscription,
    sights: &mpsc::Sender<Sight>,
) -> Option<()> {
    loop {
        match timeout(LOOK, hears.next()).await {
            Ok(Some(Heard::Frame(published))) => {
                let RowsFrame { seq, prev, rows, .. } = &published.frame;
                if *seq <= *after {
                    continue;
                }
                if *prev != Some(*after) {
                    return Some(());
                }
                *after = *seq;
                let frame = Frame { seq: *seq, prev: *prev, rows: rows.clone() };
                sights.send(Sight::Rows(frame)).await.ok()?;
            }
            Ok(Some(Heard::Gap)) => return Some(()),
            Ok(None) => return None,
            Err(_) => {
                sights.send(Sight::Pong).await.ok()?;
                let head = node.deps.store.head(stream).await;
                if head.is_ok_and(|head| *after < head.rows_seq) {
                    return Some(());
                }
            }
        }
    }
}

/// What changed after `after`, or everything if that is 0.
async fn read(node: &Node, stream: Stream, after: u64) -> Result<Option<Frame>, Unavailable> {
    let changed_after = Some(after).filter(|after| *after > 0);
    let topic = Topic::Of(stream);
    let query = RowQuery { topic, after_key: None, changed_after, limit: 10_000 };
    let rows = node.deps.store.rows(query).await?;
    let Some(seq) = rows.iter().map(|row| row.seq).max() else { return Ok(None) };
    let rows = rows.into_iter().map(|row| (row.key, row.value)).collect();
    Ok(Some(Frame { seq, prev: changed_after, rows }))
}

/// All that one page got.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) frames: Vec<Frame>,
    pub(crate) rows: BTreeMap<String, Bytes>,
}

/// The page's side, for ever.
pub(crate) async fn watch(person: Person, stream: Stream, page: Arc<Mutex<Page>>) {
    let mut after = 0;
    loop {
        let (sights, mut seen) = mpsc::channel(BEHIND_MAX);
        person.open(|| Request::Watch { stream, after, sights: sights.clone() });
        drop(sights);
        while let Ok(Some(sight)) = timeout(SILENCE, seen.recv()).await {
            let Sight::Rows(frame) = sight else { continue };
            after = frame.seq;
            let mut page = page.lock().unwrap_or_else(PoisonError::into_inner);
            if frame.prev.is_none() {
                page.rows.clear();
            }
            for (key, value) in &frame.rows {
                match value {
                    Some(value) => page.rows.insert(key.clone(), value.clone()),
                    None => page.rows.remove(key),
                };
            }
            page.frames.push(frame);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
