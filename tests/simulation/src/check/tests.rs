//! Each kind of broken promise is found, and nothing else.

use bytes::Bytes;
use domain::{
    content::Language,
    frame::Why,
    ids::{SeatId, SubmissionId},
    session::{Event, RunKind, Terms},
    text::Changes,
};

use super::*;

const ID: SessionId = SessionId::from_u128(7);
const STREAM: Stream = Stream::Session(ID);
const SEAT: SeatId = SeatId::from_u128(1);
const RUN: SubmissionId = SubmissionId::from_u128(5);
const OUTAGE: Outage = Outage { from: At(2_000), to: At(9_000) };

fn file() -> FileKey {
    FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() }
}

fn plan() -> std::sync::Arc<domain::plan::Plan> {
    use domain::{content::Content, plan};
    let content = Content {
        component: domain::content::Component::Code(Box::new(domain::content::Code {
            languages: vec![Language::Python],
            ..Default::default()
        })),
        ..Content::default()
    };
    let question = plan::Question {
        content: domain::ids::ContentId::from_u128(1),
        version: 1,
        points: domain::points::Points::default(),
        limit: None,
    };
    let questions = vec![plan::QuestionPlan::new(&question, &content)];
    std::sync::Arc::new(plan::Plan { questions, ..Default::default() })
}

fn record(seq: u64, at: i64, kind: &str, body: &impl serde::Serialize) -> Recorded {
    Recorded {
        seq,
        at: At(at),
        origin: Origin::Candidate(ID).to_string(),
        command_id: CommandId::from_u128(seq.into()),
        n: 0,
        kind: kind.to_owned(),
        body: Bytes::from(serde_json::to_vec(body).unwrap()),
    }
}

fn events() -> Vec<(i64, Event)> {
    let credited = Event::Credited { outage: OUTAGE, by: Ms(7_000), ends_at: At(27_000) };
    vec![
        (0, Event::Invited { session: ID, campaign: None, terms: Terms::default(), plan: plan() }),
        (0, Event::Started { ends_at: At(20_000), seat: SEAT }),
        (
            1_000,
            Event::Edited { file: file(), rev: 1, changes: Changes::insert(0, 0, "hi"), caret: 0 },
        ),
        (9_000, credited),
        (
            9_500,
            Event::RunAsked {
                submission: RUN,
                question: 0,
                kind: RunKind::All,
                language: Language::Python,
                revision: 1,
                files: vec![],
                stdin: None,
            },
        ),
        (
            9_900,
            Event::Judged {
                submission: RUN,
                compiled: true,
                compiler_output: String::new(),
                results: vec![],
            },
        ),
        (27_020, Event::TimeUp),
        (39_020, Event::Sealed),
    ]
}

fn log(events: &[(i64, Event)]) -> Vec<Recorded> {
    let numbered = events.iter().zip(1..);
    numbered.map(|((at, event), seq)| record(seq, *at, "event", event)).collect()
}

fn asked(seq: u64) -> Asked {
    let answer = Some(serde_json::json!({ "rev": 1 }));
    let answer = Answer::Done { epoch: 1, seq, answer };
    let command_id = CommandId::from_u128(3);
    Asked { to: STREAM, origin: Origin::Candidate(ID), command_id, answer }
}

fn frame(seq: u64, prev: Option<u64>) -> Frame {
    Frame { seq, prev, rows: vec![] }
}

/// A run in which everything is as it should be.
fn good() -> History {
    let judged = vec![record(1, 0, "submitted", &1), record(2, 5, "judged", &1)];
    let wrote = |from_seq, to_seq, epoch| Wrote {
        stream: STREAM,
        from_seq,
        to_seq,
        epoch,
        at: At(100_000),
    };
    let typed = Typed { file: file(), text: "hi".to_owned(), lates: 0 };
    History {
        streams: BTreeMap::from([(STREAM, log(&events())), (Stream::Submission(RUN), judged)]),
        wrote: vec![wrote(1, 3, 1), wrote(4, 4, 2), wrote(5, 8, 2)],
        asked: vec![asked(3), asked(3)],
        pages: vec![Watched {
            stream: STREAM,
            frames: vec![frame(2, None), frame(4, Some(2)), frame(8, None)],
            shows: BTreeMap::new(),
            stored: BTreeMap::new(),
        }],
        typed: BTreeMap::from([(ID, typed)]),
        outages: BTreeMap::from([(STREAM.shard(), vec![OUTAGE])]),
        troubles: vec![(At(3_000), At(3_001))],
        is_over: true,
    }
}

/// The rules that a changed run breaks.
fn broken(change: impl FnOnce(&mut History)) -> Vec<Rule> {
    let mut history = good();
    change(&mut history);
    check(&history).into_iter().map(|finding| finding.rule).collect()
}

/// The same, with the events of the session changed.
fn broken_by(change: impl FnOnce(&mut Vec<(i64, Event)>)) -> Vec<Rule> {
    broken(|history| {
        let mut all = events();
        change(&mut all);
        history.streams.insert(STREAM, log(&all));
    })
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(check(&good()), []);
}

#[test]
fn an_acknowledged_command_that_is_lost_or_twice_there_is_found() {
    let lost = broken(|history| {
        history.asked.push(Asked { command_id: CommandId::from_u128(99), ..asked(3) });
    });
    assert_eq!(lost, [Rule::AcknowledgedOnce]);
    let elsewhere = broken(|history| history.asked = vec![asked(4)]);
    assert_eq!(elsewhere, [Rule::AcknowledgedOnce]);
    let twice = broken(|history| {
        let log = history.streams.get_mut(&STREAM).unwrap();
        log[7].command_id = CommandId::from_u128(3);
    });
    assert!(twice.contains(&Rule::AcknowledgedOnce));
}

#[test]
fn another_answer_to_the_same_command_is_found() {
    assert!(broken(|history| history.asked.push(asked(4))).contains(&Rule::AnsweredAlike));
}

#[test]
fn what_was_refused_and_happened_is_found() {
    let refused = Answer::Refused(Why::new("time_is_up", ""));
    let refused = Asked { answer: refused, ..asked(3) };
    assert_eq!(broken(|history| history.asked = vec![refused]), [Rule::RefusedIsNothing]);
}

#[test]
fn a_log_with_a_gap_or_with_time_that_goes_back_is_found() {
    let gap = broken(|history| history.streams.get_mut(&STREAM).unwrap()[7].seq = 9);
    assert_eq!(gap, [Rule::LogIsWhole]);
    let back = broken_by(|events| events[7].0 = 20_000);
    assert_eq!(back, [Rule::LogIsWhole]);
}

#[test]
fn two_writers_are_found() {
    assert_eq!(broken(|history| history.wrote[2].epoch = 1), [Rule::OneWriter]);
    assert_eq!(broken(|history| history.wrote[2].from_seq = 4), [Rule::OneWriter]);
}

#[test]
fn a_gap_between_frames_is_found_and_a_page_that_shows_something_else() {
    let gap = broken(|history| history.pages[0].frames[1].prev = Some(3));
    assert_eq!(gap, [Rule::FramesFollow]);
    let stored = |history: &mut History| {
        history.pages[0].stored.insert("session".to_owned(), Bytes::new());
    };
    assert_eq!(broken(stored), [Rule::PagesConverge]);
}

#[test]
fn a_run_without_a_verdict_or_with_two_is_found() {
    assert_eq!(broken_by(|events| drop(events.remove(5))), [Rule::JudgedOnce]);
    let twice = broken(|history| {
        let log = history.streams.get_mut(&Stream::Submission(RUN)).unwrap();
        log.push(record(3, 6, "judged", &1));
    });
    assert_eq!(twice, [Rule::JudgedOnce]);
}

#[test]
fn an_end_that_is_early_or_late_is_found() {
    assert_eq!(broken_by(|events| events[6].0 = 26_999), [Rule::NeverEarly]);
    assert_eq!(broken_by(|events| events[6].0 = 27_400), [Rule::NotLate]);
}

#[test]
fn a_credit_without_an_outage_or_given_twice_is_found() {
    let without = broken(|history| history.outages.clear());
    assert_eq!(without, []);
    let other = broken(|history| {
        let outage = Outage { from: At(10), to: At(20) };
        history.outages.insert(STREAM.shard(), vec![outage]);
    });
    assert!(other.contains(&Rule::CreditsAreOutages));
    let peaceful = broken(|history| history.troubles = vec![(At(90_000), At(90_001))]);
    assert_eq!(peaceful, [Rule::CreditsAreOutages]);
    let twice = broken_by(|events| {
        let again = Event::Credited { outage: OUTAGE, by: Ms(7_000), ends_at: At(34_000) };
        events.insert(4, (9_000, again));
        events[7].0 = 34_000;
    });
    assert_eq!(twice, [Rule::CreditsAreOutages]);
}

#[test]
fn an_outage_that_is_not_given_back_is_found() {
    let kept = broken_by(|events| {
        events.remove(3);
        events[5].0 = 20_010;
    });
    assert_eq!(kept, [Rule::OutagesAreCredited]);
}

#[test]
fn an_outage_after_an_end_that_a_wrong_clock_stamped_is_nobodys() {
    let stamped = |wrote_at| {
        broken(|history| {
            let outage = Outage { from: At(26_950), to: At(27_010) };
            history.outages.get_mut(&STREAM.shard()).unwrap().push(outage);
            history.wrote[2].to_seq = 6;
            let end = Wrote { from_seq: 7, to_seq: 8, at: At(wrote_at), ..history.wrote[2] };
            history.wrote.push(end);
        })
    };
    assert_eq!(stamped(26_940), []);
    assert_eq!(stamped(27_020), [Rule::OutagesAreCredited]);
}

#[test]
fn lost_typing_is_found() {
    let lost = broken(|history| history.typed.get_mut(&ID).unwrap().text.push('!'));
    assert_eq!(lost, [Rule::NothingTypedLost]);
}
