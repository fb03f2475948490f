//! One topic, passed on to all its sockets of this node.

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use domain::{
    ports::{Heard, Published, Subscription, Unavailable},
    rows::Topic,
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, yield_now},
    time::{MissedTickBehavior, interval},
};

use super::{
    Fans, Part, Watched,
    readers::Readers,
    recent::{Frame, Recent},
    source::{Reading, Source},
    watch::{Ended, Watch},
};
use crate::{app::Shared, tasks::Tasks};

/// After so many sockets others get to work.
const BATCH: usize = 64;
/// How long it waits when the store is away.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a board is looked after.
const LOOK: Duration = Duration::from_secs(2);
/// How often a board is asked for a window of its wall, and for what stands around somebody: it does
/// not publish those.
const ASK_WINDOW: Duration = Duration::from_millis(250);
const ASK_PLACE: Duration = Duration::from_secs(1);
/// How many readings are kept for those who read at the same time.
const FRESH_MAX: usize = 8;

/// See the module.
pub(super) struct Fan {
    watched: Watched,
    source: Source,
    state: Mutex<State>,
    /// The turn to read everything: whoever comes next may need what was just read.
    turn: Semaphore,
    shared: Shares,
    pump: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct State {
    /// Shared with whoever passes a frame on.
    watches: Arc<Vec<Arc<Watch>>>,
    recent: Recent,
    /// How many are being brought up to date.
    reading: usize,
    /// What was read last for those, each from another place on: whoever comes back with many others
    /// reads what they do.
    fresh: VecDeque<Arc<Reading>>,
}

/// What all topics of a node have in common.
#[derive(Clone)]
pub(super) struct Shares {
    pub(super) fans: Arc<Fans>,
    pub(super) readers: Arc<Readers>,
    pub(super) tasks: Tasks,
}

impl Fan {
    /// Subscribes first: what is published while somebody reads is behind what they read.
    pub(super) fn start(app: &Shared, watched: Watched, shared: Shares) -> Arc<Self> {
        let source = Source::new(app, watched);
        let fan = Arc::new(Self {
            watched,
            source,
            state: Mutex::default(),
            turn: Semaphore::new(1),
            shared,
            pump: OnceLock::new(),
        });
        let (weak, tasks) = (Arc::downgrade(&fan), &fan.shared.tasks);
        let pump = match watched.part {
            Part::Whole => {
                let subscription = app.node.deps.bus.subscribe(watched.topic);
                tasks.spawn(pump(weak, subscription, watched.topic))
            }
            Part::Rows(_) => tasks.spawn(poll(weak, ASK_WINDOW)),
            Part::Around(_) => tasks.spawn(poll(weak, ASK_PLACE)),
        };
        fan.pump.set(pump).ok();
        fan
    }

    pub(super) fn watched(&self) -> Watched {
        self.watched
    }

    pub(super) fn add(&self, watch: &Arc<Watch>) {
        Arc::make_mut(&mut self.state().watches).push(Arc::clone(watch));
    }

    pub(super) fn remove(&self, watch: &Arc<Watch>) {
        let mut state = self.state();
        let watches = Arc::make_mut(&mut state.watches);
        if let Some(at) = watches.iter().position(|one| Arc::ptr_eq(one, watch)) {
            watches.swap_remove(at);
        }
    }

    async fn pass(self: &Arc<Self>, published: &Published) {
        let frame = Frame::of(published);
        let watches = {
            let mut state = self.state();
            let kept = state.reading > 0;
            state.recent.add(&frame, kept);
            Arc::clone(&state.watches)
        };
        let latest = is_joined(self.watched.topic);
        for watches in watches.chunks(BATCH) {
            // All of them wait for memory at once here, and not one after the other below.
            black_box(watches.iter().map(|watch| watch.touch()).max());
            for watch in watches.iter().filter(|watch| !watch.take(&frame, latest)) {
                self.bring_up_to_date(watch);
            }
            if watches.len() == BATCH {
                yield_now().await;
            }
        }
    }

    /// Everybody reads again.
    fn begin_anew(self: &Arc<Self>) {
        let watches = Arc::clone(&self.state().watches);
        for watch in watches.iter().filter(|watch| watch.fall_behind()) {
            self.bring_up_to_date(watch);
        }
    }

    /// In the background; the watch is not live meanwhile.
    pub(super) fn bring_up_to_date(self: &Arc<Self>, watch: &Arc<Watch>) {
        self.state().reading += 1;
        let reader = Reader { fan: Arc::clone(self), watch: Arc::clone(watch) };
        self.shared.tasks.spawn(async move { drop(reader.read().await) });
    }

    async fn read(&self, after: (u64, u64)) -> Result<Arc<Reading>, Unavailable> {
        let epoch = self.source.epoch().or_else(|| self.state().recent.epoch());
        let resumes = after.1 > 0 && epoch == Some(after.0);
        let from = if resumes { after } else { (0, 0) };
        let _turn = self.turn.acquire().await;
        if let Some(reading) = self.state().fresh(from) {
            return Ok(reading);
        }
        let reading = Arc::new(self.source.read(from).await?);
        let mut state = self.state();
        state.fresh.retain(|known| known.from != from);
        if FRESH_MAX <= state.fresh.len() {
            state.fresh.pop_front();
        }
        state.fresh.push_back(Arc::clone(&reading));
        Ok(reading)
    }

    /// Passes on what a board answered that does not publish it. Answers up to where that is.
    async fn pass_polled(
        self: &Arc<Self>,
        frames: &[Arc<Published>],
        after: (u64, u64),
    ) -> (u64, u64) {
        let Some((first, last)) = frames.first().zip(frames.last()) else { return after };
        let head = (last.frame.epoch, last.frame.seq);
        if first.frame.reset {
            // Whoever is being brought up to date may have read before.
            self.state().recent.hear_of(head);
            self.begin_anew();
        } else {
            for published in frames {
                self.pass(published).await;
            }
        }
        head
    }

    /// Joins what was read with what comes; `false` if something is missing in between, or too much.
    fn join(&self, watch: &Watch, after: (u64, u64)) -> bool {
        let state = self.state();
        let Some(frames) = state.recent.since(after) else { return false };
        watch.go_live(&frames)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What was read just now from there on, if all that came since is known.
    fn fresh(&self, from: (u64, u64)) -> Option<Arc<Reading>> {
        let fresh = self.fresh.iter().find(|reading| reading.from == from).cloned();
        fresh.filter(|reading| self.recent.since(reading.after).is_some())
    }
}

impl Drop for Fan {
    fn drop(&mut self) {
        if let Some(pump) = self.pump.get() {
            pump.abort();
        }
        let mut fans = self.shared.fans.lock().unwrap_or_else(PoisonError::into_inner);
        // Another one may be in its place already.
        if fans.get(&self.watched).is_some_and(|fan| fan.strong_count() == 0) {
            fans.remove(&self.watched);
        }
    }
}

/// Passes on what comes, until nobody watches.
async fn pump(fan: Weak<Fan>, mut changes: Box<dyn Subscription>, topic: Topic) {
    loop {
        let next = if is_joined(topic) {
            tokio::time::timeout(LOOK, changes.next()).await
        } else {
            Ok(changes.next().await)
        };
        let Some(fan) = fan.upgrade() else { return };
        match next {
            Ok(Some(Heard::Frame(published))) => fan.pass(&published).await,
            Ok(Some(Heard::Gap)) => fan.begin_anew(),
            Ok(None) => return,
            Err(_) if fan.source.is_lost() => fan.begin_anew(),
            Err(_) => {}
        }
    }
}

/// Asks again and again, until nobody watches.
async fn poll(fan: Weak<Fan>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut after = (0, 0);
    loop {
        ticks.tick().await;
        let Some(fan) = fan.upgrade() else { return };
        // A board that is gone is made anew with the next question.
        if let Ok(frames) = fan.source.since(after).await {
            after = fan.pass_polled(&frames, after).await;
        }
    }
}

/// Whether only what is latest matters.
fn is_joined(topic: Topic) -> bool {
    matches!(topic, Topic::Monitor(_) | Topic::Wall(_) | Topic::Place(_))
}

/// Brings one watch up to date.
struct Reader {
    fan: Arc<Fan>,
    watch: Arc<Watch>,
}

impl Reader {
    async fn read(self) -> Result<(), Ended> {
        loop {
            // A slow socket waits without a place that others could use.
            self.watch.outbox.room().await.map_err(|_| Ended)?;
            let place = self.fan.shared.readers.place(self.watch.rank).await;
            let Ok(reading) = self.fan.read(self.watch.after()?).await else {
                drop(place);
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            drop(place);
            for page in &reading.pages {
                self.watch.outbox.room().await.map_err(|_| Ended)?;
                self.watch.send(page.clone())?;
            }
            self.watch.has_read(reading.after);
            if self.fan.join(&self.watch, reading.after) {
                return Ok(());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.fan.state();
        state.reading -= 1;
        if state.reading == 0 {
            state.recent.clear();
            state.fresh.clear();
        }
    }
}
