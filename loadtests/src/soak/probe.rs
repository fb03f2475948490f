//! Probes: people who save something, one command after the other, each until it is done, spread over
//! the shards and over the nodes that answer. How long the slowest takes is how long something was
//! not served.

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
    seen: watch::Sender<Seen>,
    _probes: JoinSet<()>,
}

/// What was answered.
struct Seen {
    longest: Duration,
    /// What became of it at each node that was asked.
    way: String,
    /// For each probe, when it asked for what was answered last.
    asked_at: Vec<Instant>,
}

impl Probes {
    pub(super) async fn start(
        creator: &Creator,
        gateways: Vec<String>,
        over: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        let seen = watch::Sender::new(Seen {
            longest: Duration::ZERO,
            way: String::new(),
            asked_at: vec![now; COUNT],
        });
        let mut probes = JoinSet::new();
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
                seen: seen.clone(),
                over: over.clone(),
            };
            probes.spawn(probe.go_on());
        }
        Ok(Self { seen, _probes: probes })
    }

    /// Forgets what was before.
    pub(super) fn begin_round(&self) {
        self.seen.send_modify(|seen| seen.longest = Duration::ZERO);
    }

    /// Waits until each of them was answered something that it asked from now on.
    pub(super) async fn served(&self) {
        let since = Instant::now();
        let mut seen = self.seen.subscribe();
        let all = |seen: &Seen| seen.asked_at.iter().all(|asked_at| since <= *asked_at);
        seen.wait_for(all).await.ok();
    }

    /// The slowest that was answered since, and its way.
    pub(super) fn longest(&self) -> (Duration, String) {
        let seen = self.seen.borrow();
        (seen.longest, seen.way.clone())
    }
}

struct Probe {
    browser: Http,
    gateways: Vec<String>,
    test: TestId,
    n: usize,
    seen: watch::Sender<Seen>,
    over: watch::Receiver<bool>,
}

impl Probe {
    async fn go_on(mut self) {
        for turn in 0_usize.. {
            if *self.over.borrow() {
                return;
            }
            let what = if turn.is_multiple_of(2) { "archive" } else { "restore" };
            let asked_at = Instant::now();
            let way = self.ask(what).await;
            self.note(asked_at, way);
            sleep(PAUSE).await;
        }
    }

    fn note(&self, asked_at: Instant, way: String) {
        self.seen.send_modify(|seen| {
            if seen.longest < asked_at.elapsed() {
                (seen.longest, seen.way) = (asked_at.elapsed(), way);
            }
            if let Some(own) = seen.asked_at.get_mut(self.n) {
                *own = asked_at;
            }
        });
    }

    /// Asks one node after the other until it is done. What was done already is refused: good, too.
    async fn ask(&mut self, what: &str) -> String {
        let mut way = String::new();
        let path = format!("/api/v1/tests/{}/{what}", self.test);
        for turn in self.n.. {
            let at = turn % self.gateways.len().max(1);
            let Some(url) = self.gateways.get(at) else { break };
            let mut browser = self.browser.to(url);
            let began = Instant::now();
            let asked = timeout(PATIENCE, browser.post(&path, &json!({}))).await;
            let came = match &asked {
                Ok(Ok(reply)) => reply.status.as_u16().to_string(),
                Ok(Err(_)) => "cut".to_owned(),
                Err(_) => "late".to_owned(),
            };
            way = format!("{way} n{}:{came}:{}", at + 1, began.elapsed().as_millis());
            match asked {
                Ok(Ok(reply)) if reply.status.as_u16() < 500 => break,
                _ if *self.over.borrow() => break,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
        way
    }
}
