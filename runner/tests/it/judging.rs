//! Programs that judge, and what comes of it when they fail.

use bytes::Bytes;
use domain::{
    content::{
        Language::{self, C, Cpp, Python},
        Limits, SourceFile, Starter,
    },
    judging::{Judging, Program},
    points::Share,
    ports::Sandbox,
    run::{Input, Job, ValidatorResult, Verdict},
};

use crate::stage::{input, job, job_of, run, sandbox};

/// Accepts any permutation of the answer.
const ANY_ORDER: &str = "\
import sys
answer = sorted(open(sys.argv[2]).read().split())
words = sys.stdin.read().split()
feedback = sys.argv[3]
open(feedback + 'judgemessage.txt', 'w').write('input ' + open(sys.argv[1]).read())
if sorted(words) == answer:
    sys.exit(42)
open(feedback + 'teammessage.txt', 'w').write('not all ' + ' '.join(sys.argv[4:]) + '\\n')
sys.exit(43)
";

#[tokio::test]
async fn a_validator_program_decides_with_input_answer_and_arguments() {
    let judge = |text: &str| {
        let mut job = job(Python, text);
        let mut program = program(Python, ANY_ORDER);
        program.arguments = vec!["the words".to_owned()];
        job.judging = Judging::Custom(Box::new(program));
        job.inputs[0] = input("3\n", Some("a b c"));
        job.inputs[0].arguments = vec!["here".to_owned()];
        job
    };
    let result = run(&judge("print('c a b')")).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    assert_eq!(result.judge_message, "input 3");
    assert_eq!(result.stdout, "c a b\n");
    let result = run(&judge("print('c a')")).await;
    assert_eq!(result.verdict, Verdict::WrongAnswer, "{result:?}");
    assert_eq!(result.detail, "not all the words here");
    let result = run(&judge("print('c a b'); exit(3)")).await;
    assert_eq!(result.verdict, Verdict::RuntimeError, "what crashed is not judged: {result:?}");
}

#[tokio::test]
async fn a_validator_in_another_language_is_compiled_once_and_asked_each_time() {
    let text = "#include <iostream>\n#include <fstream>\n#include \"own.h\"\n\
                int main(int, char **argv) { int a, b; std::ifstream answer(argv[2]); answer >> a; \
                return std::cin >> b && near(a, b) ? 42 : 43; }";
    let own = "#include <cstdlib>\ninline bool near(int a, int b) { return std::abs(a - b) < 2; }";
    let mut program = program(Cpp, text);
    program.files.push(SourceFile { name: "own.h".to_owned(), text: own.to_owned() });
    let mut job = job(Python, "print(int(input()) + 1)");
    job.judging = Judging::Custom(Box::new(program));
    job.inputs = [("1", "1"), ("2", "9"), ("3", "5")].map(|(a, b)| input(a, Some(b))).to_vec();
    let outcome = sandbox().await.run(&job, &|_| ()).await;
    let verdicts: Vec<_> = outcome.results.iter().map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::WrongAnswer, Verdict::Accepted]);
}

#[tokio::test]
async fn a_validator_that_fails_costs_the_candidate_nothing_and_says_why_to_its_creator() {
    for (text, why) in [
        ("raise ValueError('oops')", "oops"),
        ("pass", "it ended with exit code 0, neither 42 nor 43"),
        ("exit(1)", "it ended with exit code 1"),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11"),
        ("while True: pass", "used more than 0.2 s of processor time"),
        ("import time; time.sleep(60)", "still ran after 3 s"),
        ("while True: print('x' * 100_000)", "printed more than"),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", "of memory"),
        ("import sys; open(sys.argv[3] + 'score.txt', 'w').write('much'); exit(42)", "\"much\""),
    ] {
        let result = judged_by(text, "print(1)").await;
        assert_eq!(result.verdict, Verdict::InternalError, "{text}: {result:?}");
        assert_eq!(result.detail, "the validator itself failed");
        assert!(result.judge_message.contains(why), "{text}: {result:?}");
        assert_eq!(result.earned(), Share::NONE);
    }
}

#[tokio::test]
async fn a_validator_that_hangs_is_not_asked_about_every_input() {
    let mut job = job(Python, "print(1)");
    let limits = Limits { cpu_ms: 200, wall_ms: 3_000, ..Program::LIMITS };
    let program = Program { limits, ..program(Python, "while True: pass") };
    job.judging = Judging::Custom(Box::new(program));
    job.inputs = vec![input("1", None); 40];
    let outcome = sandbox().await.run(&job, &|_| ()).await;
    assert!(!outcome.results[0].judge_message.starts_with("not asked again: "), "{outcome:?}");
    for result in &outcome.results[1..] {
        assert_eq!(result.verdict, Verdict::InternalError);
        assert!(result.judge_message.starts_with("not asked again: it used"), "{result:?}");
    }
}

#[tokio::test]
async fn a_validator_that_does_not_compile_says_so_to_its_creator() {
    let mut job = job(Python, "print(1)");
    job.judging = Judging::Custom(Box::new(program(C, "int main(void) { return forty_two; }")));
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::InternalError, "{result:?}");
    assert!(result.judge_message.contains("forty_two"), "{result:?}");
    assert!(!result.detail.contains("forty_two"), "{result:?}");
}

#[tokio::test]
async fn feedback_that_is_a_link_a_pipe_or_too_large_is_left_behind() {
    let start = "import os, sys\nat = sys.argv[3]\n";
    for text in [
        "os.symlink('/etc/passwd', at + 'judgemessage.txt')",
        "os.symlink(sys.argv[2], at + 'judgemessage.txt')",
        "os.link(sys.argv[2], at + 'x'); os.symlink('x', at + 'judgemessage.txt')",
        "os.mkfifo(at + 'judgemessage.txt')",
        "os.mkdir(at + 'judgemessage.txt')",
        "os.truncate(os.open(at + 'judgemessage.txt', os.O_CREAT | os.O_WRONLY), 32 << 20)",
        "os.rmdir(at); os.symlink('/etc', at.rstrip('/'))",
        "os.rmdir(at); os.symlink('/proc/self/root', at.rstrip('/'))",
    ] {
        let text = format!("{start}{text}\nexit(42)");
        let result = judged_by(&text, "print(1)").await;
        assert_eq!(result.verdict, Verdict::Accepted, "{text}: {result:?}");
        assert_eq!(result.judge_message, "", "{text}");
    }
    let many = format!(
        "{start}for i in range(3000): open(at + str(i), 'w')\n\
         open(at + 'judgemessage.txt', 'w').write('x' * 100_000)\nexit(43)"
    );
    let result = judged_by(&many, "print(1)").await;
    assert_eq!(result.verdict, Verdict::WrongAnswer, "{result:?}");
    assert!(result.judge_message.len() <= 16 * 1024);
}

#[tokio::test]
async fn a_program_sees_nothing_of_its_validator_and_a_validator_nothing_of_other_runs() {
    let spy = "import os\nseen = []\n\
               for at, folders, files in os.walk('/box'):\n  seen += folders + files\n\
               print(sorted(seen), 'SECRET' in os.popen('cat /proc/*/cmdline').read())";
    let validator = "\
import os, sys
assert not os.path.exists('/box/tmp/left') and os.listdir(sys.argv[3]) == []
open('/box/tmp/left', 'w'); open(sys.argv[3] + 'left', 'w'); open('left', 'w')
print('SECRET'); sys.exit(42)";
    let mut job = job(Python, spy);
    job.judging = Judging::Custom(Box::new(program(Python, validator)));
    job.inputs = vec![input("in", Some("SECRET")), input("in", Some("SECRET"))];
    let outcome = sandbox().await.run(&job, &|_| ()).await;
    for result in outcome.results {
        assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
        assert_eq!(result.stdout, "['main.py', 'shm', 'tmp', 'work'] False\n");
    }
}

#[tokio::test]
async fn a_score_earns_a_part_of_the_weight_but_never_for_a_wrong_answer() {
    let score = |text: &str, name: &str, code: u8| {
        format!("import sys\nopen(sys.argv[3] + {name:?}, 'w').write({text:?})\nsys.exit({code})")
    };
    for (text, name, code, full, earned) in [
        ("30\n", "score.txt", 42, 40, Share::of(3.0, 4.0)),
        ("0.25", "score.txt", 42, 1, Share::of(1.0, 4.0)),
        ("50", "score.txt", 42, 40, Some(Share::WHOLE)),
        ("-1", "score.txt", 42, 40, Some(Share::NONE)),
        ("0.5", "score_multiplier.txt", 42, 40, Share::of(1.0, 2.0)),
        ("40", "score.txt", 43, 40, Some(Share::NONE)),
        ("", "other.txt", 42, 40, Some(Share::WHOLE)),
    ] {
        let mut job = job(Python, "print(1)");
        let program = program(Python, &score(text, name, code));
        job.judging = Judging::Custom(Box::new(Program { full_score: full, ..program }));
        let result = run(&job).await;
        assert_eq!(Some(result.earned()), earned, "{text} {name} {code}: {result:?}");
    }
}

/// Asks for one pass more until the number has reached three; remembers in its feedback directory.
const PASSES: &str = "\
import os, sys
at = sys.argv[3]
passed = int(open(at + 'memory').read()) if os.path.exists(at + 'memory') else 0
said = int(sys.stdin.read())
if said != int(open(sys.argv[1]).read()) + 1: sys.exit(43)
open(at + 'memory', 'w').write(str(passed + 1))
if passed + 1 < 3: open(at + 'nextpass.in', 'w').write(str(said))
open(at + 'judgemessage.txt', 'a').write(f'pass {passed + 1} ')
sys.exit(42)
";

#[tokio::test]
async fn a_validator_may_ask_for_another_pass_within_its_bound() {
    for (text, passes, verdict, said) in [
        ("print(int(input()) + 1)", 3, Verdict::Accepted, "pass 1 pass 2 pass 3"),
        ("print(int(input()) + 1)", 2, Verdict::InternalError, "it asked for more than 2 passes"),
        ("x = int(input()); print(x + 1 if x < 6 else 0)", 3, Verdict::WrongAnswer, "pass 1"),
        ("x = int(input()); print(x + 1 // (x < 6))", 3, Verdict::RuntimeError, ""),
    ] {
        let mut job = job(Python, text);
        let program = Program { passes, ..program(Python, PASSES) };
        job.judging = Judging::Custom(Box::new(program));
        job.inputs = vec![input("5", None), input("5", None)];
        let outcome = sandbox().await.run(&job, &|_| ()).await;
        for result in outcome.results {
            assert_eq!(result.verdict, verdict, "{text}: {result:?}");
            assert_eq!(result.judge_message, said, "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_failed_group_is_not_run_unless_it_is_shown() {
    let hidden = |stdin: &str, group| Input {
        streamed: false,
        stops_with: Some(group),
        ..input(stdin, Some("1"))
    };
    let mut job = job(Python, "print(input())");
    let shown = Input { streamed: true, ..hidden("1", 0) };
    job.inputs = vec![hidden("2", 0), hidden("1", 0), shown, hidden("1", 1), hidden("1", 1)];
    let outcome = sandbox().await.run(&job, &|_| ()).await;
    let verdicts: Vec<_> = outcome.results.iter().map(|result| result.verdict).collect();
    let [no, yes, skipped] = [Verdict::WrongAnswer, Verdict::Accepted, Verdict::Rejected];
    assert_eq!(verdicts, [no, skipped, yes, yes, yes]);
    assert_eq!(outcome.results[1].detail, "not run, since its group had failed already");
    assert_eq!(outcome.results[1].wall_ms, 0);
}

#[tokio::test]
async fn unit_tests_run_with_the_files_of_an_answer_and_their_exit_code_decides() {
    let python = "import main\nassert main.double(4) == 8, 'double'\n";
    let c = "#include <signal.h>\nint twice(int);\n\
             int main(void) { if (twice(7) == 13) raise(SIGSEGV); return twice(4) == 8 ? 0 : 1; }";
    for (language, test, text, verdict) in [
        (Python, python, "def double(x): return x * 2", Verdict::Accepted),
        (Python, python, "def double(x): return x + 2", Verdict::WrongAnswer),
        (Python, python, "def double(x):\n  while True: pass", Verdict::TimeLimit),
        (C, c, "int twice(int x) { return 2 * x; }", Verdict::Accepted),
        (C, c, "int twice(int x) { return x; }", Verdict::WrongAnswer),
        (C, c, "int twice(int x) { return 2 * x - 1; }", Verdict::RuntimeError),
    ] {
        let mut job = job(language, text);
        job.limits = Limits { cpu_ms: 500, wall_ms: 30_000, ..Limits::default() };
        job.judging = tests_in(language, test);
        let result = run(&job).await;
        assert_eq!(result.verdict, verdict, "{text}: {result:?}");
    }
}

#[tokio::test]
async fn an_answer_cannot_put_its_own_tests_in_the_place_of_the_creators() {
    let test = "import main\nassert main.double(4) == 8\n";
    let mut job = job_of(Python, &[("main.py", "double = int"), ("test.py", "exit(0)")]);
    job.judging = tests_in(Python, test);
    assert_eq!(run(&job).await.verdict, Verdict::WrongAnswer);
    // Where something is expected, an answer that ends the program early has not printed it.
    let mut job = job_of(Python, &[("main.py", "import os; os._exit(0)")]);
    job.judging = tests_in(Python, "import main\nprint('all good')\n");
    job.inputs[0].expected = Some(Bytes::from_static(b"all good"));
    assert_eq!(run(&job).await.verdict, Verdict::WrongAnswer);
    job.judging = tests_in(C, "int main(void) { return 0; }");
    let result = run(&job).await;
    assert_eq!(result.verdict, Verdict::InternalError, "there are none in Python: {result:?}");
}

fn tests_in(language: Language, text: &str) -> Judging {
    let name = if language == Python { "test.py" } else { "test.c" };
    let files = vec![SourceFile { name: name.to_owned(), text: text.to_owned() }];
    Judging::UnitTest { tests: vec![Starter { language, files }] }
}

async fn judged_by(validator: &str, text: &str) -> ValidatorResult {
    let mut job: Job = job(Python, text);
    let limits = Limits {
        cpu_ms: 200,
        wall_ms: 3_000,
        memory_bytes: 64 << 20,
        output_bytes: 1 << 20,
        ..Program::LIMITS
    };
    let program = Program { limits, ..program(Python, validator) };
    job.judging = Judging::Custom(Box::new(program));
    job.inputs[0] = input("3\n", Some("the answer"));
    run(&job).await
}

pub(crate) fn program(language: Language, text: &str) -> Program {
    let name = language.main_file().to_owned();
    let files = vec![SourceFile { name, text: text.to_owned() }];
    Program { language, files, ..Program::default() }
}
