//! One run of a program, from an input to its verdict, whoever judges.

use anyhow::Context;
use bytes::Bytes;
use domain::{
    judging::Judging,
    points::Share,
    ports::Typing,
    run::{Input, Progress, ValidatorResult, Verdict},
};
use tokio::sync::Notify;

use crate::{
    compare::compare,
    excerpt::excerpt,
    frame::{Ending, Kind, Order, Start, Walls},
    job::{Compiled, Printed, Running, walls},
    referee::{Opinion, Referee, Word},
    slot::{Company, Talk},
    talk::{self, Ends, Said, Side},
    talkative::talkative,
    verdict,
};

/// How one run of the program went.
struct Ran {
    ending: Ending,
    printed: Printed,
}

/// What is thought of one pass, or of all.
struct Decision {
    verdict: Verdict,
    detail: String,
    share: Option<Share>,
    judge_message: String,
    /// The input of the next pass.
    next: Option<Bytes>,
}

/// What all passes have come to.
#[derive(Default)]
struct Sum {
    cpu_ms: u32,
    wall_ms: u32,
    memory_bytes: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Sum {
    /// Limits are for each pass, so what counts is the worst.
    fn add(&mut self, ran: &Ran, said: &[u8]) {
        self.cpu_ms = self.cpu_ms.max(ran.ending.cpu_ms);
        self.wall_ms = self.wall_ms.max(ran.ending.wall_ms);
        self.memory_bytes = self.memory_bytes.max(ran.ending.memory_bytes);
        for (all, more) in [(&mut self.stdout, said), (&mut self.stderr, &ran.printed.stderr)] {
            // One more byte than is shown tells that it was cut.
            let room = (crate::excerpt::EXCERPT_BYTES_MAX + 1).saturating_sub(all.len());
            all.extend(more.iter().take(room));
        }
    }
}

impl Running<'_> {
    /// Runs what was compiled on `input` and judges it, with the help of `referee` if the job has
    /// one. Fails only if a helper did.
    pub(crate) async fn judge(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        referee: Option<&mut Referee>,
    ) -> anyhow::Result<ValidatorResult> {
        (self.tell)(Progress::Running { validator: input.validator });
        let mut sum = Sum::default();
        let decision = match referee {
            None => self.compared(compiled, input, &mut sum).await?,
            Some(referee) => self.refereed(compiled, input, referee, &mut sum).await?,
        };
        let Decision { verdict, detail, share, judge_message, .. } = decision;
        if verdict == Verdict::InternalError {
            let submission = self.job.submission;
            tracing::error!(submission.id = %submission, judge_message, "a run failed: {detail}");
        }
        let shown = |bytes: &[u8]| if input.streamed { excerpt(bytes) } else { String::new() };
        let result = ValidatorResult {
            cpu_ms: sum.cpu_ms,
            wall_ms: sum.wall_ms,
            memory_bytes: sum.memory_bytes,
            stdout: shown(&sum.stdout),
            stderr: shown(&sum.stderr),
            share,
            judge_message,
            ..ValidatorResult::unmeasured(input.validator, verdict, detail)
        };
        (self.tell)(Progress::Judged(result.clone()));
        Ok(result)
    }

    async fn compared(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        sum: &mut Sum,
    ) -> anyhow::Result<Decision> {
        let ran = self.run(compiled, input, input.stdin.clone()).await?;
        sum.add(&ran, &ran.printed.stdout);
        let is_test = matches!(self.job.judging, Judging::UnitTest { .. });
        let stopped = match self.stopped(&ran.ending) {
            // By its person, and not just after its own end.
            Some(_) if ran.ending.is_halted() => Some((Verdict::Stopped, String::new())),
            // What a test thinks of an answer is its exit code.
            Some((Verdict::RuntimeError, why)) if is_test && ran.ending.exit.is_code() => {
                Some((Verdict::WrongAnswer, format!("the tests {why}")))
            }
            other => other,
        };
        if let Some((verdict, detail)) = stopped {
            return Ok(Decision::plain(verdict, detail));
        }
        // Tests that print nothing in particular expect nothing.
        let expected = input.expected.clone().filter(|bytes| !(is_test && bytes.is_empty()));
        let Some(expected) = expected else {
            return Ok(Decision::plain(Verdict::Accepted, String::new()));
        };
        let (comparison, stdout) = (input.comparison.clone(), ran.printed.stdout);
        let compared = move || compare(&stdout, &expected, &comparison);
        Ok(match tokio::task::spawn_blocking(compared).await? {
            Ok(()) => Decision::plain(Verdict::Accepted, String::new()),
            Err(why) => Decision::plain(Verdict::WrongAnswer, why.to_string()),
        })
    }

    /// Runs it as often as the judging program wants, and asks it each time.
    async fn refereed(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        referee: &mut Referee,
        sum: &mut Sum,
    ) -> anyhow::Result<Decision> {
        if let Some(why) = referee.broken() {
            return Ok(Decision::of(Word::Failed(why)));
        }
        referee.begin();
        let mut stdin = input.stdin.clone();
        for _ in 0..referee.passes() {
            let mut decision = if referee.talks() {
                self.talked(compiled, input, &stdin, referee, sum).await?
            } else {
                self.read(compiled, input, &stdin, referee, sum).await?
            };
            match decision.next.take() {
                Some(next) => stdin = next,
                None => return Ok(decision),
            }
        }
        let passes = referee.passes();
        Ok(Decision::of(Word::Failed(format!("it asked for more than {passes} passes"))))
    }

    /// One pass in which the judging program reads what was printed.
    async fn read(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        stdin: &Bytes,
        referee: &mut Referee,
        sum: &mut Sum,
    ) -> anyhow::Result<Decision> {
        let ran = self.run(compiled, input, stdin.clone()).await?;
        sum.add(&ran, &ran.printed.stdout);
        if let Some((verdict, detail)) = self.stopped(&ran.ending) {
            return Ok(Decision::plain(verdict, detail));
        }
        let printed = ran.printed.stdout.freeze();
        let opinion = referee.read(input, stdin, printed).await.context("a helper failed")?;
        Ok(Decision::of(opinion.word))
    }

    /// One pass in which the two programs talk.
    async fn talked(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        stdin: &Bytes,
        referee: &mut Referee,
        sum: &mut Sum,
    ) -> anyhow::Result<Decision> {
        let (walls, halt) = (self.walls(), Notify::new());
        let (Ends { program, referee: its }, line) = talk::line(walls.output_bytes)?;
        let talk = Talk { ends: program, halt: &halt };
        let talking = line.carry(&halt);
        let asked = referee.talk(input, stdin, its, walls.wall_ms);
        let ran = self.run_with(compiled, input, Bytes::new(), Some(talk));
        let (ran, opinion, said) = tokio::join!(ran, asked, talking);
        let (ran, opinion) = (ran?, opinion.context("a helper failed")?);
        sum.add(&ran, said.transcript());
        let stopped = self.stopped(&ran.ending);
        Ok(self.after_talking(stopped, opinion, &said))
    }

    /// Who ended first decides, but for a program that flooded the line.
    fn after_talking(
        &self,
        stopped: Option<(Verdict, String)>,
        opinion: Opinion,
        said: &Said,
    ) -> Decision {
        if said.is_over() {
            let words = verdict::limit_in_words(Verdict::OutputLimit, &self.job.limits);
            return Decision::plain(Verdict::OutputLimit, words);
        }
        match stopped {
            _ if said.first() == Some(Side::Referee) => Decision::of(opinion.word),
            // Nobody can wait for a program that hangs itself without running out of time.
            Some((Verdict::WallLimit, _)) if opinion.at_limit => Decision::of(opinion.word),
            Some((verdict, detail)) => Decision::plain(verdict, detail),
            None => Decision::of(opinion.word),
        }
    }

    async fn run(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        stdin: Bytes,
    ) -> anyhow::Result<Ran> {
        self.run_with(compiled, input, stdin, None).await
    }

    async fn run_with(
        &mut self,
        compiled: &Compiled,
        input: &Input,
        stdin: Bytes,
        talk: Option<Talk<'_>>,
    ) -> anyhow::Result<Ran> {
        let environment = self.tool.environment();
        let order = Order {
            argv: self.tool.run(
                &self.names(),
                input.streamed || talk.is_some(),
                self.job.limits.memory_bytes,
            ),
            env: if self.is_open() { talkative(environment) } else { environment },
            walls: self.walls(),
            files: compiled.names.clone(),
            artefact: None,
            kept: compiled.kept,
            streamed: input.streamed,
            feedback: None,
            talks: talk.is_some(),
            start: if self.tool.is_python() { Start::Copy } else { Start::Exec },
            open: talk.is_none() && self.is_open(),
        };
        let blobs = [compiled.blobs.clone(), vec![stdin]].concat();
        let (tell, validator) = (self.tell, input.validator);
        let mut printed = Printed::default();
        let mut take = |kind: Kind, bytes: Bytes| {
            let (channel, offset) = printed.keep(kind, &bytes, input.streamed);
            if input.streamed {
                tell(Progress::Output { validator, channel, offset, bytes });
            }
        };
        let typing = self.typing.as_deref_mut().map(|typing| typing as &mut dyn Typing);
        let person = typing.map(Company::Person);
        let company = talk.map(Company::Program).or(person).unwrap_or(Company::Nobody);
        let ending = self.slot.run_with(&order, &blobs, company, &mut take).await;
        Ok(Ran { ending: ending.context("a helper failed")?, printed })
    }

    fn walls(&self) -> Walls {
        self.tool.allow(walls(&self.job.limits))
    }

    fn stopped(&self, ending: &Ending) -> Option<(Verdict, String)> {
        verdict::stopped(ending, &self.job.limits, &self.walls())
    }
}

impl Decision {
    fn plain(verdict: Verdict, detail: String) -> Self {
        Self { verdict, detail, share: None, judge_message: String::new(), next: None }
    }

    fn of(word: Word) -> Self {
        match word {
            Word::Accepted { share, said, next } => Self {
                share,
                judge_message: said.to_creator,
                next,
                ..Self::plain(Verdict::Accepted, said.to_candidate)
            },
            Word::Wrong { said } => Self {
                judge_message: said.to_creator,
                ..Self::plain(Verdict::WrongAnswer, said.to_candidate)
            },
            Word::Failed(why) => Self {
                judge_message: why,
                ..Self::plain(Verdict::InternalError, FAILED.to_owned())
            },
        }
    }
}

/// What everybody is told when a judging program failed; why is for its creator.
const FAILED: &str = "the validator itself failed";
