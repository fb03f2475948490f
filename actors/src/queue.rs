//! The queue: hands out submissions to runners. The table is the truth; this is its index. There is
//! one in a cluster, on the node that owns the first shard.

pub(crate) mod counter;
mod crews;
mod judged;
pub(crate) mod leases;
mod order;
mod pool;
mod rounds;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::{
    at::At,
    ids::{CampaignId, CommandId, LeaseId, SubmissionId},
    ports::{RowQuery, Unavailable},
    rows::Topic,
    session::RunKind,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};

pub use self::counter::card;
use self::{
    crews::Crews,
    judged::Judged,
    leases::is_genuine,
    order::Asked,
    pool::{Pool, Waiting},
};
use crate::{deps::Deps, output::Outputs, placement::Hold};

/// How often the table is read again, in case a hint was lost.
const REREAD: Duration = Duration::from_secs(5);
/// How often it looks whose runner is gone, and tells those who wait their place.
const LOOK: Duration = Duration::from_secs(1);
/// How many rows are read at once.
const PAGE: usize = 1_000;
/// How long a queue hands out nothing after it came from another node: until all runners have said
/// what they have.
const QUIET: Duration = Duration::from_millis(1_500);

/// A submission that a runner has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) submission: SubmissionId,
    pub(crate) lease: LeaseId,
    /// Of what this run prints.
    pub(crate) epoch: u64,
}

/// Which runners: a run in which somebody types waits for a person most of its time, so it has
/// runners of its own and keeps nobody's validators waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Runners {
    Plain,
    Typed,
}

/// How a runner leaves a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Some runners of one node have a place free. Answered with nothing after [`pool::POLL`].
    Take {
        runners: Runners,
        ticket: CommandId,
        by: String,
        reply: RpcReplyPort<Option<Task>>,
    },
    /// Whoever asked for something under this id wants it no more.
    Leave(CommandId),
    /// A runner is there. Answered with whether it still has this.
    Renew {
        submission: SubmissionId,
        lease: LeaseId,
        reply: RpcReplyPort<bool>,
    },
    Finished {
        submission: SubmissionId,
        lease: LeaseId,
        left: Left,
    },
    Summary(RpcReplyPort<QueueCard>),
    Reread,
    Look,
}

/// How the queue stands, for administrators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCard {
    /// Submissions that wait for a runner…
    pub waiting: usize,
    /// …and those that go on.
    pub running: usize,
    /// The same of runs into which their person types.
    pub typed_waiting: usize,
    pub typed_running: usize,
    /// Since when the oldest waits.
    pub oldest_at: Option<At>,
    /// The nodes that run what waits, by name, with how many runs they have. One that has none and
    /// asks for none is not there.
    pub runners: BTreeMap<String, usize>,
}

/// Behaviour only.
pub(crate) struct Queue;

/// What the queue starts with.
pub(crate) struct Arguments {
    pub(crate) deps: Deps,
    pub(crate) outputs: Arc<Outputs>,
    /// The hold on the shard that it goes with; `None` where there are no other nodes.
    pub(crate) hold: Option<Hold>,
}

/// What the queue holds.
pub(crate) struct State {
    deps: Deps,
    outputs: Arc<Outputs>,
    hold: Option<Hold>,
    quiet_until: Instant,
    plain: Pool,
    typed: Pool,
    crews: Crews,
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
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        Arguments { deps, outputs, hold }: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut hints = JoinSet::new();
        hints.spawn(pass_on(deps.clone(), myself.clone()));
        let mut state = State {
            deps,
            outputs,
            quiet_until: Instant::now(),
            hold,
            plain: Pool::default(),
            typed: Pool::default(),
            crews: Crews::default(),
            judged: Judged::default(),
            told: HashMap::new(),
            _hints: hints,
        };
        state.reread().await?;
        if state.hold.is_some() {
            state.quiet_until = Instant::now() + QUIET;
            myself.send_after(QUIET, || Msg::Look);
        }
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
        let is_look = matches!(msg, Msg::Look);
        match msg {
            Msg::Changed(submission, Some(asked)) => state.add(submission, asked),
            Msg::Changed(submission, None) => state.withdraw(submission),
            Msg::Take { runners, ticket, by, reply } => {
                state.crews.hear(&by, now);
                let waiting = Waiting { ticket, by: by.into(), since: now, reply };
                state.pool(runners).free.push_back(waiting);
            }
            Msg::Summary(reply) => drop(reply.send(state.card(now))),
            Msg::Leave(ticket) => {
                for pool in [&mut state.plain, &mut state.typed] {
                    pool.free.retain(|waiting| waiting.ticket != ticket);
                }
            }
            Msg::Renew { submission, lease, reply } => {
                // Who does not wait for it does without.
                reply.send(state.renew(submission, lease, now)).ok();
            }
            Msg::Finished { submission, lease, left } => state.finish(submission, lease, left, now),
            Msg::Reread => {
                if let Err(error) = state.reread().await {
                    tracing::warn!(%error, "the queue could not read its table");
                }
            }
            Msg::Look => state.look(now),
        }
        if state.hands_out(now) {
            state.plain.hand_out(now, &state.outputs);
            state.typed.hand_out(now, &state.outputs);
        }
        if is_look {
            state.tell(now);
        }
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

    /// Whether it is handed out what waits: not before all runners had time to say what they have,
    /// and not when another node may do so.
    fn hands_out(&self, now: Instant) -> bool {
        self.quiet_until <= now && self.hold.as_ref().is_none_or(Hold::is_good)
    }

    fn look(&mut self, now: Instant) {
        for pool in [&mut self.plain, &mut self.typed] {
            pool.take_back_lost(now);
            pool.send_away(now);
        }
    }

    fn tell(&mut self, now: Instant) {
        // Before that, what seems to wait may go on somewhere.
        if self.quiet_until <= now {
            self.plain.tell_places(&self.outputs);
            self.typed.tell_places(&self.outputs);
        }
        self.tell_campaigns();
    }

    fn card(&mut self, now: Instant) -> QueueCard {
        let ages = |pool: &Pool| pool.order.oldest_at();
        let mut runners = self.crews.present(now);
        for pool in [&self.plain, &self.typed] {
            for by in pool.leases.holders() {
                *runners.entry(by.to_owned()).or_default() += 1;
            }
        }
        QueueCard {
            waiting: self.plain.order.waiting(),
            running: self.plain.leases.len(),
            typed_waiting: self.typed.order.waiting(),
            typed_running: self.typed.leases.len(),
            oldest_at: [ages(&self.plain), ages(&self.typed)].into_iter().flatten().min(),
            runners,
        }
    }

    fn asked(&self, submission: SubmissionId) -> Option<Asked> {
        self.plain.order.asked(submission).or_else(|| self.typed.order.asked(submission))
    }

    fn knows(&self, submission: SubmissionId) -> bool {
        self.judged.contains(submission) || self.asked(submission).is_some()
    }

    /// A runner has something. What waits here was handed out by another queue, before this one, or
    /// given up too early. Answers whether it still has it; of what is not known, nobody else has it.
    fn renew(&mut self, submission: SubmissionId, lease: LeaseId, now: Instant) -> bool {
        let Some(asked) = self.asked(submission) else { return true };
        for pool in [&mut self.plain, &mut self.typed] {
            if pool.leases.renew(submission, lease, now) {
                return true;
            }
            let is_genuine = is_genuine(lease, submission, asked.session);
            if is_genuine && pool.order.waits(submission).is_some() {
                pool.adopt(submission, lease, None, now);
                self.outputs.forget(submission);
                return true;
            }
        }
        false
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

    fn finish(&mut self, submission: SubmissionId, lease: LeaseId, left: Left, now: Instant) {
        let asked = self.asked(submission);
        if !asked.is_some_and(|asked| is_genuine(lease, submission, asked.session)) {
            return;
        }
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
