//! The wire between nodes: messages are lost, come late, come twice.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::{At, Ms},
    cluster::{CallError, Hearing, Serve, Serving, Subject, Wire},
    ports::Unavailable,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Link;
use crate::world::World;

/// How many calls and things said wait for one node at most; the next one is lost.
const BEHIND_MAX: usize = 256;
/// How long a message takes at least and at most, and if it is late.
const SOON: (i64, i64) = (1, 8);
const LATE: (i64, i64) = (50, 6_000);

/// Where an answer goes; the first one counts.
type Reply = Arc<Mutex<Option<oneshot::Sender<Result<Bytes, CallError>>>>>;

/// Somebody who answers.
pub(crate) struct Served {
    id: u64,
    node: usize,
    subject: Subject,
    calls: mpsc::Sender<(usize, Bytes, Reply)>,
}

/// Somebody who listens.
pub(crate) struct Heard {
    node: usize,
    subject: Subject,
    said: mpsc::Sender<Bytes>,
}

impl World {
    fn is_cut(&self, one: usize, other: usize) -> bool {
        let nodes = &self.lock().nodes;
        let is_off = |node: usize| nodes.get(node).is_some_and(|state| state.no_wire);
        one != other && (is_off(one) || is_off(other))
    }

    /// Sends something from `one` node to the `other` at `now`: once, never, or twice.
    fn send(
        &self,
        now: At,
        (one, other): (usize, usize),
        what: &(impl Fn(&Arc<Self>) + Clone + Send + 'static),
    ) {
        let weather = self.lock().weather;
        let times = if self.chance(weather.doubled) { 2 } else { 1 };
        for _ in 0..times {
            if self.is_cut(one, other) || self.chance(weather.lost) {
                continue;
            }
            let (from, to) = if self.chance(weather.delayed) { LATE } else { SOON };
            let (at, what) = (now + self.between(from, to), what.clone());
            self.later(at, move |world| {
                if !world.is_cut(one, other) {
                    what(world);
                }
            });
        }
    }
}

/// See the module.
pub(crate) struct Calls(pub(crate) Link);

fn take(reply: &Reply) -> Option<oneshot::Sender<Result<Bytes, CallError>>> {
    reply.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[async_trait]
impl Wire for Calls {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        let world = &self.0.world;
        let servers: Vec<_> = {
            let inner = world.lock();
            let serve = inner.served.iter().filter(|served| served.subject == to);
            serve.map(|served| (served.node, served.id)).collect()
        };
        if self.0.state().no_wire {
            return timeout(within, std::future::pending()).await.map_err(|_| CallError::TimedOut);
        }
        let chosen = world.lock().dice.choice(&servers).copied();
        let (node, id) = chosen.ok_or(CallError::NobodyServes)?;
        let (sender, answer) = oneshot::channel();
        let (reply, me) = (Arc::new(Mutex::new(Some(sender))), self.0.node);
        world.send(self.0.time(), (me, node), &move |world: &Arc<World>| {
            let inner = world.lock();
            let served = inner.served.iter().find(|served| served.id == id);
            let Some(served) = served else { return };
            let call = (me, body.clone(), Arc::clone(&reply));
            if served.calls.try_send(call).is_err()
                && let Some(reply) = take(&reply)
            {
                reply.send(Err(CallError::Busy)).ok();
            }
        });
        let answer = async {
            match answer.await {
                Ok(answer) => answer,
                // Lost on its way.
                Err(_) => std::future::pending().await,
            }
        };
        timeout(within, answer).await.map_err(|_| CallError::TimedOut)?
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        let (calls, mut called) = mpsc::channel::<(usize, Bytes, Reply)>(BEHIND_MAX);
        let link = self.0.clone();
        let (node, id) = (link.node, {
            let mut inner = link.world.lock();
            inner.count += 1;
            let id = inner.count;
            inner.served.push(Served { id, node: link.node, subject, calls });
            id
        });
        let serving = ServedHere { id, world: Arc::clone(&link.world) };
        self.0.spawn(async move {
            while let Some((from, body, reply)) = called.recv().await {
                let (serve, answering) = (Arc::clone(&serve), link.clone());
                link.spawn(async move {
                    let answer = serve.answer(body).await;
                    let (now, world) = (answering.time(), Arc::clone(&answering.world));
                    world.send(now, (node, from), &move |_: &Arc<World>| {
                        if let Some(reply) = take(&reply) {
                            reply.send(Ok(answer.clone())).ok();
                        }
                    });
                });
            }
        });
        Ok(Box::new(serving))
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        let (world, me) = (&self.0.world, self.0.node);
        let listeners: Vec<_> = {
            let mut inner = world.lock();
            inner.heard.retain(|heard| !heard.said.is_closed());
            let hear = inner.heard.iter().filter(|heard| heard.subject == subject);
            hear.map(|heard| (heard.node, heard.said.clone())).collect()
        };
        for (node, said) in listeners {
            let body = body.clone();
            world.send(self.0.time(), (me, node), &move |_: &Arc<World>| {
                said.try_send(body.clone()).ok();
            });
        }
    }

    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable> {
        let (said, hearing) = mpsc::channel(BEHIND_MAX);
        self.0.world.lock().heard.push(Heard { node: self.0.node, subject, said });
        Ok(Box::new(Listener(hearing)))
    }
}

/// Serves until it is dropped.
struct ServedHere {
    id: u64,
    world: Arc<World>,
}

impl Serving for ServedHere {}

impl Drop for ServedHere {
    fn drop(&mut self) {
        self.world.lock().served.retain(|served| served.id != self.id);
    }
}

struct Listener(mpsc::Receiver<Bytes>);

#[async_trait]
impl Hearing for Listener {
    async fn next(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }
}

/// What people and nodes send each other, on the same network.
pub(crate) fn ride(world: &World) -> Option<Ms> {
    let weather = world.lock().weather;
    if world.chance(weather.lost) {
        return None;
    }
    let (from, to) = if world.chance(weather.delayed) { LATE } else { SOON };
    Some(world.between(from, to))
}
