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
    /// How the log is written.
    #[arg(long, env = "POLYCODE_LOG", value_enum, default_value_t = LogForm::Text, global = true)]
    pub(crate) log: LogForm,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the product.
    Serve(Serve),
    /// Says how the nodes of a cluster stand.
    Status {
        #[command(flatten)]
        cluster: Cluster,
        /// Answers with JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
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
    /// Writes everything that is kept into one new file, while a server may be running.
    Backup { file: PathBuf },
    /// Puts back what a backup holds, while no server is running.
    Restore(Restore),
    /// Adds which streams were erased to a ledger, which is kept apart from backups and given to
    /// `restore`.
    Erasures { ledger: PathBuf },
    /// Problem packages.
    #[command(subcommand)]
    Package(Package),
    /// The code runner.
    #[command(subcommand)]
    Runner(Runner),
}

/// How to be one of several nodes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Cluster {
    /// NATS, through which nodes speak: nats://host:port or tls://host:port, several with commas.
    /// With it this program is one node of a cluster, and needs --database.
    #[arg(long, env = "POLYCODE_NATS", value_delimiter = ',')]
    pub(crate) nats: Vec<String>,
    /// A file with `user:password` for NATS.
    #[arg(long, env = "POLYCODE_NATS_CREDENTIALS")]
    pub(crate) nats_credentials: Option<PathBuf>,
    /// Certificates that NATS is trusted by (PEM); the connection is then encrypted.
    #[arg(long, env = "POLYCODE_NATS_CA")]
    pub(crate) nats_ca: Option<PathBuf>,
    /// This node's own certificate for NATS (PEM), with --nats-key.
    #[arg(long, env = "POLYCODE_NATS_CERTIFICATE", requires = "nats_key", requires = "nats_ca")]
    pub(crate) nats_certificate: Option<PathBuf>,
    #[arg(long, env = "POLYCODE_NATS_KEY", requires = "nats_certificate")]
    pub(crate) nats_key: Option<PathBuf>,
    /// The cluster's name: several can share one NATS.
    #[arg(long = "cluster", env = "POLYCODE_CLUSTER", default_value = "polycode")]
    pub(crate) name: String,
    /// How people call this node; by default the address that it listens on.
    #[arg(long, env = "POLYCODE_NODE")]
    pub(crate) node: Option<String>,
    /// Redis, in which gateways remember who is signed in and how often somebody tried something:
    /// redis://host:port/number or rediss://…. Without it each node does so alone.
    #[arg(long, env = "POLYCODE_REDIS", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// A file with `user:password` for Redis.
    #[arg(long, env = "POLYCODE_REDIS_CREDENTIALS")]
    pub(crate) redis_credentials: Option<PathBuf>,
    /// On how many servers of NATS leases are kept: 1, or 3 where there are three or more.
    #[arg(long, env = "POLYCODE_LEASE_REPLICAS", default_value_t = 1)]
    pub(crate) lease_replicas: usize,
}

/// What to put back, and over what.
#[derive(Debug, Parser)]
pub(crate) struct Restore {
    pub(crate) file: PathBuf,
    /// Destroys what is there. Without it, only an empty database is filled.
    #[arg(long)]
    pub(crate) force: bool,
    /// The ledger of what was erased since: it is erased again.
    #[arg(long)]
    pub(crate) erasures: Option<PathBuf>,
}

/// How to serve.
#[derive(Debug, Parser)]
pub(crate) struct Serve {
    /// What this node does: serves pages and sockets, owns streams, runs code.
    #[arg(long, env = "POLYCODE_ROLES", value_enum, value_delimiter = ',',
        default_values_t = [Role::Gateway, Role::Actors, Role::Runner])]
    pub(crate) roles: Vec<Role>,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    #[arg(long, env = "POLYCODE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How people reach it, if not at the address it listens on; printed in links.
    #[arg(long, env = "POLYCODE_URL")]
    pub(crate) url: Option<String>,
    /// Where Prometheus reads what is measured, under /metrics; for nobody else to reach.
    #[arg(long, env = "POLYCODE_METRICS")]
    pub(crate) metrics: Option<SocketAddr>,
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
    #[arg(long = "fake-runs", hide = true)]
    pub(crate) fake: bool,
}

/// How to run what others serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Outpost {
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// How much of the validators' data is kept for the next time, in MiB.
    #[arg(long, env = "POLYCODE_DATA_MIB", default_value_t = 256)]
    pub(crate) data_mib: usize,
    #[command(flatten)]
    pub(crate) runs: Runs,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    Gateway,
    Actors,
    Runner,
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
    Serve(Box<Outpost>),
}
