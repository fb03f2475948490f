//! Counting a run's processes from within, where the machine gives no cgroup: what `/proc` shows
//! now and then, which is less than a cgroup knows.

use std::fs;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, WaitOptions},
};
use serde::{Deserialize, Serialize};

use crate::{
    frame::{Exit, Stop, Walls},
    init::exit_of,
    sys,
};

/// How often it looks, in ns.
const PERIOD_NS: i64 = 5_000_000;
/// What the kernel counts processor time in, for `/proc`: `USER_HZ` is 100 on all architectures.
const TICK_US: u64 = 10_000;

/// The most that was seen of a run.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Census {
    pub(crate) cpu_us: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) processes_hit: bool,
}

/// Waits for `program`, looking meanwhile whether all processes together pass `walls`.
pub(crate) fn wait(program: Pid, walls: &Walls, seen: &mut Census) -> (Exit, Option<Stop>) {
    let Ok(end) = rustix::process::pidfd_open(program, PidfdFlags::empty()) else {
        return (Exit::Stopped, None);
    };
    let pause = Timespec { tv_sec: 0, tv_nsec: PERIOD_NS };
    loop {
        let mut ends = [PollFd::new(&end, PollFlags::IN)];
        // Interrupted or not: what counts is what is found now.
        let woken = poll(&mut ends, Some(&pause)).unwrap_or(0);
        // Before, as the dead count as processes until then; after, as their time is known then.
        look(walls, seen);
        let exit = reap(program);
        look(walls, seen);
        if let Some(exit) = exit {
            return (exit, None);
        }
        assert!(woken == 0, "a process that has ended can be waited for");
        if let Some(stop) = passed(walls, seen) {
            return (Exit::Stopped, Some(stop));
        }
    }
}

fn passed(walls: &Walls, seen: &Census) -> Option<Stop> {
    if seen.memory_bytes > walls.memory_bytes {
        Some(Stop::Memory)
    } else if seen.cpu_us > u64::from(walls.cpu_ms) * 1000 {
        Some(Stop::Cpu)
    } else {
        None
    }
}

/// Waits for all that have ended, so that they leave no traces, and tells whether `program` was
/// among them.
fn reap(program: Pid) -> Option<Exit> {
    let mut exit = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == program {
            exit = Some(exit_of(status));
        }
    }
    exit
}

fn look(walls: &Walls, seen: &mut Census) {
    let (mut cpu_us, largest) = sys::children_usage();
    let (mut memory_bytes, mut tasks) = (0, 0);
    let page = sys::page_bytes();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !is_process || entry.file_name() == "1" {
            continue;
        }
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name before the `)` is the program's to choose; what follows is the kernel's.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let number = |nth: usize| {
            after_name.split(' ').nth(nth).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
        };
        cpu_us += (number(11) + number(12)) * TICK_US;
        tasks += number(17).max(1);
        memory_bytes += number(21) * page;
    }
    seen.cpu_us = seen.cpu_us.max(cpu_us);
    seen.memory_bytes = seen.memory_bytes.max(memory_bytes).max(largest);
    seen.processes_hit |= tasks >= u64::from(walls.processes);
}
