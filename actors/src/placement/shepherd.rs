//! The shepherd: takes shards, renews their leases, gives up those that may be another's, and hands
//! over those that are better elsewhere.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    at::{At, Ms},
    cluster::{Hearing, Lease, LeaseError, Serving, Subject},
    ids::NodeId,
    ports::Unavailable,
    stream::SHARDS,
};
use futures_util::{StreamExt, future::join_all, stream};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Members, NodeCard, Placement,
    members::SAY,
    plan::{MOVES_WITHIN, Others, Ours, Step, Terms, View, plan},
};
use crate::{clockwork, deps::Deps, directory::Directory, remote::Commands};

/// How often it looks, alone and beside others.
const LOOK_ALONE: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(100);
/// How often a node that has just started says so.
const LISTEN: Duration = Duration::from_millis(250);
/// How long one step towards the leases may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many leases are written side by side.
const ABREAST: usize = 64;
/// How long the owners of a shard that is handed over have to finish.
const RETIRE: Duration = Duration::from_millis(250);
/// A node whose clock is further from the store's than this takes no shard.
const CLOCK_MAX: Ms = Ms(100);

/// See the module.
pub(crate) struct Shepherd {
    pub(crate) deps: Deps,
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
    began: Instant,
    views: BTreeMap<u16, View>,
    serving: HashMap<u16, Box<dyn Serving>>,
    moved: VecDeque<Instant>,
    said_at: Option<Instant>,
    checked_at: Option<Instant>,
    waking: JoinSet<()>,
}

impl Default for Mine {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            views: BTreeMap::new(),
            serving: HashMap::new(),
            moved: VecDeque::new(),
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
        loop {
            let others = self.members.all().len() > 1;
            let wait = tokio::time::sleep(if others { LOOK } else { LOOK_ALONE });
            tokio::select! {
                // In this order, so that a simulation goes the same way again.
                biased;
                Some(shard) = self.lost.recv() => self.is_lost(shard),
                () = wait => {}
                said = given.next() => match said.as_deref().map(serde_json::from_slice::<u16>) {
                    Some(Ok(shard)) => self.is_free(shard),
                    Some(Err(error)) => tracing::warn!(%error, "a node is not understood"),
                    None => given = self.hear().await,
                },
            }
            self.look().await;
        }
    }

    /// Lets others know of this node, and hears of them, before it takes anything.
    pub(crate) async fn listen(&mut self, length: Duration) {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.mine.said_at = None;
            self.say();
            tokio::time::sleep_until(until.min(Instant::now() + LISTEN)).await;
        }
    }

    async fn hear(&self) -> Box<dyn Hearing> {
        loop {
            match self.deps.wire.hear(Subject::Node(self.me())).await {
                Ok(hearing) => return hearing,
                Err(error) => tracing::warn!(%error, "nothing can be handed to this node yet"),
            }
            tokio::time::sleep(PATIENCE).await;
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
        while self.mine.moved.front().is_some_and(|moved| MOVES_WITHIN <= moved.elapsed()) {
            self.mine.moved.pop_front();
        }
        let steps = plan(
            self.mine.began.elapsed(),
            self.terms(),
            &self.others(),
            &self.mine.views,
            self.mine.moved.len(),
        );
        self.carry_out(steps).await;
        self.say();
    }

    fn me(&self) -> NodeId {
        self.card.borrow().id
    }

    fn terms(&self) -> Terms {
        Terms { ttl: Duration::from_millis(u64::try_from(self.deps.leases.ttl().0).unwrap_or(0)) }
    }

    fn others(&self) -> Others {
        let card = self.card.borrow();
        let (mut able, mut settled) = self.members.able();
        for nodes in [&mut able, &mut settled] {
            nodes.retain(|node| *node != card.id);
            if !card.is_leaving && card.trouble.is_none() {
                nodes.push(card.id);
            }
        }
        Others { me: Some(card.id), able, settled }
    }

    fn see(&mut self, leases: &BTreeMap<u16, Lease>) {
        let now = self.mine.began.elapsed();
        for shard in 0..SHARDS {
            let lease = leases.get(&shard).copied();
            let new = View { lease, since: now, ours: None };
            let view = self.mine.views.entry(shard).or_insert(new);
            if view.lease != lease {
                (view.lease, view.since) = (lease, now);
            }
        }
    }

    fn is_free(&mut self, shard: u16) {
        let now = self.mine.began.elapsed();
        if let Some(view) = self.mine.views.get_mut(&shard).filter(|view| view.ours.is_none()) {
            (view.lease, view.since) = (None, now);
        }
    }

    async fn carry_out(&mut self, steps: Vec<Step>) {
        let (mut renewals, mut takes, mut moves) = (vec![], vec![], vec![]);
        for step in steps {
            match step {
                Step::GiveUp { shard } => self.give_up(shard, "its lease could not be renewed"),
                Step::Renew { shard, revision } => renewals.push((shard, Some(revision))),
                Step::Take { shard, after } => takes.push((shard, after)),
                Step::HandOver { shard, to } => moves.push((shard, to)),
            }
        }
        self.renew(renewals).await;
        if !takes.is_empty() {
            match self.take(takes).await {
                Ok(taken) => self.wake(taken),
                Err(error) => tracing::warn!(%error, "shards cannot be taken"),
            }
        }
        join_all(moves.iter().map(|(shard, _)| self.retire(*shard))).await;
        for (shard, to) in moves {
            self.hand_over(shard, to).await;
        }
    }

    /// Writes leases side by side. Answers each with when that was sent, or why it was not written.
    async fn put(
        &self,
        leases: Vec<(u16, Option<u64>)>,
    ) -> Vec<(u16, Instant, Result<u64, LeaseError>)> {
        let (me, deps) = (self.me(), &self.deps);
        let put = |(shard, after)| async move {
            let sent_at = Instant::now();
            let put = timeout(PATIENCE, deps.leases.put(shard, me, after)).await;
            let late = |_| Err(Unavailable(anyhow::anyhow!("no answer in time")).into());
            (shard, sent_at, put.unwrap_or_else(late))
        };
        stream::iter(leases).map(put).buffer_unordered(ABREAST).collect().await
    }

    async fn renew(&mut self, leases: Vec<(u16, Option<u64>)>) {
        if leases.is_empty() {
            return;
        }
        let mut changed = vec![];
        for (shard, sent_at, put) in self.put(leases).await {
            match put {
                Ok(revision) => self.hold(shard, revision, sent_at),
                Err(LeaseError::Changed) => changed.push(shard),
                Err(error) => tracing::debug!(shard, %error, "a lease was not renewed"),
            }
        }
        if changed.is_empty() {
            return;
        }
        let Ok(Ok(leases)) = timeout(PATIENCE, self.deps.leases.all()).await else { return };
        self.see(&leases);
        let mut wiped = vec![];
        for shard in changed {
            match leases.get(&shard) {
                None => wiped.push((shard, None)),
                // Ours, and the answer was lost: it is renewed as that.
                Some(lease) if lease.owner == self.me() => {
                    if let Some(ours) = self.ours(shard) {
                        ours.revision = lease.revision;
                    }
                }
                Some(_) => self.give_up(shard, "another node has its lease"),
            }
        }
        for (shard, sent_at, put) in self.put(wiped).await {
            if let Ok(revision) = put {
                self.hold(shard, revision, sent_at);
            }
        }
    }

    fn ours(&mut self, shard: u16) -> Option<&mut Ours> {
        self.mine.views.get_mut(&shard)?.ours.as_mut()
    }

    /// The lease of `shard` is this node's, by what was sent at `sent_at`.
    fn hold(&mut self, shard: u16, revision: u64, sent_at: Instant) {
        let (me, now) = (self.me(), self.mine.began.elapsed());
        let renewed_at = sent_at.saturating_duration_since(self.mine.began);
        let lease = Some(Lease { owner: me, revision });
        let ours = Some(Ours { revision, renewed_at });
        self.mine.views.insert(shard, View { lease, since: now, ours });
        self.placement.extend(shard, sent_at + self.terms().give_up());
    }

    /// Takes shards: the epoch is read, then the lease is taken, then the epoch raised if it is
    /// still the one that was read.
    async fn take(&mut self, leases: Vec<(u16, Option<u64>)>) -> Result<Vec<u16>, Unavailable> {
        let shards = self.deps.shards.shards().await?;
        let epochs: HashMap<u16, u64> =
            shards.into_iter().map(|shard| (shard.id, shard.epoch)).collect();
        let mut leased = HashMap::new();
        for (shard, sent_at, put) in self.put(leases).await {
            if let Ok(revision) = put {
                leased.insert(shard, (revision, sent_at));
            }
        }
        let wanted: Vec<(u16, u64)> =
            leased.keys().map(|shard| (*shard, epochs.get(shard).copied().unwrap_or(0))).collect();
        let now = self.deps.clock.now();
        let name = self.card.borrow().name.clone();
        let taken = self.deps.shards.take_after(&wanted, &name, now).await?;
        let outages = stream::iter(taken.clone()).map(|(shard, _)| {
            let deps = self.deps.clone();
            async move { (shard, deps.shards.outages(shard, At(0)).await) }
        });
        let outages: Vec<_> = outages.buffer_unordered(ABREAST).collect().await;
        let mut outages: HashMap<u16, _> = outages.into_iter().collect();
        let mut begun = vec![];
        for (shard, epoch) in taken {
            let (Some((revision, sent_at)), Some(Ok(outages))) =
                (leased.remove(&shard), outages.remove(&shard))
            else {
                continue;
            };
            if sent_at.elapsed() < self.terms().give_up() {
                self.hold(shard, revision, sent_at);
                self.placement.begin(shard, epoch, outages, now);
                begun.push(shard);
            }
        }
        self.serve(&begun).await;
        // Whoever was quicker has them; they are not ours to keep from others.
        for (shard, (revision, _)) in leased {
            self.deps.leases.release(shard, revision).await.ok();
        }
        if !begun.is_empty() {
            tracing::info!(shards = begun.len(), "this node took shards");
        }
        Ok(begun)
    }

    async fn serve(&mut self, shards: &[u16]) {
        let (wire, directory) = (&self.deps.wire, &self.directory);
        let serve = |shard: u16| async move {
            let commands = Arc::new(Commands::new(directory, shard));
            (shard, wire.serve(Subject::Commands(shard), commands).await)
        };
        let served = stream::iter(shards.to_vec()).map(serve).buffer_unordered(ABREAST);
        for (shard, served) in served.collect::<Vec<_>>().await {
            match served {
                Ok(serving) => drop(self.mine.serving.insert(shard, serving)),
                Err(error) => {
                    tracing::warn!(shard, %error, "a shard cannot be served");
                    self.give_up(shard, "it cannot be served");
                }
            }
        }
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
            self.give_up(shard, "another node took it");
        }
    }

    /// Somebody else may own `shard`: nothing more is done for it.
    fn give_up(&mut self, shard: u16, why: &str) {
        self.mine.serving.remove(&shard);
        let Some(view) = self.mine.views.get_mut(&shard) else { return };
        if view.ours.take().is_some() {
            view.since = self.mine.began.elapsed();
            tracing::warn!(shard, why, "a shard is given up");
        }
        self.placement.lose(shard);
        self.directory.drop_shard(shard);
    }

    /// Takes no more commands for `shard`, and waits until its streams are at rest.
    async fn retire(&self, shard: u16) {
        let epoch = self.placement.epoch_of(shard);
        self.placement.leave(shard);
        if timeout(RETIRE, self.directory.retire(shard)).await.is_err() {
            tracing::info!(shard, "not all streams of a shard were at rest");
        }
        let sign = [(shard, epoch.unwrap_or(0))];
        if let Err(error) = self.deps.shards.alive(&sign, self.deps.clock.now()).await {
            tracing::info!(shard, %error, "no sign of life of a shard that is handed over");
        }
    }

    async fn hand_over(&mut self, shard: u16, to: NodeId) {
        self.mine.serving.remove(&shard);
        self.placement.lose(shard);
        self.directory.drop_shard(shard);
        let now = self.mine.began.elapsed();
        let Some(view) = self.mine.views.get_mut(&shard) else { return };
        let Some(ours) = view.ours.take() else { return };
        // As long as its lease says so it is `to`'s to take.
        view.since = now;
        self.mine.moved.push_back(Instant::now());
        match timeout(PATIENCE, self.deps.leases.release(shard, ours.revision)).await {
            Ok(Ok(())) => {
                let said = serde_json::to_vec(&shard).expect("a number");
                self.deps.wire.tell(Subject::Node(to), Bytes::from(said));
            }
            Ok(Err(error)) => tracing::info!(shard, %error, "a lease was not given back"),
            Err(_) => tracing::info!(shard, "a lease was not given back in time"),
        }
    }

    /// Whether this node is fit to own shards, looked at with each renewal.
    async fn check(&mut self) {
        let is_new = self.mine.checked_at.is_none_or(|at| self.terms().renew() <= at.elapsed());
        if !is_new {
            return;
        }
        self.mine.checked_at = Some(Instant::now());
        let trouble = if self.members.is_stranger(&self.card.borrow()) {
            Some("the other nodes are two versions away from this one".to_owned())
        } else {
            self.clock_trouble().await
        };
        let is_other = self.card.borrow().trouble != trouble;
        if is_other {
            match &trouble {
                Some(why) => tracing::error!(why, "this node takes no shards"),
                None => tracing::warn!("this node is fit to own shards again"),
            }
            self.card.send_modify(|card| card.trouble = trouble);
        }
    }

    /// How far this node's clock is from the store's, if that is too far.
    async fn clock_trouble(&self) -> Option<String> {
        let before = self.deps.clock.now();
        let told = timeout(PATIENCE, self.deps.shards.clock()).await.ok()?.ok()??;
        let after = self.deps.clock.now();
        let off = if told < before { told - before } else { (told - after).max(Ms(0)) };
        (CLOCK_MAX < Ms(off.0.abs())).then(|| {
            format!("its clock is {} ms from the database's, and {} may be", off.0, CLOCK_MAX.0)
        })
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
