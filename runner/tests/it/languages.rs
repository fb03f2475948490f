//! Each language: that it runs, and that its failures are told as what they are.

mod programs;

use std::collections::BTreeSet;

use domain::{
    content::{
        Language::{self, C, Cpp, Java, Javascript, Ocaml, Python, Rust, Typescript},
        Limits,
    },
    ports::Sandbox,
    run::{Outcome, Verdict},
};
use runner::NamespaceSandbox;

use self::programs::{PROGRAMS, Programs, SQL_INPUT};
use crate::stage::{in_ci, input, job, job_of, sandbox};

/// How many languages must be there where everything has to be tested.
const AT_LEAST: usize = 10;

#[tokio::test]
async fn every_language_adds_two_numbers() {
    let failures = each(async |sandbox, programs| {
        let mut job = job(programs.language, programs.sum);
        let given = if programs.language == Language::Sqlite { SQL_INPUT } else { "3 4\n" };
        job.inputs = vec![input(given, Some("7\n")), input(given, Some("8\n"))];
        let outcome = sandbox.run(&job, &|_| ()).await;
        let verdicts: Vec<_> = outcome.results.iter().map(|r| r.verdict).collect();
        let used = outcome.results.first().map(|r| (r.cpu_ms, r.memory_bytes >> 20));
        println!("{:?}: {used:?} ms of processor time, MiB", programs.language);
        let right = verdicts == [Verdict::Accepted, Verdict::WrongAnswer]
            && outcome.results[1].detail == "wrong on line 1, word 1"
            && outcome.results[1].stdout.trim() == "7";
        (!right).then_some(outcome)
    });
    assert_eq!(failures.await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_program_is_said_to_be_none() {
    let failures = each(async |sandbox, programs| {
        let outcome = sandbox.run(&job(programs.language, programs.broken), &|_| ()).await;
        let said = match outcome.results.first() {
            // What is not compiled fails when it runs, and says why to whom it is shown.
            Some(result) => result.verdict == Verdict::RuntimeError && !result.stderr.is_empty(),
            None => !outcome.compiled && !outcome.compiler_output.trim().is_empty(),
        };
        (!said).then_some(outcome)
    });
    assert_eq!(failures.await, Vec::<String>::new());
}

#[tokio::test]
async fn in_every_language_a_loop_without_end_is_stopped() {
    ends_as(|programs| programs.endless, 300, &[Verdict::TimeLimit]).await;
}

#[tokio::test]
async fn in_every_language_a_failure_is_a_runtime_error() {
    ends_as(|programs| programs.failing, 5_000, &[Verdict::RuntimeError]).await;
}

#[tokio::test]
async fn in_every_language_memory_ends() {
    // A language that has a limit of its own says so itself, and fails. Time must not run out first, on
    // a machine that is slow or busy.
    let allowed = [Verdict::MemoryLimit, Verdict::RuntimeError];
    ends_as(|programs| programs.greedy, 10_000, &allowed).await;
}

#[test]
fn every_language_has_its_programs() {
    let tested: BTreeSet<_> = PROGRAMS.iter().map(|programs| programs.language).collect();
    assert_eq!(tested, BTreeSet::from(Language::ALL));
}

async fn ends_as(text: impl Fn(&Programs) -> &'static str, cpu_ms: u32, allowed: &[Verdict]) {
    let failures = each(async |sandbox, programs| {
        let mut job = job(programs.language, text(programs));
        job.limits = Limits { cpu_ms, wall_ms: 20_000, memory_bytes: 64 << 20, ..job.limits };
        let outcome = sandbox.run(&job, &|_| ()).await;
        let result = outcome.results.first();
        println!("{:?}: {:?}", programs.language, result.map(|r| (r.verdict, &r.detail)));
        (!result.is_some_and(|result| allowed.contains(&result.verdict))).then_some(outcome)
    });
    assert_eq!(failures.await, Vec::<String>::new());
}

/// Asks `wrong` of each language that is here. Answers with what went wrong.
async fn each(wrong: impl AsyncFn(&NamespaceSandbox, &Programs) -> Option<Outcome>) -> Vec<String> {
    let sandbox = sandbox().await;
    let offered: Vec<_> = sandbox.languages().into_iter().map(|(language, _)| language).collect();
    assert!(offered.len() >= AT_LEAST || !in_ci(), "only {offered:?} are installed");
    let mut failures = Vec::new();
    for programs in &PROGRAMS {
        let language = programs.language;
        if !offered.contains(&language) {
            println!("left out: {language:?}, not installed");
        } else if let Some(outcome) = wrong(&sandbox, programs).await {
            failures.push(format!("{language:?}: {outcome:?}"));
        }
    }
    failures
}

#[tokio::test]
async fn a_program_that_dies_of_a_signal_is_said_to() {
    let sandbox = sandbox().await;
    for (language, text, detail) in [
        (C, "int main(void) { *(volatile int *)8 = 1; }", "killed by signal 11"),
        (Cpp, "#include <stdexcept>\nint main() { throw std::runtime_error(\"no\"); }", "signal 6"),
        (Python, "print(1 // 0)", "ended with exit code 1"),
    ] {
        let outcome = sandbox.run(&job(language, text), &|_| ()).await;
        let result = &outcome.results[0];
        assert_eq!(result.verdict, Verdict::RuntimeError, "{language:?} {result:?}");
        assert!(result.detail.contains(detail), "{result:?}");
    }
}

#[tokio::test]
async fn an_answer_may_have_several_files() {
    let sandbox = sandbox().await;
    let offered: Vec<_> = sandbox.languages().into_iter().map(|(language, _)| language).collect();
    let answers: [(Language, &[(&str, &str)]); 6] = [
        (
            C,
            &[
                ("main.c", "int two(void);\nint main(void) { return two() - 2; }"),
                ("two.c", "#include \"two.h\"\nint two(void) { return TWO; }"),
                ("two.h", "#define TWO 2"),
            ],
        ),
        (Python, &[("main.py", "import two\nassert two.TWO == 2"), ("two.py", "TWO = 2")]),
        (
            Java,
            &[
                (
                    "Main.java",
                    "class Main { public static void main(String[] a) { System.exit(Two.X - 2); } }",
                ),
                ("Two.java", "class Two { static int X = 2; }"),
            ],
        ),
        (Rust, &[("main.rs", "mod two; fn main() { two::f() }"), ("two.rs", "pub fn f() {}")]),
        (
            Typescript,
            &[
                ("main.ts", "import { x } from './two'; x();"),
                ("two.ts", "export const x = () => 2;"),
            ],
        ),
        (Ocaml, &[("main.ml", "let () = exit (Two.x - 2)"), ("two.ml", "let x = 2")]),
    ];
    for (language, files) in answers {
        if !offered.contains(&language) {
            println!("left out: {language:?}, not installed");
            continue;
        }
        let outcome = sandbox.run(&job_of(language, files), &|_| ()).await;
        let verdicts: Vec<_> = outcome.results.iter().map(|r| r.verdict).collect();
        assert_eq!(verdicts, [Verdict::Accepted], "{outcome:?}");
    }
}

#[tokio::test]
async fn deep_recursion_and_large_arrays_work() {
    let sandbox = sandbox().await;
    for (language, text) in [
        (
            C,
            "#include <string.h>\nint f(int n) { char b[500]; memset(b, n, 500); \
             return n ? f(n - 1) + b[n % 500] : 0; }\nint main(void) { f(50000); return 0; }",
        ),
        (Javascript, "const f = n => n ? 1 + f(n - 1) : 0; f(50000)"),
        (
            Python,
            "import sys; sys.setrecursionlimit(20000)\n\
                  def f(n): return 1 + f(n - 1) if n else 0\nf(15000)",
        ),
    ] {
        let outcome = sandbox.run(&job(language, text), &|_| ()).await;
        assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    }
}
