//! How the state follows from events. Total: whatever was stored can be applied.

use std::sync::Arc;

use super::{
    Announcement, Answering, Best, Credit, Event, File, FileKey, Gift, History, JUDGED_MAX,
    LastVerdict, Late, Mark, Pause, RunResult, Running, Session, Stage, Waiting,
};
use crate::{
    at::At,
    content::{Language, Starter},
    ids::{SeatId, SubmissionId},
    plan::{QuestionPlan, Task},
    points::Share,
    run::Verdict,
    status::{Status, Step},
    text::Changes,
};

impl Session {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what needs a start is applied below")]
    pub(super) fn apply(&mut self, event: &Event, at: At) {
        match event {
            Event::Invited { session, campaign, terms, plan } => {
                self.id = Some(*session);
                self.campaign = *campaign;
                self.terms = terms.clone();
                self.plan = Arc::clone(plan);
            }
            Event::InvitedAgain => self.status = Status::ConfirmationPending,
            Event::TermsChanged { terms } => self.terms = terms.clone(),
            Event::Repinned { plan } => self.plan = Arc::clone(plan),
            Event::Accepted => {
                self.has_accepted = true;
                self.status = self.status.after(Step::Accept).unwrap_or(self.status);
            }
            Event::Declined { reason } => {
                self.status = Status::Declined;
                self.has_accepted = false;
                self.decline_reason.clone_from(reason);
            }
            Event::Sent => self.status = Status::TestSent,
            Event::Opened => self.status = Status::TestOpened,
            Event::Cancelled => self.status = Status::Cancelled,
            Event::Held { reason } => {
                (self.is_held, self.pause_reason) = (true, reason.clone());
            }
            Event::Released => (self.is_held, self.pause_reason) = (false, None),
            Event::Extended { ends_at } => self.extend(*ends_at),
            Event::Announced { text } => {
                self.announcement = Some(Announcement { text: text.clone(), at });
            }
            Event::TimeGiven { by, ends_at, reason } => {
                self.gift = Some(Gift { by: *by, at, reason: reason.clone() });
                match &mut self.run {
                    Some(run) if ends_at.is_some() => run.apply(event, at),
                    _ => self.given = self.given + *by,
                }
            }
            Event::Paused { reason } => {
                self.pause_reason.clone_from(reason);
                self.run.iter_mut().for_each(|run| run.apply(event, at));
            }
            Event::Resumed { .. } => {
                self.pause_reason = None;
                self.run.iter_mut().for_each(|run| run.apply(event, at));
            }
            Event::Started { ends_at, seat } => {
                self.status = Status::TestInProcess;
                self.run = Some(Running::new(at, *ends_at, *seat, &self.plan));
            }
            Event::Sealed => {
                self.status = Status::TestFinished;
                self.pause_reason = None;
                if let Some(run) = &mut self.run {
                    run.seal(at);
                }
            }
            Event::Judged { submission, compiled, results, .. } => {
                self.judge(*submission, *compiled, results, at);
            }
            Event::Answered { question, .. } => {
                let Some(run) = &mut self.run else { return };
                run.apply(event, at);
                run.note_answer(*question, &self.plan, at);
            }
            event => {
                if let Some(run) = &mut self.run {
                    run.apply(event, at);
                }
            }
        }
    }

    /// The end is later now, and so is that of a question that was cut short by it.
    fn extend(&mut self, ends_at: At) {
        let Some(run) = &mut self.run else { return };
        let before = std::mem::replace(&mut run.ends_at, ends_at);
        run.reopen();
        for (answer, plan) in run.questions.iter_mut().zip(&self.plan.questions) {
            if answer.stage == Stage::Open && answer.ends_at == Some(before) {
                let own = answer.opened_at.zip(plan.limit).map(|(at, limit)| at + limit);
                answer.ends_at = Some(own.map_or(ends_at, |own| own.max(before).min(ends_at)));
            }
        }
    }

    fn judge(&mut self, submission: SubmissionId, compiled: bool, results: &[RunResult], at: At) {
        let Some(run) = &mut self.run else { return };
        let Some(waiting) = run.waiting.remove(&submission) else { return };
        run.last_verdict = LastVerdict::of(results, at);
        if run.judged.len() == JUDGED_MAX {
            run.judged.remove(0);
        }
        run.judged.push((submission, waiting));
        let Some(plan) = self.plan.questions.get(usize::from(waiting.question)) else { return };
        let Some(answer) = run.questions.get_mut(usize::from(waiting.question)) else { return };
        if !waiting.kind.counts() {
            return;
        }
        // A fault of ours judged nothing: the text is still to be judged, at the end if not before.
        let failed = results.iter().any(|result| result.verdict == Verdict::InternalError);
        if failed && answer.run_revision == Some(waiting.revision) {
            answer.run_revision = None;
        }
        let Some(best) = best_of(plan, results) else { return };
        if !failed {
            let all = best.passed == best.total;
            answer.note(Mark { at: waiting.at, score: best.score, all, uncompiled: !compiled });
        }
        // The first of equals stands: its time is the one that counts.
        if answer
            .best
            .is_none_or(|before| (before.score, before.passed) < (best.score, best.passed))
        {
            answer.best = Some(best);
            answer.best_at = Some(waiting.at);
        }
    }
}

fn best_of(plan: &QuestionPlan, results: &[RunResult]) -> Option<Best> {
    let Task::Code { validators, groups, .. } = &plan.task else { return None };
    let mut passed = vec![false; validators.len()];
    let mut shares = vec![Share::NONE; validators.len()];
    for result in results {
        let at = usize::from(result.validator);
        if let (Some(passed), Some(share)) = (passed.get_mut(at), shares.get_mut(at)) {
            *passed = result.verdict == Verdict::Accepted;
            *share = result.earned();
        }
    }
    let count = passed.iter().filter(|passed| **passed).count();
    let score = crate::scoring::code(plan.points, validators, groups, &shares);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(Best { passed: number(count), total: number(validators.len()), score })
}

impl Running {
    /// What the answer to a quiz is worth now.
    fn note_answer(&mut self, question: u16, plan: &crate::plan::Plan, at: At) {
        let n = usize::from(question);
        let Some((answer, plan)) = self.questions.get_mut(n).zip(plan.questions.get(n)) else {
            return;
        };
        let score = answer.score(plan);
        answer.note(Mark { at, score, all: score == plan.points, uncompiled: false });
    }

    fn new(started_at: At, ends_at: At, seat: SeatId, plan: &crate::plan::Plan) -> Self {
        let is_linear = plan.is_linear();
        let mut run = Self { started_at, ends_at, seats: vec![seat], ..Self::default() };
        for (question, number) in plan.questions.iter().zip(0_u16..) {
            let stage = if is_linear { Stage::Locked } else { Stage::Open };
            let language = match &question.task {
                Task::Code { languages, .. } => languages.first().copied(),
                Task::Quiz { .. } => None,
            };
            run.questions.push(Answering { stage, language, ..Answering::default() });
            run.files.insert(number, starter_files(number, &question.task));
        }
        run
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what moves the clock is applied below")]
    fn apply(&mut self, event: &Event, at: At) {
        match event {
            Event::QuestionOpened { question, ends_at } => {
                self.current = *question;
                self.with(*question, |answer| {
                    answer.stage = Stage::Open;
                    answer.opened_at = Some(at);
                    answer.ends_at = Some(*ends_at);
                });
            }
            Event::QuestionTimeUp { question } => self.with(*question, |answer| {
                answer.stage = Stage::TimeUp;
                answer.time_up_at = Some(at);
            }),
            Event::QuestionSealed { question } => {
                self.with(*question, |answer| answer.stage = Stage::Sealed);
            }
            Event::SeatTaken { seat } => self.seats.push(*seat),
            Event::Edited { file, rev, changes, caret } => {
                self.change_file(file, *rev, changes, Some(*caret));
                self.count_edit(at);
            }
            Event::LateAccepted { late, rev, changes } => self.accept_late(*late, *rev, changes),
            Event::FileAdded { file } => self.add_file(file),
            Event::FileDeleted { file } => {
                self.with_file(file, |file| file.deleted = true);
                self.with(file.question, |answer| answer.revision += 1);
            }
            Event::LanguageChosen { question, language } => self.with(*question, |answer| {
                answer.language = Some(*language);
                // Nothing was typed yet, so there is still nothing to judge.
                answer.revision += u32::from(answer.revision > 0);
            }),
            Event::Answered { question, choices } => self.with(*question, |answer| {
                answer.choices.clone_from(choices);
                answer.revision += 1;
                answer.run_revision = Some(answer.revision);
            }),
            Event::CaretMoved { file, caret } => self.with_file(file, |file| file.caret = *caret),
            Event::WentTo { question } => self.current = *question,
            Event::RunAsked { .. } => self.ask(event, at),
            Event::EditKeptApart { file, base_rev, changes, received_at, .. } => {
                let (file, changes) = (file.clone(), changes.clone());
                let (base_rev, received_at) = (*base_rev, *received_at);
                self.lates.push(Late { file, base_rev, changes, received_at, accepted: false });
            }
            event => self.apply_time(event, at),
        }
    }

    /// What moves the clock.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are applied above")]
    fn apply_time(&mut self, event: &Event, at: At) {
        match event {
            Event::TimeUp => self.time_up_at = Some(at),
            Event::HandedIn => self.handed_in = true,
            Event::Filed => self.is_filed = true,
            Event::Credited { outage, by, ends_at } => {
                self.credits.push(Credit { from: outage.from, to: outage.to, ms: *by });
                self.shift_ends(*by, *ends_at);
            }
            Event::TimeGiven { by, ends_at: Some(ends_at), .. } => {
                self.reopen();
                self.shift_ends(*by, *ends_at);
            }
            Event::Paused { .. } => self.paused_at = Some(at),
            Event::Resumed { by, ends_at } => {
                let pause = self.paused_at.take().map(|from| Pause { from, to: at });
                self.pauses.extend(pause);
                self.shift_ends(*by, *ends_at);
            }
            _ => {}
        }
    }

    fn seal(&mut self, at: At) {
        self.sealed_at = Some(at);
        self.paused_at = None;
        for answer in &mut self.questions {
            answer.stage = Stage::Sealed;
        }
    }

    fn with(&mut self, question: u16, change: impl FnOnce(&mut Answering)) {
        if let Some(answer) = self.questions.get_mut(usize::from(question)) {
            change(answer);
        }
    }

    fn with_file(&mut self, key: &FileKey, change: impl FnOnce(&mut File)) {
        let files = self.files.get_mut(&key.question);
        let file = files.into_iter().flatten().find(|file| file.key == *key && !file.deleted);
        if let Some(file) = file {
            change(Arc::make_mut(file));
        }
    }

    fn change_file(&mut self, key: &FileKey, rev: u32, changes: &Changes, caret: Option<u32>) {
        self.with_file(key, |file| {
            // It was checked before it was stored; a misfit would mean another program wrote it.
            if let Ok(text) = changes.apply(&file.text) {
                file.text = text;
            }
            file.rev = rev;
            file.caret = caret.unwrap_or(file.caret);
            file.history.push(changes);
        });
        self.with(key.question, |answer| answer.revision += 1);
    }

    fn count_edit(&mut self, at: At) {
        self.edits += 1;
        self.last_edit_at = Some(at);
        let minute = usize::try_from((at - self.started_at).0 / 60_000).unwrap_or(0);
        if self.minutes.len() <= minute {
            self.minutes.resize(minute.min(24 * 60) + 1, 0);
        }
        if let Some(count) = self.minutes.get_mut(minute) {
            *count = count.saturating_add(1);
        }
    }

    fn accept_late(&mut self, late: u32, rev: u32, changes: &Changes) {
        let Some(late) = self.lates.get_mut(late as usize) else { return };
        late.accepted = true;
        let key = late.file.clone();
        self.change_file(&key, rev, changes, None);
    }

    fn add_file(&mut self, key: &FileKey) {
        let files = self.files.entry(key.question).or_default();
        files.retain(|file| file.key != *key);
        files.push(Arc::new(File::new(key.clone(), String::new())));
        self.with(key.question, |answer| answer.revision += 1);
    }

    fn ask(&mut self, event: &Event, at: At) {
        let Event::RunAsked { submission, question, kind, language, revision, .. } = event else {
            return;
        };
        let (question, kind, language, revision) = (*question, *kind, *language, *revision);
        self.runs_asked += 1;
        self.waiting.insert(*submission, Waiting { question, kind, language, revision, at });
        self.with(question, |answer| {
            answer.runs += 1;
            if kind.counts() {
                answer.run_revision = Some(revision);
            }
        });
    }
}

impl File {
    fn new(key: FileKey, text: String) -> Self {
        Self { key, text, rev: 0, caret: 0, deleted: false, history: History::default() }
    }
}

impl LastVerdict {
    /// The first failure, or the last success.
    fn of(results: &[RunResult], at: At) -> Option<Self> {
        let failed = results.iter().find(|result| result.verdict != Verdict::Accepted);
        failed.or(results.last()).map(|result| Self {
            verdict: result.verdict,
            cpu_ms: result.cpu_ms,
            at,
        })
    }
}

/// What the editor holds at first: each allowed language's own files.
fn starter_files(question: u16, task: &Task) -> Vec<Arc<File>> {
    let Task::Code { languages, starters, .. } = task else { return vec![] };
    let file = |language: Language, name: &str, text: &str| {
        let key = FileKey { question, language, name: name.to_owned() };
        Arc::new(File::new(key, text.to_owned()))
    };
    let mut files = vec![];
    for language in languages {
        let of = |starter: &&Starter| starter.language == *language && !starter.files.is_empty();
        match starters.iter().find(of) {
            Some(starter) => {
                files.extend(starter.files.iter().map(|f| file(*language, &f.name, &f.text)));
            }
            None => files.push(file(*language, language.main_file(), "")),
        }
    }
    files
}
