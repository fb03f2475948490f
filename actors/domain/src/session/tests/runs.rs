//! Runs and what they are worth.

use super::*;

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
    let mark = |at, score| Mark {
        at: At(at),
        score: Points::from_hundredths(score),
        all: false,
        uncompiled: false,
    };
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
