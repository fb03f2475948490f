//! One job in one slot: compiled once; what it prints. How it is judged is in `judge.rs`.

use bytes::{Bytes, BytesMut};
use domain::{
    content::Limits,
    ports::Typing,
    run::{Channel, Job, Progress, Verdict},
};

use crate::{
    excerpt::excerpt,
    frame::{Ending, Exit, Kind, Order, PAYLOAD_BYTES_MAX, Walls},
    languages::{ARTEFACT, COMPILE_WALLS, Tool, environment},
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
}

/// What goes into each run: the sources themselves, or nothing but what the slot keeps of them.
pub(crate) struct Compiled {
    pub(crate) names: Vec<String>,
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) kept: bool,
    /// What the compiler printed, though it was content.
    pub(crate) output: String,
}

impl Running<'_> {
    /// Compiles. Refuses with what the compiler printed.
    pub(crate) async fn compile(&mut self) -> anyhow::Result<Result<Compiled, String>> {
        let files = &self.job.files;
        let names = self.names();
        let blobs: Vec<_> =
            files.iter().map(|file| Bytes::copy_from_slice(file.text.as_bytes())).collect();
        let Some(mut argv) = self.tool.compile(&self.names()) else {
            return Ok(Ok(Compiled { names, blobs, kept: false, output: String::new() }));
        };
        if self.is_open() {
            argv.retain(|word| word != STATIC);
        }
        (self.tell)(Progress::Compiling);
        let order = Order {
            argv,
            env: environment(),
            walls: COMPILE_WALLS,
            files: names,
            artefact: Some(ARTEFACT.to_owned()),
            kept: false,
            streamed: true,
            feedback: None,
            talks: false,
            open: false,
        };
        let mut output = BytesMut::new();
        let watched = self.job.inputs.iter().find(|input| input.streamed);
        let tell = self.tell;
        let mut take = |_, bytes: Bytes| {
            if let Some(input) = watched {
                let (validator, offset) = (input.validator, output.len() as u64);
                let (channel, bytes) = (Channel::Compiler, bytes.clone());
                tell(Progress::Output { validator, channel, offset, bytes });
            }
            output.extend_from_slice(&bytes);
        };
        let blobs = [blobs, vec![Bytes::new()]].concat();
        let ending = self.slot.run(&order, &blobs, &mut take).await?;
        made(&ending, excerpt(&output))
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

fn made(ending: &Ending, output: String) -> anyhow::Result<Result<Compiled, String>> {
    let limits = Limits {
        cpu_ms: COMPILE_WALLS.cpu_ms,
        wall_ms: COMPILE_WALLS.wall_ms,
        memory_bytes: COMPILE_WALLS.memory_bytes,
        processes: COMPILE_WALLS.processes,
        output_bytes: COMPILE_WALLS.output_bytes,
        disk_bytes: u32::try_from(COMPILE_WALLS.disk_bytes).expect("a constant that fits"),
    };
    if let Exit::NotStarted(why) = &ending.exit {
        anyhow::bail!("the compiler could not be started: {why}");
    }
    match (verdict::stopped(ending, &limits, &COMPILE_WALLS), ending.kept) {
        (None, true) => {
            Ok(Ok(Compiled { names: Vec::new(), blobs: Vec::new(), kept: true, output }))
        }
        (None, false) => Ok(Err(format!("{output}\nthe compiler made no program"))),
        (Some((Verdict::RuntimeError, _)), _) if !output.is_empty() => Ok(Err(output)),
        (Some((_, why)), _) => Ok(Err(format!("{output}\nthe compiler was stopped: it {why}"))),
    }
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
