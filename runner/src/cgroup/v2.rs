//! The unified control groups: a fresh group for each run, in which the run starts.

use std::{
    fs::{self, File},
    io,
    os::fd::BorrowedFd,
    path::Path,
};

use super::{Dir, RUNS, Usage, dir_below, number, number_of, own_group, own_name, sweep};
use crate::frame::Walls;

/// The group in which the server itself is, as a group with limits below it holds no processes.
const SERVER: &str = "polycode-server";

/// Shares of the processors of all runs together, where the server has 100. With half of its shares
/// they have a third of each processor in the worst case, and a program gets all its processor time
/// before the usual limit on the wall, which is thrice that.
const RUNS_WEIGHT: u32 = 50;

/// The group of one helper, and that of its present run.
pub(crate) struct Groups {
    parent: Dir,
    own: Dir,
    shares: Result<(), String>,
    runs: u64,
    run: Option<Run>,
}

struct Run {
    name: String,
    dir: Dir,
    cpu: File,
    memory_events: File,
    process_events: File,
    /// The peak; before Linux 5.19 what is used now, which the watch takes the highest of.
    memory: File,
}

impl Groups {
    /// Makes the helper's group beside the server's, if the server was given a group to rule.
    pub(super) fn make() -> anyhow::Result<Self> {
        let path = own_group(str::is_empty, |kind, _| kind == "cgroup2")?;
        let path = if path.ends_with(SERVER) { path.parent().unwrap_or(&path) } else { &path };
        let offered = fs::read_to_string(path.join("cgroup.controllers"))?;
        let has = |controller: &str| offered.split_whitespace().any(|name| name == controller);
        anyhow::ensure!(has("memory") && has("pids"), "memory and pids are not offered");
        make_room(path)?;
        fs::write(path.join("cgroup.subtree_control"), "+memory +pids")?;
        let path = dir_below(path, RUNS)?;
        fs::write(path.join("cgroup.subtree_control"), "+memory +pids")?;
        let shares = share(&path).map_err(|why| format!("v2: {why}"));
        sweep(&path);
        let parent = Dir::open(&path)?;
        let own = parent.make(&own_name())?;
        let groups = Self { parent, own, shares, runs: 0, run: None };
        groups.own.write("cgroup.subtree_control", "+memory +pids")?;
        Ok(groups)
    }

    pub(super) fn shares(&self) -> Result<(), &str> {
        self.shares.as_ref().copied().map_err(String::as_str)
    }

    pub(super) fn begin(&mut self, walls: &Walls) -> anyhow::Result<()> {
        self.end();
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let dir = self.own.make(&name)?;
        dir.write("memory.max", walls.memory_bytes)?;
        dir.write("memory.oom.group", 1)?;
        if dir.reader("memory.swap.max").is_ok() {
            dir.write("memory.swap.max", 0)?;
        }
        // And init.
        dir.write("pids.max", walls.processes + 1)?;
        let run = Run {
            cpu: dir.reader("cpu.stat")?,
            memory_events: dir.reader("memory.events")?,
            process_events: dir.reader("pids.events")?,
            memory: dir.reader("memory.peak").or_else(|_| dir.reader("memory.current"))?,
            name,
            dir,
        };
        self.run = Some(run);
        Ok(())
    }

    pub(super) fn group(&self) -> Option<BorrowedFd<'_>> {
        self.run.as_ref().map(|run| run.dir.as_fd())
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let run = self.run.as_ref().ok_or_else(|| anyhow::anyhow!("nothing runs"))?;
        Ok(Usage {
            cpu_us: number_of(&run.cpu, "usage_usec")?,
            memory_bytes: number(&run.memory)?,
            out_of_memory: number_of(&run.memory_events, "oom_kill")? > 0,
            processes_hit: number_of(&run.process_events, "max")? > 0,
        })
    }

    pub(super) fn end(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Err(why) = self.own.remove(&run.name) {
            tracing::warn!(%why, "the group of a run was not removed");
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.end();
        if let Err(why) = self.parent.remove(&own_name()) {
            tracing::debug!(%why, "a group was not removed; the next helper will");
        }
    }
}

/// Gives all runs together fewer shares than the server, and each helper as many as another.
fn share(runs: &Path) -> io::Result<()> {
    let parent = runs.parent().unwrap_or(runs);
    fs::write(parent.join("cgroup.subtree_control"), "+cpu")?;
    fs::write(runs.join("cpu.weight"), RUNS_WEIGHT.to_string())?;
    fs::write(runs.join("cgroup.subtree_control"), "+cpu")
}

/// Moves the server and this helper one group down. Anybody else in the group stays where they
/// are, and then it is not ours to rule.
fn make_room(group: &Path) -> anyhow::Result<()> {
    let ours = [rustix::process::getppid(), Some(rustix::process::getpid())];
    let ours = ours.map(|pid| pid.map_or(0, |pid| pid.as_raw_nonzero().get()));
    let inside = fs::read_to_string(group.join("cgroup.procs"))?;
    let inside: Vec<i32> = inside.lines().filter_map(|pid| pid.parse().ok()).collect();
    let strangers = inside.iter().filter(|pid| !ours.contains(pid)).count();
    anyhow::ensure!(strangers == 0, "{strangers} other processes are in the server's group");
    if inside.is_empty() {
        return Ok(());
    }
    let server = group.join(SERVER);
    if !server.is_dir() {
        fs::create_dir(&server)?;
    }
    for pid in inside {
        fs::write(server.join("cgroup.procs"), pid.to_string())?;
    }
    Ok(())
}
