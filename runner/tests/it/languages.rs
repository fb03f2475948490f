//! Each language: that it runs, and that its failures are told as what they are.

use domain::{
    content::Language::{self, C, Cpp, Javascript, Python},
    ports::Sandbox,
    run::Verdict,
};

use crate::stage::{input, job, sandbox};

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
