//! The sandbox that runs code: helper processes in a pool, one for each job at a time.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    content::{FILE_BYTES_MAX, FILES_MAX, Language, file_name_is_allowed},
    judging::Judging,
    ports::{Sandbox, Typing},
    run::{Input, Job, Outcome, Progress, ValidatorResult, Verdict},
};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::{
    cache::Cache,
    headers::Headers,
    job::{self, Compiled, Running},
    lanes::{self, Lanes},
    languages::{self, Interpreter, Tool},
    referee::Referee,
    slot::Slot,
    unit_tests,
};

/// How many runs into which people type go on at once for each slot. They wait for their person most
/// of the time, and must keep nobody's job waiting meanwhile.
const TYPED_FOR_EACH: usize = 4;

/// How a [`NamespaceSandbox`] is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The executable that is started for each slot; its `main` calls
    /// [`sandbox_main_if_asked`](crate::sandbox_main_if_asked) first.
    pub helper: PathBuf,
    /// How many jobs run at once, at least 1.
    pub slots: usize,
    /// Refuses to start where no cgroup limits a run as a whole.
    pub require_cgroup: bool,
    /// Keeps an interpreter of Python warm in each slot, of which runs are copies.
    pub python_fork_server: bool,
}

impl Default for Config {
    /// The server's own executable, and a slot for each processor but one.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = processors.saturating_sub(1).max(1);
        Self {
            helper: PathBuf::from("/proc/self/exe"),
            slots,
            require_cgroup: false,
            python_fork_server: false,
        }
    }
}

/// No control group limits a run as a whole on this machine, and one is required: why not, and
/// what to do.
#[derive(Debug)]
pub struct NotMet(String);

impl std::fmt::Display for NotMet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "control groups are required for running code, and none can be used: {}", self.0)
    }
}

impl std::error::Error for NotMet {}

/// Runs code that nobody trusts in namespaces of this machine's kernel.
pub struct NamespaceSandbox {
    config: Config,
    isolation: String,
    walls: Vec<(String, bool, String)>,
    tools: Vec<(Language, Tool)>,
    /// What is kept warm.
    python: Option<Interpreter>,
    permits: Semaphore,
    /// Those for runs into which people type.
    typed_permits: Semaphore,
    idle: Arc<Mutex<Vec<Slot>>>,
    keeping: Option<Keeping>,
}

/// What is kept on disk.
struct Keeping {
    cache: Arc<Cache>,
    /// The directory of precompiled headers.
    place: PathBuf,
    headers: Headers,
}

impl NamespaceSandbox {
    /// Finds out what this machine gives, by doing. Fails if it does not give enough.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        anyhow::ensure!(config.slots > 0, "a sandbox without slots runs nothing");
        let tools = tokio::task::spawn_blocking(languages::detect).await?;
        let python = tools.iter().find_map(|(_, tool)| tool.interpreter());
        let python = python.filter(|_| config.python_fork_server);
        let slot = Slot::start(&config.helper, None, python.as_ref()).await;
        let slot = slot.context("the sandbox cannot be set up on this machine")?;
        let whole =
            slot.hello.walls.iter().any(|(name, stands, _)| *stands && name == "control groups");
        if config.require_cgroup && !whole {
            let why = slot.hello.walls.iter().find(|(name, _, _)| name == "control groups");
            return Err(NotMet(why.map_or_else(String::new, |(_, _, why)| why.clone())).into());
        }
        Ok(Self {
            python,
            isolation: slot.hello.isolation.clone(),
            walls: slot.hello.walls.clone(),
            tools,
            permits: Semaphore::new(config.slots),
            typed_permits: Semaphore::new(config.slots * TYPED_FOR_EACH),
            idle: Arc::new(Mutex::new(vec![slot])),
            keeping: None,
            config,
        })
    }

    /// The languages this machine has, and what of them is shown to people.
    pub fn languages(&self) -> Vec<(Language, String)> {
        self.tools.iter().map(|(language, tool)| (*language, tool.version.clone())).collect()
    }

    /// Each wall: its name, whether it stands, and what was found or would make it stand.
    pub fn walls(&self) -> &[(String, bool, String)] {
        &self.walls
    }

    /// This, but what is compiled is kept in the directory `dir` for the next time, at most
    /// `bytes_max` of it, and headers are precompiled there, about 120 MiB. Called within a runtime.
    pub fn keeping(mut self, dir: &Path, bytes_max: u64) -> anyhow::Result<Self> {
        let keep = || {
            // Helpers are started in another directory.
            let place = std::path::absolute(dir.join("headers"))?;
            std::fs::create_dir_all(&place)?;
            let cache = Arc::new(Cache::open(dir.join("artefacts"), bytes_max)?);
            std::io::Result::Ok((place, cache))
        };
        let (place, cache) = keep().context("nothing can be kept in the directory of the cache")?;
        let tools = self.tools.iter().map(|(_, tool)| tool.clone()).collect();
        let headers = Headers::make(&place, tools);
        // Those that wait do not see the headers.
        self.idle().clear();
        self.keeping = Some(Keeping { cache, place, headers });
        Ok(self)
    }

    /// Waits until precompiled headers are there; runs need not.
    pub async fn prepared(&self) {
        if let Some(keeping) = &self.keeping {
            keeping.headers.made().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn slot(&self) -> anyhow::Result<Slot> {
        // One that was killed while it waited, as by a machine out of memory, is left out.
        let waiting = std::iter::from_fn(|| self.idle().pop()).find_map(Slot::if_alive);
        if let Some(slot) = waiting {
            return Ok(slot);
        }
        let place = self.keeping.as_ref().map(|keeping| keeping.place.as_path());
        let slot = Slot::start(&self.config.helper, place, self.python.as_ref()).await;
        let slot = slot.context("no helper could be started")?;
        // What is shown to people holds for every run.
        let same = slot.hello.isolation == self.isolation;
        anyhow::ensure!(same, "a new helper found walls of another kind");
        Ok(slot)
    }

    fn tool(&self, language: Language) -> Option<&Tool> {
        self.tools.iter().find(|(offered, _)| *offered == language).map(|(_, tool)| tool)
    }

    async fn attempt<'a>(
        &'a self,
        job: &'a Job,
        tool: &'a Tool,
        typing: Option<&'a mut dyn Typing>,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        lanes: &Lanes<'_>,
    ) -> anyhow::Result<Result<String, String>> {
        // The slot is this call's own: if the future is dropped, so is the slot, and the helper
        // ends with all that runs. It goes back to the pool only from a good end.
        let cache = self.cache();
        let mut running = Running { job, tool, tell, slot: self.slot().await?, typing, cache };
        let compiled = running.compile().await?;
        let answer = match compiled {
            Err(why) => Err(why),
            Ok(compiled) => {
                let mut referee = self.referee(job).await?;
                let shares = referee.is_none() && lanes::may_share(job);
                let one = lanes.work(&mut running, &compiled, referee.as_mut());
                if shares {
                    let (one, other) = tokio::join!(one, self.help(job, tool, &compiled, lanes));
                    one.and(other)?;
                } else {
                    one.await?;
                }
                self.idle().extend(referee.map(|referee| referee.slot));
                Ok(compiled.output)
            }
        };
        self.idle().push(running.slot);
        Ok(answer)
    }

    /// Takes inputs of `job` off the first slot's hands, if another one is free and nobody waits
    /// for it.
    async fn help(
        &self,
        job: &Job,
        tool: &Tool,
        compiled: &Compiled,
        lanes: &Lanes<'_>,
    ) -> anyhow::Result<()> {
        let Ok(_permit) = self.permits.try_acquire() else { return Ok(()) };
        let mut slot = self.slot().await?;
        if let Some(artefact) = &compiled.artefact {
            slot.keep(artefact).await?;
        }
        let cache = self.cache();
        let mut running = Running { job, tool, tell: lanes.tell, slot, typing: None, cache };
        lanes.work(&mut running, compiled, None).await?;
        self.idle().push(running.slot);
        Ok(())
    }

    fn cache(&self) -> Option<&Arc<Cache>> {
        self.keeping.as_ref().map(|keeping| &keeping.cache)
    }

    /// The judging program of `job`, compiled in a slot of its own.
    async fn referee(&self, job: &Job) -> anyhow::Result<Option<Referee>> {
        let Some(program) = job.judging.program() else { return Ok(None) };
        let tool = self.tool(program.language);
        let tool = tool.context("the language of the validator is not installed here")?;
        let its = Job {
            language: program.language,
            files: program.files.clone(),
            inputs: Vec::new(),
            judging: Judging::Compare,
            ..job.clone()
        };
        let slot = self.slot().await?;
        let cache = self.cache();
        let mut its = Running { job: &its, tool, tell: &|_| (), slot, typing: None, cache };
        let compiled = its.compile().await?;
        let talks = matches!(job.judging, Judging::Interactive(_));
        Ok(Some(Referee::new(program, talks, tool, its.slot, compiled)))
    }

    /// Waits until as much may run as `job` runs at once. Both places of a job whose programs talk
    /// are taken together, so that no two such jobs wait for one another; where there is only one
    /// place, they share it. Runs into which people type have places of their own.
    async fn permit(&self, job: &Job, is_open: bool) -> Result<SemaphorePermit<'_>, AcquireError> {
        if is_open {
            return self.typed_permits.acquire().await;
        }
        let wanted = if matches!(job.judging, Judging::Interactive(_)) { 2 } else { 1 };
        let places = u32::try_from(self.config.slots).unwrap_or(u32::MAX);
        self.permits.acquire_many(places.min(wanted)).await
    }

    async fn carry_out<'a>(
        &'a self,
        job: &'a Job,
        typing: Option<&'a mut dyn Typing>,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        let is_open = typing.as_ref().is_some_and(|typing| typing.is_open());
        let isolation = self.isolation();
        let tool = self.tool(job.language);
        if let Err(compiler_output) = acceptable(job, tool.is_some()) {
            return Outcome { compiled: false, compiler_output, results: Vec::new(), isolation };
        }
        let lanes = Lanes::new(job, tell);
        let attempt = match (tool, self.permit(job, is_open).await) {
            (Some(tool), Ok(_permit)) => match unit_tests::put_into(job, tool) {
                Ok(None) => self.attempt(job, tool, typing, tell, &lanes).await,
                Ok(Some((job, tool))) => {
                    let typing = typing.map(|typing| typing as &mut dyn Typing);
                    self.attempt(&job, &tool, typing, tell, &lanes).await
                }
                Err(why) => Err(why),
            },
            (None, _) => Err(anyhow::anyhow!("this language is not installed here")),
            (_, Err(closed)) => Err(closed.into()),
        };
        let (compiled, compiler_output, why) = match attempt {
            Ok(Ok(output)) => (true, output, anyhow::anyhow!("it was left out")),
            Ok(Err(compiler_output)) => {
                return Outcome { compiled: false, compiler_output, results: vec![], isolation };
            }
            Err(why) => {
                tracing::error!(submission.id = %job.submission, "sandbox failed: {why:#}");
                (true, String::new(), why)
            }
        };
        let results = lanes.results(|input| lost(input, &why));
        Outcome { compiled, compiler_output, results, isolation }
    }
}

#[async_trait]
impl Sandbox for NamespaceSandbox {
    fn isolation(&self) -> String {
        self.isolation.clone()
    }

    async fn run(&self, job: &Job, tell: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        self.carry_out(job, None, tell).await
    }

    async fn converse(
        &self,
        job: &Job,
        typing: &mut dyn Typing,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        self.carry_out(job, Some(typing), tell).await
    }
}

/// Whether a job may be run at all. Fails with the reason, for whoever handed it in.
fn acceptable(job: &Job, offered: bool) -> Result<(), String> {
    if !offered {
        return Err(format!("{:?} is not offered on this machine", job.language));
    }
    if !job.limits.are_bearable() {
        return Err("its limits are zero, or more than this machine is to bear".to_owned());
    }
    let files = &job.files;
    if files.len() > FILES_MAX {
        return Err(format!("{} files; {FILES_MAX} are the most", files.len()));
    }
    for file in files {
        if !file_name_is_allowed(&file.name) {
            return Err(format!("a file may not be called {:?}", file.name));
        }
        if file.text.len() > FILE_BYTES_MAX {
            return Err(format!("{} is longer than {} KiB", file.name, FILE_BYTES_MAX / 1024));
        }
        if files.iter().filter(|other| other.name == file.name).count() > 1 {
            return Err(format!("two files are called {}", file.name));
        }
    }
    let main = job.language.main_file();
    if !files.iter().any(|file| file.name == main) {
        return Err(format!("there is no {main}"));
    }
    let too_long = |bytes: &Bytes| bytes.len() > job::STDIN_BYTES_MAX;
    if job.inputs.iter().any(|input| too_long(&input.stdin)) {
        return Err(format!("an input is longer than {} MiB", job::STDIN_BYTES_MAX >> 20));
    }
    Ok(())
}

/// Whether `input` need not be run, since its group has `failed` and nobody is shown it.
/// The result of an input whose run failed on our side.
fn lost(input: &Input, why: &anyhow::Error) -> ValidatorResult {
    ValidatorResult::unmeasured(input.validator, Verdict::InternalError, why.to_string())
}

#[cfg(test)]
mod tests {
    use domain::{content::Limits, ids::SubmissionId};

    use super::*;

    #[test]
    fn a_language_that_is_not_offered_is_refused_before_all_else() {
        let job = Job {
            submission: SubmissionId::from_u128(1),
            language: Language::Python,
            files: Vec::new(),
            limits: Limits::default(),
            inputs: Vec::new(),
            judging: Judging::Compare,
        };
        let why = acceptable(&job, false).unwrap_err();
        assert_eq!(why, "Python is not offered on this machine");
        assert_eq!(acceptable(&job, true).unwrap_err(), "there is no main.py");
    }
}
