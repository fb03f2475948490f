//! Time: a hundred thousand ends of tests, none early and none late; the time that pages show
//! through a bad network; what those gain who lie about theirs; and how soon everybody is told.

mod expiry;
mod liars;
mod shown;
mod told;

use std::path::PathBuf;

use clap::Args;
use loadtests::figures::report;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    /// How many tests run.
    #[arg(long, default_value_t = 100_000)]
    timers: u32,
    /// How long everybody may take to start.
    #[arg(long, default_value_t = 90)]
    starting_s: u32,
    /// Over how long the ends are spread.
    #[arg(long, default_value_t = 100)]
    ending_s: u32,
    /// Keeps the tests in memory, so that no disk is in the way.
    #[arg(long)]
    memory: bool,
    /// How many pages look at a clock through a bad network.
    #[arg(long, default_value_t = 100)]
    pages: u32,
    /// How many type after the end, honest ones and as many liars.
    #[arg(long, default_value_t = 50)]
    liars: usize,
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let mut problems = vec![];
    let mut figures = expiry::measure(&config, &mut problems).await?;
    figures.extend(shown::measure(&config).await?);
    figures.extend(liars::measure(&config, &mut problems).await?);
    figures.extend(told::measure(&config).await?);
    report("timers", &figures)?;
    Ok(problems)
}
