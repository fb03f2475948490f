//! The queue: hands out submissions to runners. The table is the truth; this is its index.

mod judged;
pub(crate) mod leases;
mod order;
mod pool;
mod rounds;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{
    at::At,
    ids::{CampaignId, SubmissionId},
    ports::{RowQuery, Unavailable},
    rows::Topic,
    session::RunKind,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};

use self::{judged::Judged, order::Asked, pool::Pool};
use crate::{deps::Deps, output::Outputs};

/// How often the table is read again, in case a hint was lost.
const REREAD: Duration = Duration::from_secs(5);
/// How often it looks whose runner is gone, and tells those who wait their place.
const LOOK: Duration = Duration::from_secs(1);
/// How many rows are read at once.
const PAGE: usize = 1_000;

/// A submission that a runner has taken.
pub(crate) struct Task {
    pub(crate) submission: SubmissionId,
    pub(crate) lease: u64,
}

/// Which runners: a run in which somebody types waits for a person most of its time, so it has
/// runners of its own and keeps nobody's validators waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runners {
    Plain,
    Typed,
}

/// How a runner leaves a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It is judged, or there is nothing to judge.
    Done,
    /// It failed on our side, or stops: somebody else is to run it.
    ForOthers,
}

/// What the queue is told.
pub(crate) enum Msg {
    /// A row of the table changed.
    Changed(SubmissionId, Option<Asked>),
    /// A runner is free.
    Take(Runners, RpcReplyPort<Task>),
    /// A runner is there.
    Renew {
        submission: SubmissionId,
        lease: u64,
    },
    Finished {
        submission: SubmissionId,
        lease: u64,
        left: Left,
    },
    Reread,
    Look,
}

/// Behaviour only.
pub(crate) struct Queue;

/// What the queue holds.
pub(crate) struct State {
    deps: Deps,
    outputs: Arc<Outputs>,
    plain: Pool,
    typed: Pool,
    judged: Judged,
    told: HashMap<CampaignId, QueueSummary>,
    _hints: JoinSet<()>,
}

/// Row `queue` of a campaign's monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct QueueSummary {
    waiting: usize,
    running: usize,
    oldest_at: Option<At>,
}

impl Actor for Queue {
    type Msg = Msg;
    type State = State;
    type Arguments = (Deps, Arc<Outputs>);

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        (deps, outputs): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut hints = JoinSet::new();
        hints.spawn(pass_on(deps.clone(), myself.clone()));
        let (plain, typed) = (Pool::default(), Pool::default());
        let (judged, told) = (Judged::default(), HashMap::new());
        let mut state = State { deps, outputs, plain, typed, judged, told, _hints: hints };
        state.reread().await?;
        myself.send_interval(REREAD, || Msg::Reread);
        myself.send_interval(LOOK, || Msg::Look);
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        match msg {
            Msg::Changed(submission, Some(asked)) => state.add(submission, asked),
            Msg::Changed(submission, None) => state.withdraw(submission),
            Msg::Take(runners, runner) => state.pool(runners).free.push_back(runner),
            Msg::Renew { submission, lease } => {
                for pool in [&mut state.plain, &mut state.typed] {
                    pool.leases.renew(submission, lease, now);
                }
            }
            Msg::Finished { submission, lease, left } => state.finish(submission, lease, left, now),
            Msg::Reread => {
                if let Err(error) = state.reread().await {
                    tracing::warn!(%error, "the queue could not read its table");
                }
            }
            Msg::Look => {
                for pool in [&mut state.plain, &mut state.typed] {
                    pool.take_back_lost(now);
                    pool.tell_places(&state.outputs);
                }
                state.tell_campaigns();
            }
        }
        state.plain.hand_out(now);
        state.typed.hand_out(now);
        Ok(())
    }
}

/// Passes on what the bus says of the table.
async fn pass_on(deps: Deps, queue: ActorRef<Msg>) {
    let mut changes = deps.bus.subscribe(Topic::Queue);
    while let Some(heard) = changes.next().await {
        let Some(published) = heard.frame() else {
            queue.cast(Msg::Reread).ok();
            continue;
        };
        for (key, value) in &published.frame.rows {
            let asked = value.as_ref().and_then(|value| read(value));
            if let Ok(submission) = key.parse() {
                queue.cast(Msg::Changed(submission, asked)).ok();
            }
        }
    }
}

/// What the order needs of a row of the table.
fn read(row: &[u8]) -> Option<Asked> {
    #[derive(Deserialize)]
    struct Row {
        submitted: Asked,
        at: At,
    }
    let row: Row = serde_json::from_slice(row).ok()?;
    Some(Asked { at: row.at, ..row.submitted })
}

impl State {
    async fn reread(&mut self) -> Result<(), Unavailable> {
        let mut after_key = None;
        loop {
            let query =
                RowQuery { topic: Topic::Queue, after_key, changed_after: None, limit: PAGE };
            let rows = self.deps.store.rows(query).await?;
            for row in &rows {
                let Ok(submission) = row.key.parse() else { continue };
                // Reading a row means reading all its sources.
                let asked = row.value.as_ref().filter(|_| !self.knows(submission));
                if let Some(asked) = asked.and_then(|value| read(value)) {
                    self.add(submission, asked);
                }
            }
            after_key = rows.last().map(|row| row.key.clone());
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn pool(&mut self, runners: Runners) -> &mut Pool {
        match runners {
            Runners::Plain => &mut self.plain,
            Runners::Typed => &mut self.typed,
        }
    }

    fn knows(&self, submission: SubmissionId) -> bool {
        self.judged.contains(submission)
            || self.plain.order.knows(submission)
            || self.typed.order.knows(submission)
    }

    fn add(&mut self, submission: SubmissionId, asked: Asked) {
        if !self.knows(submission) {
            let is_typed = asked.kind == RunKind::Interactive;
            let runners = if is_typed { Runners::Typed } else { Runners::Plain };
            self.pool(runners).order.add(submission, asked);
        }
    }

    /// Its row is gone from the table: judged, perhaps not by us, or erased.
    fn withdraw(&mut self, submission: SubmissionId) {
        let waited = self.plain.order.withdraw(submission) || self.typed.order.withdraw(submission);
        if waited {
            self.outputs.forget(submission);
        }
    }

    fn finish(&mut self, submission: SubmissionId, lease: u64, left: Left, now: Instant) {
        for pool in [&mut self.plain, &mut self.typed] {
            pool.finish(submission, lease, left, now);
        }
        if left == Left::Done {
            // It may wait again already, if its lease was lost meanwhile.
            self.withdraw(submission);
            self.judged.add(submission);
        }
    }

    fn tell_campaigns(&mut self) {
        let mut summaries: HashMap<CampaignId, QueueSummary> = HashMap::new();
        for pool in [&self.plain, &self.typed] {
            for (campaign, (waiting, running, oldest_at)) in pool.order.campaigns() {
                let summary = summaries.entry(campaign).or_default();
                summary.waiting += waiting;
                summary.running += running;
                summary.oldest_at = [summary.oldest_at, oldest_at].into_iter().flatten().min();
            }
        }
        for campaign in self.told.keys() {
            summaries.entry(*campaign).or_default();
        }
        for (campaign, summary) in &summaries {
            // Told again each second, since a board may have just begun to listen.
            if *summary != QueueSummary::default() || self.told.contains_key(campaign) {
                crate::board::pass(&self.deps, *campaign, "queue".to_owned(), summary);
            }
        }
        summaries.retain(|_, summary| *summary != QueueSummary::default());
        self.told = summaries;
    }
}
