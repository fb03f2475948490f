//! A candidate who solves one question after the other, at the moments of a schedule.

use loadtests::candidate::Candidate;
use tokio::time::{Duration, Instant};

/// Until the first change.
const QUIET: Duration = Duration::from_secs(1);

/// Everybody in turns, the same time apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    begin: Instant,
    apart: Duration,
    candidates: u32,
}

/// A question was solved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) asked_at: Instant,
    /// When its candidate heard of the verdict.
    pub(super) judged_at: Instant,
}

pub(super) struct Played {
    pub(super) number: usize,
    /// In the order in which the questions were solved.
    pub(super) changes: Vec<Change>,
    pub(super) problems: Vec<String>,
}

impl Schedule {
    pub(super) fn new(candidates: usize, changes_a_second: f64) -> Self {
        let candidates = u32::try_from(candidates).unwrap_or(u32::MAX);
        let apart = Duration::from_secs_f64(1.0 / changes_a_second);
        Self { begin: Instant::now() + QUIET, apart, candidates }
    }

    fn at(&self, round: usize, number: usize) -> Instant {
        let turn = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        self.begin + self.apart * (turn(round) * self.candidates + turn(number))
    }
}

/// Plays all rounds.
pub(super) async fn play(
    mut candidate: Candidate,
    number: usize,
    rounds: usize,
    schedule: Schedule,
) -> anyhow::Result<Played> {
    candidate.resume().await?;
    let mut changes = vec![];
    for round in 0..rounds {
        let question = u16::try_from(round)?;
        candidate.begin_on(question).await?;
        candidate.step_until(schedule.at(round, number)).await?;
        let asked_at = Instant::now();
        candidate.solve(question).await?;
        changes.push(Change { asked_at, judged_at: Instant::now() });
    }
    Ok(Played { number, changes, problems: candidate.report.problems })
}
