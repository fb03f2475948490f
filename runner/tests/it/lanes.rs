//! Two inputs of one job run at a time where two slots are free.

use std::sync::Mutex;

use domain::{
    content::{Language, Limits},
    ports::Sandbox,
    run::{Input, Job, Progress, Verdict},
};

use crate::stage::{input, job, sandbox_of};

const WAITS_IF_ASKED: &str = "#include <stdio.h>\n#include <unistd.h>\nint main(void) { int n; \
    if (scanf(\"%d\", &n) == 1 && n) { printf(\"%d\\n\", n); } else { pause(); } }";

/// The first input runs into its limit; the others end at once.
fn one_that_waits() -> Job {
    let waits = input("0\n", Some("0\n"));
    let others = (1..4).map(|n| {
        let text = format!("{n}\n");
        Input { validator: n, ..input(&text, Some(&text)) }
    });
    let limits = Limits { wall_ms: 5_000, ..Limits::default() };
    let inputs = [waits].into_iter().chain(others).collect();
    Job { limits, inputs, ..job(Language::C, WAITS_IF_ASKED) }
}

/// The validators in the order in which they were judged; each result stands in its place.
async fn judged(slots: usize, job: &Job) -> Vec<u16> {
    let judged = Mutex::new(vec![]);
    let tell = |progress| {
        if let Progress::Judged(result) = progress {
            judged.lock().unwrap().push(result.validator);
        }
    };
    let outcome = sandbox_of(slots).await.run(job, &tell).await;
    let verdicts: Vec<_> = outcome.results.iter().map(|one| (one.validator, one.verdict)).collect();
    let mut expected = vec![(0, Verdict::WallLimit)];
    expected.extend((1..4).map(|n| (n, Verdict::Accepted)));
    assert_eq!(verdicts, expected);
    judged.into_inner().unwrap()
}

#[tokio::test]
async fn an_input_that_waits_does_not_hold_up_the_others_where_a_slot_is_free() {
    assert_eq!(judged(2, &one_that_waits()).await, [1, 2, 3, 0]);
    assert_eq!(judged(1, &one_that_waits()).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn inputs_of_which_one_decides_whether_another_runs_take_turns() {
    let mut job = one_that_waits();
    for input in &mut job.inputs {
        input.stops_with = Some(7);
    }
    // What is shown runs, whatever came of the others.
    assert_eq!(judged(2, &job).await, [0, 1, 2, 3]);
}
