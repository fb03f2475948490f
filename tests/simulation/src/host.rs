//! One node in a runtime of its own, so that it can stand still, lose its time, and die at once with
//! everything in it.

use std::{sync::Arc, time::Duration};

use actors::{
    ask::Meta,
    node::{Node, Options},
};
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    stream::Stream,
};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

use crate::{
    ports::{Link, wire},
    watcher::{self, Sight},
    world::World,
};

/// How many requests wait at the door at most; the next one is turned away.
const DOOR: usize = 256;

/// What people ask of a node.
pub(crate) enum Request {
    Ask { to: Stream, meta: Meta, command: Box<AnyCommand>, reply: oneshot::Sender<Answer> },
    Watch { stream: Stream, after: u64, sights: mpsc::Sender<Sight> },
    Leave,
}

/// A runtime whose time is led from outside.
pub(crate) struct Led {
    runtime: Runtime,
    began: Instant,
    start: At,
}

impl Led {
    pub(crate) fn new(start: At) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime is to be had");
        let began = runtime.block_on(async { Instant::now() });
        Self { runtime, began, start }
    }

    pub(crate) fn run<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    fn since(&self, at: At) -> Duration {
        Duration::from_millis((at - self.start).0.unsigned_abs())
    }

    /// Lets it live until `to`. What it slept through until `now` passes at once.
    pub(crate) fn step(&self, now: At, to: At) {
        let until = self.began + self.since(to);
        self.runtime.block_on(async {
            let behind = self.since(now).saturating_sub(self.began.elapsed());
            if behind > Duration::from_millis(1) {
                tokio::time::advance(behind).await;
            }
            tokio::time::sleep_until(until).await;
        });
    }
}

/// See the module.
pub(crate) struct Host {
    pub(crate) node: usize,
    world: Arc<World>,
    led: Option<Led>,
    pub(crate) is_paused: bool,
}

impl Host {
    pub(crate) fn new(world: &Arc<World>, node: usize) -> Self {
        Self { node, world: Arc::clone(world), led: None, is_paused: false }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.led.is_some()
    }

    pub(crate) fn start(&mut self, now: At) {
        let led = Led::new(now);
        let (door, requests) = mpsc::channel(DOOR);
        if let Some(place) = self.world.lock().doors.get_mut(self.node) {
            *place = Some(door);
        }
        let (world, node) = (Arc::clone(&self.world), self.node);
        let main = led.runtime.spawn(async move {
            let link = Link::new(world, node, now);
            live(link, requests).await;
        });
        drop(main);
        self.led = Some(led);
    }

    /// As by a power cut.
    pub(crate) fn kill(&mut self) {
        let door = self.world.lock().doors.get_mut(self.node).and_then(Option::take);
        drop(door);
        self.led = None;
        self.is_paused = false;
    }

    pub(crate) fn step(&self, now: At, to: At) {
        if let Some(led) = self.led.as_ref().filter(|_| !self.is_paused) {
            led.step(now, to);
        }
    }
}

async fn live(link: Link, mut requests: mpsc::Receiver<Request>) {
    let options = Options {
        listens: Duration::from_millis(1_500),
        is_alone: false,
        ..Options::alone(&format!("n{}", link.node), 1)
    };
    let node = match Node::start(link.deps(), options).await {
        Ok(node) => Arc::new(node),
        Err(error) => {
            link.note(&format!("does not start: {error}"));
            return;
        }
    };
    link.note("is there");
    let mut tasks = JoinSet::new();
    while let Some(request) = requests.recv().await {
        while tasks.try_join_next().is_some() {}
        let (node, link) = (Arc::clone(&node), link.clone());
        match request {
            Request::Ask { to, meta, command, reply } => {
                tasks.spawn(ask(node, link, (to, meta, *command), reply));
            }
            Request::Watch { stream, after, sights } => {
                tasks.spawn(watcher::serve(node, stream, after, sights));
            }
            Request::Leave => {
                tasks.spawn(async move { node.leave(Duration::from_secs(8)).await });
            }
        }
    }
}

async fn ask(
    node: Arc<Node>,
    link: Link,
    (to, meta, command): (Stream, Meta, AnyCommand),
    mut reply: oneshot::Sender<Answer>,
) {
    let meta = Meta { received_at: Some(node.deps.clock.now()), ..meta };
    // As a gateway, which asks for a socket only while that is there.
    let answer = tokio::select! {
        answer = node.directory.ask(to, meta, command) => answer,
        () = reply.closed() => return,
    };
    if let Some(ride) = wire::ride(&link.world) {
        let at = link.time() + ride;
        link.world.later(at, move |_: &Arc<World>| drop(reply.send(answer)));
        return;
    }
    // Lost: whoever asked waits for nothing.
    link.world.later(link.time() + Ms(20_000), move |_: &Arc<World>| drop(reply));
}
