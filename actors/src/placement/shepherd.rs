//! The shepherd: takes shards, renews their leases, gives up those that may be another's, and hands
//! over those that are better elsewhere.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{
    cluster::{Hearing, Lease, Serving, Subject},
    ids::NodeId,
    ports::Unavailable,
    stream::SHARDS,
};
use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Members, NodeCard, Placement,
    members::SAY,
    moves::{Handful, room},
    plan::{MOVES_WITHIN, Others, Ours, Step, Terms, View, plan},
};
use crate::{clockwork, deps::Deps, directory::Directory, steady::SteadyClock};

/// How often it looks, and how often where a lease may end.
const LOOK_SELDOM: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(100);
/// How often a node that has just started says so.
const LISTEN: Duration = Duration::from_millis(250);
/// How long calls are still answered for a shard that is no more this node's. A call that is on its
/// way when nobody serves it any more may be lost, and is waited for in vain.
pub(crate) const LINGER: Duration = Duration::from_millis(500);
/// How long one step towards the leases may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How many leases are written side by side.
pub(super) const ABREAST: usize = 64;

/// See the module.
pub(crate) struct Shepherd {
    pub(crate) deps: Deps,
    pub(crate) clock: Arc<SteadyClock>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) placement: Arc<Placement>,
    pub(crate) members: Arc<Members>,
    /// What this node says of itself; the first of its kind is made by whoever starts it.
    pub(crate) card: watch::Sender<NodeCard>,
    pub(crate) lost: mpsc::Receiver<u16>,
    pub(crate) mine: Mine,
}

/// What it knows of leases, and what it holds.
pub(crate) struct Mine {
    pub(super) began: Instant,
    pub(super) views: BTreeMap<u16, View>,
    pub(super) serving: HashMap<u16, Box<dyn Serving>>,
    /// Who still asks here for a shard that was handed over is told so, until everybody knows.
    pub(super) lingering: JoinSet<()>,
    /// When each shard was handed over lately.
    pub(super) moved: VecDeque<Instant>,
    /// How many shards are on their way to others, and who waits until those have them.
    pub(super) moving: usize,
    pub(super) arriving: JoinSet<Handful>,
    /// Why shards could not be taken the last time.
    pub(crate) failed: Option<Unavailable>,
    pub(super) said_at: Option<Instant>,
    pub(super) checked_at: Option<Instant>,
    pub(super) waking: JoinSet<()>,
}

impl Default for Mine {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            views: BTreeMap::new(),
            serving: HashMap::new(),
            lingering: JoinSet::new(),
            moved: VecDeque::new(),
            moving: 0,
            arriving: JoinSet::new(),
            failed: None,
            said_at: None,
            checked_at: None,
            waking: JoinSet::new(),
        }
    }
}

impl Shepherd {
    /// Looks again and again; at once when a shard is given to this node.
    pub(crate) async fn run(mut self) {
        let mut given = self.hear().await;
        let mut look_at = Instant::now();
        let mut card = self.card.subscribe();
        let mut is_leaving = false;
        loop {
            tokio::select! {
                // In this order, so that a simulation goes the same way again.
                biased;
                Some(shard) = self.lost.recv() => self.is_lost(shard),
                () = told_to_leave(&mut card), if !is_leaving => {
                    is_leaving = true;
                    self.mine.said_at = None;
                    self.say();
                    self.act().await;
                }
                Some(Ok(handful)) = self.mine.arriving.join_next() => {
                    self.has_arrived(handful);
                    self.act().await;
                }
                () = sleep_until(look_at) => {
                    self.look().await;
                    look_at = Instant::now() + self.pause();
                }
                said = given.next() => {
                    match said {
                        Some(said) => self.is_given(&said),
                        None => given = self.hear().await,
                    }
                    while let Some(Some(said)) = given.next().now_or_never() {
                        self.is_given(&said);
                    }
                    // At once, and without a look before it: who had them serves them no more.
                    self.act().await;
                }
            }
        }
    }

    /// Lets others know of this node, and hears of them, before it takes anything.
    pub(crate) async fn listen(&mut self, length: Duration) {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.mine.said_at = None;
            self.say();
            sleep_until(until.min(Instant::now() + LISTEN)).await;
        }
    }

    /// Seldom, but when a lease that is another's may end.
    fn pause(&self) -> Duration {
        let now = self.mine.began.elapsed();
        let ends = |view: &View| {
            let age = now.saturating_sub(view.since);
            view.ours.is_none() && (view.lease.is_none() || self.terms().give_up() < age)
        };
        if self.mine.views.values().any(ends) { LOOK } else { LOOK_SELDOM }
    }

    async fn hear(&self) -> Box<dyn Hearing> {
        loop {
            match self.deps.wire.hear(Subject::Node(self.me())).await {
                Ok(hearing) => return hearing,
                Err(error) => tracing::warn!(%error, "nothing can be handed to this node yet"),
            }
            sleep(PATIENCE).await;
        }
    }

    /// One look at all leases, and what follows from it.
    pub(crate) async fn look(&mut self) {
        self.check().await;
        match timeout(PATIENCE, self.deps.leases.all()).await {
            Ok(Ok(leases)) => self.see(&leases),
            Ok(Err(error)) => tracing::debug!(%error, "leases cannot be read"),
            Err(_) => tracing::debug!("leases cannot be read in time"),
        }
        self.act().await;
        self.say();
    }

    /// What follows from what is known.
    async fn act(&mut self) {
        while self.mine.lingering.try_join_next().is_some() {}
        if self.mine.arriving.is_empty() {
            self.mine.moving = 0;
        }
        while self.mine.moved.front().is_some_and(|moved| MOVES_WITHIN <= moved.elapsed()) {
            self.mine.moved.pop_front();
        }
        let steps = plan(
            self.mine.began.elapsed(),
            self.terms(),
            &self.others(),
            &self.mine.views,
            self.mine.moved.len(),
            room(self.mine.moving),
        );
        self.carry_out(steps).await;
    }

    pub(super) fn me(&self) -> NodeId {
        self.card.borrow().id
    }

    pub(super) fn terms(&self) -> Terms {
        Terms { ttl: Duration::from_millis(u64::try_from(self.deps.leases.ttl().0).unwrap_or(0)) }
    }

    pub(super) fn others(&self) -> Others {
        let card = self.card.borrow();
        Others::of(card.id, card.is_able(), self.members.able())
    }

    pub(super) fn see(&mut self, leases: &BTreeMap<u16, Lease>) {
        let now = self.mine.began.elapsed();
        for shard in 0..SHARDS {
            let lease = leases.get(&shard).copied();
            let new = View { lease, since: now, is_given: false, ours: None };
            let view = self.mine.views.entry(shard).or_insert(new);
            if view.lease != lease {
                (view.lease, view.since, view.is_given) = (lease, now, false);
            }
        }
    }

    async fn carry_out(&mut self, steps: Vec<Step>) {
        let (mut late, mut renewals, mut takes, mut moves) = (vec![], vec![], vec![], vec![]);
        for step in steps {
            match step {
                Step::GiveUp { shard } => late.push(shard),
                Step::Renew { shard, revision } => renewals.push((shard, Some(revision))),
                Step::Take { shard, after } => takes.push((shard, after)),
                Step::HandOver { shard, to } => moves.push((shard, to)),
            }
        }
        if !late.is_empty() {
            tracing::warn!(shards = late.len(), "leases were not renewed in time: shards are lost");
            for shard in late {
                self.give_up(shard);
            }
        }
        self.renew(renewals).await;
        if !takes.is_empty() {
            match self.take(takes).await {
                Ok(begun) => self.wake(begun),
                Err(error) => {
                    tracing::warn!(%error, "shards cannot be taken");
                    self.mine.failed = Some(error);
                }
            }
        }
        if !moves.is_empty() {
            self.hand_over(&moves).await;
        }
    }

    pub(super) fn ours(&mut self, shard: u16) -> Option<&mut Ours> {
        self.mine.views.get_mut(&shard)?.ours.as_mut()
    }

    /// The lease of `shard` is this node's, by what was sent at `sent_at`.
    pub(super) fn hold(&mut self, shard: u16, revision: u64, sent_at: Instant) {
        let (me, now) = (self.me(), self.mine.began.elapsed());
        let renewed_at = sent_at.saturating_duration_since(self.mine.began);
        let lease = Some(Lease { owner: me, revision });
        let ours = Some(Ours { revision, renewed_at });
        self.mine.views.insert(shard, View { lease, since: now, is_given: false, ours });
        self.placement.extend(shard, sent_at + self.terms().give_up());
    }

    fn wake(&mut self, shards: Vec<u16>) {
        while self.mine.waking.try_join_next().is_some() {}
        let directory = Arc::clone(&self.directory);
        self.mine.waking.spawn(async move { clockwork::wake_all(&directory, &shards).await });
    }

    /// Waits until everything that was taken is awake.
    pub(crate) async fn awake(&mut self) {
        while self.mine.waking.join_next().await.is_some() {}
    }

    /// Another node took `shard`; unless this one has it back since.
    fn is_lost(&mut self, shard: u16) {
        if self.placement.epoch_of(shard).is_none() {
            tracing::warn!(shard, "another node took a shard");
            self.give_up(shard);
        }
    }

    /// Somebody else may own `shard`: nothing more is done for it.
    pub(super) fn give_up(&mut self, shard: u16) {
        if let Some(serving) = self.mine.serving.remove(&shard) {
            self.linger(serving);
        }
        let Some(view) = self.mine.views.get_mut(&shard) else { return };
        if view.ours.take().is_some() {
            // Its lease is seen anew, for as long as it says that it lasts.
            view.since = self.mine.began.elapsed();
        }
        self.placement.lose(shard);
        self.directory.drop_shard(shard);
    }

    /// Who still asks here for a shard that is lost is told so, for a while.
    pub(super) fn linger(&mut self, serving: Box<dyn Serving>) {
        self.mine.lingering.spawn(async move {
            sleep(LINGER).await;
            drop(serving);
        });
    }

    fn say(&mut self) {
        if self.mine.said_at.is_some_and(|at| at.elapsed() < SAY) {
            return;
        }
        self.mine.said_at = Some(Instant::now());
        self.card.send_modify(|card| {
            card.shards = self.placement.owned().len();
            card.awake = self.directory.awake();
            card.broken = self.directory.broken().len();
        });
        self.card.borrow().say(&*self.deps.wire);
    }
}

async fn told_to_leave(card: &mut watch::Receiver<NodeCard>) {
    if card.wait_for(|card| card.is_leaving).await.is_err() {
        // The node is gone, and with it whoever waits here.
        std::future::pending::<()>().await;
    }
}
