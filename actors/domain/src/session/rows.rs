//! What the pages see of a session: the candidate's own rows, and one row for the creator.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Answering, CandidateRow, Event, FILED_AFTER, LateRow, QuestionKind, QuestionRow, QuestionScore,
    RunKind, RunResult, RunRow, RunState, Running, Session, SessionRow, Stage, TypingRow, Waiting,
};
use crate::{
    at::At,
    ids::{SessionId, SubmissionId},
    plan::{QuestionPlan, Task, ValidatorPlan},
    points::Points,
    rows::{RowChange, Topic},
    run::Verdict,
    stream::Stream,
};

/// Which rows some events changed.
#[derive(Default)]
struct Touched {
    session: bool,
    candidate: bool,
    questions: BTreeSet<u16>,
    /// Questions, with how often they were edited.
    edited: Vec<u16>,
    lates: BTreeSet<u32>,
    everything: bool,
}

impl Session {
    pub(super) fn rows_changed_by(&self, stream: Stream, events: &[(At, Event)]) -> Vec<RowChange> {
        let topic = Topic::Of(stream);
        let mut touched = Touched::default();
        let mut rows = vec![];
        for (at, event) in events {
            touched.by(event);
            rows.extend(run_row(topic, event, *at, self));
            rows.extend(self.id.and_then(|session| unfiled_row(session, event, *at)));
        }
        touched.first_edits(self);
        if let Some(run) = &self.run {
            for (answer, n) in run.questions.iter().zip(0..) {
                if touched.everything || touched.questions.contains(&n) {
                    rows.extend(
                        self.question_row(n, answer)
                            .map(|row| RowChange::put(topic, format!("question.{n}"), &row)),
                    );
                }
            }
            rows.extend(touched.lates.iter().filter_map(|late| late_row(topic, run, *late)));
        }
        if touched.session || touched.everything {
            rows.push(RowChange::put(topic, "session", &self.row()));
        }
        if let (true, Some(campaign), Some(session)) =
            (touched.candidate || touched.everything, self.campaign, self.id)
        {
            let row = self.candidate_row(session);
            let told = RowChange::put(Topic::Candidates(campaign), session.to_string(), &row);
            rows.push(RowChange { sitting: Some(Arc::new(row.into())), ..told });
        }
        rows
    }

    /// That somebody types, for the monitor.
    pub(super) fn typing(&self, events: &[(At, Event)]) -> Option<RowChange> {
        let edited =
            |(at, event): &(At, Event)| matches!(event, Event::Edited { .. }).then_some(*at);
        let at = events.iter().rev().find_map(edited)?;
        let row = TypingRow { at, edits: self.run.as_ref()?.edits };
        Some(RowChange::put(
            Topic::Candidates(self.campaign?),
            format!("typing.{}", self.id?),
            &row,
        ))
    }

    /// Row `session`.
    pub fn row(&self) -> SessionRow {
        let run = self.run.as_ref();
        SessionRow {
            status: self.status,
            accepted: self.has_accepted,
            campaign_title: self.terms.title.clone(),
            test_title: self.plan.title.clone(),
            opens_at: self.terms.opens_at,
            closes_at: self.terms.closes_at,
            zone: self.terms.zone.clone(),
            time_allowed_ms: self.terms.time_allowed,
            extra_ms: self.given,
            shift_ms: run.map(|run| run.shift).unwrap_or_default(),
            linear: self.plan.is_linear(),
            questions: self.plan.questions.len(),
            points: self.plan.points(),
            started_at: run.map(|run| run.started_at),
            ends_at: run.map(|run| run.ends_at),
            time_up_at: run.and_then(|run| run.time_up_at),
            sealed_at: run.and_then(|run| run.sealed_at),
            handed_in: run.is_some_and(|run| run.handed_in),
            paused_at: run.and_then(|run| run.paused_at),
            held: self.is_held,
            pause_reason: self.pause_reason.clone(),
            gift: self.gift.clone(),
            current: run.map_or(0, |run| run.current),
            seat: run.and_then(Running::seat),
            credits: run.map(|run| run.credits.clone()).unwrap_or_default(),
            allow_small_screen: self.terms.allow_small_screen,
            place: self.campaign.filter(|_| self.terms.shows_place),
            announcement: self.announcement.clone(),
            preview: self.campaign.is_none(),
            edits: run.map_or(0, |run| run.edits),
        }
    }

    fn question_row(&self, n: u16, answer: &Answering) -> Option<QuestionRow> {
        let plan = self.question(n)?;
        let is_open = answer.stage != Stage::Locked;
        Some(QuestionRow {
            n,
            title: is_open.then(|| plan.title.clone()),
            points: plan.points,
            kind: match plan.task {
                Task::Code { .. } => QuestionKind::Code,
                Task::Quiz { .. } => QuestionKind::Quiz,
            },
            tags: if is_open { plan.tags.clone() } else { vec![] },
            limit_ms: plan.limit,
            state: answer.stage,
            ends_at: answer.ends_at,
            answered: answer.is_answered(),
            runs: answer.runs,
            best: answer.best,
            changed_since_run: answer.changed_since_run(),
            language: answer.language,
            choices: answer.choices.clone(),
        })
    }

    /// The candidate's row in their campaign.
    pub fn candidate_row(&self, session: SessionId) -> CandidateRow {
        let run = self.run.as_ref();
        let questions = self.question_scores();
        CandidateRow {
            session,
            status: self.status,
            decline_reason: self.decline_reason.clone(),
            current: run.map_or(0, |run| run.current),
            time_allowed_ms: self.terms.time_allowed + self.given,
            started_at: run.map(|run| run.started_at),
            ends_at: run.map(|run| run.ends_at),
            time_up_at: run.and_then(|run| run.time_up_at),
            sealed_at: run.and_then(|run| run.sealed_at),
            handed_in: run.is_some_and(|run| run.handed_in),
            paused_at: run.and_then(|run| run.paused_at),
            shift_ms: run.map(|run| run.shift).unwrap_or_default(),
            credits: run.map(|run| run.credits.clone()).unwrap_or_default(),
            pauses: run.map(|run| run.pauses.clone()).unwrap_or_default(),
            passed: questions.iter().map(|question| question.passed).sum(),
            total: questions.iter().map(|question| question.total).sum(),
            score: questions.iter().map(|question| question.score).sum(),
            questions,
            last_verdict: run.and_then(|run| run.last_verdict),
            waiting: run.map(waiting_since).unwrap_or_default(),
            edits: run.map_or(0, |run| run.edits),
            minutes: run.map(|run| run.minutes.clone()).unwrap_or_default(),
            seats: run.map_or(0, |run| run.seats.len()),
            lates: run.map_or(0, |run| run.lates.len()),
            late_accepted: run.map_or(0, |run| run.lates.iter().filter(|l| l.accepted).count()),
        }
    }

    fn question_scores(&self) -> Vec<QuestionScore> {
        let nothing = Answering::default();
        let answer = |n: usize| self.run.as_ref().and_then(|run| run.questions.get(n));
        let plans = self.plan.questions.iter().enumerate();
        plans.map(|(n, plan)| question_score(plan, answer(n).unwrap_or(&nothing))).collect()
    }
}

fn question_score(plan: &QuestionPlan, answer: &Answering) -> QuestionScore {
    let all = match &plan.task {
        Task::Code { validators, .. } => u32::try_from(validators.len()).unwrap_or(u32::MAX),
        Task::Quiz { .. } => 0,
    };
    QuestionScore {
        score: if answer.is_answered() { answer.score(plan) } else { Points::default() },
        points: plan.points,
        passed: answer.best.map_or(0, |best| best.passed),
        total: all,
        answered: answer.is_answered(),
        runs: answer.runs,
        best_at: answer.best_at,
        marks: answer.marks.clone(),
    }
}

impl Answering {
    /// Whether something was typed or picked.
    pub fn is_answered(&self) -> bool {
        self.revision > 0
    }
}

fn waiting_since(run: &Running) -> Vec<At> {
    let mut waiting: Vec<At> = run.waiting.values().map(|waiting| waiting.at).collect();
    waiting.sort_unstable();
    waiting
}

fn late_row(topic: Topic, run: &Running, late: u32) -> Option<RowChange> {
    let kept = run.lates.get(late as usize)?;
    let row = LateRow {
        late,
        question: kept.file.question,
        name: kept.file.name.clone(),
        text_chars: kept.changes.inserted_chars(),
        at: kept.received_at,
        accepted: kept.accepted,
    };
    Some(RowChange::put(topic, format!("late.{late}"), &row))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only runs have such rows")]
fn run_row(topic: Topic, event: &Event, at: At, session: &Session) -> Option<RowChange> {
    let row = match event {
        Event::RunAsked { submission, question, kind, language, revision, .. } => {
            let waiting = Waiting {
                question: *question,
                kind: *kind,
                language: *language,
                revision: *revision,
                at,
            };
            RunRow::waiting(session, *submission, waiting)
        }
        Event::Judged { submission, compiled, compiler_output, results } => {
            let waiting = session.judged_run(*submission)?;
            RunRow {
                state: RunState::Judged,
                passed: Some(passed(results)),
                compiled: Some(*compiled),
                compiler_output: compiler_output.clone(),
                results: results.iter().map(RunResult::as_told).collect(),
                ..RunRow::waiting(session, *submission, waiting)
            }
        }
        _ => return None,
    };
    Some(RowChange::put(topic, format!("run.{}", row.submission), &row))
}

/// A sealed session is among those to be filed until it is.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else begins or ends that")]
fn unfiled_row(session: SessionId, event: &Event, at: At) -> Option<RowChange> {
    let key = session.to_string();
    match event {
        Event::Sealed => Some(RowChange::put(Topic::Unfiled, key, &(at + FILED_AFTER))),
        Event::Filed => Some(RowChange::remove(Topic::Unfiled, key)),
        _ => None,
    }
}

impl RunRow {
    fn waiting(session: &Session, submission: SubmissionId, waiting: Waiting) -> Self {
        Self {
            submission,
            question: waiting.question,
            kind: waiting.kind,
            language: waiting.language,
            revision: waiting.revision,
            at: waiting.at,
            state: RunState::Queued,
            passed: None,
            total: session.validators_run(waiting),
            compiled: None,
            compiler_output: String::new(),
            results: vec![],
        }
    }
}

fn passed(results: &[RunResult]) -> u32 {
    let passed = results.iter().filter(|result| result.verdict == Verdict::Accepted).count();
    u32::try_from(passed).unwrap_or(u32::MAX)
}

impl Touched {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed changes everything")]
    fn by(&mut self, event: &Event) {
        match event {
            Event::Edited { file, .. } => self.edited.push(file.question),
            Event::CaretMoved { .. } | Event::Filed => {}
            Event::FileAdded { file } | Event::FileDeleted { file } => {
                self.questions.insert(file.question);
            }
            Event::LanguageChosen { question, .. } => {
                self.questions.insert(*question);
            }
            Event::Answered { question, .. } | Event::RunAsked { question, .. } => {
                self.questions.insert(*question);
                self.candidate = true;
            }
            Event::EditKeptApart { late, .. } => {
                self.lates.insert(*late);
                self.candidate = true;
            }
            Event::SeatTaken { .. } | Event::WentTo { .. } => {
                (self.session, self.candidate) = (true, true);
            }
            Event::LateAccepted { late, .. } => {
                self.lates.insert(*late);
                self.everything = true;
            }
            Event::Announced { .. } => self.session = true,
            _ => self.everything = true,
        }
    }

    /// An edit writes no row, but for the first one of all and the first one since a run.
    fn first_edits(&mut self, session: &Session) {
        let Some(run) = &session.run else { return };
        for question in &self.edited {
            let here = self.edited.iter().filter(|edited| *edited == question).count();
            let Some(answer) = run.questions.get(usize::from(*question)) else { continue };
            let since = answer.revision - answer.run_revision.unwrap_or(0).min(answer.revision);
            if since as usize <= here {
                self.questions.insert(*question);
                self.candidate = true;
            }
        }
    }
}

impl Session {
    /// How many validators a run is for.
    fn validators_run(&self, waiting: Waiting) -> u32 {
        let Some(Task::Code { validators, .. }) =
            self.question(waiting.question).map(|it| &it.task)
        else {
            return 0;
        };
        let is_for = |validator: &&ValidatorPlan| match waiting.kind {
            RunKind::All | RunKind::Final => true,
            RunKind::Examples => validator.shown,
            RunKind::Free | RunKind::Interactive => false,
        };
        u32::try_from(validators.iter().filter(is_for).count()).unwrap_or(u32::MAX)
    }

    /// What was asked for in a run that has its verdict now.
    fn judged_run(&self, submission: SubmissionId) -> Option<Waiting> {
        self.run.as_ref()?.judged.iter().rev().find(|(id, _)| *id == submission).map(|(_, w)| *w)
    }
}
