//! What moves from one question to the next, and what moves the end.

use super::*;

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
    let past =
        [started(-10), when(&started(-10), Command::Pause { reason: None }).unwrap()].concat();
    assert_eq!(session(&past).wake_at(), None);
    assert_eq!(when(&past, run(RunKind::All)), Err(Refusal::Paused));
    let happened = when_at(&past, Command::Resume, at(60_000)).unwrap();
    let ends_at = NOON + Ms(51 * 60_000);
    assert_eq!(happened, vec![Event::Resumed { by: MINUTE, ends_at }]);
}
