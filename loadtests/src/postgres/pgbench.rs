//! `pgbench`, inserting what an append leaves behind: an event and its command, one pair for each
//! transaction, into tables like ours.

use std::{
    fmt::Write,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use storage::{postgres::Postgres, scratch::Scratch};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Meter, Turn};
use crate::journal;

/// `n` goes on from turn to turn, so that no place of a stream is taken twice.
const SCRIPT: &str = "\\set n :n + 1
WITH kept AS (INSERT INTO events (stream, seq, at, origin, command_id, n, kind, body)
    VALUES (:client_id, :n, 1750000000000, 'ORIGIN', gen_random_uuid(), 0, 'edited', '\\xBODY'::bytea)
    RETURNING stream, command_id, n, origin, seq)
INSERT INTO commands (stream, command_id, n, origin, seq) SELECT * FROM kept;
";

const SCHEMA: &str = "theirs";

/// More than one turn of one client takes.
const PLACES: u32 = 10_000_000;

pub(super) struct Pgbench {
    program: PathBuf,
    host: PathBuf,
    port: u16,
    scratch: TempDir,
    turns: AtomicU32,
}

impl Pgbench {
    /// Makes the tables and writes the script.
    pub(super) async fn prepare(server: &Scratch) -> anyhow::Result<Self> {
        Postgres::open(&server.schema(SCHEMA).await?).await?.close().await;
        let (stream, seq) =
            (domain::stream::Stream::Session(domain::ids::SessionId::random()), 1_000);
        let append = journal::append(stream, 0, seq);
        let event = append.events.first().context("an append has an event")?;
        let mut body = String::new();
        for byte in &event.body {
            write!(body, "{byte:02x}")?;
        }
        let scratch = tempfile::tempdir()?;
        let script = SCRIPT.replace("ORIGIN", &event.origin).replace("BODY", &body);
        std::fs::write(scratch.path().join("script"), script)?;
        let (host, port) = (server.dir().to_owned(), server.port());
        let turns = AtomicU32::new(0);
        Ok(Self { program: server.program("pgbench"), host, port, scratch, turns })
    }

    /// `clients` insert as fast as they can, each over a connection of its own.
    pub(super) async fn turn(
        &self,
        server: &Scratch,
        clients: usize,
        length: Duration,
    ) -> anyhow::Result<Turn> {
        let meter = Meter::start(server)?;
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        // Its time runs while it connects, which takes some milliseconds for each client; its rate is
        // without that.
        let seconds = length.as_secs() + u64::try_from(clients / 256)?;
        let log = self.scratch.path().join(format!("turn-{turn}"));
        let output = Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string()])
            .args(["-T", &seconds.to_string(), "-D", &format!("n={}", turn * PLACES)])
            .args(["-h", &self.host.display().to_string(), "-p", &self.port.to_string()])
            .args(["-U", "postgres", "-l", "--log-prefix", &log.display().to_string(), "-f"])
            .arg(self.scratch.path().join("script"))
            .arg("postgres")
            .env("PGOPTIONS", format!("-c search_path={SCHEMA}"))
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let (rate, took) = (rate.context("pgbench tells its rate")?, self.took(turn)?);
        let busy = meter.each(took.len())?;
        Ok(Turn { rate, took, busy })
    }

    /// The third column of its logs, one for each of its threads: microseconds.
    fn took(&self, turn: u32) -> anyhow::Result<Vec<f64>> {
        let prefix = format!("turn-{turn}.");
        let mut took = vec![];
        for file in std::fs::read_dir(self.scratch.path())? {
            let path = file?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(&prefix) {
                let log = std::fs::read_to_string(&path)?;
                let micros =
                    log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok());
                took.extend(micros.map(|micros| micros / 1_000.0));
                std::fs::remove_file(path)?;
            }
        }
        ensure!(!took.is_empty(), "pgbench wrote no log");
        Ok(took)
    }
}
