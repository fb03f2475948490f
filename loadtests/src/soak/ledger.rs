//! What happened, a line of JSON for each fault.

use std::{fs::File, io::Write, path::Path};

use serde_json::json;
use tokio::time::Duration;

use super::fault::Fault;

/// See the module.
pub(super) struct Ledger {
    file: File,
    rounds: u32,
}

/// One fault, and what came of it.
pub(super) struct Round<'a> {
    pub(super) number: u32,
    pub(super) fault: &'a Fault,
    pub(super) healed: Option<Duration>,
    pub(super) longest: Duration,
    pub(super) outcome: &'a str,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let lines = std::fs::read_to_string(path).unwrap_or_default().lines().count();
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file, rounds: u32::try_from(lines)? })
    }

    /// The first round that is not in it.
    pub(super) fn next_round(&self) -> u32 {
        self.rounds
    }

    pub(super) fn write(&mut self, seed: u64, round: &Round<'_>) -> anyhow::Result<()> {
        let Round { number, fault, healed, longest, outcome } = round;
        let line = json!({
            "seed": seed, "round": number, "fault": fault, "outcome": outcome,
            "whole_again_ms": healed.map(|healed| healed.as_millis()),
            "longest_answer_ms": longest.as_millis(),
        });
        Ok(writeln!(self.file, "{line}")?)
    }
}
