//! Given what happened, when this is asked at noon, then that happens.

mod ends;
mod snapshots;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::Outage,
    content::Language,
    ids::{CampaignId, ContentId, SeatId, SessionId, SubmissionId},
    plan::{Plan, QuestionPlan, Task, ValidatorPlan},
    points::Points,
    status::Status,
    text::Changes,
};

const NOON: At = At(1_000_000_000);
const MINUTE: Ms = Ms(60_000);
const HERE: SeatId = SeatId::from_u128(1);
const THERE: SeatId = SeatId::from_u128(2);
const ID: SessionId = SessionId::from_u128(7);

#[test]
fn us_091_a_session_ends_after_the_time_allowed_or_at_the_deadline() {
    let mut past = invited();
    assert_eq!(ended(&when(&past, Command::Start { seat: HERE })), Some(NOON + Ms(60 * 60_000)));
    past.push(terms(|terms| terms.closes_at = Some(NOON + Ms(40 * 60_000))));
    assert_eq!(ended(&when(&past, Command::Start { seat: HERE })), Some(NOON + Ms(40 * 60_000)));
    past.push(terms(|terms| terms.closes_at = Some(NOON)));
    assert_eq!(when(&past, Command::Start { seat: HERE }), Err(Refusal::Closed));
    past.push(terms(|terms| terms.opens_at = Some(NOON + Ms(1))));
    assert_eq!(when(&past, Command::Start { seat: HERE }), Err(Refusal::NotOpenYet));
}

#[test]
fn us_083_a_later_deadline_reaches_a_running_session_and_an_earlier_one_takes_nothing() {
    let longer = Terms { time_allowed: Ms(90 * 60_000), ..an_hour() };
    let happened = when(&started(0), Command::ChangeTerms { terms: longer }).unwrap();
    assert_eq!(happened[1], Event::Extended { ends_at: NOON + Ms(90 * 60_000) });
    let shorter = Terms { closes_at: Some(NOON + MINUTE), ..an_hour() };
    let happened = when(&started(0), Command::ChangeTerms { terms: shorter.clone() }).unwrap();
    assert_eq!(happened, vec![Event::TermsChanged { terms: shorter }]);
}

#[test]
fn us_084_an_edit_is_the_next_revision_of_its_file() {
    let happened = when(&started(0), edit(HERE, 0, "a")).unwrap();
    assert!(matches!(&happened[..], [Event::Edited { rev: 1, .. }]));
    assert_eq!(text_after(&[started(0), happened].concat()), "a");
}

#[test]
fn us_084_an_edit_on_an_old_revision_is_rebased_and_loses_nothing() {
    let mut past = started(0);
    past.extend(when(&past, edit(HERE, 0, "one ")).unwrap());
    past.push(Event::SeatTaken { seat: THERE });
    let happened = when(&past, edit(HERE, 0, "two")).unwrap();
    assert!(matches!(&happened[..], [Event::Edited { rev: 2, .. }]));
    past.extend(happened);
    assert_eq!(text_after(&past), "one two");
}

#[test]
fn a_device_that_never_held_the_seat_changes_nothing() {
    assert_eq!(when(&started(0), edit(THERE, 0, "x")), Err(Refusal::SeatTaken));
    assert_eq!(when(&started(0), Command::HandIn { seat: THERE }), Err(Refusal::SeatTaken));
}

#[test]
fn an_edit_received_in_time_counts_until_the_session_is_sealed() {
    let mut past = started(-60);
    past.push(Event::TimeUp);
    let in_time = Times { received_at: NOON, now: NOON + Ms(9_000) };
    let happened = when_at(&past, edit(HERE, 0, "x"), in_time).unwrap();
    assert!(matches!(&happened[..], [Event::Edited { .. }]));
    let late = Times { received_at: NOON + Ms(1), now: NOON + Ms(9_000) };
    let happened = when_at(&past, edit(HERE, 0, "x"), late).unwrap();
    assert!(matches!(&happened[..], [Event::EditKeptApart { late: 0, .. }]));
    past.push(Event::Sealed);
    let happened = when_at(&past, edit(HERE, 0, "x"), in_time).unwrap();
    assert!(matches!(&happened[..], [Event::EditKeptApart { late: 0, .. }]));
}

#[test]
fn a_late_edit_counts_once_the_creator_accepts_it() {
    let mut past = started(-60);
    past.extend([Event::TimeUp, Event::Sealed]);
    past.extend(when(&past, edit(HERE, 0, "late")).unwrap());
    assert_eq!(text_after(&past), "");
    let happened = when(&past, Command::AcceptLate { late: 0 }).unwrap();
    assert!(matches!(&happened[..], [Event::LateAccepted { .. }, Event::RunAsked { .. }]));
    past.extend(happened);
    assert_eq!(text_after(&past), "late");
    assert_eq!(when(&past, Command::AcceptLate { late: 0 }), Err(Refusal::NoSuchEdit));
}

#[test]
fn time_up_comes_at_the_end_and_sealing_twelve_seconds_later() {
    let at = |ms| Times { received_at: NOON + Ms(ms), now: NOON + Ms(ms) };
    assert_eq!(when_at(&started(-60), Command::Expire, at(-1)), Ok(vec![]));
    assert_eq!(when_at(&started(-60), Command::Expire, at(0)), Ok(vec![Event::TimeUp]));
    let past = [started(-60), vec![Event::TimeUp]].concat();
    assert_eq!(when_at(&past, Command::Expire, at(11_999)), Ok(vec![]));
    assert_eq!(when_at(&past, Command::Expire, at(12_000)), Ok(vec![Event::Sealed]));
    let past = [past, vec![Event::Sealed]].concat();
    assert_eq!(when_at(&past, Command::Expire, at(99_000)), Ok(vec![]));
    // An hour later it is filed, once.
    assert_eq!(session(&past).files_at(), Some(NOON + FILED_AFTER));
    let filed = when_at(&past, Command::Expire, at(FILED_AFTER.0)).unwrap();
    assert_eq!(filed, vec![Event::Filed]);
    let past = [past, filed].concat();
    assert_eq!(session(&past).files_at(), None);
    assert_eq!(when_at(&past, Command::Expire, at(FILED_AFTER.0)), Ok(vec![]));
}

#[test]
fn what_was_typed_is_judged_at_the_end_even_if_it_was_never_run() {
    let mut past = started(-60);
    past.extend(when_at(&past, edit(HERE, 0, "x"), at(-MINUTE.0)).unwrap());
    past.push(Event::TimeUp);
    let happened = when_at(&past, Command::Expire, at(12_000)).unwrap();
    let [Event::RunAsked { kind: RunKind::Final, files, .. }, Event::Sealed] = &happened[..] else {
        panic!("{happened:?}");
    };
    assert_eq!(files[0].text, "x");
}

#[test]
fn a_text_that_was_judged_already_is_not_judged_again() {
    let mut past = started(0);
    past.extend(when(&past, edit(HERE, 0, "x")).unwrap());
    past.extend(when(&past, run(RunKind::All)).unwrap());
    let happened = when(&past, Command::HandIn { seat: HERE }).unwrap();
    assert_eq!(happened, vec![Event::HandedIn, Event::Sealed]);
}

#[test]
fn us_086_the_best_run_counts() {
    let mut past = started(0);
    for (passed, score) in [(1, 1_000), (2, 2_000), (0, 2_000)] {
        past.extend(when(&past, run(RunKind::All)).unwrap());
        past.push(judged(&past, passed));
        assert_eq!(session(&past).score(), Points::from_hundredths(score));
    }
    past.extend(when(&past, run(RunKind::Examples)).unwrap());
    past.push(judged(&past, 3));
    assert_eq!(session(&past).score(), Points::from_hundredths(2_000));
}

#[test]
fn a_question_keeps_what_each_counting_run_and_each_answer_was_worth() {
    let mut past = started(0);
    past.extend(when(&past, run(RunKind::Examples)).unwrap());
    past.push(judged(&past, 3));
    for passed in [1, 3, 0] {
        past.extend(when(&past, run(RunKind::All)).unwrap());
        past.push(judged(&past, passed));
    }
    let answer = Command::Answer { seat: HERE, question: 1, choices: vec![0] };
    past.extend(when(&past, answer).unwrap());
    let marks = |question: usize| {
        let row = session(&past).candidate_row(SessionId::from_u128(1));
        let marks = row.questions[question].marks.iter();
        marks.map(|mark| (mark.score.hundredths(), mark.all)).collect::<Vec<_>>()
    };
    assert_eq!(marks(0), [(1_000, false), (3_000, true), (0, false)]);
    assert_eq!(marks(1).len(), 1);
}

#[test]
fn of_too_many_marks_those_stay_that_were_better_than_all_before() {
    let mut answer = Answering::default();
    let mark = |at, score| Mark { at: At(at), score: Points::from_hundredths(score), all: false };
    answer.note(mark(0, 0));
    answer.note(mark(1, 500));
    for at in 2..200 {
        answer.note(mark(at, 400));
    }
    answer.note(mark(200, 900));
    assert_eq!(answer.marks.len(), MARKS_MAX);
    let worth: Vec<_> = answer.marks.iter().map(|mark| mark.score.hundredths()).collect();
    assert_eq!((worth[0], worth[1], worth[47]), (0, 500, 900));
    // Verdicts come in any order; marks stand in the order in which they were asked for.
    answer.note(mark(100, 700));
    assert!(answer.marks.is_sorted_by_key(|mark| mark.at));
}

#[test]
fn a_verdict_that_nobody_waits_for_is_refused() {
    let mut past = started(0);
    past.extend(when(&past, run(RunKind::All)).unwrap());
    past.push(judged(&past, 3));
    let Some(Event::Judged { submission, .. }) = past.last().cloned() else { unreachable!() };
    let again = Command::RecordVerdict {
        submission,
        compiled: true,
        compiler_output: String::new(),
        results: vec![],
    };
    assert_eq!(when(&past, again), Err(Refusal::NoSuchRun));
}

#[test]
fn runs_that_wait_have_a_limit() {
    let mut past = started(0);
    past.extend(when(&past, run(RunKind::All)).unwrap());
    past.extend(when(&past, run(RunKind::All)).unwrap());
    assert_eq!(when(&past, run(RunKind::All)), Err(Refusal::TooManyRuns));
}

#[test]
fn us_085_questions_with_a_limit_come_one_after_the_other() {
    let past = started_linear();
    assert_eq!(
        when(&past, Command::GoTo { seat: HERE, question: 1 }),
        Err(Refusal::QuestionNotOpen)
    );
    let happened = when(&past, Command::NextQuestion { seat: HERE }).unwrap();
    assert_eq!(
        happened,
        vec![
            Event::QuestionSealed { question: 0 },
            Event::QuestionOpened { question: 1, ends_at: NOON + Ms(5 * 60_000) }
        ]
    );
    let past = [past, happened].concat();
    assert_eq!(when(&past, Command::NextQuestion { seat: HERE }), Err(Refusal::LastQuestion));
}

#[test]
fn us_085_when_a_question_runs_out_the_next_one_begins_and_its_text_is_sealed_later() {
    let mut past = started_linear();
    let happened = when_at(&past, Command::Expire, at(10 * 60_000)).unwrap();
    let ends_at = NOON + Ms(15 * 60_000);
    let opened = Event::QuestionOpened { question: 1, ends_at };
    assert_eq!(happened, vec![Event::QuestionTimeUp { question: 0 }, opened]);
    let state = fold(&past, &happened, NOON + Ms(10 * 60_000));
    past.extend(happened);
    assert_eq!(state.wake_at(), Some(NOON + Ms(10 * 60_000) + GRACE));
    let sealed = state.decide(Command::Expire, at(10 * 60_000 + GRACE.0)).unwrap();
    assert_eq!(sealed, vec![Event::QuestionSealed { question: 0 }]);
}

#[test]
fn an_outage_is_given_back_once_and_moves_the_end() {
    let outage = Outage { from: NOON - Ms(30_000), to: NOON };
    let happened = when(&started(-10), Command::Credit { outage }).unwrap();
    let ends_at = NOON + Ms(50 * 60_000 + 30_000);
    assert_eq!(happened, vec![Event::Credited { outage, by: Ms(30_000), ends_at }]);
    let past = [started(-10), happened].concat();
    assert_eq!(when(&past, Command::Credit { outage }), Ok(vec![]));
}

#[test]
fn an_outage_over_the_end_leaves_what_was_left_before_it() {
    let outage = Outage { from: NOON - Ms(60_000), to: NOON + Ms(3_600_000) };
    let happened = when(&started(-58), Command::Credit { outage }).unwrap();
    let Event::Credited { ends_at, .. } = &happened[0] else { panic!() };
    assert_eq!(*ends_at - outage.to, Ms(3 * 60_000));
}

#[test]
fn an_outage_before_the_start_gives_nothing() {
    let outage = Outage { from: NOON - Ms(60_000), to: NOON - Ms(1) };
    assert_eq!(when(&started(0), Command::Credit { outage }), Ok(vec![]));
}

#[test]
fn a_pause_stops_the_clock_and_gives_its_length_back() {
    let past = [started(-10), when(&started(-10), Command::Pause).unwrap()].concat();
    assert_eq!(session(&past).wake_at(), None);
    assert_eq!(when(&past, run(RunKind::All)), Err(Refusal::Paused));
    let happened = when_at(&past, Command::Resume, at(60_000)).unwrap();
    let ends_at = NOON + Ms(51 * 60_000);
    assert_eq!(happened, vec![Event::Resumed { by: MINUTE, ends_at }]);
}

#[test]
fn files_are_added_and_deleted_by_safe_names_only() {
    let file =
        |name: &str| FileKey { question: 0, language: Language::Python, name: name.to_owned() };
    let add = |name: &str| Command::AddFile { seat: HERE, file: file(name) };
    assert_eq!(when(&started(0), add("../x.py")), Err(Refusal::BadFileName));
    assert_eq!(when(&started(0), add("main.py")), Err(Refusal::FileExists));
    let mut past = started(0);
    past.extend(when(&past, add("more.py")).unwrap());
    past.extend(when(&past, Command::DeleteFile { seat: HERE, file: file("more.py") }).unwrap());
    assert_eq!(when(&past, add("more.py")), Ok(vec![Event::FileAdded { file: file("more.py") }]));
}

#[test]
fn a_quiz_takes_the_choices_there_are() {
    let answer =
        |choices: &[u16]| Command::Answer { seat: HERE, question: 1, choices: choices.to_vec() };
    assert_eq!(when(&started(0), answer(&[3])), Err(Refusal::NoSuchChoice));
    let mut past = started(0);
    past.extend(when(&past, answer(&[2, 0, 0])).unwrap());
    assert_eq!(past.last(), Some(&Event::Answered { question: 1, choices: vec![0, 2] }));
    assert_eq!(session(&past).score(), Points::from_hundredths(1_000));
}

#[test]
fn a_locked_question_shows_nothing_of_itself() {
    let past: Vec<_> = started_linear().into_iter().map(|event| (NOON, event)).collect();
    let rows = session(&started_linear()).rows(Stream::Session(ID), &past);
    let row = rows.iter().rev().find(|row| row.key == "question.1").unwrap();
    let json: serde_json::Value = serde_json::from_slice(row.value.as_ref().unwrap()).unwrap();
    assert_eq!(json["title"], serde_json::Value::Null);
    assert_eq!(json["tags"], serde_json::json!([]));
}

#[test]
fn an_edit_writes_a_row_only_when_it_is_the_first_since_a_run() {
    let mut past = started(0);
    let first = when(&past, edit(HERE, 0, "a")).unwrap();
    past.extend(first.clone());
    assert!(!rows_of(&past, &first).is_empty());
    let second = when(&past, edit(HERE, 1, "b")).unwrap();
    past.extend(second.clone());
    assert_eq!(rows_of(&past, &second), vec![]);
}

proptest! {
    /// Nothing extends the time but the events that say so, and nothing ever shortens it.
    #[test]
    fn only_events_that_say_so_move_the_end_and_only_to_later(
        asked in prop::collection::vec((0_usize..14, 0_i64..600_000), 1..40)
    ) {
        let mut state = fold(&invited(), &[], NOON);
        let mut now = NOON;
        for (which, later) in asked {
            now = now + Ms(later);
            let times = Times { received_at: now, now };
            let before = state.run.as_ref().map(|run| run.ends_at);
            let Ok(events) = state.decide(any_command(which, now), times) else { continue };
            for event in &events {
                state.evolve(event, now);
            }
            let after = state.run.as_ref().map(|run| run.ends_at);
            if let (Some(before), Some(after)) = (before, after) {
                let says_so = events.iter().any(|event| matches!(event,
                    Event::Credited { .. } | Event::TimeGiven { .. } | Event::Extended { .. } | Event::Resumed { .. }));
                prop_assert!(after == before || (says_so && before < after));
            }
            // A snapshot and the rest are all.
            let json = serde_json::to_string(&state).unwrap();
            let read: Session = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, &state);
            // What the clock asked for is done: it does not ask for the same moment again.
            let expired = state.decide(Command::Expire, times).unwrap();
            let mut woken = state.clone();
            for event in &expired {
                woken.evolve(event, now);
            }
            if expired.is_empty() {
                prop_assert!(state.wake_at().is_none_or(|wake_at| now < wake_at));
            }
        }
    }
}

fn any_command(which: usize, now: At) -> Command {
    match which {
        0 | 1 => Command::Start { seat: HERE },
        2 | 3 => edit(HERE, 0, "x"),
        4 => run(RunKind::All),
        5 => Command::Expire,
        6 => Command::Credit { outage: Outage { from: now - Ms(5_000), to: now } },
        7 => Command::GiveTime { by: MINUTE },
        8 => Command::Pause,
        9 => Command::Resume,
        10 => Command::ChangeTerms { terms: Terms { closes_at: Some(now), ..an_hour() } },
        11 => Command::ChangeTerms { terms: Terms { time_allowed: Ms(7_200_000), ..an_hour() } },
        12 => Command::TakeSeat { seat: THERE },
        _ => Command::HandIn { seat: THERE },
    }
}

fn when(past: &[Event], command: Command) -> Result<Vec<Event>, Refusal> {
    when_at(past, command, at(0))
}

fn when_at(past: &[Event], command: Command, times: Times) -> Result<Vec<Event>, Refusal> {
    session(past).decide(command, times)
}

fn at(ms: i64) -> Times {
    Times { received_at: NOON + Ms(ms), now: NOON + Ms(ms) }
}

/// The past until the start happened as long before noon as it says, the rest at noon.
fn session(past: &[Event]) -> Session {
    let mut session = Session::default();
    for event in past {
        let at = if let Event::Started { ends_at, .. } = event {
            *ends_at - Ms(3_600_000)
        } else {
            NOON
        };
        session.evolve(event, at);
    }
    session
}

fn fold(past: &[Event], then: &[Event], at: At) -> Session {
    let mut session = session(past);
    for event in then {
        session.evolve(event, at);
    }
    session
}

fn rows_of(past: &[Event], events: &[Event]) -> Vec<RowChange> {
    let events: Vec<_> = events.iter().map(|event| (NOON, event.clone())).collect();
    session(past).rows(Stream::Session(ID), &events)
}

fn text_after(past: &[Event]) -> String {
    session(past).run.unwrap().file(&main_file()).unwrap().text.clone()
}

fn ended(happened: &Result<Vec<Event>, Refusal>) -> Option<At> {
    let Some(Event::Started { ends_at, .. }) = happened.as_ref().ok()?.first() else { return None };
    Some(*ends_at)
}

fn invited() -> Vec<Event> {
    let campaign = Some(CampaignId::from_u128(3));
    vec![Event::Invited { session: ID, campaign, terms: an_hour(), plan: Arc::new(plan(None)) }]
}

/// Started so many minutes from noon.
fn started(minutes: i64) -> Vec<Event> {
    let ends_at = NOON + Ms((60 + minutes) * 60_000);
    [invited(), vec![Event::Started { ends_at, seat: HERE }]].concat()
}

fn started_linear() -> Vec<Event> {
    let plan = Arc::new(plan(Some(Ms(10 * 60_000))));
    let mut past = vec![Event::Invited { session: ID, campaign: None, terms: an_hour(), plan }];
    past.extend(when(&past, Command::Start { seat: HERE }).unwrap());
    past
}

fn terms(change: impl FnOnce(&mut Terms)) -> Event {
    let mut terms = an_hour();
    change(&mut terms);
    Event::TermsChanged { terms }
}

fn an_hour() -> Terms {
    Terms { time_allowed: Ms(60 * 60_000), ..Terms::default() }
}

/// A question of code, 30 points over 3 validators, and a quiz of 10.
fn plan(limit: Option<Ms>) -> Plan {
    let validator = ValidatorPlan { name: "a".to_owned(), shown: true, weight: 1, group: None };
    let code = Task::Code {
        languages: vec![Language::Python, Language::C],
        starters: vec![],
        validators: vec![validator; 3],
        groups: vec![],
    };
    let quiz = Task::Quiz { right: vec![true, false, true], several: true, partial: false };
    let question = |points, task, limit| QuestionPlan {
        content: ContentId::from_u128(9),
        version: 1,
        title: "The night ferry".to_owned(),
        tags: vec!["queues".to_owned()],
        points: Points::from_hundredths(points),
        limit,
        task,
    };
    let half = limit.map(|limit| Ms(limit.0 / 2));
    let questions = vec![question(3_000, code, limit), question(1_000, quiz, half)];
    Plan { title: "A test".to_owned(), questions, ..Plan::default() }
}

fn main_file() -> FileKey {
    FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() }
}

/// Types `text` at the beginning of what revision `base_rev` was, all of it typed so before.
fn edit(seat: SeatId, base_rev: u32, text: &str) -> Command {
    let changes = Changes::insert(base_rev, base_rev, text);
    Command::Edit { seat, file: main_file(), base_rev, changes, caret: 0 }
}

fn run(kind: RunKind) -> Command {
    Command::Run { seat: HERE, question: 0, kind, stdin: None }
}

/// The verdict on the run that waits: so many of three validators passed.
fn judged(past: &[Event], passed: u16) -> Event {
    let run = session(past).run.unwrap();
    let submission: SubmissionId = *run.waiting.keys().next().unwrap();
    let result = |validator: u16| RunResult {
        validator,
        name: "a".to_owned(),
        shown: true,
        verdict: if validator < passed { Verdict::Accepted } else { Verdict::WrongAnswer },
        cpu_ms: 1,
        wall_ms: 1,
        memory_bytes: 1,
        detail: String::new(),
        stdout: String::new(),
        stderr: String::new(),
    };
    let results = (0..3).map(result).collect();
    Event::Judged { submission, compiled: true, compiler_output: String::new(), results }
}

#[test]
fn us_088_us_089_accepting_and_declining() {
    let mut past = invited();
    past.extend(when(&past, Command::Decline { reason: Some("ill\0".to_owned()) }).unwrap());
    assert_eq!(session(&past).decline_reason.as_deref(), Some("ill"));
    past.extend(when(&past, Command::Accept).unwrap());
    assert_eq!(session(&past).status, Status::Confirmed);
    // A link that was sent or opened before does not take the question away.
    let mut past = [invited(), vec![Event::Sent]].concat();
    past.extend(when(&past, Command::Accept).unwrap());
    assert_eq!((session(&past).status, session(&past).has_accepted), (Status::TestSent, true));
    assert_eq!(when(&past, Command::Accept), Ok(vec![]));
    assert_eq!(when(&started(0), Command::Decline { reason: None }), Err(Refusal::WrongStage));
}
