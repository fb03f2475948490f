//! Ends that meet, pauses over outages, gifts, and runs that wait when the time is up.

use super::*;

/// Applies what `command` makes happen `ms` from noon, and answers it.
fn step(state: &mut Session, command: Command, ms: i64) -> Vec<Event> {
    let events = state.decide(command, at(ms)).unwrap();
    for event in &events {
        state.evolve(event, NOON + Ms(ms));
    }
    events
}

/// Started at noon, an hour in all: ten minutes for the first question, five for the second.
fn linear() -> Session {
    fold(&started_linear(), &[], NOON)
}

#[test]
fn when_the_last_minute_of_a_question_is_that_of_the_session_no_other_question_is_shown() {
    let mut state = linear();
    step(&mut state, Command::ChangeTerms { terms: an_hour() }, 0);
    state.run.as_mut().unwrap().ends_at = NOON + Ms(600_000);
    assert_eq!(step(&mut state, Command::Expire, 600_000), vec![Event::TimeUp]);
    assert_eq!(state.wake_at(), Some(NOON + Ms(600_000) + GRACE));
    assert_eq!(step(&mut state, Command::Expire, 600_100), vec![]);
    assert_eq!(step(&mut state, Command::Expire, 612_000), vec![Event::Sealed]);
}

#[test]
fn us_085_an_edit_in_the_grace_of_a_question_is_in_its_final_run_while_the_next_one_is_open() {
    let mut state = linear();
    step(&mut state, edit(HERE, 0, "a"), 1_000);
    step(&mut state, Command::Expire, 600_000);
    assert_eq!(state.run.as_ref().unwrap().current, 1);
    let times = Times { received_at: NOON + Ms(599_900), now: NOON + Ms(604_000) };
    let late = state.decide(edit(HERE, 1, "b"), times).unwrap();
    assert!(matches!(&late[..], [Event::Edited { rev: 2, .. }]));
    state.evolve(&late[0], times.now);
    let sealed = step(&mut state, Command::Expire, 612_000);
    let [
        Event::RunAsked { kind: RunKind::Final, question: 0, files, .. },
        Event::QuestionSealed { question: 0 },
    ] = &sealed[..]
    else {
        panic!("{sealed:?}");
    };
    assert_eq!(files[0].text, "ab");
    // A credit moves the open question, not the one that is over.
    let outage = Outage { from: NOON + Ms(620_000), to: NOON + Ms(650_000) };
    step(&mut state, Command::Credit { outage }, 650_000);
    let ends: Vec<_> = state.run.as_ref().unwrap().questions.iter().map(|q| q.ends_at).collect();
    assert_eq!(ends, [Some(NOON + Ms(600_000)), Some(NOON + Ms(900_000 + 30_000))]);
}

#[test]
fn two_questions_sealed_together_ask_for_two_different_runs() {
    let code = plan(None).questions[0].clone();
    let two = Plan { questions: vec![code.clone(), code], ..plan(None) };
    let past = [Event::Invited { session: ID, campaign: None, terms: an_hour(), plan: two.into() }];
    let mut state = fold(&past, &[], NOON);
    step(&mut state, Command::Start { seat: HERE }, 0);
    step(&mut state, edit(HERE, 0, "a"), 1);
    let FileKey { language, name, .. } = main_file();
    let file = FileKey { question: 1, language, name };
    let changes = Changes::insert(0, 0, "b");
    step(&mut state, Command::Edit { seat: HERE, file, base_rev: 0, changes, caret: 0 }, 2);
    let events = step(&mut state, Command::HandIn { seat: HERE }, 3);
    let submission = |event: &Event| {
        if let Event::RunAsked { submission, .. } = event { Some(*submission) } else { None }
    };
    let asked: Vec<_> = events.iter().filter_map(submission).collect();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1]);
}

#[test]
fn a_run_that_waits_when_the_time_is_up_still_counts() {
    let mut state = fold(&started(0), &[], NOON);
    step(&mut state, edit(HERE, 0, "a"), 0);
    step(&mut state, run(RunKind::All), 1);
    let submission = *state.run.as_ref().unwrap().waiting.keys().next().unwrap();
    step(&mut state, Command::Expire, 3_600_000);
    assert_eq!(step(&mut state, Command::Expire, 3_612_000), vec![Event::Sealed]);
    let results = results(3, Verdict::WrongAnswer);
    let verdict = Command::RecordVerdict {
        submission,
        compiled: true,
        compiler_output: String::new(),
        results,
    };
    step(&mut state, verdict, 3_700_000);
    assert_eq!(state.score(), Points::from_hundredths(3_000));
}

#[test]
fn what_could_not_be_judged_on_our_side_is_judged_at_the_end() {
    let mut state = fold(&started(0), &[], NOON);
    step(&mut state, edit(HERE, 0, "a"), 0);
    step(&mut state, run(RunKind::All), 1);
    let submission = *state.run.as_ref().unwrap().waiting.keys().next().unwrap();
    let results = results(0, Verdict::InternalError);
    let verdict = Command::RecordVerdict {
        submission,
        compiled: true,
        compiler_output: String::new(),
        results,
    };
    step(&mut state, verdict, 2);
    let events = step(&mut state, Command::HandIn { seat: HERE }, 3);
    assert!(
        events.iter().any(|event| matches!(event, Event::RunAsked { kind: RunKind::Final, .. }))
    );
}

#[test]
fn an_outage_within_a_pause_is_given_back_once() {
    let mut state = fold(&started(0), &[], NOON);
    step(&mut state, Command::Pause { reason: None }, 60_000);
    step(&mut state, Command::Resume, 660_000);
    let within = Outage { from: NOON + Ms(100_000), to: NOON + Ms(200_000) };
    assert_eq!(step(&mut state, Command::Credit { outage: within }, 700_000), vec![]);
    let over = Outage { from: NOON + Ms(50_000), to: NOON + Ms(670_000) };
    step(&mut state, Command::Credit { outage: over }, 700_000);
    let run = state.run.as_ref().unwrap();
    assert_eq!(run.ends_at, NOON + Ms(3_600_000 + 600_000 + 20_000));
}

#[test]
fn nobody_starts_while_the_campaign_is_paused() {
    let mut state = fold(&invited(), &[], NOON);
    assert_eq!(
        step(&mut state, Command::Pause { reason: None }, 0),
        vec![Event::Held { reason: None }]
    );
    assert!(state.row().held, "the page says so");
    assert_eq!(step(&mut state, Command::Pause { reason: None }, 0), vec![]);
    assert_eq!(state.decide(Command::Start { seat: HERE }, at(1)), Err(Refusal::Paused));
    assert_eq!(step(&mut state, Command::Resume, 2), vec![Event::Released]);
    assert!(!state.row().held);
    assert!(state.decide(Command::Start { seat: HERE }, at(3)).is_ok());
}

#[test]
fn a_second_invitation_changes_neither_the_terms_nor_the_test() {
    let mut state = fold(&invited(), &[], NOON);
    step(&mut state, Command::GiveTime { by: MINUTE, reason: None }, 0);
    step(&mut state, Command::Decline { reason: None }, 0);
    let before = state.clone();
    let campaign = before.campaign;
    let (terms, plan) = (Terms::default(), Arc::new(Plan::default()));
    let invite = Command::Invite { session: ID, campaign, terms, plan };
    assert_eq!(step(&mut state, invite.clone(), 1), vec![Event::InvitedAgain]);
    assert_eq!((&state.terms, &state.plan, state.given), (&before.terms, &before.plan, MINUTE));
    assert_eq!(state.decide(invite, at(2)), Err(Refusal::AlreadyInvited));
}

#[test]
fn another_campaign_has_nothing_to_say() {
    let state = fold(&invited(), &[], NOON);
    let of = |n| Origin::Stream(Stream::Campaign(CampaignId::from_u128(n)));
    assert!(state.listens_to(of(3)) && !state.listens_to(of(4)));
    let (terms, plan) = (Terms::default(), Arc::new(Plan::default()));
    let campaign = Some(CampaignId::from_u128(4));
    let invite = Command::Invite { session: ID, campaign, terms, plan };
    assert_eq!(state.decide(invite, at(0)), Err(Refusal::AlreadyInvited));
}

#[test]
fn us_091_terms_and_gifts_add_up() {
    let mut state = fold(&invited(), &[], NOON);
    step(&mut state, Command::GiveTime { by: MINUTE, reason: None }, -60_000);
    step(&mut state, Command::Start { seat: HERE }, 0);
    let ends = |state: &Session| (state.run.as_ref().unwrap().ends_at - NOON).0 / 60_000;
    assert_eq!(ends(&state), 61);
    step(&mut state, Command::GiveTime { by: MINUTE, reason: None }, 1);
    assert_eq!(ends(&state), 62);
    let longer = Terms { time_allowed: Ms(90 * 60_000), ..an_hour() };
    step(&mut state, Command::ChangeTerms { terms: longer }, 2);
    assert_eq!(ends(&state), 92);
    assert_eq!(
        state.decide(Command::GiveTime { by: Ms(i64::MAX), reason: None }, at(3)),
        Err(Refusal::WrongStage)
    );
}

#[test]
fn time_given_when_the_last_question_is_over_opens_it_again() {
    let mut state = linear();
    step(&mut state, Command::NextQuestion { seat: HERE }, 0);
    let events = step(&mut state, Command::Expire, 300_000);
    assert_eq!(events, vec![Event::QuestionTimeUp { question: 1 }, Event::TimeUp]);
    step(&mut state, Command::GiveTime { by: MINUTE, reason: None }, 301_000);
    let last = &state.run.as_ref().unwrap().questions[1];
    assert_eq!((last.stage, last.ends_at), (Stage::Open, Some(NOON + Ms(360_000))));
}

#[test]
fn a_question_that_the_end_cut_short_gets_its_time_back_with_a_later_end() {
    let mut state = linear();
    let soon = Terms { closes_at: Some(NOON + Ms(900_000)), ..an_hour() };
    let mut fresh = fold(&started_linear()[..1], &[], NOON);
    step(&mut fresh, Command::ChangeTerms { terms: soon }, 0);
    step(&mut fresh, Command::Start { seat: HERE }, 400_000);
    let end_of_first = |state: &Session| state.run.as_ref().unwrap().questions[0].ends_at;
    assert_eq!(end_of_first(&fresh), Some(NOON + Ms(900_000)));
    step(&mut fresh, Command::ChangeTerms { terms: an_hour() }, 500_000);
    assert_eq!(end_of_first(&fresh), Some(NOON + Ms(1_000_000)));
    step(&mut state, Command::ChangeTerms { terms: an_hour() }, 0);
    assert_eq!(end_of_first(&state), Some(NOON + Ms(600_000)));
}

#[test]
fn a_late_edit_of_another_language_leaves_the_judged_answer_alone() {
    let mut state = fold(&started(-60), &[Event::TimeUp, Event::Sealed], NOON);
    let file = FileKey { question: 0, language: Language::C, name: "main.c".to_owned() };
    let changes = Changes::insert(0, 0, "c");
    step(&mut state, Command::Edit { seat: HERE, file, base_rev: 0, changes, caret: 0 }, 1);
    let events = step(&mut state, Command::AcceptLate { late: 0 }, 2);
    assert!(matches!(&events[..], [Event::LateAccepted { .. }]));
}

#[test]
fn what_is_kept_to_rebase_over_is_bounded_in_bytes() {
    let mut state = fold(&started(0), &[], NOON);
    let long = "x".repeat(100_000);
    for rev in 0..20 {
        let old = if rev == 0 { "" } else { &long };
        let changes = Changes::replace(old, &long);
        let file = main_file();
        step(&mut state, Command::Edit { seat: HERE, file, base_rev: rev, changes, caret: 0 }, 1);
    }
    let run = state.run.as_ref().unwrap();
    assert!(run.file(&main_file()).unwrap().history.len() <= 5);
}

#[test]
fn who_leaves_a_question_that_has_just_run_out_does_not_skip_the_next_one() {
    let question = plan(Some(Ms(600_000))).questions[0].clone();
    let plan = Arc::new(Plan { questions: vec![question; 3], ..plan(None) });
    let past = [Event::Invited { session: ID, campaign: None, terms: an_hour(), plan }];
    let mut state = fold(&past, &[], NOON);
    step(&mut state, Command::Start { seat: HERE }, 0);
    step(&mut state, Command::Expire, 600_000);
    assert_eq!(step(&mut state, Command::NextQuestion { seat: HERE }, 600_300), vec![]);
    assert_eq!(state.run.as_ref().unwrap().current, 1);
    step(&mut state, Command::NextQuestion { seat: HERE }, 602_000);
    assert_eq!(state.run.as_ref().unwrap().current, 2);
}

/// So many of three passed; the others are `otherwise`.
fn results(passed: u16, otherwise: Verdict) -> Vec<RunResult> {
    let Event::Judged { mut results, .. } = ({
        let mut past = started(0);
        past.extend(when(&past, run(RunKind::All)).unwrap());
        judged(&past, passed)
    }) else {
        unreachable!("that is what it makes")
    };
    for result in results.iter_mut().filter(|result| result.verdict != Verdict::Accepted) {
        result.verdict = otherwise;
    }
    results
}
