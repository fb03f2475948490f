//! Sockets are cut at random while rows change: what everybody sees stays in order, and comes to
//! be the same.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use anyhow::ensure;
use domain::frame::close;
use loadtests::{
    candidate::{Candidate, PATIENCE},
    monitor::{Monitor, Sightings},
    player::{Manner, play},
    socket::{Heard, Socket},
};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::setting::{Done, Setting};

const MANNER: Manner = Manner {
    edit_every: Duration::from_millis(40),
    run_every: Some(Duration::from_millis(200)),
    cut_every: Some(Duration::from_millis(250)),
    hand_in_at: None,
    patience: PATIENCE,
};

/// How many edits each makes.
const EDITS: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_sockets_leave_no_gap_and_come_to_the_same() -> Done {
    let mut setting = Setting::new(12).await?;
    let candidates = setting.all_started().await?;
    let counts: Vec<_> = candidates.iter().map(|one| Arc::clone(&one.acknowledged)).collect();
    let (stop, stopped) = watch::channel(false);
    let mut players = JoinSet::new();
    for candidate in candidates {
        players.spawn(play(candidate, MANNER, stopped.clone()));
    }
    let mut monitor = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    let until = Instant::now() + 2 * PATIENCE;
    while counts.iter().any(|count| count.load(Ordering::Relaxed) < EDITS) {
        ensure!(Instant::now() < until, "{counts:?}");
        watch_and_cut(&mut monitor).await?;
    }
    stop.send_replace(true);
    while let Some(candidate) = players.join_next().await {
        compare(&mut setting, candidate?).await?;
    }
    let mut fresh = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    fresh.until(|_| true).await?;
    let rows = |monitor: &Monitor| {
        let mut rows = monitor.view.rows.clone();
        rows.retain(|key, _| key.starts_with("c."));
        rows
    };
    monitor.until(|view| rows(&fresh).iter().all(|(key, row)| view.row(key) == row)).await?;
    ensure!(monitor.problems.is_empty(), "{:?}", monitor.problems);
    Ok(())
}

/// Looks for a moment, then comes back on another socket.
async fn watch_and_cut(monitor: &mut Monitor) -> Done {
    let sightings = Sightings::default();
    let moment = sleep(Duration::from_millis(fastrand::u64(20..400)));
    tokio::pin!(moment);
    loop {
        tokio::select! {
            step = monitor.step(&sightings) => step?,
            () = &mut moment => return monitor.connect().await,
        }
    }
}

/// What the candidate has is what somebody who looks for the first time gets.
async fn compare(setting: &mut Setting, mut candidate: Candidate) -> Done {
    ensure!(candidate.report.resumes > 3, "{} resumes", candidate.report.resumes);
    candidate.compare_files().await?;
    let mut fresh = Candidate::signed_in(candidate.browser.clone(), candidate.session);
    fresh.connect().await?;
    let judged = |view: &loadtests::view::View| {
        let mut runs = view.rows.iter().filter(|(key, _)| key.starts_with("run."));
        runs.all(|(_, row)| row["state"] == "judged")
    };
    fresh.until("all verdicts", judged).await?;
    let rows = fresh.view.rows.clone();
    candidate.until("the same rows", |view| view.rows == rows).await?;
    let waiting = setting.row(&candidate).await?["waiting"].take();
    ensure!(waiting == json!([]), "{waiting}");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_server_that_stops_tells_everybody_when_to_come_back() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut candidates = setting.all_started().await?;
    let mut socket = Socket::open(&candidates[0].browser).await?;
    candidates.clear();
    let told = async {
        loop {
            if let Heard::Bye { code, retry_after_ms } = socket.next().await {
                break (code, retry_after_ms);
            }
        }
    };
    let ((code, retry_after_ms), stopped) = tokio::join!(told, setting.server.stop());
    ensure!(stopped?.success());
    ensure!(code == close::GOING_AWAY && retry_after_ms.is_some_and(|ms| ms < 10_000));
    ensure!(matches!(socket.next().await, Heard::Closed(Some(close::GOING_AWAY))));
    Ok(())
}
