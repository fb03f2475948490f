//! Logs: whole, by one writer at a time, with each acknowledged command once.

use std::collections::{BTreeMap, HashMap};

use domain::{
    command::Answer,
    ids::CommandId,
    stream::{Origin, Recorded, Stream},
};

use super::{Asked, Findings, History, Rule, Wrote};

pub(super) fn check(history: &History, findings: &mut Findings) {
    for (stream, log) in &history.streams {
        is_whole(*stream, log, findings);
    }
    one_writer(&history.wrote, findings);
    let mut answers: BTreeMap<(Stream, String, CommandId), Vec<&Asked>> = BTreeMap::new();
    for asked in &history.asked {
        let command = (asked.to, asked.origin.to_string(), asked.command_id);
        answers.entry(command).or_default().push(asked);
    }
    for asked in answers.values() {
        answered(history, asked, findings);
    }
}

fn is_whole(stream: Stream, log: &[Recorded], findings: &mut Findings) {
    let mut parts: HashMap<(&str, CommandId), Vec<(u64, u16)>> = HashMap::new();
    let mut last: Option<&Recorded> = None;
    for (event, place) in log.iter().zip(1..) {
        if event.seq != place {
            let what = format!("{} is at place {place}", event.seq);
            findings.add(Rule::LogIsWhole, stream, what);
        }
        if last.is_some_and(|last| event.at < last.at) {
            findings.add(Rule::LogIsWhole, stream, format!("time goes back at {}", event.seq));
        }
        parts.entry((&event.origin, event.command_id)).or_default().push((event.seq, event.n));
        last = Some(event);
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort();
    for ((origin, id), parts) in parts {
        let first = parts.first().map_or(0, |(seq, _)| *seq);
        let lie_together =
            parts.iter().zip(0_u16..).all(|(part, n)| *part == (first + u64::from(n), n));
        if !lie_together {
            let what = format!("{origin} {id} is there as {parts:?}");
            findings.add(Rule::AcknowledgedOnce, stream, what);
        }
    }
}

fn one_writer(wrote: &[Wrote], findings: &mut Findings) {
    let mut by_stream: BTreeMap<Stream, Vec<&Wrote>> = BTreeMap::new();
    for wrote in wrote {
        by_stream.entry(wrote.stream).or_default().push(wrote);
    }
    for (stream, mut wrote) in by_stream {
        wrote.sort_by_key(|wrote| (wrote.from_seq, wrote.to_seq));
        for pair in wrote.windows(2) {
            let [before, after] = pair else { continue };
            if after.epoch < before.epoch || after.from_seq <= before.to_seq {
                let what = format!("{before:?}, then {after:?}");
                findings.add(Rule::OneWriter, stream, what);
            }
        }
    }
}

/// All answers to one command.
fn answered(history: &History, asked: &[&Asked], findings: &mut Findings) {
    let Some(one) = asked.first() else { return };
    let done = |asked: &&&Asked| matches!(asked.answer, Answer::Done { .. });
    let mut alike = asked.iter().filter(done).map(|asked| asked_seq(asked));
    let first = alike.next();
    if alike.any(|other| Some(other) != first) {
        let what = format!("{} was answered {asked:?}", one.command_id);
        findings.add(Rule::AnsweredAlike, one.to, what);
    }
    let Some(log) = history.streams.get(&one.to) else { return };
    let is_its = |event: &&Recorded| is_by(event, one.origin, one.command_id);
    let stored = log.iter().filter(is_its).map(|event| event.seq).max();
    let refused = asked.iter().any(|asked| match &asked.answer {
        Answer::Refused(why) => why.retry_after_ms.is_none(),
        Answer::Done { .. } => false,
    });
    match (first, stored) {
        (Some((seq, _)), Some(stored)) if seq != stored => {
            let what = format!("{} is {stored}, answered as {seq}", one.command_id);
            findings.add(Rule::AcknowledgedOnce, one.to, what);
        }
        // With an answer besides "done" it has made something happen.
        (Some((_, Some(_))), None) => {
            let what = format!("{} was acknowledged and is not there", one.command_id);
            findings.add(Rule::AcknowledgedOnce, one.to, what);
        }
        (Some((seq, None)), None) if seq > log.len() as u64 => {
            let what = format!("{} was acknowledged as {seq}, which is not there", one.command_id);
            findings.add(Rule::AcknowledgedOnce, one.to, what);
        }
        (None, Some(seq)) if refused => {
            let what = format!("{} was refused and is {seq}", one.command_id);
            findings.add(Rule::RefusedIsNothing, one.to, what);
        }
        _ => {}
    }
}

fn asked_seq(asked: &Asked) -> (u64, Option<&serde_json::Value>) {
    match &asked.answer {
        Answer::Done { seq, answer, .. } => (*seq, answer.as_ref()),
        Answer::Refused(_) => (0, None),
    }
}

fn is_by(event: &Recorded, origin: Origin, id: CommandId) -> bool {
    event.command_id == id && event.origin == origin.to_string()
}
