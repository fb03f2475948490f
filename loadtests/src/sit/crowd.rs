//! Many candidates at once.

use std::{sync::Arc, time::Duration};

use domain::{at::At, ports::Clock};
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    candidate::Candidate,
    creator::Added,
    http::Http,
    monitor::Sightings,
    player::{Manner, play as play_one},
};
use serde_json::json;
use storage::SystemClock;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::Config;

/// How many do the same thing at the same time.
const ABREAST: usize = 64;
/// One in so many hands in before the end.
const HANDS_IN: usize = 20;

/// Opens everybody's link, and a socket.
pub(super) async fn open(browser: &Http, added: Vec<Added>) -> anyhow::Result<Vec<Candidate>> {
    let open = |added: Added| async move {
        let mut candidate = Candidate::open(browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        anyhow::Ok(candidate)
    };
    stream::iter(added).map(open).buffer_unordered(ABREAST).try_collect().await
}

/// Everybody starts, and answers the quiz. Answers how long that took.
pub(super) async fn start(
    candidates: &mut Vec<Candidate>,
    closes_at: At,
) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let start = |mut candidate: Candidate| async move {
        let closes = json!(closes_at);
        let is_told = |view: &loadtests::view::View| view.row("session")["closes_at"] == closes;
        candidate.until("the deadline", is_told).await?;
        candidate.start(1).await?;
        let seat = candidate.seat;
        let choices = json!([usize::from(candidate.random.u8(..4) == 0)]);
        let answer = json!({ "type": "answer", "seat": seat, "question": 0, "choices": choices });
        let answered = candidate.ask(answer).await?;
        answered.map_err(|why| anyhow::anyhow!("{}", why.text))?;
        anyhow::Ok(candidate)
    };
    let all = std::mem::take(candidates);
    *candidates = stream::iter(all).map(start).buffer_unordered(ABREAST).try_collect().await?;
    Ok(begin.elapsed())
}

/// How each candidate behaves.
pub(super) fn manners(config: &Config, closes_at: At, count: usize) -> Vec<Manner> {
    let left = u64::try_from((closes_at - SystemClock.now()).0).unwrap_or(0);
    let early = Instant::now() + Duration::from_millis(left).mul_f64(0.9);
    let manner = |n: usize| Manner {
        edit_every: Duration::from_millis(config.edit_every_ms),
        run_every: (n % 100 < config.runs_percent).then_some(Duration::from_secs(10)),
        cut_every: config.cuts.then_some(Duration::from_secs(20)),
        hand_in_at: (n % HANDS_IN == HANDS_IN - 1).then_some(early),
        patience: loadtests::candidate::PATIENCE,
    };
    (0..count).map(manner).collect()
}

/// Everybody plays to the end.
pub(super) async fn play(
    candidates: Vec<Candidate>,
    sightings: &Arc<Sightings>,
    manners: Vec<Manner>,
) -> anyhow::Result<Vec<Candidate>> {
    let (_stop, stopped) = watch::channel(false);
    let mut players = JoinSet::new();
    for (mut candidate, manner) in candidates.into_iter().zip(manners) {
        candidate.sightings = Some(Arc::clone(sightings));
        players.spawn(play_one(candidate, manner, stopped.clone()));
    }
    let mut played = vec![];
    while let Some(candidate) = players.join_next().await {
        played.push(candidate?);
    }
    Ok(played)
}
