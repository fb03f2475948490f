//! A sandbox that runs nothing: the memory twin of the port, for tests of actors and for load
//! tests. The same job always comes to the same outcome, told in the same order.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use domain::{
    content::Limits,
    ports::{Sandbox, Typing},
    run::{Channel, Input, Job, Outcome, Progress, Typed, ValidatorResult, Verdict},
};
use tokio::time::Duration;

use crate::{compare::compare, excerpt::excerpt};

/// Does what the first line of a job's first file says, comment signs left aside:
///
/// | first line | what comes of it |
/// |---|---|
/// | `echo` | prints its input, which is judged like any output |
/// | `print …` | prints what follows |
/// | `wrong` | prints `wrong` |
/// | `compile error` | does not compile |
/// | `time limit`, `wall limit`, `memory limit`, `output limit`, `disk limit`, `process limit`, `runtime error`, `internal error` | that verdict |
/// | `never` | never ends; drop the future |
/// | anything else | prints what is expected: `accepted` |
#[derive(Clone, Debug, Default)]
pub struct FakeSandbox {
    takes: Duration,
}

impl FakeSandbox {
    /// One that answers at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that takes `takes` for each input, on tokio's clock.
    pub fn taking(takes: Duration) -> Self {
        Self { takes }
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn isolation(&self) -> String {
        "none (nothing is run)".to_owned()
    }

    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        let script = job.files.first().map_or("", |file| first_line(&file.text));
        tell(Progress::Compiling);
        let compiled = script != "compile error";
        let mut results = Vec::new();
        for input in job.inputs.iter().filter(|_| compiled) {
            tell(Progress::Running { validator: input.validator });
            if script == "never" {
                std::future::pending::<()>().await;
            }
            if !self.takes.is_zero() {
                tokio::time::sleep(self.takes).await;
            }
            let result = perform(script, input, &job.limits, tell);
            tell(Progress::Judged(result.clone()));
            results.push(result);
        }
        let compiler_output = if compiled { "" } else { "error: as the script says" };
        let compiler_output = compiler_output.to_owned();
        Outcome { compiled, compiler_output, results, isolation: self.isolation() }
    }

    /// Says again what is typed, until that ends; a run with all its input can be stopped.
    async fn converse(
        &self,
        job: &Job,
        typing: &mut dyn Typing,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        let mut run = self.run(job, tell);
        let mut said = BytesMut::new();
        loop {
            let typed = if typing.is_open() {
                typing.next().await
            } else {
                tokio::select! {
                    outcome = &mut run => return outcome,
                    typed = typing.next() => typed,
                }
            };
            match typed {
                Typed::Text(bytes) => {
                    let offset = said.len() as u64;
                    said.extend_from_slice(&bytes);
                    tell(Progress::Output {
                        validator: 0,
                        channel: Channel::Stdout,
                        offset,
                        bytes,
                    });
                }
                Typed::End => return run.await,
                Typed::Stop => return self.stopped(job, &said),
            }
        }
    }
}

impl FakeSandbox {
    fn stopped(&self, job: &Job, said: &[u8]) -> Outcome {
        let result = |input: &Input| ValidatorResult {
            stdout: excerpt(said),
            ..ValidatorResult::unmeasured(input.validator, Verdict::Stopped, String::new())
        };
        let results = job.inputs.iter().map(result).collect();
        let (compiler_output, isolation) = (String::new(), self.isolation());
        Outcome { compiled: true, compiler_output, results, isolation }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_start_matches(['#', '/', '*', ' ']).trim()
}

fn perform(
    script: &str,
    input: &Input,
    limits: &Limits,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> ValidatorResult {
    let stopped = stopped_by(script);
    let bytes = match script {
        _ if stopped.is_some() => Bytes::new(),
        "echo" => input.stdin.clone(),
        "wrong" => Bytes::from_static(b"wrong\n"),
        _ => script.strip_prefix("print ").map_or_else(
            || input.expected.clone().unwrap_or_default(),
            |text| Bytes::from(format!("{text}\n")),
        ),
    };
    if input.streamed && !bytes.is_empty() {
        let (validator, channel) = (input.validator, Channel::Stdout);
        tell(Progress::Output { validator, channel, offset: 0, bytes: bytes.clone() });
    }
    let (verdict, detail) =
        stopped.map_or_else(|| judge(&bytes, input), |v| (v, script.to_owned()));
    let cpu_ms = if verdict == Verdict::TimeLimit { limits.cpu_ms } else { 1 };
    let wall_ms = if verdict == Verdict::WallLimit { limits.wall_ms } else { cpu_ms };
    let stdout = if input.streamed { excerpt(&bytes) } else { String::new() };
    ValidatorResult {
        cpu_ms,
        wall_ms,
        memory_bytes: 1 << 20,
        stdout,
        ..ValidatorResult::unmeasured(input.validator, verdict, detail)
    }
}

fn judge(output: &[u8], input: &Input) -> (Verdict, String) {
    let Some(expected) = &input.expected else {
        return (Verdict::Accepted, String::new());
    };
    match compare(output, expected, &input.comparison) {
        Ok(()) => (Verdict::Accepted, String::new()),
        Err(why) => (Verdict::WrongAnswer, why.to_string()),
    }
}

fn stopped_by(script: &str) -> Option<Verdict> {
    match script {
        "time limit" => Some(Verdict::TimeLimit),
        "wall limit" => Some(Verdict::WallLimit),
        "memory limit" => Some(Verdict::MemoryLimit),
        "output limit" => Some(Verdict::OutputLimit),
        "disk limit" => Some(Verdict::DiskLimit),
        "process limit" => Some(Verdict::ProcessLimit),
        "runtime error" => Some(Verdict::RuntimeError),
        "internal error" => Some(Verdict::InternalError),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::{
        content::{Language, SourceFile},
        ids::SubmissionId,
        judging::Judging,
    };

    use super::*;

    #[tokio::test]
    async fn a_script_decides_the_verdict() {
        for (script, verdict) in [
            ("# echo", Verdict::WrongAnswer),
            ("print 4", Verdict::Accepted),
            ("// wrong", Verdict::WrongAnswer),
            ("time limit", Verdict::TimeLimit),
            ("int main() {}", Verdict::Accepted),
        ] {
            let outcome = FakeSandbox::new().run(&job(script), &|_| ()).await;
            assert_eq!(outcome.results[0].verdict, verdict, "{script}");
        }
        let outcome = FakeSandbox::new().run(&job("compile error"), &|_| ()).await;
        assert!(!outcome.compiled && outcome.results.is_empty());
    }

    #[tokio::test]
    async fn progress_comes_in_the_order_of_a_real_run() {
        let told = Mutex::new(Vec::new());
        let keep = |progress| told.lock().unwrap().push(progress);
        FakeSandbox::new().run(&job("print 4"), &keep).await;
        let told = told.into_inner().unwrap();
        assert_eq!(told[0], Progress::Compiling);
        assert_eq!(told[1], Progress::Running { validator: 0 });
        assert!(matches!(told[2], Progress::Output { offset: 0, .. }));
        assert!(matches!(told[3], Progress::Judged(_)));
    }

    fn job(script: &str) -> Job {
        Job {
            submission: SubmissionId::from_u128(1),
            language: Language::C,
            files: vec![SourceFile { name: "main.c".to_owned(), text: script.to_owned() }],
            limits: Limits::default(),
            inputs: vec![Input {
                stdin: Bytes::from_static(b"2 2\n"),
                expected: Some(Bytes::from_static(b"4\n")),
                streamed: true,
                ..Input::default()
            }],
            judging: Judging::Compare,
        }
    }
}
