//! Given what happened, when this is asked at noon, then that happens.

mod ends;
mod moves;
mod runs;
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
        7 => Command::GiveTime { by: MINUTE, reason: None },
        8 => Command::Pause { reason: None },
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
        share: None,
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
