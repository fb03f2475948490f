//! One job in one slot: compiled once; what it prints. How it is judged is in `judge.rs`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::{
    content::Limits,
    ports::Typing,
    run::{Channel, Job, Progress, Verdict},
};

use crate::{
    cache::{Cache, Key, Made},
    excerpt::excerpt,
    frame::{Ending, Exit, Kept, Kind, Order, PAYLOAD_BYTES_MAX, Start, Walls},
    languages::{ARTEFACT, Tool},
    slot::Slot,
    talkative::STATIC,
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
    /// What a person does while it runs.
    pub(crate) typing: Option<&'a mut dyn Typing>,
    /// What was compiled before.
    pub(crate) cache: Option<&'a Arc<Cache>>,
}

/// What goes into each run: the sources themselves, or nothing but what the slot keeps of them.
pub(crate) struct Compiled {
    pub(crate) names: Vec<String>,
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) kept: Kept,
    /// What the slot keeps, for another slot to keep too.
    pub(crate) artefact: Option<Bytes>,
    /// What the compiler printed, though it was content.
    pub(crate) output: String,
}

impl Running<'_> {
    /// Compiles, unless the same was compiled before. Refuses with what the compiler printed.
    pub(crate) async fn compile(&mut self) -> anyhow::Result<Result<Compiled, String>> {
        let (names, files) = (self.names(), &self.job.files);
        let blobs: Vec<_> =
            files.iter().map(|file| Bytes::copy_from_slice(file.text.as_bytes())).collect();
        let Some(mut argv) = self.tool.compile(&names) else {
            let (kept, output) = (Kept::Nothing, String::new());
            return Ok(Ok(Compiled { names, blobs, kept, artefact: None, output }));
        };
        if self.is_open() {
            argv.retain(|word| word != STATIC);
        }
        (self.tell)(Progress::Compiling);
        let order = Order {
            argv,
            env: self.tool.environment(),
            walls: self.tool.compile_walls(),
            files: names,
            artefact: Some(ARTEFACT.to_owned()),
            kept: Kept::Nothing,
            streamed: true,
            feedback: None,
            talks: false,
            start: Start::Exec,
            open: false,
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
        if artefact.is_none() {
            return Err(output);
        }
        let (names, blobs) = (Vec::new(), Vec::new());
        Ok(Compiled { names, blobs, kept, artefact, output })
    }

    /// The input whose watcher sees what the compiler prints.
    fn watched(&self) -> Option<u16> {
        self.job.inputs.iter().find(|input| input.streamed).map(|input| input.validator)
    }

    /// Whether more standard input comes while it runs.
    pub(crate) fn is_open(&self) -> bool {
        self.typing.as_ref().is_some_and(|typing| typing.is_open())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.job.files.iter().map(|file| file.name.clone()).collect()
    }
}

/// What a program printed.
#[derive(Default)]
pub(crate) struct Printed {
    pub(crate) stdout: BytesMut,
    pub(crate) stderr: BytesMut,
    stderr_len: u64,
}

impl Printed {
    /// Keeps what is needed later. Answers where in which channel `bytes` are.
    pub(crate) fn keep(&mut self, kind: Kind, bytes: &Bytes, streamed: bool) -> (Channel, u64) {
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

/// The walls of a run within `limits`, in a language that needs nothing more.
pub(crate) fn walls(limits: &Limits) -> Walls {
    Walls {
        cpu_ms: limits.cpu_ms,
        wall_ms: limits.wall_ms,
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        output_bytes: limits.output_bytes,
        disk_bytes: limits.disk_bytes.into(),
    }
}
