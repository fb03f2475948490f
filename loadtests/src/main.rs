//! `loadtests`: plays load, checks what it sees, prints a table, and writes `target/bench/*.json`.

#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    reason = "a field of JSON that is not there is null, and a panic is found at once"
)]

mod alone;
mod board;
mod burst;
mod churn;
mod fan_server;
mod fanout;
mod journal;
mod postgres;
mod recovery;
mod sit;
mod slow;
mod soak;
mod stand;
mod startup;
mod storm;
mod stream;
mod timers;
mod viewers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

/// As the server's.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Load tests of Polycode.
#[derive(Debug, Parser)]
struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a whole campaign: everybody sits the same test at the same time.
    Sit(sit::Config),
    /// Starts a server on a directory of many sessions, a part of them running.
    Startup(startup::Config),
    /// Forty candidates press Run within a second, each on a C++ program with ten validators.
    Burst(burst::Config),
    /// One frame to many sockets, in turns with other servers that do nothing else.
    Fanout(fanout::Config),
    /// Everybody is cut off at once and comes back: by the network, by a crash, by an orderly restart.
    Storm(storm::Config),
    /// Cuts links of candidates who work, thousands of times, and kills the server now and then.
    Recovery(recovery::Config),
    /// A cluster at work, one fault after the other.
    Soak(soak::Config),
    /// Starts a cluster on this machine, to look at.
    Cluster(stand::Config),
    /// Plays a real contest again, faster, and holds the wall against its file.
    Stream(stream::Config),
    /// Thousands look at one wall while candidates score.
    Viewers(viewers::Config),
    /// A hundred thousand ends of tests, the time that pages show, and who lies about theirs.
    Timers(timers::Config),
    /// One socket that reads slowly, or not at all, beside others.
    Slow(slow::Config),
    /// Sockets come and go for minutes, and nothing of them may stay.
    Churn(churn::Config),
    /// Ranks 100,000 contestants, in turns with Redis.
    Board(board::Config),
    /// Appends to the SQLite store, many streams at once and one alone.
    Journal(journal::Config),
    /// Appends to the PostgreSQL store, in turns with pgbench's single inserts.
    Postgres(postgres::Config),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let problems = match Config::parse().command {
        Command::Sit(config) => sit::run(config).await?,
        Command::Startup(config) => startup::run(config).await?,
        Command::Burst(config) => burst::run(config).await?,
        Command::Fanout(config) => fanout::run(&config)?,
        Command::Storm(config) => storm::run(&config).await?,
        Command::Recovery(config) => recovery::run(config).await?,
        Command::Soak(config) => soak::run(config).await?,
        Command::Cluster(config) => stand::run(config).await?,
        Command::Stream(config) => stream::run(config).await?,
        Command::Viewers(config) => viewers::run(config).await?,
        Command::Timers(config) => timers::run(config).await?,
        Command::Slow(config) => slow::run(config).await?,
        Command::Churn(config) => churn::run(config).await?,
        Command::Board(config) => board::run(&config)?,
        Command::Journal(config) => journal::run(config).await?,
        Command::Postgres(config) => postgres::run(config).await?,
    };
    for problem in problems.iter().take(50) {
        eprintln!("problem: {problem}");
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
