//! Runs into which a person types: asked and answered while the program runs.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    content::{
        Language::{C, Cpp, Javascript, Python},
        Limits,
    },
    ports::{Sandbox, Typing},
    run::{Channel, Job, Outcome, Progress, Typed, Verdict},
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::stage::{alive, job, sandbox};

/// A person whose acts a test sends.
struct Person(mpsc::Receiver<Typed>, bool);

#[async_trait]
impl Typing for Person {
    fn is_open(&self) -> bool {
        self.1
    }

    async fn next(&mut self) -> Typed {
        match self.0.recv().await {
            Some(typed) => typed,
            None => std::future::pending().await,
        }
    }
}

/// Runs `job`; each time that what it printed ends with the next question, it gets the answer.
async fn answered(job: &Job, answers: &[(&str, Typed)]) -> (Outcome, String) {
    let (sender, typed) = mpsc::channel(100);
    let (printed, answers) = (Mutex::new(String::new()), Mutex::new(answers.iter()));
    let tell = |progress| {
        let Progress::Output { channel: Channel::Stdout, bytes, .. } = progress else { return };
        let mut printed = printed.lock().unwrap();
        printed.push_str(std::str::from_utf8(&bytes).unwrap());
        let mut answers = answers.lock().unwrap();
        if answers.as_slice().first().is_some_and(|(question, _)| printed.ends_with(question)) {
            sender.try_send(answers.next().unwrap().1.clone()).unwrap();
        }
    };
    let outcome = sandbox().await.converse(job, &mut Person(typed, true), &tell).await;
    (outcome, printed.into_inner().unwrap())
}

fn text(text: &'static str) -> Typed {
    Typed::Text(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_program_asks_and_is_answered_in_every_language() {
    let python = "name = input('name? ')\nage = int(input('age? '))\nprint(name, age + 1)";
    let c = "#include <stdio.h>\nint main(void) { char name[9]; int age; printf(\"name? \");\n\
             scanf(\"%8s\", name); printf(\"age? \"); scanf(\"%d\", &age);\n\
             printf(\"%s %d\\n\", name, age + 1); }";
    let cpp = "#include <iostream>\n#include <string>\nint main() { std::string name; int age;\n\
               std::cout << \"name? \"; std::cin >> name; std::cout << \"age? \"; std::cin >> age;\n\
               std::cout << name << ' ' << age + 1 << '\\n'; }";
    let javascript = "const it = require('readline').createInterface({ input: process.stdin });\n\
                      process.stdout.write('name? '); let name;\n\
                      it.on('line', line => { if (name === undefined) { name = line;\n\
                      process.stdout.write('age? '); } else { console.log(name, +line + 1);\n\
                      process.exit(0); } });";
    for (language, source) in [(Python, python), (C, c), (Cpp, cpp), (Javascript, javascript)] {
        let answers = [("name? ", text("Ada\n")), ("age? ", text("36\n"))];
        let (outcome, printed) = answered(&job(language, source), &answers).await;
        assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
        assert_eq!(printed, "name? age? Ada 37\n", "{language:?}");
    }
}

#[tokio::test]
async fn input_ends_when_the_person_says_so() {
    let source = "import sys\nprint('more', flush=True)\nprint(len(sys.stdin.read()))";
    let (outcome, printed) = answered(&job(Python, source), &[("more\n", Typed::End)]).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    assert_eq!(printed, "more\n0\n");
}

#[tokio::test]
async fn a_run_begins_with_the_input_it_has_and_goes_on_with_what_is_typed() {
    let mut job = job(Python, "print(input(), flush=True)\nprint(input())");
    job.inputs[0].stdin = Bytes::from_static(b"first\n");
    let (outcome, printed) = answered(&job, &[("first\n", text("second\n"))]).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    assert_eq!(printed, "first\nsecond\n");
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_at_once_with_its_last_words() {
    for open in [true, false] {
        let (sender, typed) = mpsc::channel(100);
        let job = job(Python, "import time\nprint('last', end='')\ntime.sleep(60)");
        let stop = |progress| {
            if matches!(progress, Progress::Output { .. }) {
                sender.try_send(Typed::Stop).unwrap();
            }
        };
        let sandbox = sandbox().await;
        let outcome = sandbox.converse(&job, &mut Person(typed, open), &stop).await;
        let result = &outcome.results[0];
        assert_eq!((result.verdict, &result.stdout[..]), (Verdict::Stopped, "last"));
        assert_eq!(alive(), Vec::<String>::new());
        // Its slot is good for the next one, whatever comes late for this one.
        let again = sandbox.run(&crate::stage::job(Python, "print(1)"), &|_| ()).await;
        assert_eq!(again.results[0].stdout, "1\n");
    }
}

#[tokio::test]
async fn what_comes_too_late_is_not_the_next_runs() {
    let (sender, typed) = mpsc::channel(100);
    let late = |progress| {
        if matches!(progress, Progress::Output { .. }) {
            for _ in 0..50 {
                sender.try_send(text("late\n")).ok();
            }
            sender.try_send(Typed::Stop).ok();
        }
    };
    let sandbox = sandbox().await;
    let ends = job(Python, "print('x')");
    sandbox.converse(&ends, &mut Person(typed, true), &late).await;
    let next = sandbox.run(&job(Python, "import sys\nprint(sys.stdin.read())"), &|_| ()).await;
    assert_eq!(next.results[0].stdout, "\n", "{next:?}");
}

#[tokio::test]
async fn a_program_that_does_not_read_is_not_held_up_and_holds_nobody_up() {
    let mut job = job(Python, "import time\nprint('go')\ntime.sleep(0.5)\nprint('done')");
    job.limits = Limits { wall_ms: 10_000, ..job.limits };
    let long = Typed::Text(Bytes::from(vec![b'x'; 4_000]));
    let (sender, typed) = mpsc::channel(100);
    for _ in 0..60 {
        sender.try_send(long.clone()).unwrap();
    }
    let began = Instant::now();
    let sandbox = sandbox().await;
    let outcome = sandbox.converse(&job, &mut Person(typed, true), &|_| ()).await;
    assert_eq!(outcome.results[0].stdout, "go\ndone\n", "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[tokio::test]
async fn who_types_takes_no_place_from_a_job() {
    let sandbox = sandbox().await;
    let (sender, typed) = mpsc::channel(100);
    let waits = job(Python, "print('x')\ninput()");
    let mut person = Person(typed, true);
    let conversation = sandbox.converse(&waits, &mut person, &|_| ());
    let other = async {
        // There is one place for jobs, and it is free.
        let outcome = sandbox.run(&job(Python, "print(2)"), &|_| ()).await;
        sender.try_send(text("on\n")).unwrap();
        outcome
    };
    let (conversation, other) = tokio::join!(conversation, other);
    assert_eq!(other.results[0].stdout, "2\n");
    assert_eq!(conversation.results[0].verdict, Verdict::Accepted);
}
