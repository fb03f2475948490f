//! The hub: for each topic that somebody on this node watches one subscription, passed on to all its
//! sockets.

mod fan;
mod recent;
mod source;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use domain::rows::Topic;
use tokio::sync::Semaphore;

use self::{
    fan::{Fan, Shares},
    watch::Watch,
};
use crate::{app::Shared, socket::outbox::Outbox, tasks::Tasks};

/// How many sockets are brought up to date at once; the others wait for their turn, so that a
/// thousand who come back together do not read all at once.
const READERS_MAX: usize = 64;

type Fans = Mutex<HashMap<Topic, Weak<Fan>>>;

/// See the module.
pub(crate) struct Hub(Shares);

impl Hub {
    pub(crate) fn new(tasks: Tasks) -> Self {
        let (fans, readers) = (Arc::default(), Arc::new(Semaphore::new(READERS_MAX)));
        Self(Shares { fans, readers, tasks })
    }

    /// Streams `topic` to `outbox` from behind `after` (epoch and seq) on, until the answer is
    /// dropped. Whether that may be seen is for the caller to know.
    pub(crate) fn watch(app: &Shared, topic: Topic, outbox: Outbox, after: (u64, u64)) -> Watching {
        let fan = app.hub.fan(app, topic);
        let watch = Arc::new(Watch::new(outbox, after));
        fan.add(&watch);
        fan.bring_up_to_date(&watch);
        Watching { fan, watch }
    }

    fn fan(&self, app: &Shared, topic: Topic) -> Arc<Fan> {
        let mut fans = self.0.fans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fan) = fans.get(&topic).and_then(Weak::upgrade) {
            return fan;
        }
        let fan = Fan::start(app, topic, self.0.clone());
        fans.insert(topic, Arc::downgrade(&fan));
        fan
    }
}

/// One socket's watch of a topic; it ends when this is dropped.
pub(crate) struct Watching {
    fan: Arc<Fan>,
    watch: Arc<Watch>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.end();
        self.fan.remove(&self.watch);
    }
}

#[cfg(test)]
mod tests;
