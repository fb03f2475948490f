//! Time: when a session and its questions end, and what moves that end. Only events do, and only
//! to later.

use super::{Event, FILED_AFTER, GIFT_MAX, GRACE, Refusal, Running, Session, Stage, Terms};
use crate::{
    aggregate::{Outage, Times},
    at::{At, Ms},
    ids::SeatId,
};

/// How long after a question has begun by itself a page may not know of it yet.
const UNSEEN: Ms = Ms(1_000);

impl Session {
    /// `min(start + time allowed, campaign's deadline)`, for a start at `started_at`.
    pub fn end_without_shift(&self, started_at: At) -> At {
        self.end_under(&self.terms, started_at)
    }

    fn end_under(&self, terms: &Terms, started_at: At) -> At {
        let by_allowance = started_at + terms.time_allowed + self.given_before_start();
        terms.closes_at.map_or(by_allowance, |closes_at| closes_at.min(by_allowance))
    }

    /// Time given before the start makes the time allowed longer; later gifts are in the shift.
    fn given_before_start(&self) -> Ms {
        self.given
    }

    pub(super) fn next_deadline(&self) -> Option<At> {
        let run = self.run.as_ref()?;
        if run.sealed_at.is_some() || run.paused_at.is_some() {
            return None;
        }
        let whole = run.time_up_at.map_or(run.ends_at, |at| at + GRACE);
        let of_questions = run.questions.iter().filter_map(|answer| match answer.stage {
            // Once the whole time is up, no question ends on its own any more.
            Stage::Open => answer.ends_at.filter(|_| run.time_up_at.is_none()),
            Stage::TimeUp => answer.time_up_at.map(|at| at + GRACE),
            Stage::Locked | Stage::Sealed => None,
        });
        of_questions.chain([whole]).min()
    }

    /// What the clock makes happen. Harmless at any other moment.
    pub(super) fn expire_at(&self, now: At) -> Vec<Event> {
        let Some(run) = self.run.as_ref() else { return vec![] };
        if let Some(sealed_at) = run.sealed_at {
            let is_due = !run.is_filed && sealed_at + FILED_AFTER <= now;
            return is_due.then_some(Event::Filed).into_iter().collect();
        }
        if run.paused_at.is_some() {
            return vec![];
        }
        if run.time_up_at.is_some_and(|at| at + GRACE <= now) {
            return self.seal_all(run);
        }
        if run.time_up_at.is_none() && run.ends_at <= now {
            return vec![Event::TimeUp];
        }
        self.expire_questions(run, now)
    }

    fn expire_questions(&self, run: &Running, now: At) -> Vec<Event> {
        let mut events: Vec<Event> = vec![];
        for (answer, question) in run.questions.iter().zip(0_u16..) {
            let sealed_now = answer.stage == Stage::TimeUp
                && answer.time_up_at.is_some_and(|at| at + GRACE <= now);
            if sealed_now {
                let asked = events.iter().filter(|event| matches!(event, Event::RunAsked { .. }));
                let number = run.runs_asked + u32::try_from(asked.count()).unwrap_or(0);
                events.extend(self.seal_question(run, question, number));
            }
            let is_over = answer.stage == Stage::Open && answer.ends_at.is_some_and(|at| at <= now);
            if is_over && run.time_up_at.is_none() {
                events.push(Event::QuestionTimeUp { question });
                events.extend(self.after_question(run, question, now));
            }
        }
        events
    }

    /// What follows when `question` is over: the next one, or the end of the test.
    fn after_question(&self, run: &Running, question: u16, now: At) -> Option<Event> {
        let next = question + 1;
        if usize::from(next) < self.plan.questions.len() {
            self.question_opened(next, now, run.ends_at)
        } else {
            run.time_up_at.is_none().then_some(Event::TimeUp)
        }
    }

    /// In a test where questions come one after the other: `question` begins.
    pub(super) fn question_opened(
        &self,
        question: u16,
        now: At,
        session_ends: At,
    ) -> Option<Event> {
        if !self.plan.is_linear() {
            return None;
        }
        let limit = self.question(question)?.limit;
        let ends_at = limit.map_or(session_ends, |limit| session_ends.min(now + limit));
        Some(Event::QuestionOpened { question, ends_at })
    }

    /// Leaves the open question for good.
    pub(super) fn next_question(
        &self,
        run: &Running,
        seat: SeatId,
        times: Times,
    ) -> Result<Vec<Event>, Refusal> {
        super::decide::seated(run, seat)?;
        let question = run.current;
        if !self.plan.is_linear() || run.time_up_at.is_some() || run.sealed_at.is_some() {
            return Err(Refusal::WrongStage);
        }
        if run.paused_at.is_some() {
            return Err(Refusal::Paused);
        }
        if usize::from(question) + 1 >= self.plan.questions.len() {
            return Err(Refusal::LastQuestion);
        }
        if run.was_sent_before(question, times.received_at) {
            return Ok(vec![]);
        }
        let mut events = self.seal_question(run, question, run.runs_asked);
        events.extend(self.question_opened(question + 1, times.now, run.ends_at));
        Ok(events)
    }

    /// Gives back an outage: as much as the candidate still had when it began stays theirs. What of
    /// it fell into a pause, or into an outage that is known, was given back before.
    pub(super) fn credit(&self, outage: Outage) -> Vec<Event> {
        let Some(run) = self.run.as_ref() else { return vec![] };
        let from = outage.from.max(run.started_at);
        let by = outage.to - from - run.given_back_within(from, outage.to);
        let ran = run.sealed_at.is_none() && run.time_up_at.is_none() && run.paused_at.is_none();
        if !ran || run.ends_at <= from || by <= Ms(0) {
            return vec![];
        }
        vec![Event::Credited {
            outage: Outage { from, to: outage.to },
            by,
            ends_at: run.ends_at + by,
        }]
    }

    /// New terms reach a running session only where they give it more time.
    pub(super) fn change_terms(&self, terms: Terms) -> Vec<Event> {
        if terms == self.terms {
            return vec![];
        }
        let later = self.run.as_ref().filter(|run| run.sealed_at.is_none()).and_then(|run| {
            let ends_at = self.end_under(&terms, run.started_at) + run.shift;
            (run.ends_at < ends_at).then_some(Event::Extended { ends_at })
        });
        [Event::TermsChanged { terms }].into_iter().chain(later).collect()
    }

    pub(super) fn give_time(&self, by: Ms, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
        if by <= Ms(0) || GIFT_MAX < by {
            return Err(Refusal::WrongStage);
        }
        match &self.run {
            None => Ok(vec![Event::TimeGiven { by, ends_at: None, reason }]),
            Some(run) if run.sealed_at.is_some() => Err(Refusal::NotRunning),
            Some(run) => Ok(vec![Event::TimeGiven { by, ends_at: Some(run.ends_at + by), reason }]),
        }
    }

    pub(super) fn pause(&self, reason: Option<String>) -> Vec<Event> {
        let Some(run) = &self.run else {
            return (!self.is_held).then_some(Event::Held { reason }).into_iter().collect();
        };
        let runs = run.sealed_at.is_none() && run.time_up_at.is_none() && run.paused_at.is_none();
        runs.then_some(Event::Paused { reason }).into_iter().collect()
    }

    pub(super) fn resume(&self, now: At) -> Vec<Event> {
        if self.is_held {
            return vec![Event::Released];
        }
        let paused = self.run.as_ref().and_then(|run| Some((run, run.paused_at?)));
        let resumed = paused.map(|(run, paused_at)| {
            let by = now - paused_at;
            Event::Resumed { by, ends_at: run.ends_at + by }
        });
        resumed.into_iter().collect()
    }
}

impl Running {
    /// Whether what was received then was meant for the question before `question`, which ran out
    /// under the finger: nobody leaves a question that they have not seen.
    fn was_sent_before(&self, question: u16, received_at: At) -> bool {
        let answer = |n: u16| self.questions.get(usize::from(n));
        let ran_out = question.checked_sub(1).and_then(answer).and_then(|one| one.time_up_at);
        ran_out.is_some_and(|ran_out_at| received_at < ran_out_at + UNSEEN)
    }

    /// Whether something for `question` that was received at `received_at` came in time.
    pub(super) fn is_in_time(&self, question: u16, received_at: At) -> bool {
        let answer = self.questions.get(usize::from(question));
        let own_end = answer.and_then(|answer| answer.ends_at);
        self.sealed_at.is_none()
            && received_at <= self.ends_at
            && own_end.is_none_or(|ends_at| received_at <= ends_at)
    }

    /// How much of the time from `from` to `to` was given back already.
    fn given_back_within(&self, from: At, to: At) -> Ms {
        let pauses = self.pauses.iter().map(|pause| (pause.from, pause.to));
        let credits = self.credits.iter().map(|credit| (credit.from, credit.to));
        let mut spans: Vec<_> = pauses.chain(credits).collect();
        spans.sort_unstable();
        let (mut within, mut reached) = (Ms(0), from);
        for (start, end) in spans {
            let (start, end) = (start.max(reached), end.min(to));
            within = within + (end - start).max(Ms(0));
            reached = reached.max(end);
        }
        within
    }

    /// The time was up and goes on: so does the question that was open last.
    pub(super) fn reopen(&mut self) {
        if self.time_up_at.take().is_none() {
            return;
        }
        if let Some(answer) = self.questions.get_mut(usize::from(self.current))
            && answer.stage == Stage::TimeUp
        {
            (answer.stage, answer.time_up_at) = (Stage::Open, None);
        }
    }

    /// Moves every end that still lies ahead by `by`.
    pub(super) fn shift_ends(&mut self, by: Ms, ends_at: At) {
        self.shift = self.shift + by;
        self.ends_at = ends_at;
        for answer in &mut self.questions {
            if answer.stage == Stage::Open {
                answer.ends_at = answer.ends_at.map(|at| at + by);
            }
        }
    }
}
