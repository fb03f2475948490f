//! Each language: that it runs, and that its failures are told as what they are.

use domain::{
    content::Language::{self, C, Cpp, Javascript, Python},
    ports::Sandbox,
    run::Verdict,
};

use crate::stage::{input, job, job_of, sandbox};

#[tokio::test]
async fn every_language_adds_two_numbers() {
    let sandbox = sandbox().await;
    let offered: Vec<Language> = sandbox.languages().into_iter().map(|(l, _)| l).collect();
    println!("{:?}", sandbox.languages());
    for (language, text) in SUMS {
        if !offered.contains(&language) {
            println!("left out: {language:?} is not installed");
            continue;
        }
        let mut job = job(language, text);
        job.inputs = vec![input("3 4\n", Some("7\n")), input("3 5\n", Some("7\n"))];
        let outcome = sandbox.run(&job, &|_| ()).await;
        let verdicts: Vec<_> = outcome.results.iter().map(|r| r.verdict).collect();
        assert_eq!(verdicts, [Verdict::Accepted, Verdict::WrongAnswer], "{outcome:?}");
        assert_eq!(outcome.results[1].detail, "wrong on line 1, word 1");
        assert_eq!(outcome.results[1].stdout.trim(), "8");
        println!("{language:?} {:?}", outcome.results[0]);
    }
}

const SUMS: [(Language, &str); 4] = [
    (C, "#include <stdio.h>\nint main(){int a,b;scanf(\"%d %d\",&a,&b);printf(\"%d\\n\",a+b);}"),
    (Cpp, "#include <iostream>\nint main(){int a,b;std::cin>>a>>b;std::cout<<a+b<<std::endl;}"),
    (Python, "a, b = map(int, input().split())\nprint(a + b)"),
    (
        Javascript,
        "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\n\
         console.log(a + b);",
    ),
];

#[tokio::test]
async fn what_does_not_compile_is_not_run() {
    let sandbox = sandbox().await;
    for (language, text) in [(C, "int main( { }"), (Cpp, "int main() { return x; }")] {
        let outcome = sandbox.run(&job(language, text), &|_| ()).await;
        assert!(!outcome.compiled && outcome.results.is_empty(), "{outcome:?}");
        assert!(outcome.compiler_output.contains("error:"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_program_that_fails_is_a_runtime_error() {
    let sandbox = sandbox().await;
    for (language, text, detail) in [
        (C, "int main(void) { return 3; }", "ended with exit code 3"),
        (C, "int main(void) { *(volatile int *)8 = 1; }", "killed by signal 11"),
        (Cpp, "#include <stdexcept>\nint main() { throw std::runtime_error(\"no\"); }", "signal 6"),
        (Python, "print(1 // 0)", "ended with exit code 1"),
        (Javascript, "null.x", "ended with exit code 1"),
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
    let files = [
        ("main.c", "int two(void);\nint main(void) { return two() - 2; }"),
        ("two.c", "#include \"two.h\"\nint two(void) { return TWO; }"),
        ("two.h", "#define TWO 2"),
    ];
    let outcome = sandbox.run(&job_of(C, &files), &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    let files = [("main.py", "import two\nassert two.TWO == 2"), ("two.py", "TWO = 2")];
    let outcome = sandbox.run(&job_of(Python, &files), &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
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
