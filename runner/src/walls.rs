//! Which walls stand on this machine, in words for people who run it.

use crate::{cgroup::Meter, frame::Hello, sys, tree::Owner};

/// Whether this kernel has Landlock, and it is switched on.
pub(crate) fn has_landlock() -> bool {
    sys::landlock_version() > 0
}

/// The name of what is said of that option.
pub const FORK_SERVER: &str = "Python's fork server";

/// What became of the interpreter that was to be kept warm.
pub(crate) fn warm(missing: Option<&anyhow::Error>) -> (String, bool, String) {
    let text = match missing {
        None => "Python programs can be copies of an interpreter that is kept warm, with \
                 `--python-fork-server`"
            .to_owned(),
        Some(why) => format!(
            "with or without `--python-fork-server`, Python programs start an interpreter each \
             ({why:#}). Its library must be there: on Debian and Ubuntu, `apt install libpython3.<n>`"
        ),
    };
    (FORK_SERVER.to_owned(), missing.is_none(), text)
}

/// What a helper found, once it lives in its tree.
pub(crate) fn found(owner: Owner, meter: &Meter, landlock: bool) -> Hello {
    let own_user = matches!(owner, Owner::Unused(_));
    let metered = !matches!(meter, Meter::Census(_));
    let user = if own_user { "an unused user" } else { "the server's user" };
    let files = if landlock { "Landlock" } else { "no Landlock" };
    let isolation = format!(
        "namespaces (user, pid, mount, network, ipc, uts, cgroup), {user}, no capabilities, \
         seccomp allow-list, {files}, {}",
        meter.level()
    );
    let groups = match meter {
        Meter::V2(_) => "v2: a run's memory, processes and time are limited as a whole".to_owned(),
        Meter::V1(_) => "v1: a run's memory, processes and time are limited as a whole".to_owned(),
        Meter::Census(why) => format!(
            "a run's processes are looked at every 5 ms instead, so that for a moment they may \
             take more than they are given ({why}). To have them: {}",
            if own_user {
                "in a container, `--cgroupns=private` with /sys/fs/cgroup writable, or \
                 `--privileged`; elsewhere, mount cgroup2 at /sys/fs/cgroup"
            } else {
                "start the server as `systemd-run --user --scope -p Delegate=yes polycode serve`, \
                 or as root"
            }
        ),
    };
    let shares = match meter.shares() {
        Ok(()) => "all runs together have half of the server's".to_owned(),
        Err(why) => format!(
            "each slot is one session with less weight, and its programs have nice 10 ({why}). To have them, the \
             controller `cpu` must be offered beside `memory` and `pids`"
        ),
    };
    let wall = |name: &str, stands: bool, text: &str| (name.to_owned(), stands, text.to_owned());
    let walls = vec![
        wall("namespaces", true, "each run has its own"),
        wall("seccomp", true, "an allow-list of system calls"),
        wall(
            "a user of its own",
            own_user,
            if own_user {
                "each slot runs as a user that owns nothing"
            } else {
                "runs share the server's user; start it as root to have them apart"
            },
        ),
        wall(
            "Landlock",
            landlock,
            if landlock { "switched on" } else { "the kernel needs `lsm=landlock,…` at boot" },
        ),
        wall("control groups", metered, &groups),
        wall("processor shares", meter.shares().is_ok(), &shares),
    ];
    Hello { isolation, walls }
}
