//! Everything that `polycode` is made of: HTTP, sockets, access rules, the command line. A library
//! so that the live gateway can be measured by itself, see [`serve_on`].

#![forbid(unsafe_code)]

mod access;
mod api;
mod app;
mod backup;
mod caller;
mod cluster;
mod config;
mod demo;
mod error;
mod hub;
mod limits;
mod listen;
mod live;
mod metrics;
mod outpost;
mod secret;
mod serve;
mod setup;
mod socket;
mod status;
mod store;
mod tasks;
mod verify;
mod web;

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use cluster::WrongCluster;
use config::{Admin, Command, Config, LogForm, Package, Runner};
pub use domain::people::Person;
use domain::people::Role;
pub use serve::serve_on;
use storage::{backup::BackupError, sqlite::Options};
use store::{Store, WrongDatabase};
use tikv_jemallocator::Jemalloc;

/// Most of what is made for a frame is given back by another thread than the one that took it. How it
/// is set is in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The program.
pub fn main() -> ExitCode {
    // The sandbox's helper is this same program; it must be itself before any thread exists.
    runner::sandbox_main_if_asked();
    let config = Config::parse();
    keep_log(config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(config)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_told(&error) => {
            let told = writeln!(std::io::stderr(), "polycode: {error}");
            if told.is_ok() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what happens to standard error: for people, or one JSON object a line.
fn keep_log(form: LogForm) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "info,sqlx=warn,async_nats=warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match form {
        LogForm::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogForm::Json => log.json().flatten_event(true).init(),
    }
}

/// Whether it is no failure to be looked into, but one line for whoever asked.
fn is_told(error: &anyhow::Error) -> bool {
    let refused = matches!(error.downcast_ref(), Some(BackupError::Refused(_)));
    refused
        || error.is::<runner::NotMet>()
        || error.is::<WrongDatabase>()
        || error.is::<WrongCluster>()
}

async fn run(config: Config) -> anyhow::Result<()> {
    let (data, database) = (&config.data, config.database.as_deref());
    match config.command {
        Command::Serve(serve) => serve::run(data, database, serve).await,
        Command::Admin(Admin::Create { email, name }) => {
            create_admin(data, database, &email, &name).await
        }
        Command::Import { package, owner } => serve::import(data, database, &package, &owner).await,
        Command::Backup { file } => backup::back_up(data, database, &file).await,
        Command::Restore(restore) => backup::restore(data, database, restore).await,
        Command::Erasures { ledger } => backup::erasures(data, database, &ledger).await,
        Command::Package(Package::Verify { package, json }) => verify::run(&package, json).await,
        Command::Status { cluster, json } => status::run(&cluster, json).await,
        Command::Runner(Runner::Check) => say_what_the_runner_has().await,
        Command::Runner(Runner::Serve(config)) => outpost::run(data, &config).await,
    }
}

async fn create_admin(
    data: &Path,
    database: Option<&str>,
    email: &str,
    name: &str,
) -> anyhow::Result<()> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("no password on standard input")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let person = administrator(name, email, password).await?;
    let store = Store::open(data, database, Options::default()).await?;
    store.people.add_person(person).await?;
    store.close().await;
    Ok(())
}

/// An administrator's account, not yet kept.
pub async fn administrator(name: &str, email: &str, password: String) -> anyhow::Result<Person> {
    api::account::make_person(name, email, password, Role::Administrator)
        .await
        .map_err(|refusal| anyhow::anyhow!("{}", refusal.why().text))
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
async fn say_what_the_runner_has() -> anyhow::Result<()> {
    // What an option needs is looked at, too, whoever will give it.
    let config = runner::Config { python_fork_server: true, ..runner::Config::default() };
    let report = runner::check(config).await;
    for (name, is_well, what) in &report {
        println!("{} {name}: {what}", if *is_well { "ok     " } else { "missing" });
    }
    let stands = |wall: &str| report.iter().any(|(name, is_well, _)| *is_well && name == wall);
    anyhow::ensure!(stands("namespaces"), "no code can be run on this machine");
    let groups = if stands("control groups") { "would start" } else { "would not" };
    println!("`polycode serve` would start here; with `--isolation require-cgroup` it {groups}.");
    Ok(())
}
