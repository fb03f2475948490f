//! Output on its way: while the program runs, whole, in order, and only where it may be shown.

use std::sync::Mutex;

use domain::{
    content::{
        Language::{C, Python},
        Limits,
    },
    ports::Sandbox,
    run::{Channel, Progress, Verdict},
};
use tokio::time::{Duration, Instant};

use crate::stage::{input, job, sandbox, told};

#[tokio::test]
async fn output_is_told_while_the_program_runs() {
    let text = "import time\nprint('first')\ntime.sleep(0.4)\nprint('second', end='')";
    let moments = Mutex::new(Vec::new());
    let keep = |progress| moments.lock().unwrap().push((Instant::now(), progress));
    let outcome = sandbox().await.run(&job(Python, text), &keep).await;
    let moments = moments.into_inner().unwrap();
    let when = |text: &str| {
        let is = |p: &Progress| matches!(p, Progress::Output { bytes, .. } if bytes.starts_with(text.as_bytes()));
        moments.iter().find(|(_, p)| is(p)).expect("it was told").0
    };
    assert!(when("second") - when("first") > Duration::from_millis(200), "{moments:?}");
    assert_eq!(outcome.results[0].stdout, "first\nsecond");
}

#[tokio::test]
async fn pieces_fit_together_by_their_offsets() {
    let text = "import sys\nfor i in range(20000): print(i)\nprint('oops', file=sys.stderr)";
    let (outcome, told) = told(&job(Python, text)).await;
    let mut whole = Vec::new();
    for progress in &told {
        if let Progress::Output { channel: Channel::Stdout, offset, bytes, .. } = progress {
            assert_eq!(*offset, whole.len() as u64);
            whole.extend_from_slice(bytes);
        }
    }
    let expected: String = (0..20000).flat_map(|i| [i.to_string(), "\n".to_owned()]).collect();
    assert_eq!(whole, expected.as_bytes());
    assert_eq!(outcome.results[0].stderr, "oops\n");
    assert_eq!(outcome.results[0].stdout, expected[..16 * 1024]);
}

#[tokio::test]
async fn the_last_words_of_a_stopped_program_are_kept() {
    let spin = "#include <unistd.h>\nint main(void) { write(1, \"last\", 4); for (;;); }";
    let killed = "#include <signal.h>\n#include <unistd.h>\n\
                  int main(void) { write(1, \"last\", 4); kill(getpid(), SIGKILL); }";
    for (text, verdict) in [(spin, Verdict::TimeLimit), (killed, Verdict::RuntimeError)] {
        let mut job = job(C, text);
        job.limits = Limits { cpu_ms: 200, ..Limits::default() };
        let (outcome, told) = told(&job).await;
        assert_eq!(outcome.results[0].verdict, verdict, "{outcome:?}");
        assert_eq!(outcome.results[0].stdout, "last");
        assert!(
            told.iter().any(|p| matches!(p, Progress::Output { bytes, .. } if bytes == "last"))
        );
    }
}

#[tokio::test]
async fn what_is_hidden_is_judged_and_never_told() {
    let mut job = job(Python, "import sys\nprint(input())\nprint('secret', file=sys.stderr)");
    job.inputs = vec![input("secret\n", Some("secret\n"))];
    job.inputs[0].streamed = false;
    let (outcome, told) = told(&job).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    assert!(!format!("{outcome:?}{told:?}").contains("secret"), "{outcome:?} {told:?}");
}

#[tokio::test]
async fn progress_comes_in_order() {
    let mut job = job(C, "#warning look\n#include <stdio.h>\nint main(void) { puts(\"x\"); }");
    job.inputs = vec![input("", None), input("", Some("x\n"))];
    job.inputs[1].validator = 1;
    let (outcome, told) = told(&job).await;
    assert!(outcome.compiler_output.contains("look"), "{outcome:?}");
    let names: Vec<&str> = told.iter().map(name).collect();
    let run = ["running", "stdout", "judged"];
    assert_eq!(names, [&["compiling", "compiler"][..], &run, &run].concat());
}

fn name(progress: &Progress) -> &'static str {
    match progress {
        Progress::Compiling => "compiling",
        Progress::Running { .. } => "running",
        Progress::Output { channel: Channel::Compiler, .. } => "compiler",
        Progress::Output { channel: Channel::Stdout, .. } => "stdout",
        Progress::Output { channel: Channel::Stderr, .. } => "stderr",
        Progress::Judged(_) => "judged",
    }
}
