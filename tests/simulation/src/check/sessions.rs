//! Sessions: what was typed, what was run.

use std::collections::BTreeMap;

use domain::{
    aggregate::Aggregate,
    ids::{SessionId, SubmissionId},
    session::{Event, Session},
    stream::{Recorded, Stream},
};

use super::{Findings, History, Rule, clocks::Clock};

pub(super) fn check(history: &History, findings: &mut Findings) {
    for (stream, log) in &history.streams {
        if let Stream::Session(id) = stream {
            session(history, (*stream, *id), log, findings);
        }
    }
}

fn session(
    history: &History,
    (stream, id): (Stream, SessionId),
    log: &[Recorded],
    findings: &mut Findings,
) {
    let mut state = Session::default();
    let mut clock = Clock::new(history, stream);
    let mut runs: BTreeMap<SubmissionId, (usize, usize)> = BTreeMap::new();
    for recorded in log {
        let Ok(event) = serde_json::from_slice::<Event>(&recorded.body) else {
            let what = format!("{} cannot be read", recorded.seq);
            findings.add(Rule::LogIsWhole, stream, what);
            return;
        };
        count(&mut runs, &event);
        let before = state.run.clone();
        state.evolve(&event, recorded.at);
        clock.tick(before.as_ref(), &event, recorded, findings);
    }
    if !history.is_over {
        return;
    }
    clock.end(state.run.as_ref(), findings);
    for (submission, (asked, judged)) in runs {
        let stream = Stream::Submission(submission);
        let verdicts = history
            .streams
            .get(&stream)
            .map_or(0, |log| log.iter().filter(|event| event.kind == "judged").count());
        if (asked, judged, verdicts) != (1, 1, 1) {
            let what = format!("asked {asked}, judged {judged} times, with {verdicts} verdicts");
            findings.add(Rule::JudgedOnce, stream, what);
        }
    }
    let Some(typed) = history.typed.get(&id) else { return };
    let run = state.run.unwrap_or_default();
    let text = run.file(&typed.file).map(|file| file.text.clone());
    if text.as_ref() != Some(&typed.text) || run.lates.len() != typed.lates {
        let what = format!(
            "believed {:?} and {} late, stored {text:?} and {} late",
            typed.text,
            typed.lates,
            run.lates.len()
        );
        findings.add(Rule::NothingTypedLost, stream, what);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are about no run")]
fn count(runs: &mut BTreeMap<SubmissionId, (usize, usize)>, event: &Event) {
    match event {
        Event::RunAsked { submission, .. } => runs.entry(*submission).or_default().0 += 1,
        Event::Judged { submission, .. } => runs.entry(*submission).or_default().1 += 1,
        _ => {}
    }
}
