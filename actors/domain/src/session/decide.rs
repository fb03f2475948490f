//! What a command makes happen: who may do it at which stage, and then what.

use super::{Command, Event, Refusal, RunKind, Running, Session, Stage, WORDS_MAX};
use crate::{
    aggregate::Times,
    at::At,
    content::Language,
    ids::{SeatId, SubmissionId},
    plan::Task,
    status::{Status, Step},
};

type Decision = Result<Vec<Event>, Refusal>;

/// How many bytes one's own input has at most.
const STDIN_MAX: usize = 64 * 1024;
/// How many devices one session is taken to at most; more is somebody playing.
const SEATS_MAX: usize = 256;

impl Session {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the candidate's own commands are decided below"
    )]
    pub(super) fn decide_on(&self, command: Command, times: Times) -> Decision {
        if let Command::Invite { session, campaign, terms, plan } = command {
            return match self.id {
                None => Ok(vec![Event::Invited { session, campaign, terms, plan }]),
                // It keeps its terms and its test: what changed since came by other commands.
                Some(id) if (id, self.campaign) == (session, campaign) => self.invite_again(),
                Some(_) => Err(Refusal::AlreadyInvited),
            };
        }
        if self.id.is_none() {
            return Err(Refusal::NotInvited);
        }
        match command {
            Command::Invite { .. } => Err(Refusal::AlreadyInvited),
            Command::ChangeTerms { terms } => Ok(self.change_terms(terms)),
            Command::Repin { plan } if self.run.is_none() => Ok(vec![Event::Repinned { plan }]),
            Command::Repin { .. } => Err(Refusal::WrongStage),
            Command::GiveTime { by, reason } => self.give_time(by, reason),
            Command::Pause { reason } => Ok(self.pause(reason)),
            Command::Resume => Ok(self.resume(times.now)),
            Command::Announce { text } => Ok(vec![Event::Announced { text: words(&text) }]),
            Command::Cancel => self.step(Step::Cancel, Event::Cancelled),
            Command::MarkSent => Ok(self.step(Step::Send, Event::Sent).unwrap_or_default()),
            Command::AcceptLate { late } => self.accept_late(late, times.now),
            Command::Accept => self.accept(),
            Command::Decline { reason } => {
                self.step(Step::Decline, Event::Declined { reason: reason.as_deref().map(words) })
            }
            Command::Open => Ok(self.step(Step::Open, Event::Opened).unwrap_or_default()),
            Command::Start { seat } => self.start(seat, times.now),
            Command::RecordVerdict { submission, compiled, compiler_output, results } => {
                let waits =
                    self.run.as_ref().is_some_and(|run| run.waiting.contains_key(&submission));
                let judged = Event::Judged { submission, compiled, compiler_output, results };
                if waits { Ok(vec![judged]) } else { Err(Refusal::NoSuchRun) }
            }
            Command::Expire => Ok(self.expire_at(times.now)),
            Command::Credit { outage } => Ok(self.credit(outage)),
            command => self.decide_running(command, times),
        }
    }

    /// The commands of a candidate who sits.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are decided above")]
    fn decide_running(&self, command: Command, times: Times) -> Decision {
        let run = self.run.as_ref().ok_or(Refusal::NotRunning)?;
        match command {
            Command::TakeSeat { seat } => take_seat(run, seat),
            Command::Edit { seat, file, base_rev, changes, caret } => {
                let edit = super::edits::Edit { seat, file, base_rev, changes, caret };
                super::edits::edit(run, edit, times)
            }
            Command::AddFile { seat, file } => {
                open_question(run, seat, file.question, times)?;
                self.add_file(run, file)
            }
            Command::DeleteFile { seat, file } => {
                open_question(run, seat, file.question, times)?;
                run.file(&file).ok_or(Refusal::NoSuchFile)?;
                Ok(vec![Event::FileDeleted { file }])
            }
            Command::ChooseLanguage { seat, question, language } => {
                open_question(run, seat, question, times)?;
                self.allowed(question, language)?;
                Ok(vec![Event::LanguageChosen { question, language }])
            }
            Command::Answer { seat, question, choices } => {
                open_question(run, seat, question, times)?;
                self.answer_quiz(question, choices)
            }
            Command::Caret { seat, file, caret } => {
                open_question(run, seat, file.question, times)?;
                let known = run.file(&file).ok_or(Refusal::NoSuchFile)?;
                let moved = known.caret != caret;
                Ok(moved.then_some(Event::CaretMoved { file, caret }).into_iter().collect())
            }
            Command::GoTo { seat, question } => {
                open_question(run, seat, question, times)?;
                let moved = run.current != question && !self.plan.is_linear();
                Ok(moved.then_some(Event::WentTo { question }).into_iter().collect())
            }
            Command::Run { seat, question, kind, stdin } => {
                open_question(run, seat, question, times)?;
                self.ask_run(run, question, kind, stdin)
            }
            Command::NextQuestion { seat } => self.next_question(run, seat, times),
            Command::HandIn { seat } => {
                seated(run, seat)?;
                if run.sealed_at.is_some() {
                    return Err(Refusal::NotRunning);
                }
                Ok([Event::HandedIn].into_iter().chain(self.seal_all(run)).collect())
            }
            _ => unreachable!("decided before the candidate's own commands"),
        }
    }

    fn invite_again(&self) -> Decision {
        self.step(Step::Invite, Event::InvitedAgain).map_err(|_| Refusal::AlreadyInvited)
    }

    /// Said once; that the link was sent or opened before does not take the question away.
    fn accept(&self) -> Decision {
        match self.status {
            Status::ConfirmationPending | Status::Declined => Ok(vec![Event::Accepted]),
            Status::Confirmed | Status::TestSent | Status::TestOpened => {
                Ok((!self.has_accepted).then_some(Event::Accepted).into_iter().collect())
            }
            Status::Cancelled | Status::TestInProcess | Status::TestFinished => {
                Err(Refusal::WrongStage)
            }
        }
    }

    fn step(&self, step: Step, event: Event) -> Decision {
        match self.status.after(step) {
            Some(_) => Ok(vec![event]),
            None => Err(Refusal::WrongStage),
        }
    }

    /// The clock begins here, not when the link is opened.
    fn start(&self, seat: SeatId, now: At) -> Decision {
        if self.status.after(Step::Start).is_none() {
            return Err(Refusal::WrongStage);
        }
        if self.is_held {
            return Err(Refusal::Paused);
        }
        if self.terms.opens_at.is_some_and(|opens_at| now < opens_at) {
            return Err(Refusal::NotOpenYet);
        }
        if self.terms.closes_at.is_some_and(|closes_at| closes_at <= now) {
            return Err(Refusal::Closed);
        }
        if self.plan.questions.is_empty() {
            return Err(Refusal::NoQuestions);
        }
        let ends_at = self.end_without_shift(now);
        let mut events = vec![Event::Started { ends_at, seat }];
        events.extend(self.question_opened(0, now, ends_at));
        Ok(events)
    }

    fn answer_quiz(&self, question: u16, mut choices: Vec<u16>) -> Decision {
        let Some(Task::Quiz { right, several, .. }) =
            self.question(question).map(|plan| &plan.task)
        else {
            return Err(Refusal::NoSuchQuestion);
        };
        choices.sort_unstable();
        choices.dedup();
        let exist = choices.iter().all(|choice| usize::from(*choice) < right.len());
        if !exist || (!several && choices.len() > 1) {
            return Err(Refusal::NoSuchChoice);
        }
        Ok(vec![Event::Answered { question, choices }])
    }

    /// `Ok` if answers to `question` may be in `language`.
    pub(super) fn allowed(&self, question: u16, language: Language) -> Result<(), Refusal> {
        match self.question(question).map(|plan| &plan.task) {
            Some(Task::Code { languages, .. }) if languages.contains(&language) => Ok(()),
            Some(Task::Code { .. }) => Err(Refusal::LanguageNotAllowed),
            Some(Task::Quiz { .. }) | None => Err(Refusal::NoSuchQuestion),
        }
    }

    fn ask_run(
        &self,
        run: &Running,
        question: u16,
        kind: RunKind,
        stdin: Option<String>,
    ) -> Decision {
        if run.waiting.len() >= super::RUNS_WAITING_MAX {
            return Err(Refusal::TooManyRuns);
        }
        if stdin.as_ref().is_some_and(|stdin| stdin.len() > STDIN_MAX) {
            return Err(Refusal::TooLong);
        }
        // A final run is ours to ask for.
        let kind = if kind == RunKind::Final { RunKind::All } else { kind };
        let asked = self.run_asked(run, question, kind, stdin, run.runs_asked);
        asked.map(|event| vec![event]).ok_or(Refusal::NoSuchQuestion)
    }

    /// The event of the run number `number` of this session: the text as it stands.
    pub(super) fn run_asked(
        &self,
        run: &Running,
        question: u16,
        kind: RunKind,
        stdin: Option<String>,
        number: u32,
    ) -> Option<Event> {
        let answer = run.questions.get(usize::from(question))?;
        let language = answer.language?;
        let submission = SubmissionId::derived(&format!("{}/{number}", self.id?));
        let files = run.sources(question, language);
        let revision = answer.revision;
        Some(Event::RunAsked { submission, question, kind, language, revision, files, stdin })
    }
}

/// `Ok` if the candidate may work on `question` now, from `seat`.
fn open_question(run: &Running, seat: SeatId, question: u16, times: Times) -> Result<(), Refusal> {
    seated(run, seat)?;
    if run.paused_at.is_some() {
        return Err(Refusal::Paused);
    }
    if !run.is_in_time(question, times.received_at) {
        return Err(Refusal::TimeIsUp);
    }
    let answer = run.questions.get(usize::from(question)).ok_or(Refusal::NoSuchQuestion)?;
    match answer.stage {
        Stage::Open | Stage::TimeUp => Ok(()),
        Stage::Locked => Err(Refusal::QuestionNotOpen),
        Stage::Sealed => Err(Refusal::TimeIsUp),
    }
}

/// `Ok` if `seat` is the device that may write.
pub(super) fn seated(run: &Running, seat: SeatId) -> Result<(), Refusal> {
    if run.seat() == Some(seat) { Ok(()) } else { Err(Refusal::SeatTaken) }
}

fn take_seat(run: &Running, seat: SeatId) -> Decision {
    if run.sealed_at.is_some() {
        return Err(Refusal::NotRunning);
    }
    if run.seat() == Some(seat) {
        return Ok(vec![]);
    }
    if run.seats.len() >= SEATS_MAX {
        return Err(Refusal::SeatTaken);
    }
    Ok(vec![Event::SeatTaken { seat }])
}

/// At most so many characters, without NUL.
fn words(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(WORDS_MAX).collect()
}
