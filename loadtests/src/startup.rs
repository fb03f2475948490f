//! A start on a directory of many sessions: until the server answers, and until every session that
//! runs is awake and has its credit for the time when there was no server.

mod fill;
mod script;

use std::path::{Path, PathBuf};

use clap::Args;
use domain::{ids::CampaignId, rows::Topic};
use loadtests::{
    creator::Creator,
    figures::{Figure, report},
    server::{Server, create_admin, usage},
};
use serde_json::Value;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::time::{Duration, Instant, sleep};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// How many of them run.
    #[arg(long, default_value_t = 1_000)]
    awake: usize,
    #[arg(long, default_value_t = 300)]
    edits: u32,
}

pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    create_admin(&config.spawn, &data).await?;
    let filled = Instant::now();
    let campaign = fill::fill(&data, &config).await?;
    let filling = filled.elapsed();
    let bytes = std::fs::metadata(data.join("polycode.db"))?.len();
    let start = Instant::now();
    let server = Server::start_on(&config.spawn, &data, true).await?;
    let answers = start.elapsed();
    let mut problems = vec![];
    if !all_awake(&data, campaign, config.awake).await? {
        problems.push("not every session came to be awake".to_owned());
    }
    let awake = start.elapsed();
    if credited(&mut server.creator().await?, campaign).await? != config.awake {
        problems.push("the server does not show every credit".to_owned());
    }
    let used = server.pid().map(usage).transpose()?.unwrap_or_default();
    let seconds = |length: Duration| length.as_secs_f64();
    let mib = f64::from(u32::try_from(bytes >> 10)?) / 1_024.0;
    report(
        "startup",
        &[
            Figure::plain("sessions", f64::from(u32::try_from(config.sessions)?), ""),
            Figure::plain("awake", f64::from(u32::try_from(config.awake)?), ""),
            Figure::plain("filling", seconds(filling), "s"),
            Figure::plain("data", mib, "MiB"),
            Figure::at_most("until the server answers", seconds(answers), "s", 2.0),
            Figure::at_most("until every session is awake", seconds(awake), "s", 2.0),
            Figure::plain("server memory, max", used.rss_max_mib, "MiB"),
            Figure::plain("server processor time", used.cpu_s, "s"),
        ],
    )?;
    Ok(problems)
}

/// Waits until the file has a credit for each; whoever asked the server would keep it busy.
async fn all_awake(data: &Path, campaign: CampaignId, awake: usize) -> anyhow::Result<bool> {
    let file = SqliteConnectOptions::new().filename(data.join("polycode.db")).read_only(true);
    let mut file = file.connect().await?;
    let count =
        "SELECT count(*) FROM rows WHERE topic = ?1 AND value ->> '$.credits[0]' IS NOT NULL";
    let until = Instant::now() + Duration::from_mins(1);
    while Instant::now() < until {
        let topic = Topic::Candidates(campaign).to_string();
        let credited: i64 = sqlx::query_scalar(count).bind(topic).fetch_one(&mut file).await?;
        if usize::try_from(credited)? == awake {
            return Ok(true);
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// How many candidates the server shows with a credit.
async fn credited(creator: &mut Creator, campaign: CampaignId) -> anyhow::Result<usize> {
    let read = creator.read(campaign).await?;
    let rows = read["candidates"].as_array().into_iter().flatten();
    let has_one = |it: &&Value| it["row"]["credits"].as_array().is_some_and(|all| !all.is_empty());
    Ok(rows.filter(has_one).count())
}
