//! Thousands look at one wall while candidates score: how soon each change is on every screen, and
//! whether each screen has seen exactly what was sent.

mod ledger;
mod scorer;
mod table;
mod viewer;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use loadtests::{
    candidate::Candidate,
    crowd::Crowd,
    lag::Lag,
    server::{Server, Usage, usage},
    wall::{self, Row},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

use self::{
    ledger::Ledger,
    scorer::{Change, Schedule},
    viewer::{Screen, Viewer},
};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 5_000)]
    viewers: usize,
    #[arg(long, default_value_t = 100)]
    candidates: usize,
    /// How many questions are solved a second, by all together.
    #[arg(long, default_value_t = 8.0)]
    changes: f64,
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
}

/// How long all viewers may take to have everything.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was measured.
struct Measured {
    opening: Duration,
    playing: Duration,
    /// Before anybody looked, with everybody looking, and after the last change.
    quiet: Usage,
    before: Usage,
    after: Usage,
    lags: Vec<Duration>,
    changes: BTreeMap<usize, Vec<Change>>,
    screens: Vec<Screen>,
    problems: Vec<String>,
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let rounds = rounds(&config);
    let mut questions = vec![];
    for _ in 0..rounds {
        questions.push(creator.code(1, None).await?);
    }
    let mut crowd = Crowd::begin(&mut creator, "Viewers", questions, config.candidates).await?;
    let browser = crowd.viewer(&mut creator).await?;
    let candidates = std::mem::take(&mut crowd.candidates);
    let pid = server.pid().context("it runs")?;
    let quiet = usage(pid)?;

    let ledger = Arc::new(Ledger::new(config.candidates));
    let (stop, stopped) = watch::channel(false);
    let mut viewers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..config.viewers {
        let topic = format!("wall.{}", crowd.campaign);
        let viewer = Viewer::new(browser.clone(), topic, Arc::clone(&ledger));
        viewers.spawn(viewer.look(stopped.clone()));
    }
    timeout(PATIENCE, ledger.all_live(config.viewers)).await.context("some never came")?;
    let (opening, before) = (began.elapsed(), usage(pid)?);

    let lag = Lag::start();
    let began = Instant::now();
    let schedule = Schedule::new(config.candidates, config.changes);
    let (changes, mut problems) = score(candidates, rounds, schedule).await?;
    let (playing, after, lags) = (began.elapsed(), usage(pid)?, lag.stop().await?);

    let end = settled(&browser, &crowd, config.candidates, rounds, &mut problems).await?;
    if timeout(PATIENCE, ledger.all_at(end, config.viewers)).await.is_err() {
        problems.push("some viewers never saw the end".to_owned());
    }
    stop.send_replace(true);
    let mut screens = vec![];
    while let Some(viewer) = viewers.join_next().await {
        screens.push(viewer?);
    }
    problems.extend(screens.iter_mut().flat_map(|one| std::mem::take(&mut one.problems)));
    let measured =
        Measured { opening, playing, quiet, before, after, lags, changes, screens, problems };
    table::print(&config, &ledger, measured)
}

/// Everybody solves everything. Answers when, and what went wrong.
async fn score(
    candidates: Vec<Candidate>,
    rounds: usize,
    schedule: Schedule,
) -> anyhow::Result<(BTreeMap<usize, Vec<Change>>, Vec<String>)> {
    let mut scorers = JoinSet::new();
    for (number, candidate) in candidates.into_iter().enumerate() {
        scorers.spawn(scorer::play(candidate, number, rounds, schedule));
    }
    let (mut changes, mut problems) = (BTreeMap::new(), vec![]);
    while let Some(played) = scorers.join_next().await {
        let played = played??;
        changes.insert(played.number, played.changes);
        problems.extend(played.problems);
    }
    Ok((changes, problems))
}

/// How many questions everybody solves.
fn rounds(config: &Config) -> usize {
    let changes = config.changes * config.seconds / whole(config.candidates);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let rounds = changes.ceil() as usize;
    rounds.clamp(1, 50)
}

/// Waits until the wall has it all. Answers its place then.
async fn settled(
    browser: &loadtests::http::Http,
    crowd: &Crowd,
    candidates: usize,
    rounds: usize,
    problems: &mut Vec<String>,
) -> anyhow::Result<(u64, u64)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let view = wall::first(browser, crowd.campaign).await?;
        let rows = wall::rows(&view)?;
        let wrong = wrong(&rows, candidates, rounds);
        if wrong.is_empty() || until < Instant::now() {
            problems.extend(wrong);
            return Ok((view.epoch, view.seq));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Who has solved what they have not, or stands where they do not by what the rows say.
fn wrong(rows: &BTreeMap<String, Row>, candidates: usize, solved: usize) -> Vec<String> {
    let mut wrong = vec![];
    for name in (0..candidates).map(|number| format!("Candidate {number:05}")) {
        let Some(row) = rows.get(&name) else {
            wrong.push(format!("{name} is not on the wall"));
            continue;
        };
        let is_better = |other: &&Row| {
            other
                .score
                .total_cmp(&row.score)
                .reverse()
                .then(other.minutes.cmp(&row.minutes))
                .is_lt()
        };
        let rank = 1 + rows.values().filter(is_better).count();
        if row.solved != solved || row.rank != rank {
            wrong.push(format!("{name} has solved {solved} and is of rank {rank}: {row:?}"));
        }
    }
    wrong
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
