//! Live frames between nodes: some are lost, and nobody is told.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ports::{Bus, Heard, Published, Subscription},
    rows::Topic,
};
use tokio::sync::mpsc;

use super::Link;
use crate::world::World;

/// How many frames one watcher may lag behind; the next one is lost.
const BEHIND_MAX: usize = 64;

/// Somebody who watches.
#[derive(Clone)]
pub(crate) struct Subscribed {
    node: usize,
    topic: Topic,
    frames: mpsc::Sender<Arc<Published>>,
}

/// See the module.
pub(crate) struct Frames(pub(crate) Link);

impl Bus for Frames {
    fn publish(&self, frame: Arc<Published>) {
        let world = &self.0.world;
        let watchers: Vec<Subscribed> = {
            let mut inner = world.lock();
            inner.subscribed.retain(|watcher| !watcher.frames.is_closed());
            let topic = frame.frame.topic;
            inner.subscribed.iter().filter(|watcher| watcher.topic == topic).cloned().collect()
        };
        for watcher in watchers {
            let weather = self.0.weather();
            if world.chance(weather.frames_lost) {
                continue;
            }
            if watcher.node == self.0.node {
                watcher.frames.try_send(Arc::clone(&frame)).ok();
                continue;
            }
            let other_is_off = world.lock().nodes.get(watcher.node).is_some_and(|it| it.no_wire);
            if self.0.state().no_wire || other_is_off || world.chance(weather.lost) {
                continue;
            }
            let late = if world.chance(weather.delayed) { 800 } else { 8 };
            let (at, frame) = (self.0.time() + world.between(1, late), Arc::clone(&frame));
            world.later(at, move |_: &Arc<World>| {
                watcher.frames.try_send(frame).ok();
            });
        }
    }

    fn subscribe(&self, topic: Topic) -> Box<dyn Subscription> {
        let (frames, watching) = mpsc::channel(BEHIND_MAX);
        self.0.world.lock().subscribed.push(Subscribed { node: self.0.node, topic, frames });
        Box::new(Watching(watching))
    }
}

struct Watching(mpsc::Receiver<Arc<Published>>);

#[async_trait]
impl Subscription for Watching {
    async fn next(&mut self) -> Option<Heard> {
        self.0.recv().await.map(Heard::Frame)
    }
}
