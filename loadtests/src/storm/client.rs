//! One socket that comes back, as the page does; it keeps where it is, and no rows.

use domain::frame::close;
use fastrand::Rng;
use loadtests::{http::Http, page, socket::Socket};
use serde::{Deserialize, de::IgnoredAny};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, sleep},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Candidate,
    Viewer,
}

/// A socket has all rows (again).
pub(super) struct Live {
    pub(super) who: Who,
    pub(super) at: Instant,
    /// What was wrong since it was live last.
    pub(super) problem: Option<String>,
}

/// See the module.
pub(super) struct Client {
    who: Who,
    browser: Http,
    topic: String,
    /// Epoch and seq of the last frame.
    place: (u64, u64),
    /// Attempts that failed since the last frame.
    failures: u32,
    problem: Option<String>,
    random: Rng,
}

/// What is looked at of a frame.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Rows {
        epoch: u64,
        seq: u64,
        prev: Option<u64>,
        #[serde(default)]
        reset: bool,
        #[serde(default)]
        more: bool,
        #[serde(rename = "rows")]
        _rows: IgnoredAny,
    },
    Bye {
        retry_after_ms: Option<u64>,
    },
    #[serde(other)]
    Other,
}

/// How a connection ended.
struct Lost {
    /// When the server wants to see us again.
    retry_after_ms: u64,
}

impl Client {
    pub(super) fn new(who: Who, browser: Http, topic: String) -> Self {
        let (place, failures, problem, random) = ((0, 0), 0, None, Rng::new());
        Self { who, browser, topic, place, failures, problem, random }
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
        let Ok(mut socket) = Socket::open(&self.browser).await else { return lost };
        if socket.watch(&self.topic, self.place).await.is_err() {
            return lost;
        }
        let mut is_live = false;
        loop {
            match socket.next_text().await {
                Ok(text) => match serde_json::from_str(&text) {
                    Ok(Frame::Rows { epoch, seq, prev, reset, more, .. }) => {
                        self.check(reset, (epoch, seq), prev);
                        self.place = (epoch, seq);
                        if !more && !std::mem::replace(&mut is_live, true) {
                            self.failures = 0;
                            let (who, problem) = (self.who, self.problem.take());
                            live.send(Live { who, at: Instant::now(), problem }).await.ok();
                        }
                    }
                    Ok(Frame::Bye { retry_after_ms }) => {
                        lost.retry_after_ms = retry_after_ms.unwrap_or(0);
                    }
                    Ok(Frame::Other) => {}
                    Err(error) => self.problem = Some(format!("{error}: {text}")),
                },
                Err(code) => {
                    if let Some(code @ close::BAD_FRAME..) = code {
                        self.problem = Some(format!("{}: closed with {code}", self.topic));
                    }
                    return lost;
                }
            }
        }
    }

    /// A stream's frames follow each other; those of a page or a new reading follow nothing.
    fn check(&mut self, reset: bool, place: (u64, u64), prev: Option<u64>) {
        let follows = prev.is_none_or(|prev| place.0 == self.place.0 && prev == self.place.1);
        if !reset && !follows {
            let (topic, known) = (&self.topic, self.place);
            self.problem = Some(format!("{topic}: {place:?} after {prev:?}, known {known:?}"));
        }
    }
}
