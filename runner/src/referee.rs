//! The judging program of a job: compiled once, in a slot of its own, so that no program of a
//! candidate ever shares one with it; asked about one run after the other.

use std::io;

use bytes::{Bytes, BytesMut};
use domain::{judging::Program, points::Share, run::Input};
use tokio::sync::Notify;

use crate::{
    excerpt::{EXCERPT_BYTES_MAX, excerpt},
    feedback,
    frame::{Ending, Exit, Kind, Order, Start, Walls},
    job::{Compiled, walls},
    languages::Tool,
    slot::{Company, Slot, Talk},
    verdict,
};

/// Where the two files and the directory are that it is started with. No source file is called so.
const INPUT: &str = ".input";
const ANSWER: &str = ".answer";
/// The input of the next pass, if it wants one.
const NEXT_PASS: &str = "nextpass.in";
/// Its exit codes, by the format.
const ACCEPTED: i32 = 42;
const WRONG: i32 = 43;

/// A judging program, ready to be asked.
pub(crate) struct Referee {
    pub(crate) slot: Slot,
    tool: Tool,
    program: Program,
    talks: bool,
    compiled: Result<Compiled, String>,
    /// What it left for its own next pass.
    feedback: Vec<(String, Bytes)>,
    /// It ran into a limit of its own, and would again, at every input.
    hung: Option<String>,
}

/// What it thinks of a run.
pub(crate) struct Opinion {
    pub(crate) word: Word,
    /// It was stopped at a limit of its own.
    pub(crate) at_limit: bool,
}

/// Its word.
pub(crate) enum Word {
    Accepted {
        share: Option<Share>,
        said: Messages,
        next: Option<Bytes>,
    },
    Wrong {
        said: Messages,
    },
    /// It gave none, with the reason for its creator.
    Failed(String),
}

/// What it says beside its word.
pub(crate) struct Messages {
    pub(crate) to_creator: String,
    pub(crate) to_candidate: String,
}

impl Referee {
    /// `compiled` in `slot`, or why it could not be.
    pub(crate) fn new(
        program: &Program,
        talks: bool,
        tool: &Tool,
        slot: Slot,
        compiled: Result<Compiled, String>,
    ) -> Self {
        let (program, tool) = (program.clone(), tool.clone());
        Self { slot, tool, program, talks, compiled, feedback: Vec::new(), hung: None }
    }

    pub(crate) fn talks(&self) -> bool {
        self.talks
    }

    pub(crate) fn passes(&self) -> u8 {
        self.program.passes
    }

    /// Why it cannot be asked at all.
    pub(crate) fn broken(&self) -> Option<String> {
        let output = self.compiled.as_ref().err();
        let output = output.map(|output| format!("it does not compile:\n{output}"));
        output.or_else(|| self.hung.clone())
    }

    /// Forgets what it left behind: another run begins.
    pub(crate) fn begin(&mut self) {
        self.feedback.clear();
    }

    /// Asks about what was `printed` on `stdin`.
    pub(crate) async fn read(
        &mut self,
        input: &Input,
        stdin: &Bytes,
        printed: Bytes,
    ) -> io::Result<Opinion> {
        self.ask(input, stdin, printed, None, 0).await
    }

    /// Lets it talk over `ends`; it may take `more_ms` longer than its own limit, while it waits.
    pub(crate) async fn talk(
        &mut self,
        input: &Input,
        stdin: &Bytes,
        ends: [std::os::fd::OwnedFd; 2],
        more_ms: u32,
    ) -> io::Result<Opinion> {
        let never = Notify::new();
        let talk = Talk { ends, halt: &never };
        self.ask(input, stdin, Bytes::new(), Some(talk), more_ms).await
    }

    async fn ask(
        &mut self,
        input: &Input,
        stdin: &Bytes,
        read: Bytes,
        talk: Option<Talk<'_>>,
        more_ms: u32,
    ) -> io::Result<Opinion> {
        let Ok(compiled) = &self.compiled else {
            return Err(io::Error::other("what does not compile is not asked"));
        };
        let answer = input.expected.clone().unwrap_or_default();
        let left = self.feedback.drain(..);
        let (mut names, mut blobs) = (compiled.names.clone(), compiled.blobs.clone());
        let left = left.map(|(name, bytes)| (format!("{}/{name}", feedback::DIRECTORY), bytes));
        let given = [(INPUT.to_owned(), stdin.clone()), (ANSWER.to_owned(), answer)];
        for (name, bytes) in given.into_iter().chain(left) {
            names.push(name);
            blobs.push(bytes);
        }
        let walls = self.walls(&blobs, more_ms);
        let order = Order {
            argv: self.command(&input.arguments),
            env: self.tool.environment(),
            walls,
            files: names,
            artefact: None,
            kept: compiled.kept,
            streamed: false,
            feedback: Some(feedback::DIRECTORY.to_owned()),
            talks: talk.is_some(),
            start: Start::Exec,
            open: false,
        };
        blobs.push(read);
        let (mut files, mut stderr) = (Vec::new(), BytesMut::new());
        let mut take = |kind, bytes: Bytes| {
            if kind == Kind::Feedback {
                files.extend(feedback::parse(&bytes));
            } else if kind == Kind::Stderr && stderr.len() < EXCERPT_BYTES_MAX {
                stderr.extend_from_slice(&bytes);
            }
        };
        let company = talk.map_or(Company::Nobody, Company::Program);
        let ending = self.slot.run_with(&order, &blobs, company, &mut take).await?;
        self.feedback = files;
        Ok(self.opinion(&ending, &walls, &stderr))
    }

    fn command(&self, arguments: &[String]) -> Vec<String> {
        let names: Vec<_> = self.program.files.iter().map(|file| file.name.clone()).collect();
        let at = |name: &str| format!("{}/{name}", crate::tree::WORK);
        // Whoever talks is not to wait for a full buffer.
        let mut command = self.tool.run(&names, self.talks, self.program.limits.memory_bytes);
        command.extend([at(INPUT), at(ANSWER), at(feedback::DIRECTORY) + "/"]);
        command.extend(self.program.arguments.iter().chain(arguments).cloned());
        command
    }

    fn walls(&self, files: &[Bytes], more_ms: u32) -> Walls {
        let walls = self.tool.allow(walls(&self.program.limits));
        // What it is given lies in its own space; a page for each file is more than metadata take.
        let given: u64 = files.iter().map(|bytes| bytes.len() as u64 + 8192).sum();
        Walls {
            wall_ms: walls.wall_ms.saturating_add(more_ms),
            disk_bytes: walls.disk_bytes + given,
            ..walls
        }
    }

    fn opinion(&mut self, ending: &Ending, walls: &Walls, stderr: &[u8]) -> Opinion {
        let stopped = verdict::stopped(ending, &self.program.limits, walls);
        let word = match (&ending.exit, ending.stop) {
            (Exit::Code(ACCEPTED), None) => self.accepted(),
            (Exit::Code(WRONG), None) if self.taken(NEXT_PASS).is_some() => {
                Word::Failed(format!("it wants another pass of what is wrong ({NEXT_PASS})"))
            }
            (Exit::Code(WRONG), None) => Word::Wrong { said: self.said() },
            _ => {
                let why = stopped.map_or_else(|| "ended with exit code 0".to_owned(), |it| it.1);
                let said = excerpt(stderr);
                Word::Failed(format!("it {why}, neither 42 nor 43\n{said}").trim().to_owned())
            }
        };
        let at_limit = ending.stop.is_some();
        if let (true, Word::Failed(why)) = (at_limit, &word) {
            self.hung = Some(format!("not asked again: {why}"));
        }
        Opinion { word, at_limit }
    }

    fn accepted(&mut self) -> Word {
        let multiplier = self.number("score_multiplier.txt", 1);
        let share = multiplier.or_else(|| self.number("score.txt", self.program.full_score));
        let share = match share.transpose() {
            Ok(share) => share,
            Err(text) => return Word::Failed(format!("its score is no number: {text:?}")),
        };
        Word::Accepted { share, said: self.said(), next: self.taken(NEXT_PASS) }
    }

    /// What part of `whole` the file `name` says; `Err` with what it says instead of a number.
    fn number(&self, name: &str, whole: u32) -> Option<Result<Share, String>> {
        let (_, bytes) = self.feedback.iter().find(|(known, _)| known == name)?;
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        let share = text.parse().ok().and_then(|number| Share::of(number, whole.into()));
        Some(share.ok_or_else(|| text.chars().take(80).collect()))
    }

    fn said(&self) -> Messages {
        let text = |name| {
            let (_, bytes) = self.feedback.iter().find(|(known, _)| known == name)?;
            Some(excerpt(bytes.trim_ascii_end()))
        };
        Messages {
            to_creator: text("judgemessage.txt").unwrap_or_default(),
            to_candidate: text("teammessage.txt").unwrap_or_default(),
        }
    }

    /// The file `name` of its feedback, which its next pass does not find again.
    fn taken(&mut self, name: &str) -> Option<Bytes> {
        let at = self.feedback.iter().position(|(known, _)| known == name)?;
        Some(self.feedback.swap_remove(at).1)
    }
}
