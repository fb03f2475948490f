//! A snapshot and the rest are all, wherever it is cut.

use super::*;

proptest! {
    #[test]
    fn a_snapshot_and_the_rest_are_all_events(
        asked in prop::collection::vec((0_usize..22, 0_i64..300_000), 1..60),
        cut in 0_usize..80,
        linear in any::<bool>(),
    ) {
        let past = if linear { started_linear()[..1].to_vec() } else { invited() };
        let mut log: Vec<(At, Event)> = past.into_iter().map(|event| (NOON, event)).collect();
        let mut state = folded(Session::default(), &log);
        let mut now = NOON;
        for (which, later) in asked {
            now = now + Ms(later);
            let times = Times { received_at: now, now };
            for event in state.decide(command(which, &state, now), times).unwrap_or_default() {
                state.evolve(&event, now);
                // What is stored is what is read.
                let json = serde_json::to_string(&event).unwrap();
                log.push((now, serde_json::from_str(&json).unwrap()));
            }
        }
        let (before, rest) = log.split_at(cut.min(log.len()));
        let snapshot = serde_json::to_string(&folded(Session::default(), before)).unwrap();
        let all = folded(serde_json::from_str(&snapshot).unwrap(), rest);
        prop_assert_eq!(&all, &state);
        let rows = |state: &Session| state.rows(Stream::Session(ID), &log);
        prop_assert_eq!(rows(&all), rows(&state));
    }
}

fn folded(mut session: Session, log: &[(At, Event)]) -> Session {
    for (at, event) in log {
        session.evolve(event, *at);
    }
    session
}

fn command(which: usize, state: &Session, now: At) -> Command {
    let run = state.run.as_ref();
    let rev = run.and_then(|run| run.file(&main_file())).map_or(0, |file| file.rev);
    let more = FileKey { name: "more.py".to_owned(), ..main_file() };
    match which {
        14 => Command::NextQuestion { seat: HERE },
        15 => edit(HERE, rev, "y"),
        16 => Command::AddFile { seat: HERE, file: more },
        17 => Command::DeleteFile { seat: HERE, file: more },
        18 => Command::ChooseLanguage { seat: HERE, question: 0, language: Language::C },
        19 => Command::Answer { seat: HERE, question: 1, choices: vec![0, 2] },
        20 => Command::AcceptLate { late: 0 },
        21 => match run.and_then(|run| run.waiting.keys().next()) {
            Some(submission) => Command::RecordVerdict {
                submission: *submission,
                compiled: false,
                compiler_output: "no".to_owned(),
                results: vec![],
            },
            None => Command::Open,
        },
        which => any_command(which, now),
    }
}
