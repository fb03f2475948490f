use super::*;
use crate::{aggregate::Times, ids::ContentId};

const NOW: Times = Times { received_at: At(0), now: At(0) };

fn submitted() -> Event {
    Event::Submitted(Box::new(Submitted {
        session: SessionId::from_u128(1),
        campaign: None,
        question: 0,
        content: ContentId::from_u128(2),
        version: 1,
        kind: RunKind::All,
        language: Language::C,
        files: vec![],
        stdin: None,
    }))
}

fn after(past: &[Event]) -> Submission {
    let mut state = Submission::default();
    for event in past {
        state.evolve(event, At(0));
    }
    state
}

fn when(past: &[Event], command: Command) -> Result<Vec<Event>, Refusal> {
    after(past).decide(command, NOW)
}

fn taken(attempt: u32) -> Event {
    Event::Taken { attempt }
}

fn judge(why: &str) -> Command {
    let (outcome, validators) = out_of_order(why);
    Command::Judge { outcome: Box::new(outcome), validators, attempts: 1 }
}

#[test]
fn an_attempt_is_known_before_it_is_run() {
    assert_eq!(when(&[submitted()], Command::Take), Ok(vec![taken(1)]));
    assert_eq!(when(&[submitted(), taken(1)], Command::Take), Ok(vec![taken(2)]));
    assert_eq!(Submission::default().answer(&[taken(2)]).unwrap()["attempt"], 2);
}

#[test]
fn after_three_attempts_it_is_given_up_without_being_run() {
    let past = [submitted(), taken(1), taken(2), taken(3)];
    let happened = when(&past, Command::Take).unwrap();
    let [Event::Judged { outcome, attempts: 3, .. }] = &happened[..] else {
        panic!("{happened:?}")
    };
    assert_eq!(outcome.results[0].verdict, Verdict::InternalError);
    assert_eq!(after(&past).answer(&happened), None);
}

#[test]
fn an_attempt_that_is_given_back_does_not_count() {
    let back = |attempt| Command::GiveBack { attempt };
    let past = [submitted(), taken(1)];
    assert_eq!(when(&past, back(1)), Ok(vec![Event::GivenBack { attempt: 1 }]));
    let past = [submitted(), taken(1), Event::GivenBack { attempt: 1 }];
    assert_eq!(when(&past, Command::Take), Ok(vec![taken(1)]));
    // Nor is it given back twice, or by a runner that had lost it.
    assert_eq!(when(&past, back(1)), Ok(vec![]));
    assert_eq!(when(&[submitted(), taken(1), taken(2)], back(1)), Ok(vec![]));
}

#[test]
fn the_first_verdict_counts_whoever_sends_it() {
    let mut past = vec![submitted(), taken(1), taken(2)];
    // The one that was given up for lost comes first.
    past.extend(when(&past, judge("first")).unwrap());
    assert!(matches!(past.last(), Some(Event::Judged { .. })));
    for late in [judge("second"), Command::Take, Command::GiveBack { attempt: 2 }] {
        assert_eq!(when(&past, late), Ok(vec![]));
    }
}
