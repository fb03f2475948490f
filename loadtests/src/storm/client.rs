//! One socket that comes back, as the page does; of its rows it keeps what tells them from others.

use std::sync::Arc;

use domain::frame::close;
use fastrand::Rng;
use loadtests::{http::Http, page, socket::Socket};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, sleep},
};

use super::{frames::Frame, ledger::Ledger, screen::Screen};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Candidate,
    Viewer,
}

/// A socket has all rows (again).
pub(super) struct Live {
    pub(super) number: usize,
    pub(super) who: Who,
    pub(super) at: Instant,
}

/// What a client looks at.
pub(super) struct Sight {
    pub(super) who: Who,
    pub(super) browser: Http,
    pub(super) topic: String,
    /// How many rows there are at least.
    pub(super) rows: usize,
}

/// See the module.
pub(super) struct Client {
    number: usize,
    sight: Sight,
    ledger: Arc<Ledger>,
    screen: Screen,
    /// On this socket.
    is_live: bool,
    /// Attempts that failed since it was live last.
    failures: u32,
    random: Rng,
}

/// Why a connection ended, or has to.
struct Lost {
    /// When the server wants to see us again.
    retry_after_ms: u64,
}

impl Client {
    pub(super) fn new(number: usize, sight: Sight, ledger: Arc<Ledger>) -> Self {
        let (screen, random) = (Screen::default(), Rng::new());
        Self { number, sight, ledger, screen, is_live: false, failures: 0, random }
    }

    /// Stays for ever, through however many sockets.
    pub(super) async fn stay(mut self, live: mpsc::Sender<Live>, mut cuts: watch::Receiver<u32>) {
        loop {
            let lost = tokio::select! {
                lost = self.connected(&live) => lost,
                _ = cuts.changed() => Lost { retry_after_ms: 0 },
            };
            let spread = page::spread_ms(self.failures);
            self.failures += 1;
            let wait_ms = lost.retry_after_ms + self.random.u64(0..spread);
            sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    /// From opening a socket to its end.
    async fn connected(&mut self, live: &mpsc::Sender<Live>) -> Lost {
        let mut lost = Lost { retry_after_ms: 0 };
        self.screen.forget_reading();
        self.is_live = false;
        let Ok(mut socket) = Socket::open(&self.sight.browser).await else { return lost };
        if self.watch(&mut socket).await.is_err() {
            return lost;
        }
        loop {
            let text = match socket.next_text().await {
                Ok(text) => text,
                Err(code) => {
                    if let Some(code @ close::BAD_FRAME..) = code {
                        self.problem(&format!("closed with {code}"));
                    }
                    return lost;
                }
            };
            let was_live = self.is_live;
            if self.hear(&text, &mut lost).is_err() {
                return lost;
            }
            if self.is_live && !was_live {
                self.failures = 0;
                let (number, who) = (self.number, self.sight.who);
                live.send(Live { number, who, at: Instant::now() }).await.ok();
            }
        }
    }

    /// Where nothing has changed nothing comes: the answer to the ping says so.
    async fn watch(&self, socket: &mut Socket) -> anyhow::Result<()> {
        socket.watch(&self.sight.topic, self.screen.place()).await?;
        socket.send(&json!({ "type": "ping", "sent_ms": 0 })).await
    }

    /// Takes in a frame. Fails if this socket is of no more use.
    fn hear(&mut self, text: &str, lost: &mut Lost) -> Result<(), ()> {
        let frame = self.ledger.frames.read(text).map_err(|wrong| self.problem(&wrong))?;
        match &*frame {
            Frame::Rows(rows) => {
                let is_whole = self.screen.take(rows).map_err(|wrong| self.problem(&wrong))?;
                if is_whole {
                    self.show();
                }
            }
            Frame::Pong(heads) => {
                if heads.get(&self.sight.topic) == Some(&self.screen.place()) {
                    self.look();
                }
            }
            Frame::Bye { retry_after_ms } => lost.retry_after_ms = *retry_after_ms,
            Frame::Unwatched { why, retry_after_ms } => {
                lost.retry_after_ms = retry_after_ms.unwrap_or(0);
                if retry_after_ms.is_none() {
                    self.problem(&format!("not to be watched: {why}"));
                }
                return Err(());
            }
            Frame::Other => {}
        }
        Ok(())
    }

    /// All of a reading has come.
    fn show(&mut self) {
        let (place, sum) = (self.screen.place(), self.screen.sum());
        self.ledger.shows(self.number, sum);
        // A wall is the same for all who look at it; each session has one client only.
        if self.sight.who == Who::Viewer && !self.ledger.is_same(place, sum) {
            self.problem(&format!("others have other rows at {place:?}"));
        }
        self.look();
    }

    /// It is live once it has everything that there is, and that is something.
    fn look(&mut self) {
        self.is_live |= self.sight.rows <= self.screen.count();
    }

    fn problem(&self, what: &str) {
        self.ledger.problem(format!("{}: {what}", self.sight.topic));
    }
}
