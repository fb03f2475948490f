//! The older control groups: a hierarchy for each controller. One group for each helper, whose
//! counters are set back before each run; but a fresh one for memory, in which what earlier runs
//! left would be counted again.

use std::{
    fs::{self, File},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{Dir, RUNS, Usage, dir_below, number, number_of, own_group, own_name, sweep};
use crate::frame::Walls;

/// Shares of the processors of all runs together, where each thread of the server, or its session
/// where the kernel groups those, has 1024: see the same in [`super::v2`].
const RUNS_SHARES: u32 = 512;

/// The groups of one helper, and their files that are read while a run lasts.
pub(crate) struct Groups {
    parents: [Dir; 3],
    memory: Dir,
    cpu: Dir,
    processes: Dir,
    cpu_tasks: File,
    cpu_usage: File,
    process_tasks: File,
    process_events: File,
    shares: Result<Shares, String>,
    refusals_before: u64,
    runs: u64,
    run: Option<Run>,
}

/// What divides the processors, between the server and all helpers, and between these.
enum Shares {
    /// The same groups that count time.
    Together,
    Apart {
        parent: Dir,
        tasks: File,
    },
}

/// The memory group of the present run.
struct Run {
    name: String,
    tasks: File,
    peak: File,
    events: File,
}

impl Groups {
    /// Makes them below the group in which this process is.
    pub(super) fn make() -> anyhow::Result<Self> {
        let mut paths = [own("memory")?, own("cpuacct")?, own("pids")?];
        let runs = runs_with_shares();
        let [_, time, _] = &mut paths;
        let together = runs.as_ref().is_ok_and(|runs| runs.parent() == Some(time));
        if let (true, Ok(runs)) = (together, &runs) {
            time.clone_from(runs);
        }
        for path in &paths {
            sweep(path);
        }
        let [memory, cpu, processes] = paths.each_ref().map(|path: &PathBuf| Dir::open(path));
        let parents = [memory?, cpu?, processes?];
        let mut groups = Self::below(parents).map_err(|why| why.context("no group can be made"))?;
        let shares = match runs {
            Ok(_) if together => Ok(Shares::Together),
            Ok(runs) => Shares::below(&runs),
            Err(why) => Err(why),
        };
        groups.shares = shares.map_err(|why| format!("v1: {why:#}"));
        Ok(groups)
    }

    fn below(parents: [Dir; 3]) -> anyhow::Result<Self> {
        let [memory, cpu, processes] = parents.each_ref().map(|parent| parent.make(&own_name()));
        let (Ok(memory), Ok(cpu), Ok(processes)) = (memory, cpu, processes) else {
            remove(&parents);
            anyhow::bail!("the hierarchies are not ours to write in");
        };
        Ok(Self {
            cpu_tasks: cpu.file("tasks", OFlags::WRONLY)?,
            cpu_usage: cpu.reader("cpuacct.usage")?,
            process_tasks: processes.file("tasks", OFlags::WRONLY)?,
            process_events: processes.reader("pids.events")?,
            parents,
            memory,
            cpu,
            processes,
            shares: Err(String::new()),
            refusals_before: 0,
            runs: 0,
            run: None,
        })
    }

    pub(super) fn shares(&self) -> Result<(), &str> {
        self.shares.as_ref().map(|_| ()).map_err(String::as_str)
    }

    pub(super) fn begin(&mut self, walls: &Walls) -> anyhow::Result<()> {
        self.end();
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let memory = self.memory.make(&name)?;
        memory.write("memory.limit_in_bytes", walls.memory_bytes)?;
        // The sum with swap may never be the lower of the two; kernels without swap have none.
        let sum = "memory.memsw.limit_in_bytes";
        if memory.reader(sum).is_ok() {
            memory.write(sum, walls.memory_bytes)?;
        }
        self.run = Some(Run {
            name,
            tasks: memory.file("tasks", OFlags::WRONLY)?,
            peak: memory.reader("memory.max_usage_in_bytes")?,
            events: memory.reader("memory.oom_control")?,
        });
        // And init.
        self.processes.write("pids.max", walls.processes + 1)?;
        self.cpu.write("cpuacct.usage", 0)?;
        self.refusals_before = number_of(&self.process_events, "max")?;
        Ok(())
    }

    pub(super) fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        let memory = self.run.as_ref().map(|run| &run.tasks);
        let shares = match &self.shares {
            Ok(Shares::Apart { tasks, .. }) => Some(tasks),
            Ok(Shares::Together) | Err(_) => None,
        };
        let all = memory.into_iter().chain([&self.cpu_tasks, &self.process_tasks]).chain(shares);
        all.map(AsFd::as_fd).collect()
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let run = self.present()?;
        Ok(Usage {
            cpu_us: number(&self.cpu_usage)? / 1000,
            memory_bytes: number(&run.peak)?,
            out_of_memory: number_of(&run.events, "oom_kill")? > 0,
            processes_hit: number_of(&self.process_events, "max")? > self.refusals_before,
        })
    }

    pub(super) fn end(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Err(why) = self.memory.remove(&run.name) {
            tracing::warn!(%why, "the memory group of a run was not removed");
        }
    }

    fn present(&self) -> anyhow::Result<&Run> {
        self.run.as_ref().ok_or_else(|| anyhow::anyhow!("nothing runs"))
    }
}

impl Shares {
    fn below(runs: &Path) -> anyhow::Result<Self> {
        let parent = Dir::open(runs)?;
        let tasks = parent.make(&own_name())?.file("tasks", OFlags::WRONLY)?;
        Ok(Self::Apart { parent, tasks })
    }
}

/// The directory of this process's group in the hierarchy of `controller`.
fn own(controller: &'static str) -> anyhow::Result<PathBuf> {
    let is_in = |list: &str| list.split(',').any(|name| name == controller);
    own_group(is_in, |kind, options| kind == "cgroup" && is_in(options))
}

/// The group of all helpers of this server, where this machine divides the processors between groups.
fn runs_with_shares() -> anyhow::Result<PathBuf> {
    let all = own("cpu")?;
    sweep(&all);
    let server = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let runs = dir_below(&all, &format!("{RUNS}-{server}"))?;
    // Its helpers that were killed; the group itself goes when another server starts.
    sweep(&runs);
    fs::write(runs.join("cpu.shares"), RUNS_SHARES.to_string())?;
    Ok(runs)
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.end();
        remove(&self.parents);
        if let Ok(Shares::Apart { parent, .. }) = &self.shares {
            remove([parent]);
        }
    }
}

fn remove<'a>(parents: impl IntoIterator<Item = &'a Dir>) {
    for parent in parents {
        if let Err(why) = parent.remove(&own_name()) {
            tracing::debug!(%why, "a group was not removed; the next helper will");
        }
    }
}
