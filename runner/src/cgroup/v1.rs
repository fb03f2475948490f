//! The older control groups: a hierarchy for each controller. One group for each helper, its
//! counters set back before each run, as to make a memory group anew takes longer than a run.

use std::{fs::File, path::PathBuf};

use rustix::fs::OFlags;

use super::{Dir, Usage, number, number_of, own_group, own_name, sweep};
use crate::frame::Walls;

/// The groups of one helper, and their files that are read while a run lasts.
pub(crate) struct Groups {
    parents: [Dir; 3],
    memory: Dir,
    cpu: Dir,
    processes: Dir,
    tasks: [File; 3],
    cpu_usage: File,
    memory_peak: File,
    memory_events: File,
    process_events: File,
    limited_to: Option<(u64, u32)>,
    kills_before: u64,
    refusals_before: u64,
}

impl Groups {
    /// Makes them below the group in which this process is.
    pub(super) fn make() -> anyhow::Result<Self> {
        let own = |controller: &'static str| -> anyhow::Result<(Dir, PathBuf)> {
            let is_in = |list: &str| list.split(',').any(|name| name == controller);
            let path = own_group(is_in, |kind, options| kind == "cgroup" && is_in(options))?;
            sweep(&path);
            Ok((Dir::open(&path)?, path))
        };
        let (memory, _) = own("memory")?;
        let (cpu, _) = own("cpuacct")?;
        let (processes, _) = own("pids")?;
        let parents = [memory, cpu, processes];
        match Self::below(parents) {
            Ok(groups) => Ok(groups),
            Err(why) => Err(why.context("no group can be made")),
        }
    }

    fn below(parents: [Dir; 3]) -> anyhow::Result<Self> {
        let name = own_name();
        let made = parents.each_ref().map(|parent| parent.make(&name));
        let [memory, cpu, processes] = made;
        let (memory, cpu, processes) = match (memory, cpu, processes) {
            (Ok(memory), Ok(cpu), Ok(processes)) => (memory, cpu, processes),
            (memory, cpu, processes) => {
                remove(&parents);
                memory.and(cpu).and(processes)?;
                unreachable!("one of them failed");
            }
        };
        Ok(Self {
            tasks: [
                memory.file("tasks", OFlags::WRONLY)?,
                cpu.file("tasks", OFlags::WRONLY)?,
                processes.file("tasks", OFlags::WRONLY)?,
            ],
            cpu_usage: cpu.reader("cpuacct.usage")?,
            memory_peak: memory.reader("memory.max_usage_in_bytes")?,
            memory_events: memory.reader("memory.oom_control")?,
            process_events: processes.reader("pids.events")?,
            parents,
            memory,
            cpu,
            processes,
            limited_to: None,
            kills_before: 0,
            refusals_before: 0,
        })
    }

    pub(super) fn begin(&mut self, walls: &Walls) -> anyhow::Result<()> {
        let limits = (walls.memory_bytes, walls.processes);
        if self.limited_to != Some(limits) {
            self.limit(walls)?;
            self.limited_to = Some(limits);
        }
        self.memory.write("memory.max_usage_in_bytes", 0)?;
        self.cpu.write("cpuacct.usage", 0)?;
        self.kills_before = number_of(&self.memory_events, "oom_kill")?;
        self.refusals_before = number_of(&self.process_events, "max")?;
        Ok(())
    }

    fn limit(&self, walls: &Walls) -> anyhow::Result<()> {
        let swap = "memory.memsw.limit_in_bytes";
        // The sum with swap may never be the lower of the two; kernels without swap have none.
        let counts_swap = self.memory.write(swap, -1).is_ok();
        self.memory.write("memory.limit_in_bytes", walls.memory_bytes)?;
        if counts_swap {
            self.memory.write(swap, walls.memory_bytes)?;
        }
        // And init.
        self.processes.write("pids.max", walls.processes + 1)?;
        Ok(())
    }

    /// Puts the calling process into the groups. Each thread for itself and by itself: to move
    /// another one, the kernel waits until no processor is about to fork, 10 ms and more.
    pub(super) fn join(&self) -> anyhow::Result<()> {
        for tasks in &self.tasks {
            rustix::io::write(tasks, b"0")?;
        }
        Ok(())
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Ok(Usage {
            cpu_us: number(&self.cpu_usage)? / 1000,
            memory_bytes: number(&self.memory_peak)?,
            out_of_memory: number_of(&self.memory_events, "oom_kill")? > self.kills_before,
            processes_hit: number_of(&self.process_events, "max")? > self.refusals_before,
        })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove(&self.parents);
    }
}

fn remove(parents: &[Dir; 3]) {
    for parent in parents {
        if let Err(why) = parent.remove(&own_name()) {
            tracing::debug!(%why, "a group was not removed; the next helper will");
        }
    }
}
