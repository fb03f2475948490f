//! The server is killed under those who type, and started again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use domain::{aggregate::Outage, ports::Clock};
use loadtests::{
    candidate::{Candidate, PATIENCE},
    kept,
    player::{Manner, play},
};
use serde_json::json;
use storage::SystemClock;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::setting::{Done, Setting};

const MANNER: Manner = Manner {
    edit_every: Duration::from_millis(250),
    run_every: None,
    cut_every: None,
    hand_in_at: None,
    patience: PATIENCE,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_under_200_typing_candidates_loses_no_acknowledged_edit() -> Done {
    nothing_is_lost(&mut Setting::new(200).await?).await
}

/// Everybody types, the server is killed and started again, and everybody goes on.
pub(crate) async fn nothing_is_lost(setting: &mut Setting) -> Done {
    let candidates = setting.all_started().await?;
    let counts: Vec<_> = candidates.iter().map(|one| Arc::clone(&one.acknowledged)).collect();
    let (stop, stopped) = watch::channel(false);
    let mut players = JoinSet::new();
    for candidate in candidates {
        players.spawn(play(candidate, MANNER, stopped.clone()));
    }
    all_beyond(&counts, &vec![3; counts.len()]).await?;
    setting.server.kill().await?;
    let from = SystemClock.now();
    let at_the_kill: Vec<u32> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let gone = Outage { from, to: SystemClock.now() };
    setting.server.start_again()?;
    setting.server.ready().await?;
    all_beyond(&counts, &at_the_kill.iter().map(|count| count + 3).collect::<Vec<_>>()).await?;
    stop.send_replace(true);
    while let Some(candidate) = players.join_next().await {
        let mut candidate = candidate?;
        check(&mut candidate, gone).await?;
        let seen = setting.row(&candidate).await?;
        ensure!(seen["credits"].as_array().map(Vec::len) == Some(1), "{seen}");
    }
    Ok(())
}

/// Waits until each has more acknowledged edits than it is said.
async fn all_beyond(counts: &[Arc<AtomicU32>], than: &[u32]) -> Done {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let pairs = counts.iter().zip(than);
        let waiting = pairs.filter(|(count, than)| count.load(Ordering::Relaxed) <= **than).count();
        if waiting == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{waiting} do not go on");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that was acknowledged is there, and the outage was given back once.
async fn check(candidate: &mut Candidate, gone: Outage) -> Done {
    Setting::all_well(candidate)?;
    ensure!(candidate.report.resumes > 0, "it was never cut off");
    let stored = candidate.stored_text().await?;
    ensure!(stored.rev == candidate.acknowledged.load(Ordering::Relaxed), "{}", stored.rev);
    candidate.until("the credit", |view| view.row("session")["credits"] != json!([])).await?;
    kept::check(candidate.view.row("session"), &candidate.text, &stored, &[gone])
}
