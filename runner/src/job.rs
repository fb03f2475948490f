//! One job in one slot: compiled once, then run on each input, one after the other.

use std::sync::Arc;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use domain::{
    content::Limits,
    run::{Channel, Input, Job, Progress, ValidatorResult, Verdict},
};

use crate::{
    cache::{Cache, Key, Made},
    excerpt::excerpt,
    frame::{Ending, Exit, Kept, Kind, Order, PAYLOAD_BYTES_MAX, Walls},
    languages::{ARTEFACT, Tool},
    slot::Slot,
    verdict,
};

/// The longest input, in bytes.
pub(crate) const STDIN_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

/// A job that runs.
pub(crate) struct Running<'a> {
    pub(crate) job: &'a Job,
    pub(crate) tool: &'a Tool,
    pub(crate) tell: &'a (dyn Fn(Progress) + Send + Sync),
    pub(crate) slot: Slot,
    /// What was compiled before.
    pub(crate) cache: Option<&'a Arc<Cache>>,
}

/// What goes into each run: the sources themselves, or nothing but what the slot keeps of them.
pub(crate) struct Compiled {
    names: Vec<String>,
    blobs: Vec<Bytes>,
    kept: Kept,
    /// What the compiler printed, though it was content.
    pub(crate) output: String,
}

impl Running<'_> {
    /// Compiles, unless the same was compiled before. Refuses with what the compiler printed.
    pub(crate) async fn compile(&mut self) -> anyhow::Result<Result<Compiled, String>> {
        let (names, files) = (self.names(), &self.job.files);
        let blobs: Vec<_> =
            files.iter().map(|file| Bytes::copy_from_slice(file.text.as_bytes())).collect();
        let Some(argv) = self.tool.compile(&names) else {
            let (kept, output) = (Kept::Nothing, String::new());
            return Ok(Ok(Compiled { names, blobs, kept, output }));
        };
        (self.tell)(Progress::Compiling);
        let order = Order {
            argv,
            env: self.tool.environment(),
            walls: self.tool.compile_walls(),
            files: names,
            artefact: Some(ARTEFACT.to_owned()),
            kept: Kept::Nothing,
            streamed: true,
        };
        let made = match self.cache {
            None => self.compile_anew(&order, blobs).await?.0,
            Some(cache) => {
                let key = Key::of(&self.tool.identity, &order, &blobs);
                // Of equal jobs at once, one compiles and the others find what it made.
                let _alone = cache.alone(&key).await?;
                if let Some(made) = cache.find(&key).await? {
                    self.take(made).await?
                } else {
                    let (made, lasts) = self.compile_anew(&order, blobs).await?;
                    if lasts {
                        cache.put(&key, &made).await?;
                    }
                    made
                }
            }
        };
        Ok(self.compiled(made))
    }

    /// Makes what was made before this slot's, with all that is told of it.
    async fn take(&mut self, made: Made) -> anyhow::Result<Made> {
        if !made.output.is_empty() {
            let bytes = Bytes::copy_from_slice(made.output.as_bytes());
            tell_compiler(self.tell, self.watched(), 0, bytes);
        }
        if let Some(artefact) = &made.artefact {
            self.slot.keep(artefact).await?;
        }
        Ok(made)
    }

    /// Compiles. Answers also whether the same would come of it at any other time.
    async fn compile_anew(
        &mut self,
        order: &Order,
        mut blobs: Vec<Bytes>,
    ) -> anyhow::Result<(Made, bool)> {
        let (mut output, mut artefact) = (BytesMut::new(), None);
        let (tell, watched) = (self.tell, self.watched());
        let mut take = |kind, bytes: Bytes| {
            if kind == Kind::Artefact {
                artefact = Some(bytes);
                return;
            }
            tell_compiler(tell, watched, output.len() as u64, bytes.clone());
            output.extend_from_slice(&bytes);
        };
        blobs.push(Bytes::new());
        let ending = self.slot.run(order, &blobs, &mut take).await?;
        made(&ending, &order.walls, excerpt(&output), artefact)
    }

    fn compiled(&self, made: Made) -> Result<Compiled, String> {
        let program = self.tool.makes_programs();
        let kept = if program { Kept::Program } else { Kept::File };
        let Made { output, artefact } = made;
        match artefact {
            Some(_) => Ok(Compiled { names: Vec::new(), blobs: Vec::new(), kept, output }),
            None => Err(output),
        }
    }

    /// The input whose watcher sees what the compiler prints.
    fn watched(&self) -> Option<u16> {
        self.job.inputs.iter().find(|input| input.streamed).map(|input| input.validator)
    }

    /// Runs what was compiled on `input` and judges it.
    pub(crate) async fn judge(
        &mut self,
        compiled: &Compiled,
        input: &Input,
    ) -> anyhow::Result<ValidatorResult> {
        let (validator, tell, limits) = (input.validator, self.tell, &self.job.limits);
        tell(Progress::Running { validator });
        let walls = self.tool.allow(walls(limits));
        let order = Order {
            argv: self.tool.run(&self.names(), input.streamed, limits.memory_bytes),
            env: self.tool.environment(),
            walls,
            files: compiled.names.clone(),
            artefact: None,
            kept: compiled.kept,
            streamed: input.streamed,
        };
        let mut blobs = compiled.blobs.clone();
        blobs.push(input.stdin.clone());
        let mut printed = Printed::default();
        let mut take = |kind, bytes: Bytes| {
            let (channel, offset) = printed.keep(kind, &bytes, input.streamed);
            if input.streamed {
                tell(Progress::Output { validator, channel, offset, bytes });
            }
        };
        let ending = self.slot.run(&order, &blobs, &mut take).await.context("a helper failed")?;
        let result = self.result(input, ending, &walls, printed).await?;
        tell(Progress::Judged(result.clone()));
        Ok(result)
    }

    async fn result(
        &self,
        input: &Input,
        ending: Ending,
        walls: &Walls,
        printed: Printed,
    ) -> anyhow::Result<ValidatorResult> {
        let shown = |bytes: &[u8]| if input.streamed { excerpt(bytes) } else { String::new() };
        let (stdout, stderr) = (shown(&printed.stdout), shown(&printed.stderr));
        let (limits, walls) = (self.job.limits, *walls);
        let judge = {
            let (ending, input) = (ending.clone(), input.clone());
            move || verdict::judge(&ending, &limits, &walls, &input, &printed.stdout)
        };
        let (verdict, detail) = tokio::task::spawn_blocking(judge).await?;
        if verdict == Verdict::InternalError {
            tracing::error!(submission.id = %self.job.submission, "run failed: {detail}");
        }
        Ok(ValidatorResult {
            validator: input.validator,
            verdict,
            cpu_ms: ending.cpu_ms,
            wall_ms: ending.wall_ms,
            memory_bytes: ending.memory_bytes,
            detail,
            stdout,
            stderr,
        })
    }

    fn names(&self) -> Vec<String> {
        self.job.files.iter().map(|file| file.name.clone()).collect()
    }
}

/// What a program printed.
#[derive(Default)]
struct Printed {
    stdout: BytesMut,
    stderr: BytesMut,
    stderr_len: u64,
}

impl Printed {
    /// Keeps what is needed later. Answers where in which channel `bytes` are.
    fn keep(&mut self, kind: Kind, bytes: &Bytes, streamed: bool) -> (Channel, u64) {
        if kind == Kind::Stdout {
            let offset = self.stdout.len() as u64;
            self.stdout.extend_from_slice(bytes);
            return (Channel::Stdout, offset);
        }
        let offset = self.stderr_len;
        self.stderr_len += bytes.len() as u64;
        // One more byte than is shown tells that it was cut.
        let room = crate::excerpt::EXCERPT_BYTES_MAX + 1 - self.stderr.len();
        if streamed {
            self.stderr.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        (Channel::Stderr, offset)
    }
}

type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

fn tell_compiler(tell: Tell<'_>, watched: Option<u16>, offset: u64, bytes: Bytes) {
    if let Some(validator) = watched {
        tell(Progress::Output { validator, channel: Channel::Compiler, offset, bytes });
    }
}

/// What came of compiling, and whether it always would: what was stopped might have ended on a
/// machine with less to do.
fn made(
    ending: &Ending,
    walls: &Walls,
    output: String,
    artefact: Option<Bytes>,
) -> anyhow::Result<(Made, bool)> {
    let limits = Limits {
        cpu_ms: walls.cpu_ms,
        wall_ms: walls.wall_ms,
        memory_bytes: walls.memory_bytes,
        processes: walls.processes,
        output_bytes: walls.output_bytes,
        disk_bytes: u32::try_from(walls.disk_bytes).expect("the table's fit"),
    };
    if let Exit::NotStarted(why) = &ending.exit {
        anyhow::bail!("the compiler could not be started: {why}");
    }
    let failed = |output| Made { output, artefact: None };
    Ok(match verdict::stopped(ending, &limits, walls) {
        None if artefact.is_some() => (Made { output, artefact }, true),
        None => (failed(format!("{output}\nthe compiler made no program")), true),
        Some((Verdict::RuntimeError, _)) if !output.is_empty() => {
            (failed(output), matches!(ending.exit, Exit::Code(_)))
        }
        Some((_, why)) => (failed(format!("{output}\nthe compiler was stopped: it {why}")), false),
    })
}

fn walls(limits: &Limits) -> Walls {
    Walls {
        cpu_ms: limits.cpu_ms,
        wall_ms: limits.wall_ms,
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        output_bytes: limits.output_bytes,
        disk_bytes: limits.disk_bytes.into(),
    }
}
