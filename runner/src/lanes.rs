//! The inputs of one job: one after the other, or two at a time where a second slot is free.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{
    points::Share,
    run::{Input, Job, Progress, ValidatorResult, Verdict},
};

use crate::{
    job::{Compiled, Running},
    referee::Referee,
};

/// What is still to be run of a job, and what came of the rest.
pub(crate) struct Lanes<'a> {
    job: &'a Job,
    pub(crate) tell: &'a (dyn Fn(Progress) + Send + Sync),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: usize,
    results: BTreeMap<usize, ValidatorResult>,
    /// The groups that are lost already.
    failed: BTreeSet<u16>,
}

/// Whether two inputs of `job` may run at once: not where one decides whether another one runs, or
/// what is said would depend on which was faster.
pub(crate) fn may_share(job: &Job) -> bool {
    1 < job.inputs.len() && job.inputs.iter().all(|input| input.stops_with.is_none())
}

impl<'a> Lanes<'a> {
    pub(crate) fn new(job: &'a Job, tell: &'a (dyn Fn(Progress) + Send + Sync)) -> Self {
        Self { job, tell, state: Mutex::default() }
    }

    /// Runs in `running` what nobody else has begun, until nothing is left.
    pub(crate) async fn work(
        &self,
        running: &mut Running<'_>,
        compiled: &Compiled,
        mut referee: Option<&mut Referee>,
    ) -> anyhow::Result<()> {
        while let Some((place, input)) = self.begin() {
            let result = running.judge(compiled, input, referee.as_deref_mut()).await?;
            self.end(place, result);
        }
        Ok(())
    }

    /// What came of each input, in their order; without a result it is what `otherwise` says.
    pub(crate) fn results(
        self,
        otherwise: impl Fn(&Input) -> ValidatorResult,
    ) -> Vec<ValidatorResult> {
        let mut known = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).results;
        let result = |(place, input): (usize, &Input)| {
            known.remove(&place).unwrap_or_else(|| {
                let result = otherwise(input);
                (self.tell)(Progress::Judged(result.clone()));
                result
            })
        };
        self.job.inputs.iter().enumerate().map(result).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next input that is to be run.
    fn begin(&self) -> Option<(usize, &'a Input)> {
        loop {
            let (place, is_lost) = {
                let mut state = self.state();
                let place = state.next;
                state.next += 1;
                (place, is_lost(self.job.inputs.get(place)?, &state.failed))
            };
            let input = self.job.inputs.get(place)?;
            if !is_lost {
                return Some((place, input));
            }
            let result = not_run(input);
            (self.tell)(Progress::Judged(result.clone()));
            self.end(place, result);
        }
    }

    fn end(&self, place: usize, result: ValidatorResult) {
        let mut state = self.state();
        if result.earned() == Share::NONE {
            state.failed.extend(self.job.inputs.get(place).and_then(|input| input.stops_with));
        }
        state.results.insert(place, result);
    }
}

/// Whether nothing can come of it any more. What is shown is run all the same.
fn is_lost(input: &Input, failed: &BTreeSet<u16>) -> bool {
    !input.streamed && input.stops_with.is_some_and(|group| failed.contains(&group))
}

fn not_run(input: &Input) -> ValidatorResult {
    let why = "not run, since its group had failed already".to_owned();
    ValidatorResult::unmeasured(input.validator, Verdict::Rejected, why)
}
