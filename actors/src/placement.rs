//! Placement: which shards this node owns, under which epoch and until when, and when it could not
//! commit.

mod beat;
mod fitness;
mod members;
mod moves;
mod plan;
mod renewals;
mod shepherd;
mod taking;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    aggregate::Outage,
    at::{At, Ms},
    stream::{SHARDS, Stream},
};
use tokio::{sync::watch, time::Instant};

pub use self::members::{Members, NodeCard, Role, VERSION};
pub(crate) use self::shepherd::{LINGER, Mine, Shepherd};

/// A silence up to this long is the beat itself, and no outage.
const SILENCE: Ms = Ms(3_000);

/// The shards of this node.
pub(crate) struct Placement {
    shards: Vec<Shard>,
    /// When it last could commit.
    alive_at: Arc<AtomicI64>,
    /// Counts the outages that it noticed itself.
    noticed: AtomicU64,
    /// Told when a shard comes or goes.
    changed: watch::Sender<()>,
}

/// One shard.
struct Shard {
    /// Under which this node writes its streams; 0 while it takes no commands for them.
    epoch: AtomicU64,
    hold: Hold,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    outages: Vec<Outage>,
    taken_at: At,
}

/// Until when nobody else can have taken a shard: after that nothing is answered that no append has
/// proved.
#[derive(Clone)]
pub(crate) struct Hold {
    began: Instant,
    /// In milliseconds since then.
    until: Arc<AtomicU64>,
    /// When the node last could commit.
    alive_at: Arc<AtomicI64>,
}

impl Hold {
    fn new(began: Instant, alive_at: &Arc<AtomicI64>) -> Self {
        Self { began, until: Arc::default(), alive_at: Arc::clone(alive_at) }
    }

    /// Something was stored that was decided at `at`: a sign of life, but while an outage is not
    /// noted yet.
    pub(crate) fn stored_at(&self, at: At) {
        let alive_at = At(self.alive_at.load(Ordering::SeqCst));
        if at - alive_at <= SILENCE {
            self.alive_at.fetch_max(at.0, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.began.elapsed() < Duration::from_millis(self.until.load(Ordering::SeqCst))
    }

    fn extend(&self, until: Instant) {
        let until = until.saturating_duration_since(self.began).as_millis();
        self.until.fetch_max(u64::try_from(until).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }
}

impl Placement {
    pub(crate) fn new(now: At) -> Self {
        let began = Instant::now();
        let alive_at = Arc::new(AtomicI64::new(now.0));
        let shard = |_| Shard {
            epoch: AtomicU64::new(0),
            hold: Hold::new(began, &alive_at),
            known: Mutex::default(),
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            alive_at,
            noticed: AtomicU64::new(0),
            changed: watch::Sender::default(),
        }
    }

    fn shard(&self, shard: u16) -> &Shard {
        self.shards.get(usize::from(shard)).expect("there are SHARDS of them")
    }

    /// The epoch under which this node writes `stream`; `None` if that is another's to do.
    pub(crate) fn epoch(&self, stream: Stream) -> Option<u64> {
        self.epoch_of(stream.shard())
    }

    pub(crate) fn epoch_of(&self, shard: u16) -> Option<u64> {
        Some(self.shard(shard).epoch.load(Ordering::SeqCst)).filter(|epoch| *epoch > 0)
    }

    pub(crate) fn hold(&self, stream: Stream) -> Hold {
        self.hold_of(stream.shard())
    }

    pub(crate) fn hold_of(&self, shard: u16) -> Hold {
        self.shard(shard).hold.clone()
    }

    /// Changes when a shard comes or goes.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The outages of the shard of `stream`, oldest first.
    pub(crate) fn outages(&self, stream: Stream) -> Vec<Outage> {
        self.shard(stream.shard()).known().outages.clone()
    }

    /// The outages of all shards of this node that ended after `since`.
    pub(crate) fn all_outages(&self, since: At) -> Vec<Outage> {
        let known = self.owned().into_iter().flat_map(|(shard, _)| {
            let known = self.shard(shard).known();
            known.outages.iter().copied().filter(|outage| since < outage.to).collect::<Vec<_>>()
        });
        known.collect()
    }

    /// Whether there may be an outage that is not noted yet: nothing that depends on an end is
    /// decided before it is given back.
    pub(crate) fn is_silent(&self, now: At) -> bool {
        SILENCE < now - At(self.alive_at.load(Ordering::SeqCst))
    }

    /// How many outages were noticed since the start. Ask after [`Self::is_silent`].
    pub(crate) fn noticed(&self) -> u64 {
        self.noticed.load(Ordering::SeqCst)
    }

    /// The shards of this node with their epochs.
    pub(crate) fn owned(&self) -> Vec<(u16, u64)> {
        let all = (0..SHARDS).map(|shard| Some((shard, self.epoch_of(shard)?)));
        all.flatten().collect()
    }

    /// `shard` is this node's from now on.
    fn begin(&self, shard: u16, epoch: u64, outages: Vec<Outage>, now: At) {
        let it = self.shard(shard);
        *it.known() = Known { outages, taken_at: now };
        it.epoch.store(epoch, Ordering::SeqCst);
        self.changed.send_replace(());
    }

    /// No more commands are taken for `shard`; those that were are carried out under the epoch that
    /// they know.
    fn leave(&self, shard: u16) {
        self.shard(shard).epoch.store(0, Ordering::SeqCst);
        self.changed.send_replace(());
    }

    /// Somebody else may own `shard`.
    fn lose(&self, shard: u16) {
        self.leave(shard);
        self.shard(shard).hold.end();
    }

    /// `shard` cannot be another's before `until`.
    fn extend(&self, shard: u16, until: Instant) {
        self.shard(shard).hold.extend(until);
    }
}

impl Shard {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
