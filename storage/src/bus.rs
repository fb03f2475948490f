//! The bus of one process. It is bounded and drops like the real one, so that the code that mends
//! gaps runs every day.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use domain::{
    ports::{Bus, Heard, Published, Subscription},
    rows::Topic,
};
use foldhash::fast::RandomState;
use tokio::sync::mpsc;

/// How many frames one watcher may lag behind; the next one is dropped, and its watcher is told of
/// the gap once it has heard what is there.
const BEHIND_MAX: usize = 64;

/// The same for the rows of a whole campaign, which all its candidates write in one moment when their
/// time is up. A queue takes no room before it is needed.
const BEHIND_MAX_OF_MANY: usize = 16 * 1024;

type Senders = HashMap<Topic, Vec<Sender>, RandomState>;

/// The bus's end of one watcher.
#[derive(Clone)]
struct Sender {
    frames: mpsc::Sender<Heard>,
    /// Whether a frame was dropped since the watcher was told so last.
    is_lossy: Arc<AtomicBool>,
}

/// See the module.
#[derive(Default)]
pub struct LocalBus {
    senders: Arc<Mutex<Senders>>,
}

impl LocalBus {
    /// Tells all that watch `topic` that something may have been lost.
    pub fn gap(&self, topic: Topic) {
        self.tell(topic, &Heard::Gap);
    }

    fn tell(&self, topic: Topic, heard: &Heard) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watchers) = senders.get_mut(&topic) else { return };
        watchers.retain(|watcher| match watcher.frames.try_send(heard.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                watcher.is_lossy.store(true, Ordering::SeqCst);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        if watchers.is_empty() {
            senders.remove(&topic);
        }
    }
}

impl Bus for LocalBus {
    fn publish(&self, frame: Arc<Published>) {
        self.tell(frame.frame.topic, &Heard::Frame(frame));
    }

    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription> {
        let is_of_many = matches!(topic, Topic::Candidates(_) | Topic::Queue);
        let behind_max = if is_of_many { BEHIND_MAX_OF_MANY } else { BEHIND_MAX };
        let (frames, receiver) = mpsc::channel(behind_max);
        let is_lossy = Arc::new(AtomicBool::new(false));
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let watchers = senders.entry(topic).or_default();
        watchers.push(Sender { frames, is_lossy: Arc::clone(&is_lossy) });
        Box::new(Watcher { topic, receiver, is_lossy, senders: Arc::clone(&self.senders) })
    }
}

struct Watcher {
    topic: Topic,
    receiver: mpsc::Receiver<Heard>,
    is_lossy: Arc<AtomicBool>,
    senders: Arc<Mutex<Senders>>,
}

/// Watchers of a quiet topic come and go without a frame that would find them gone.
impl Drop for Watcher {
    fn drop(&mut self) {
        self.receiver.close();
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watchers) = senders.get_mut(&self.topic) else { return };
        watchers.retain(|watcher| !watcher.frames.is_closed());
        if watchers.is_empty() {
            senders.remove(&self.topic);
        }
    }
}

impl Watcher {
    /// A gap is told once, where the queue had run full: behind what was in it.
    fn is_at_gap(&self) -> bool {
        self.receiver.is_empty() && self.is_lossy.swap(false, Ordering::SeqCst)
    }
}

#[async_trait]
impl Subscription for Watcher {
    async fn next(&mut self) -> Option<Heard> {
        if self.is_at_gap() {
            return Some(Heard::Gap);
        }
        self.receiver.recv().await
    }

    async fn next_many(&mut self, limit: usize) -> Vec<Heard> {
        if self.is_at_gap() {
            return vec![Heard::Gap];
        }
        let mut heard = vec![];
        self.receiver.recv_many(&mut heard, limit).await;
        heard
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{frame::RowsFrame, ids::CampaignId};

    use super::*;

    fn frame(seq: u64) -> Arc<Published> {
        let (topic, rows) = (Topic::Contents, vec![]);
        let frame = RowsFrame { topic, epoch: 1, seq, prev: None, reset: false, more: false, rows };
        Arc::new(Published::new(frame, Bytes::new()))
    }

    fn seq_of(heard: Option<Heard>) -> Option<u64> {
        heard?.frame().map(|published| published.frame.seq)
    }

    #[tokio::test]
    async fn a_watcher_who_lags_misses_frames_and_holds_up_nobody() {
        let bus = LocalBus::default();
        let mut watcher = bus.subscribe(Topic::Contents);
        for seq in 1..=100 {
            bus.publish(frame(seq));
        }
        for seq in 1..=64 {
            assert_eq!(seq_of(watcher.next().await), Some(seq));
        }
        assert!(matches!(watcher.next().await, Some(Heard::Gap)));
        bus.publish(frame(101));
        assert_eq!(seq_of(watcher.next().await), Some(101));
    }

    #[tokio::test]
    async fn who_hears_many_at_once_hears_them_in_order_and_the_gap_behind_them() {
        let bus = LocalBus::default();
        let mut watcher = bus.subscribe(Topic::Contents);
        for seq in 1..=100 {
            bus.publish(frame(seq));
        }
        let (first, rest) = (watcher.next_many(40).await, watcher.next_many(40).await);
        let seqs: Vec<_> = first.into_iter().chain(rest).map(|one| seq_of(Some(one))).collect();
        assert_eq!(seqs, (1..=64).map(Some).collect::<Vec<_>>());
        assert!(matches!(watcher.next_many(40).await[..], [Heard::Gap]));
    }

    #[tokio::test]
    async fn who_joins_a_campaign_misses_nothing_when_all_write_at_once() {
        let bus = LocalBus::default();
        let topic = Topic::Candidates(CampaignId::from_u128(1));
        let mut watcher = bus.subscribe(topic);
        for seq in 1..=10_000 {
            let frame = RowsFrame { topic, ..frame(seq).frame.clone() };
            bus.publish(Arc::new(Published::new(frame, Bytes::new())));
        }
        for seq in 1..=10_000 {
            assert_eq!(seq_of(watcher.next().await), Some(seq));
        }
    }

    #[tokio::test]
    async fn watchers_that_are_gone_are_forgotten() {
        let bus = LocalBus::default();
        let (one, other) = (bus.subscribe(Topic::Contents), bus.subscribe(Topic::Contents));
        drop(one);
        assert_eq!(bus.senders.lock().unwrap()[&Topic::Contents].len(), 1);
        drop(other);
        assert!(bus.senders.lock().unwrap().is_empty());
    }
}
