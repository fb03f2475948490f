//! Probes: people who save something, one command after the other, each until it is done, spread over
//! the shards and over the nodes that answer. How long the slowest takes is how long something was
//! not served.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{at::Ms, ids::TestId, plan::Test};
use loadtests::{creator::Creator, http::Http};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

/// How many there are.
const COUNT: usize = 24;
/// How long each waits between two commands.
const PAUSE: Duration = Duration::from_millis(100);
/// A node that does not answer after so long is not asked any more; the next one is.
const PATIENCE: Duration = Duration::from_secs(12);

/// See the module.
pub(super) struct Probes {
    longest: Arc<Mutex<Duration>>,
    _probes: JoinSet<()>,
}

impl Probes {
    pub(super) async fn start(
        creator: &Creator,
        gateways: Vec<String>,
        over: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let (longest, mut probes) = (Arc::new(Mutex::default()), JoinSet::new());
        for n in 0..COUNT {
            let mut creator = creator.clone();
            let test =
                Test { title: format!("Probe {n}"), time_allowed: Ms(60_000), questions: vec![] };
            let test = creator.test(&test).await?;
            let probe = Probe {
                browser: creator.browser,
                gateways: gateways.clone(),
                test,
                n,
                longest: Arc::clone(&longest),
                over: over.clone(),
            };
            probes.spawn(probe.go_on());
        }
        Ok(Self { longest, _probes: probes })
    }

    /// Forgets what was before.
    pub(super) fn begin_round(&self) {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
    }

    /// The slowest that was answered since.
    pub(super) fn longest(&self) -> Duration {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Probe {
    browser: Http,
    gateways: Vec<String>,
    test: TestId,
    n: usize,
    longest: Arc<Mutex<Duration>>,
    over: watch::Receiver<bool>,
}

impl Probe {
    async fn go_on(mut self) {
        for turn in 0_usize.. {
            if *self.over.borrow() {
                return;
            }
            let what = if turn.is_multiple_of(2) { "archive" } else { "restore" };
            let took = self.ask(what).await;
            self.note(took);
            sleep(PAUSE).await;
        }
    }

    fn note(&self, took: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = longest.max(took);
    }

    /// Asks one node after the other until it is done. What was done already is refused: good, too.
    async fn ask(&mut self, what: &str) -> Duration {
        let began = Instant::now();
        let path = format!("/api/v1/tests/{}/{what}", self.test);
        for turn in self.n.. {
            let at = turn % self.gateways.len().max(1);
            let Some(url) = self.gateways.get(at) else { break };
            let mut browser = self.browser.to(url);
            let asked = timeout(PATIENCE, browser.post(&path, &json!({}))).await;
            match asked {
                Ok(Ok(reply)) if reply.status.as_u16() < 500 => break,
                _ if *self.over.borrow() => break,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
        began.elapsed()
    }
}
