//! Programs that talk with one another: who ended first, and what comes of waiting and flooding.

use domain::{
    content::{
        Language::{Cpp, Python},
        Limits,
    },
    judging::{Judging, Program},
    ports::Sandbox,
    run::{Job, ValidatorResult, Verdict},
};

use crate::{
    judging::program,
    stage::{alive, input, job, run, sandbox_of},
};

/// Thinks of the number in its input; says `higher` or `lower`, and is told the number.
const GUESS: &str = "\
import sys
number = int(open(sys.argv[1]).read())
for line in sys.stdin:
    guess = int(line)
    if guess == number:
        print('yes', flush=True)
        sys.exit(42)
    print('higher' if number > guess else 'lower', flush=True)
open(sys.argv[3] + 'teammessage.txt', 'w').write('never found')
sys.exit(43)
";
const SEARCH: &str = "\
low, high = 0, 1000
while True:
    middle = (low + high) // 2
    print(middle)
    said = input()
    if said == 'yes': break
    if said == 'higher': low = middle + 1
    else: high = middle - 1
";

#[tokio::test]
async fn two_programs_talk_and_what_they_said_is_kept_for_a_shown_validator() {
    let result = talk(GUESS, SEARCH).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    assert!(result.stdout.starts_with("> 500\n< lower\n> 249\n"), "{result:?}");
    assert!(result.stdout.ends_with("> 42\n< yes\n"), "{result:?}");
    let mut hidden = talking(GUESS, SEARCH);
    hidden.inputs[0].streamed = false;
    let result = run(&hidden).await;
    assert_eq!((result.verdict, result.stdout.as_str()), (Verdict::Accepted, ""), "{result:?}");
}

#[tokio::test]
async fn both_programs_may_be_compiled_ones() {
    let guess = "#include <fstream>\n#include <iostream>\n\
        int main(int, char **argv) { int n, g; std::ifstream(argv[1]) >> n; \
        while (std::cin >> g) { if (g == n) { std::cout << \"yes\" << std::endl; return 42; } \
        std::cout << (n > g ? \"higher\" : \"lower\") << std::endl; } return 43; }";
    let search = "#include <iostream>\n#include <string>\n\
        int main() { int low = 0, high = 1000; std::string said; \
        do { int m = (low + high) / 2; std::cout << m << std::endl; std::cin >> said; \
        if (said == \"higher\") low = m + 1; else high = m - 1; } while (said != \"yes\"); }";
    let mut job = job(Cpp, search);
    job.judging = Judging::Interactive(Box::new(program(Cpp, guess)));
    job.inputs = ["1", "999", "500"].map(|number| input(number, None)).to_vec();
    let outcome = sandbox_of(2).await.run(&job, &|_| ()).await;
    assert!(outcome.results.iter().all(|one| one.verdict == Verdict::Accepted), "{outcome:?}");
}

#[tokio::test]
async fn a_program_that_ends_first_and_well_is_judged_by_the_validator() {
    let result = talk(GUESS, "print(1)").await;
    assert_eq!(result.verdict, Verdict::WrongAnswer, "{result:?}");
    assert_eq!(result.detail, "never found");
    // A validator that goes on talking to nobody is not ended by that.
    let deaf = "import sys, time\nsys.stdin.read()\nfor i in range(20000): print('x' * 80)\n\
                sys.stdout.flush()\nsys.exit(42)";
    let result = talk(deaf, "pass").await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
}

#[tokio::test]
async fn a_program_that_crashes_first_or_breaks_a_limit_is_told_so() {
    for (text, verdict) in [
        ("print(500); input(); raise ValueError", Verdict::RuntimeError),
        ("import os; os.abort()", Verdict::RuntimeError),
        ("print(1)\nwhile True: pass", Verdict::TimeLimit),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", Verdict::MemoryLimit),
    ] {
        let mut job = talking(GUESS, text);
        job.limits = Limits { cpu_ms: 900, wall_ms: 30_000, ..Limits::default() };
        let result = run(&job).await;
        assert_eq!(result.verdict, verdict, "{text}: {result:?}");
    }
}

#[tokio::test]
async fn a_validator_that_ends_first_decides_whatever_becomes_of_the_program() {
    for (code, verdict) in [(42, Verdict::Accepted), (43, Verdict::WrongAnswer)] {
        for text in [
            // Dies of a line that nobody reads, of an answer that never comes, or not at all.
            "while True: print('x' * 1000)",
            "print(1)\nprint(int(input()))\nprint(int(input()))",
            "import time\nprint(1)\ntime.sleep(60)",
            "print(1)\nwhile True: pass",
        ] {
            let early = format!("import sys\nsys.stdin.readline()\nsys.exit({code})");
            let mut job = talking(&early, text);
            job.limits = Limits { cpu_ms: 60_000, wall_ms: 60_000, ..Limits::default() };
            let result = run(&job).await;
            assert_eq!(result.verdict, verdict, "{text}: {result:?}");
            assert!(result.wall_ms < 60_000, "it was stopped: {result:?}");
        }
    }
    assert!(alive().is_empty());
}

#[tokio::test]
async fn two_programs_that_wait_for_one_another_end_at_the_wall_limit_of_the_answer() {
    let mut job = talking(GUESS, "input()");
    job.limits = Limits { wall_ms: 500, ..Limits::default() };
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::WallLimit, "{result:?}");
    // The same when neither reads what the other says, and everything between them is full.
    let full = "import sys\nfor i in range(1000): print('y' * 999, flush=True)\n\
                sys.stdin.read()\nsys.exit(43)";
    let mut job = talking(full, "while True: print('x')");
    job.limits = Limits { wall_ms: 500, cpu_ms: 5_000, ..Limits::default() };
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::WallLimit, "{result:?}");
}

#[tokio::test]
async fn a_validator_that_hangs_is_not_the_fault_of_the_program_that_waits_for_it() {
    for text in ["while True: pass", "import time\ntime.sleep(99)", "raise ValueError", "exit(0)"] {
        let mut job = talking(text, "input()");
        job.limits = Limits { wall_ms: 1_000, ..Limits::default() };
        if let Judging::Interactive(program) = &mut job.judging {
            program.limits = Limits { cpu_ms: 300, wall_ms: 500, ..Program::LIMITS };
        }
        let result = run(&job).await;
        assert_eq!(result.verdict, Verdict::InternalError, "{text}: {result:?}");
        assert_eq!(result.detail, "the validator itself failed");
    }
}

#[tokio::test]
async fn a_program_that_floods_its_validator_ends_at_its_output_limit() {
    let reads = "import sys\nfor line in sys.stdin: pass\nsys.exit(43)";
    let mut job = talking(reads, "while True: print('x' * 1000)");
    job.limits = Limits { output_bytes: 1 << 20, ..Limits::default() };
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::OutputLimit, "{result:?}");
    assert_eq!(result.detail, "printed more than 1 MiB");
    assert!(result.stdout.len() <= 16 * 1024);
}

#[tokio::test]
async fn many_jobs_that_talk_share_few_slots_and_none_waits_for_ever() {
    for slots in [1, 2, 3] {
        let sandbox = sandbox_of(slots).await;
        let (talks, plain) = (talking(GUESS, SEARCH), job(Python, "print(1)"));
        let none = |_| ();
        let (a, b, c, d) = tokio::join!(
            sandbox.run(&talks, &none),
            sandbox.run(&plain, &none),
            sandbox.run(&talks, &none),
            sandbox.run(&talks, &none),
        );
        for outcome in [a, b, c, d] {
            assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_long_talk_costs_little_for_each_line() {
    let echo = "import sys\nfor line in sys.stdin:\n  if line == 'end\\n': sys.exit(42)\n\
                \x20 print(line, end='', flush=True)";
    let mut job = talking(echo, "for i in range(5000):\n  print(i)\n  input()\nprint('end')");
    job.limits = Limits { cpu_ms: 10_000, wall_ms: 60_000, ..Limits::default() };
    let started = tokio::time::Instant::now();
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    println!("5000 questions and answers in {} ms", started.elapsed().as_millis());
}

#[tokio::test]
async fn a_talk_that_is_dropped_leaves_nothing_alive() {
    let job = talking("import time\ntime.sleep(99)", "import time\ntime.sleep(99)");
    let sandbox = sandbox_of(2).await;
    let (told, mut running) = tokio::sync::mpsc::channel(64);
    let tell = move |progress| told.try_send(progress).unwrap();
    tokio::select! {
        outcome = sandbox.run(&job, &tell) => panic!("it ended: {outcome:?}"),
        _ = running.recv() => {}
    }
    while !alive().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn talk(validator: &str, text: &str) -> ValidatorResult {
    run(&talking(validator, text)).await
}

fn talking(validator: &str, text: &str) -> Job {
    let mut job = job(Python, text);
    job.judging = Judging::Interactive(Box::new(program(Python, validator)));
    job.inputs[0] = input("42\n", None);
    job
}
