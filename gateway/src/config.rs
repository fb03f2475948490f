//! The command line: everything that can be set, and nothing else.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

/// Timed programming tests, live.
#[derive(Parser)]
#[command(name = "polycode", version)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where everything is kept.
    #[arg(long, env = "POLYCODE_DATA", default_value = "data", global = true)]
    pub(crate) data: PathBuf,
    /// Keeps everything in PostgreSQL instead of a file: postgres://user@host:port/name. The data
    /// directory then has nothing but what was compiled. An address with a password comes in the
    /// environment variable only.
    #[arg(long, env = "POLYCODE_DATABASE", hide_env_values = true, global = true)]
    pub(crate) database: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the product.
    Serve(Serve),
    /// Administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// Makes a content of an ICPC or Kattis problem package (a directory or a zip).
    Import {
        package: PathBuf,
        /// Whose content it will be, by email.
        #[arg(long)]
        owner: String,
    },
    /// Problem packages.
    #[command(subcommand)]
    Package(Package),
    /// The code runner.
    #[command(subcommand)]
    Runner(Runner),
}

/// How to serve.
#[derive(Debug, Parser)]
pub(crate) struct Serve {
    #[arg(long, env = "POLYCODE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How people reach it, if not at the address it listens on; printed in links.
    #[arg(long, env = "POLYCODE_URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) runs: Runs,
    /// Adds a campaign to look at, of three problems and a quiz.
    #[arg(long, env = "DEMO", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, default_value = "false", default_missing_value = "true")]
    pub(crate) demo: bool,
    /// Syncs nothing, for tests of whether they would notice. No released program has it.
    #[cfg(debug_assertions)]
    #[arg(long, hide = true)]
    pub(crate) unsynced: bool,
}

/// How code is run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Runs {
    /// How many runs go on at once.
    #[arg(long, env = "POLYCODE_WORKERS")]
    pub(crate) workers: Option<usize>,
    /// Whether to start where no control group limits a run as a whole.
    #[arg(long, env = "POLYCODE_ISOLATION", value_enum, default_value_t = Isolation::BestEffort)]
    pub(crate) isolation: Isolation,
    /// Runs Python programs as copies of an interpreter that is kept warm: faster, and at the price
    /// that docs/runner.md names.
    #[arg(long, env = "POLYCODE_PYTHON_FORK_SERVER", value_enum, num_args = 0..=1, default_value = "off", default_missing_value = "on")]
    pub(crate) python_fork_server: Switch,
    /// How much of what was compiled is kept for the next time, in MiB; 0 for nothing.
    #[arg(long, env = "POLYCODE_CACHE_MIB", default_value_t = 512)]
    pub(crate) cache_mib: u64,
    /// Judges without running anything, for load tests of everything else.
    #[arg(long, hide = true)]
    pub(crate) fake_runs: bool,
}

/// How to run what others serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Outpost {
    /// Where NATS is: nats://host:port or tls://host:port, one or several of the same servers.
    #[arg(long, env = "POLYCODE_NATS", required = true, value_delimiter = ',')]
    pub(crate) nats: Vec<String>,
    /// A file of one line, `user:password`: who this is to NATS.
    #[arg(long, env = "POLYCODE_NATS_CREDENTIALS")]
    pub(crate) nats_credentials: Option<PathBuf>,
    /// Certificates (PEM) that are trusted; the connection is then encrypted.
    #[arg(long, env = "POLYCODE_NATS_CA")]
    pub(crate) nats_ca: Option<PathBuf>,
    /// The cluster whose submissions are run.
    #[arg(long, env = "POLYCODE_CLUSTER", default_value = "polycode")]
    pub(crate) cluster: String,
    /// What administrators see it called.
    #[arg(long, env = "POLYCODE_NAME", default_value = "runner")]
    pub(crate) name: String,
    /// How much of the validators' data is kept for the next time, in MiB.
    #[arg(long, env = "POLYCODE_DATA_MIB", default_value_t = 256)]
    pub(crate) data_mib: usize,
    #[command(flatten)]
    pub(crate) runs: Runs,
}

/// How much must stand between the programs of candidates and the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Isolation {
    /// Does not start without control groups.
    RequireCgroup,
    /// Does with what there is, and says with each result what that was.
    BestEffort,
}

/// What to do about administrators.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Creates one. The password is read from standard input.
    Create {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
    },
}

/// What to do about a problem package.
#[derive(Debug, Subcommand)]
pub(crate) enum Package {
    /// Runs its submissions on its data and says whether what is expected comes of them.
    Verify {
        /// A directory or a zip.
        package: PathBuf,
        /// Answers with JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// What is there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    #[value(aliases = ["false", "no", "0"])]
    Off,
    #[value(aliases = ["true", "yes", "1"])]
    On,
}

/// What to do about the runner.
#[derive(Debug, Subcommand)]
pub(crate) enum Runner {
    /// Says what this machine gives for running code safely, and what is missing.
    Check,
    /// Runs what waits in a cluster, and does nothing else: without a database, by NATS alone.
    Serve(Outpost),
}
