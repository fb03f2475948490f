//! How late a program of ours is itself: what it measures is late by as much.

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(10);

/// See the module.
pub struct Lag {
    stop: watch::Sender<bool>,
    ticking: JoinSet<Vec<Duration>>,
}

impl Lag {
    pub fn start() -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut ticking = JoinSet::new();
        ticking.spawn(tick(stopped));
        Self { stop, ticking }
    }

    /// How late each look was.
    pub async fn stop(mut self) -> anyhow::Result<Vec<Duration>> {
        self.stop.send_replace(true);
        Ok(self.ticking.join_next().await.transpose()?.unwrap_or_default())
    }
}

async fn tick(stop: watch::Receiver<bool>) -> Vec<Duration> {
    let mut lags = vec![];
    while !*stop.borrow() {
        let due = Instant::now() + EVERY;
        sleep(EVERY).await;
        lags.push(due.elapsed());
    }
    lags
}
