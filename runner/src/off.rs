//! Walls taken away on purpose, so that tests see which hostile program each of them holds. Only
//! the executable `polycode-sandbox-without` names any; no setting of the server reaches this.

use crate::frame::Walls;

/// A wall that a test can take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wall {
    /// The filter of system calls, and with it `no_new_privs`.
    Seccomp,
    Landlock,
    /// The network namespace.
    Network,
    /// The namespace of System V shared memory and the like.
    Ipc,
    /// That every capability is given up.
    Capabilities,
    /// That the program is not root within its namespace.
    Nobody,
    /// That init cannot be traced or read.
    Tracing,
    /// The run's own `/proc`, over the machine's.
    Proc,
    /// The tree without the machine's directories.
    Tree,
    /// That descriptors above standard error are closed.
    Closing,
    /// The most descriptors at once.
    Descriptors,
    /// The smallest limit of core files.
    Core,
    Memory,
    Processes,
    Disk,
    Output,
    /// The limit of time on the wall.
    Time,
    /// The limit of processor time.
    Processor,
}

/// Each wall by its name.
const NAMES: [(&str, Wall); 18] = [
    ("seccomp", Wall::Seccomp),
    ("landlock", Wall::Landlock),
    ("network", Wall::Network),
    ("ipc", Wall::Ipc),
    ("capabilities", Wall::Capabilities),
    ("nobody", Wall::Nobody),
    ("tracing", Wall::Tracing),
    ("proc", Wall::Proc),
    ("tree", Wall::Tree),
    ("closing", Wall::Closing),
    ("descriptors", Wall::Descriptors),
    ("core", Wall::Core),
    ("memory", Wall::Memory),
    ("processes", Wall::Processes),
    ("disk", Wall::Disk),
    ("output", Wall::Output),
    ("time", Wall::Time),
    ("processor", Wall::Processor),
];

/// Which walls are taken away; none, but in a test of the tests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Off(u32);

impl Off {
    /// The walls in a list like `seccomp-network`. Fails at a name that none has.
    pub(crate) fn named(list: &str) -> anyhow::Result<Self> {
        let mut off = Self::default();
        for name in list.split('-') {
            let found = NAMES.iter().find(|(known, _)| *known == name);
            let (_, wall) = found.ok_or_else(|| anyhow::anyhow!("no wall is called {name}"))?;
            off.0 |= 1 << *wall as u32;
        }
        Ok(off)
    }

    pub(crate) fn has(self, wall: Wall) -> bool {
        self.0 & (1 << wall as u32) != 0
    }

    /// Moves limits so far out that a hostile program shows it, and not so far that the machine
    /// would feel it: these programs bound themselves.
    pub(crate) fn widen(self, walls: &mut Walls) {
        if self.has(Wall::Memory) {
            walls.memory_bytes = 6 << 30;
        }
        if self.has(Wall::Processes) {
            walls.processes *= 2;
        }
        if self.has(Wall::Disk) {
            walls.disk_bytes = 3 << 30;
        }
        if self.has(Wall::Output) {
            walls.output_bytes = walls.output_bytes.saturating_mul(16);
        }
        if self.has(Wall::Time) {
            // Still before the server takes the helper for broken.
            walls.wall_ms += 3_000;
        }
        if self.has(Wall::Processor) {
            walls.cpu_ms += 60_000;
        }
    }
}
