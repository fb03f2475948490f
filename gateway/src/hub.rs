//! The hub: for each topic that somebody on this node watches, and for each part of a wall, one
//! source, passed on to all its sockets.

mod around;
mod fan;
mod readers;
mod recent;
mod source;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use domain::{
    ids::SessionId,
    rows::{Topic, Window},
};

pub(crate) use self::readers::Rank;
use self::{
    fan::{Fan, Shares},
    readers::Readers,
    watch::Watch,
};
use crate::{app::Shared, socket::outbox::Outbox, tasks::Tasks};

/// How many windows of one wall are looked at here, besides the first: a board keeps no more.
const WINDOWS_MAX: usize = 64;

type Fans = Mutex<HashMap<Watched, Weak<Fan>>>;

/// What a socket watches: a topic, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) topic: Topic,
    pub(crate) part: Part,
}

/// Which part of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Whole,
    /// Some rows of a wall.
    Rows(Window),
    /// What stands around somebody.
    Around(SessionId),
}

/// Too many different windows of one wall are looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyWindows;

/// See the module.
pub(crate) struct Hub(Shares);

impl Hub {
    pub(crate) fn new(tasks: Tasks) -> Self {
        Self(Shares { fans: Arc::default(), readers: Arc::new(Readers::default()), tasks })
    }

    /// Streams `watched` to `outbox` from behind `after` (epoch and seq) on, until the answer is
    /// dropped. Whether that may be seen is for the caller to know.
    pub(crate) fn watch(
        app: &Shared,
        watched: Watched,
        outbox: Outbox,
        after: (u64, u64),
        rank: Rank,
    ) -> Result<Watching, TooManyWindows> {
        let fan = app.hub.fan(app, watched)?;
        let watch = Arc::new(Watch::new(outbox, after, rank));
        fan.add(&watch);
        fan.bring_up_to_date(&watch);
        Ok(Watching { fan, watch })
    }

    fn fan(&self, app: &Shared, watched: Watched) -> Result<Arc<Fan>, TooManyWindows> {
        let mut fans = self.0.fans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fan) = fans.get(&watched).and_then(Weak::upgrade) {
            return Ok(fan);
        }
        let is_window = |one: &Watched| matches!(one.part, Part::Rows(_));
        let is_alike = |one: &&Watched| is_window(one) && one.topic == watched.topic;
        if is_window(&watched) && WINDOWS_MAX <= fans.keys().filter(is_alike).count() {
            return Err(TooManyWindows);
        }
        let fan = Fan::start(app, watched, self.0.clone());
        fans.insert(watched, Arc::downgrade(&fan));
        Ok(fan)
    }
}

/// One socket's watch; it ends when this is dropped.
pub(crate) struct Watching {
    fan: Arc<Fan>,
    watch: Arc<Watch>,
}

impl Watching {
    /// What it is of.
    pub(crate) fn of(&self) -> Watched {
        self.fan.watched()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.end();
        self.fan.remove(&self.watch);
    }
}

#[cfg(test)]
mod tests;
