//! The bus between nodes. What is published here is heard here without the server.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_nats::Client;
use async_trait::async_trait;
use domain::{
    ids::NodeId,
    ports::{Bus, Heard, Published, Subscription},
    rows::Topic,
};
use futures_util::StreamExt;
use tokio::{
    runtime::Handle,
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    Nats, frames,
    heads::{self, Head, Known, Said},
    link::Seen,
    send,
};
use crate::bus::LocalBus;

/// How often the heads are said.
const HEADS_EACH: Duration = Duration::from_secs(2);

/// How long a frame may be on its way in this node before its head is believed: they come by two
/// ways.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// How many messages of heads are looked into again at one moment; those beyond are left out, and said
/// again after 2 s.
const HEADS_MAX: usize = 64;

/// Where the heads are said: runners may speak below `runs` only.
const HEADS: [&str; 2] = ["heads", "runs.heads"];

/// See the module.
pub struct NatsBus {
    shared: Arc<Shared>,
    nats: Nats,
    runtime: Handle,
}

struct Shared {
    client: Client,
    local: LocalBus,
    cluster: String,
    said: Mutex<Said>,
    watched: Mutex<HashMap<Topic, Watched>>,
    /// Whether anything was ever watched, of [`HEADS`] each.
    wanted: watch::Sender<[bool; 2]>,
}

/// A topic that somebody here watches.
struct Watched {
    watchers: usize,
    known: Known,
    /// Ends with the last of them, and the subscription with it.
    task: AbortHandle,
}

impl NatsBus {
    /// To be made where tasks can be started.
    pub fn new(nats: &Nats) -> Self {
        let shared = Arc::new(Shared {
            client: nats.client().clone(),
            local: LocalBus::default(),
            cluster: nats.cluster().to_string(),
            said: Mutex::new(Said::new(NodeId::random())),
            watched: Mutex::default(),
            wanted: watch::Sender::default(),
        });
        nats.spawn(tell_heads(Arc::downgrade(&shared), nats.seen()));
        for of_runs in [false, true] {
            let wanted = shared.wanted.subscribe();
            nats.spawn(hear_heads(Arc::downgrade(&shared), wanted, of_runs));
        }
        Self { shared, nats: nats.clone(), runtime: Handle::current() }
    }
}

impl Bus for NatsBus {
    /// What the server cannot take at once (it is away, or 2,048 messages wait already) is lost to the
    /// other nodes; their watchers are told so by the next frame, or by the heads.
    fn publish(&self, frame: Arc<Published>) {
        self.shared.local.publish(Arc::clone(&frame));
        if goes_over(frame.frame.topic) {
            self.shared.publish(&frame);
        }
    }

    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription> {
        let here = self.shared.local.subscribe(topic);
        if !goes_over(topic) {
            return here;
        }
        self.shared.want(is_of_runs(topic));
        match lock(&self.shared.watched).entry(topic) {
            Entry::Occupied(mut watched) => watched.get_mut().watchers += 1,
            Entry::Vacant(nobody) => {
                let known = Known::new();
                let _in = self.runtime.enter();
                let hearing = hear(Arc::downgrade(&self.shared), topic);
                let task = self.nats.spawn(hearing);
                nobody.insert(Watched { watchers: 1, known, task });
            }
        }
        Box::new(Watcher { here, topic, shared: Arc::downgrade(&self.shared) })
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        for (_, watched) in lock(&self.shared.watched).drain() {
            watched.task.abort();
        }
    }
}

/// Whether other nodes can make something of it: each gateway joins its own boards.
fn goes_over(topic: Topic) -> bool {
    !matches!(topic, Topic::Monitor(_) | Topic::Wall(_))
}

/// Whether it is about a run, which a runner may speak of.
fn is_of_runs(topic: Topic) -> bool {
    matches!(topic, Topic::Output(_))
}

impl Shared {
    fn want(&self, of_runs: bool) {
        self.wanted.send_if_modified(|[others, runs]| {
            !std::mem::replace(if of_runs { runs } else { others }, true)
        });
    }

    fn subject(&self, topic: Topic) -> String {
        if let Topic::Output(id) = topic {
            return format!("{}.runs.live.{id}", self.cluster);
        }
        format!("{}.live.{topic}", self.cluster)
    }

    fn publish(&self, published: &Published) {
        let topic = published.frame.topic;
        // Numbers go out in their order.
        let mut said = lock(&self.said);
        let nth = said.count(topic);
        if self.client.connection_state() != async_nats::connection::State::Connected {
            return;
        }
        let body = frames::write(nth, published);
        let bytes = body.len();
        if !send(&self.client, self.subject(topic), body) {
            drop(said);
            tracing::debug!(%topic, bytes, "a frame is lost to other nodes");
        }
    }

    fn take(&self, topic: Topic, body: bytes::Bytes) {
        let Ok((nth, published)) = frames::read(topic, body) else {
            tracing::debug!(%topic, "what came is no frame");
            return self.local.gap(topic);
        };
        let misses = match lock(&self.watched).get_mut(&topic) {
            Some(watched) => watched.known.misses_before(nth),
            None => return,
        };
        if misses {
            self.local.gap(topic);
        }
        self.local.publish(Arc::new(published));
    }

    /// Everybody who watches a topic of other nodes reads again.
    fn gap_everywhere(&self) {
        let topics: Vec<Topic> = lock(&self.watched).keys().copied().collect();
        for topic in topics {
            self.local.gap(topic);
        }
    }

    /// Of `heads`, those whose frame was not heard.
    fn missed(&self, publisher: NodeId, heads: &[Head]) -> Vec<Head> {
        let watched = lock(&self.watched);
        let is_missed = |head: &&Head| match head.topic {
            None => true,
            Some(topic) => {
                watched.get(&topic).is_some_and(|watched| watched.known.misses(publisher, head))
            }
        };
        heads.iter().filter(is_missed).copied().collect()
    }

    fn tell_missed(&self, publisher: NodeId, heads: &[Head]) {
        for head in self.missed(publisher, heads) {
            let Some(topic) = head.topic else { return self.gap_everywhere() };
            if let Some(watched) = lock(&self.watched).get_mut(&topic) {
                watched.known.is_told(publisher, head.n);
            }
            self.local.gap(topic);
        }
    }

    fn say_heads(&self) {
        let mut said = lock(&self.said);
        for (subject, of_runs) in HEADS.into_iter().zip([false, true]) {
            for heads in said.heads(|topic| is_of_runs(*topic) == of_runs) {
                // What is lost is said again.
                send(&self.client, format!("{}.{subject}", self.cluster), heads.into());
            }
        }
        if self.client.connection_state() == async_nats::connection::State::Connected {
            said.forget();
        }
    }
}

/// Passes on what other nodes publish on `topic`.
async fn hear(shared: Weak<Shared>, topic: Topic) {
    let Some(asked) = shared.upgrade().map(|shared| (shared.client.clone(), shared.subject(topic)))
    else {
        return;
    };
    let (client, subject) = asked;
    let Ok(mut frames) = client.subscribe(subject).await else { return };
    while let Some(message) = frames.next().await {
        let Some(shared) = shared.upgrade() else { return };
        shared.take(topic, message.payload);
    }
}

/// Says the heads every 2 s and when the connection is back, and tells of gaps that the connection
/// made.
async fn tell_heads(shared: Weak<Shared>, mut seen: watch::Receiver<Seen>) {
    let mut each = interval(HEADS_EACH);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = *seen.borrow_and_update();
    loop {
        let now = tokio::select! {
            _ = each.tick() => before,
            changed = seen.changed() => match changed {
                Ok(()) => *seen.borrow_and_update(),
                Err(_) => return,
            },
        };
        let Some(shared) = shared.upgrade() else { return };
        if now.connections != before.connections {
            lock(&shared.said).is_back();
        }
        if (now.connections, now.losses) != (before.connections, before.losses) {
            shared.gap_everywhere();
        }
        before = now;
        shared.say_heads();
    }
}

/// Hears the heads of other nodes, as soon as anything is watched that they are of.
async fn hear_heads(shared: Weak<Shared>, mut wanted: watch::Receiver<[bool; 2]>, of_runs: bool) {
    if wanted.wait_for(|[others, runs]| if of_runs { *runs } else { *others }).await.is_err() {
        return;
    }
    let Some(client) = shared.upgrade().map(|shared| shared.client.clone()) else { return };
    let Some(cluster) = shared.upgrade().map(|shared| shared.cluster.clone()) else { return };
    let [others, runs] = HEADS;
    let subject = format!("{cluster}.{}", if of_runs { runs } else { others });
    let Ok(mut messages) = client.subscribe(subject).await else { return };
    let mut again = JoinSet::new();
    while let Some(message) = messages.next().await {
        while again.try_join_next().is_some() {}
        let Some(here) = shared.upgrade() else { return };
        let text = std::str::from_utf8(&message.payload).unwrap_or_default();
        let Some((publisher, heads)) = heads::read(text) else { continue };
        let missed = here.missed(publisher, &heads);
        if missed.is_empty() || again.len() >= HEADS_MAX {
            continue;
        }
        let shared = Weak::clone(&shared);
        again.spawn(async move {
            sleep(ON_ITS_WAY).await;
            if let Some(shared) = shared.upgrade() {
                shared.tell_missed(publisher, &missed);
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watcher {
    here: Box<dyn Subscription>,
    topic: Topic,
    shared: Weak<Shared>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut all = lock(&shared.watched);
        let Entry::Occupied(mut watched) = all.entry(self.topic) else { return };
        watched.get_mut().watchers -= 1;
        if watched.get().watchers == 0 {
            watched.remove().task.abort();
        }
    }
}

#[async_trait]
impl Subscription for Watcher {
    async fn next(&mut self) -> Option<Heard> {
        self.here.next().await
    }

    async fn next_many(&mut self, limit: usize) -> Vec<Heard> {
        self.here.next_many(limit).await
    }
}
