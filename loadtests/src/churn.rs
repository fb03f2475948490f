//! Sockets come and go for minutes: candidates, creators who look at a monitor, viewers of a wall.
//! When all have gone, threads, descriptors and memory of the server, and what it has subscribed to,
//! are where they were before.

mod stayer;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use loadtests::{
    crowd::Crowd,
    figures::{Figure, report},
    server::{Census, Server, census},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

use self::stayer::{Stayer, What};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    #[arg(long, default_value_t = 100)]
    candidates: usize,
    /// How many others come and go.
    #[arg(long, default_value_t = 400)]
    others: usize,
}

/// How long is waited until all traces may be gone: boards stop, and owners that nobody asks for
/// anything go to sleep after two minutes.
const SETTLING: Duration = Duration::from_secs(20);
/// How much more memory may be in use at the end than after everybody had come and gone once.
const GROWN_MIB: f64 = 4.0;

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let mut crowd = Crowd::begin(&mut creator, "Churn", questions, config.candidates).await?;
    let viewer = crowd.viewer(&mut creator).await?;
    let (stop, _) = watch::channel(false);
    let mut stayers = vec![];
    for candidate in std::mem::take(&mut crowd.candidates) {
        let (topic, what) = (candidate.topic.clone(), What::Candidate(candidate.seat));
        stayers.push(Stayer::new(candidate.browser, vec![topic], what));
    }
    let (wall, monitor) =
        (format!("wall.{}", crowd.campaign), format!("monitor.{}", crowd.campaign));
    for n in 0..config.others {
        let (browser, topics) = match n % 4 {
            0 => (creator.browser.clone(), vec![monitor.clone(), wall.clone()]),
            _ => (viewer.clone(), vec![wall.clone()]),
        };
        stayers.push(Stayer::new(browser, topics, What::Other));
    }
    let pid = server.pid().context("it runs")?;
    // Whatever is made once is made before it is counted, and the database's caches are full.
    let warm = Duration::from_secs_f64(config.minutes * 60.0 / 8.0);
    let (stayers, _) = churn(stayers, warm, &stop).await?;
    sleep(SETTLING).await;
    let before = census(pid)?;
    let half = Duration::from_secs_f64(config.minutes * 30.0);
    let (stayers, first) = churn(stayers, half, &stop).await?;
    sleep(SETTLING).await;
    let middle = census(pid)?;
    let (stayers, second) = churn(stayers, half, &stop).await?;
    sleep(SETTLING).await;
    let after = census(pid)?;
    let (most, length) = (first.max(second), half * 2 + SETTLING);
    let visits: u64 = stayers.iter().map(|one| one.visits).sum();
    let problems: Vec<String> = stayers.into_iter().flat_map(|one| one.problems).collect();
    let more = |of: fn(&Census) -> f64| of(&after) - of(&before);
    #[expect(clippy::cast_precision_loss, reason = "counts in a table")]
    let figures = [
        Figure::plain("minutes", config.minutes, ""),
        Figure::plain("sockets at once, at most", most, ""),
        Figure::plain("sockets that came and went", visits as f64, ""),
        Figure::at_most("threads more than before", more(|it| it.threads), "", 0.0),
        Figure::at_most("descriptors more than before", more(|it| it.descriptors), "", 0.0),
        Figure::at_most("sockets left over", after.sockets - before.sockets, "", 0.0),
        Figure::plain("memory before", before.usage.rss_mib, "MiB"),
        Figure::plain("memory in the middle", middle.usage.rss_mib, "MiB"),
        Figure::at_most("memory more than before", more(|it| it.usage.rss_mib), "MiB", GROWN_MIB),
        Figure::plain(
            "server processor time",
            more(|it| it.usage.cpu_s) / length.as_secs_f64() * 100.0,
            "% core",
        ),
        Figure::at_most("problems found", problems.len() as f64, "", 0.0),
    ];
    report("churn", &figures)?;
    Ok(problems)
}

/// Lets everybody come and go for so long, and waits until all have gone. Answers how many
/// sockets there were at most, too.
async fn churn(
    stayers: Vec<Stayer>,
    length: Duration,
    stop: &watch::Sender<bool>,
) -> anyhow::Result<(Vec<Stayer>, f64)> {
    stop.send_replace(false);
    let here = watch::Sender::new(0_u32);
    let mut going = JoinSet::new();
    for stayer in stayers {
        going.spawn(stayer.come_and_go(stop.subscribe(), here.clone()));
    }
    let until = Instant::now() + length;
    let mut most = 0;
    while Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
        most = most.max(*here.borrow());
    }
    stop.send_replace(true);
    let mut gone = vec![];
    while let Some(stayer) = going.join_next().await {
        gone.push(stayer?);
    }
    Ok((gone, f64::from(most)))
}
