//! Candidates who score around each blow: some before it, some while nobody is there, some after
//! all are back. So each wall that comes is another one than that which went.

use anyhow::Context;
use futures_util::future::{join_all, try_join_all};
use loadtests::{candidate::Candidate, view::View, wall};
use tokio::time::{Duration, Instant};

/// How many there are, and how long one comes after the other: until all are back, mostly.
const COUNT: usize = 20;
const APART: Duration = Duration::from_millis(400);

/// See the module.
pub(super) struct Scorers {
    /// The first of all.
    candidates: Vec<Candidate>,
    /// How many questions each of them has solved.
    solved: u16,
}

impl Scorers {
    /// `all` in the order of their names.
    pub(super) fn of(all: Vec<Candidate>) -> Self {
        Self { candidates: all.into_iter().take(COUNT).collect(), solved: 0 }
    }

    /// All of them go on to the next question, as long as the server is there to be asked.
    pub(super) async fn prepare(&mut self) -> anyhow::Result<()> {
        let question = self.solved;
        let ready = self.candidates.iter_mut().map(|candidate| async move {
            candidate.connect().await?;
            candidate.begin_on(question).await
        });
        try_join_all(ready).await.context("going on to the next question")?;
        Ok(())
    }

    /// Each solves it in turn, through whatever comes.
    pub(super) async fn score(&mut self) {
        let (question, begin) = (self.solved, Instant::now());
        let scoring = self.candidates.iter_mut().zip(0_u32..).map(|(candidate, number)| {
            let due = begin + APART * number;
            solve(candidate, question, due)
        });
        join_all(scoring).await;
        self.solved += 1;
    }

    /// Who has not what they solved on the wall.
    pub(super) fn missing(&self, wall: &View) -> anyhow::Result<Vec<String>> {
        let rows = wall::rows(wall)?;
        let mut missing = vec![];
        for name in (0..self.candidates.len()).map(|number| format!("Candidate {number:05}")) {
            let solved = rows.get(&name).map(|row| row.solved);
            if solved != Some(usize::from(self.solved)) {
                missing.push(format!("{name} has solved {}, shown are {solved:?}", self.solved));
            }
        }
        Ok(missing)
    }

    pub(super) fn problems(&mut self) -> Vec<String> {
        let problems = |one: &mut Candidate| std::mem::take(&mut one.report.problems);
        self.candidates.iter_mut().flat_map(problems).collect()
    }
}

async fn solve(candidate: &mut Candidate, question: u16, due: Instant) {
    let solved = async {
        candidate.step_until(due).await?;
        candidate.solve(question).await
    };
    if let Err(error) = solved.await {
        candidate.problem(format!("{error:#}"));
    }
    // Nobody reads for it until the next blow.
    candidate.cut();
}
