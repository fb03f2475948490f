//! One who looks at a wall: what came and when, and whether each frame follows the one before.

use std::sync::Arc;

use loadtests::{http::Http, socket::Socket};
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};

use super::ledger::Ledger;

/// Where the rows of a frame begin; what is before says where it belongs.
const ROWS: &str = ",\"rows\":[";
/// How many problems of one viewer are kept.
const PROBLEMS_MAX: usize = 3;

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct Head {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) prev: Option<u64>,
    #[serde(default)]
    pub(super) reset: bool,
    #[serde(default)]
    pub(super) more: bool,
}

/// See the module.
pub(super) struct Viewer {
    browser: Http,
    topic: String,
    ledger: Arc<Ledger>,
    screen: Screen,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) place: (u64, u64),
    /// Which frame of the ledger came when.
    pub(super) arrivals: Vec<(u32, Instant)>,
    pub(super) closed: usize,
    pub(super) problems: Vec<String>,
    has_more: bool,
    is_live: bool,
}

impl Viewer {
    pub(super) fn new(browser: Http, topic: String, ledger: Arc<Ledger>) -> Self {
        Self { browser, topic, ledger, screen: Screen::default() }
    }

    /// Looks until it is told to stop, on another socket if need be.
    pub(super) async fn look(mut self, mut stop: watch::Receiver<bool>) -> Screen {
        while !*stop.borrow() {
            tokio::select! {
                () = self.connected() => self.screen.closed += 1,
                _ = stop.changed() => {}
            }
        }
        self.screen
    }

    async fn connected(&mut self) {
        let Ok(mut socket) = Socket::open(&self.browser).await else {
            return sleep(Duration::from_millis(fastrand::u64(..500))).await;
        };
        if socket.watch(&self.topic, self.screen.place).await.is_err() {
            return;
        }
        self.screen.has_more = false;
        while let Ok(text) = socket.next_text().await {
            let arrived = Instant::now();
            let Some((head, _)) = text.split_once(ROWS) else { continue };
            match serde_json::from_str::<Head>(&format!("{head}}}")) {
                Ok(head) => self.take(head, &text, arrived),
                Err(error) => self.screen.problem(format!("{error}: {head}")),
            }
        }
    }

    fn take(&mut self, head: Head, text: &str, arrived: Instant) {
        let Self { ledger, screen, .. } = self;
        let place = (head.epoch, head.seq);
        let is_page = screen.has_more && head.prev.is_none() && place == screen.place;
        let follows = head.epoch == screen.place.0 && head.prev == Some(screen.place.1);
        if !head.reset && !is_page && !follows {
            screen.problem(format!("{head:?} after {:?}", screen.place));
        }
        (screen.place, screen.has_more) = (place, head.more);
        if !head.reset && !is_page {
            match ledger.note(head, text) {
                Ok(number) => screen.arrivals.push((number, arrived)),
                Err(problem) => screen.problem(problem),
            }
        }
        if !head.more {
            ledger.reached(place, !std::mem::replace(&mut screen.is_live, true));
        }
    }
}

impl Screen {
    fn problem(&mut self, what: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what);
        }
    }
}
