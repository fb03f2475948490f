//! The queue: hands out submissions to runners. The table is the truth; this is its index.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{
    at::At,
    ids::{CampaignId, SubmissionId},
    ports::{RowQuery, Unavailable},
    rows::Topic,
    submission::QueueRow,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    deps::Deps,
    output::{Outputs, RunState},
};

/// How often the table is read again, in case a hint was lost.
const REREAD: Duration = Duration::from_secs(5);
/// How often those who wait are told their place.
const PLACES: Duration = Duration::from_secs(1);
/// How many are told their place.
const PLACES_MAX: usize = 200;
/// How many rows are read at once.
const PAGE: usize = 1_000;

/// A submission that a runner has taken.
pub(crate) struct Task {
    pub(crate) submission: SubmissionId,
    pub(crate) row: QueueRow,
    /// How often it was taken, this time included.
    pub(crate) attempt: u32,
}

/// What the queue is told.
pub(crate) enum Msg {
    /// A row of the table changed.
    Changed(SubmissionId, Option<Box<QueueRow>>),
    /// A runner is free.
    Take(RpcReplyPort<Task>),
    /// Judged, or given back because its runner failed.
    Finished {
        submission: SubmissionId,
        is_judged: bool,
    },
    Reread,
    Places,
}

/// Behaviour only.
pub(crate) struct Queue;

/// What the queue holds.
pub(crate) struct State {
    deps: Deps,
    outputs: Arc<Outputs>,
    waiting: BTreeMap<(At, SubmissionId), QueueRow>,
    /// Judged here, but perhaps not yet gone from the table.
    judged: VecDeque<SubmissionId>,
    running: HashMap<SubmissionId, (QueueRow, At)>,
    attempts: HashMap<SubmissionId, u32>,
    /// Of each campaign that waits, when it had its turn last.
    turns: HashMap<Option<CampaignId>, u64>,
    turn: u64,
    free: VecDeque<RpcReplyPort<Task>>,
    /// What one run took lately, in ms.
    run_ms: u64,
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
        let mut state = State {
            deps,
            outputs,
            waiting: BTreeMap::new(),
            judged: VecDeque::new(),
            running: HashMap::new(),
            attempts: HashMap::new(),
            turns: HashMap::new(),
            turn: 0,
            free: VecDeque::new(),
            run_ms: 500,
            told: HashMap::new(),
            _hints: hints,
        };
        state.reread().await?;
        myself.send_interval(REREAD, || Msg::Reread);
        myself.send_interval(PLACES, || Msg::Places);
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Changed(submission, Some(row)) => state.add(submission, *row),
            Msg::Changed(submission, None) => state.withdraw(submission),
            Msg::Take(runner) => state.free.push_back(runner),
            Msg::Finished { submission, is_judged } => state.finish(submission, is_judged),
            Msg::Reread => {
                if let Err(error) = state.reread().await {
                    tracing::warn!(%error, "the queue could not read its table");
                }
            }
            Msg::Places => state.tell_places(),
        }
        state.hand_out();
        Ok(())
    }
}

/// Passes on what the bus says of the table.
async fn pass_on(deps: Deps, queue: ActorRef<Msg>) {
    let mut changes = deps.bus.subscribe(Topic::Queue);
    while let Some(published) = changes.next().await {
        for (key, value) in &published.frame.rows {
            let row = value.as_ref().and_then(|value| serde_json::from_slice(value).ok());
            if let Ok(submission) = key.parse() {
                queue.cast(Msg::Changed(submission, row.map(Box::new))).ok();
            }
        }
    }
}

impl State {
    async fn reread(&mut self) -> Result<(), Unavailable> {
        let mut after_key = None;
        loop {
            let query =
                RowQuery { topic: Topic::Queue, after_key, changed_after: None, limit: PAGE };
            let rows = self.deps.store.rows(query).await?;
            for row in &rows {
                let read = row.value.as_ref().and_then(|value| serde_json::from_slice(value).ok());
                if let (Ok(submission), Some(queued)) = (row.key.parse(), read) {
                    self.add(submission, queued);
                }
            }
            after_key = rows.last().map(|row| row.key.clone());
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn add(&mut self, submission: SubmissionId, row: QueueRow) {
        let known = self.running.contains_key(&submission) || self.judged.contains(&submission);
        if !known {
            self.waiting.insert((row.at, submission), row);
        }
    }

    fn hand_out(&mut self) {
        while let Some(next) = self.next() {
            // Only now: a runner that is taken out and not answered never comes back.
            let Some(runner) = self.free.pop_front() else { return };
            let Some(row) = self.waiting.remove(&next) else { return };
            let submission = next.1;
            let attempt = self.attempts.get(&submission).copied().unwrap_or(0) + 1;
            let task = Task { submission, row: row.clone(), attempt };
            match runner.send(task) {
                Ok(()) => {
                    self.attempts.insert(submission, attempt);
                    self.turn += 1;
                    self.turns.insert(row.submitted.campaign, self.turn);
                    self.running.insert(submission, (row, self.deps.clock.now()));
                }
                // That runner is gone: the next one.
                Err(_) => drop(self.waiting.insert(next, row)),
            }
        }
    }

    /// Timed sessions before previews; then the campaign with the fewest running; then the one whose
    /// last turn is longest ago; then the oldest.
    fn next(&self) -> Option<(At, SubmissionId)> {
        let mut busy: HashMap<Option<CampaignId>, usize> = HashMap::new();
        for (row, _) in self.running.values() {
            *busy.entry(row.submitted.campaign).or_default() += 1;
        }
        let rank = |(key, row): &(&(At, SubmissionId), &QueueRow)| {
            let campaign = row.submitted.campaign;
            let running = busy.get(&campaign).copied().unwrap_or(0);
            let turn = self.turns.get(&campaign).copied().unwrap_or(0);
            (campaign.is_none(), running, turn, **key)
        };
        self.waiting.iter().min_by_key(rank).map(|(key, _)| *key)
    }

    /// Its row is gone from the table: judged, perhaps not by us.
    fn withdraw(&mut self, submission: SubmissionId) {
        let before = self.waiting.len();
        self.waiting.retain(|(_, id), _| *id != submission);
        if self.waiting.len() < before {
            self.attempts.remove(&submission);
            self.outputs.end(submission);
        }
    }

    fn finish(&mut self, submission: SubmissionId, is_judged: bool) {
        let Some((row, since)) = self.running.remove(&submission) else { return };
        if !is_judged {
            self.waiting.insert((row.at, submission), row);
            return;
        }
        let took = u64::try_from((self.deps.clock.now() - since).0).unwrap_or(0);
        self.run_ms = (self.run_ms * 7 + took) / 8;
        self.attempts.remove(&submission);
        if self.judged.len() == PAGE {
            self.judged.pop_front();
        }
        self.judged.push_back(submission);
    }

    fn tell_places(&mut self) {
        let runners = (self.free.len() + self.running.len()).max(1) as u64;
        for ((_, submission), place) in self.waiting.keys().zip(1..).take(PLACES_MAX) {
            let wait_ms = self.run_ms * place as u64 / runners;
            self.outputs.tell_state(*submission, RunState::Queued { place, wait_ms });
        }
        let mut summaries: HashMap<CampaignId, QueueSummary> = HashMap::new();
        for ((at, _), row) in &self.waiting {
            let Some(campaign) = row.submitted.campaign else { continue };
            let summary = summaries.entry(campaign).or_default();
            summary.waiting += 1;
            summary.oldest_at.get_or_insert(*at);
        }
        for (row, _) in self.running.values() {
            let Some(campaign) = row.submitted.campaign else { continue };
            summaries.entry(campaign).or_default().running += 1;
        }
        for campaign in self.told.keys() {
            summaries.entry(*campaign).or_default();
        }
        for (campaign, summary) in &summaries {
            if self.told.get(campaign) != Some(summary) {
                crate::board::pass(&self.deps, *campaign, "queue".to_owned(), summary);
            }
        }
        summaries.retain(|_, summary| *summary != QueueSummary::default());
        self.turns.retain(|campaign, _| campaign.is_some_and(|it| summaries.contains_key(&it)));
        self.told = summaries;
    }
}
