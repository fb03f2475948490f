//! The last steps before untrusted code: limits, and everything given up that can be.

use std::{collections::BTreeMap, os::unix::process::CommandExt};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets},
};

use crate::{
    frame::{Order, Walls},
    init::Charge,
    off::{Off, Wall},
    sys::{self, python::Python},
    tree::{BOX, WORK},
};

/// Stack of the first thread, in bytes: deep recursion is common in answers.
const STACK_BYTES: u64 = 64 << 20;
/// Open descriptors of one process.
const DESCRIPTORS_MAX: u64 = 1024;

/// How much others go before a program where no group gives it fewer shares, see setpriority(2).
const NICE: i32 = 10;

/// Becomes the program. Comes back only with the reason why it cannot.
pub(crate) fn exec(charge: &Charge<'_>) -> anyhow::Error {
    match confine(charge) {
        Ok(()) => {}
        Err(why) => return why,
    }
    let order = charge.order;
    if let Some(python) = charge.python {
        return interpret(python, order);
    }
    let Some((path, arguments)) = order.argv.split_first() else {
        return anyhow::anyhow!("no program was named");
    };
    if let Some(program) = charge.program() {
        let error = sys::exec_file(program, &order.argv, &order.env);
        return anyhow::Error::new(error).context("what was compiled could not be started");
    }
    let env = order.env.iter().filter_map(|pair| pair.split_once('='));
    // `exec` also puts back the signals that Rust programs ignore.
    let error = std::process::Command::new(path).args(arguments).env_clear().envs(env).exec();
    anyhow::Error::new(error).context("the program could not be started")
}

/// Becomes the program without an exec, and so does what that would have done.
fn interpret(python: &Python, order: &Order) -> anyhow::Error {
    let ready = || -> anyhow::Result<_> {
        let path = order.argv.last().ok_or_else(|| anyhow::anyhow!("no program was named"))?;
        let env: BTreeMap<_, _> =
            order.env.iter().filter_map(|pair| pair.split_once('=')).collect();
        let unbuffered = if order.argv.iter().any(|word| word == "-u") { "True" } else { "False" };
        // JSON of texts and objects of them is Python, too.
        let (argv, env) = (serde_json::to_string(&order.argv)?, serde_json::to_string(&env)?);
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        sys::close_all()?;
        let begin = format!("__import__('sys')._polycode({argv}, {env}, {unbuffered})");
        Ok((begin, format!("{WORK}/{path}")))
    };
    match ready() {
        Ok((begin, path)) => python.become_program(&begin, &path).into(),
        Err(why) => why,
    }
}

fn confine(charge: &Charge<'_>) -> anyhow::Result<()> {
    if charge.sessions {
        rustix::process::setsid()?;
    } else {
        // In the helper's session, which has fewer shares; the filter keeps it there.
        rustix::process::setpgid(None, None)?;
        rustix::process::setpriority_process(None, NICE)?;
    }
    limit(&charge.order.walls, !charge.is_counted, charge.off)?;
    if charge.landlock {
        restrict_files()?;
    }
    if !charge.off.has(Wall::Closing) {
        sys::close_all_on_exec()?;
    }
    if !charge.off.has(Wall::Seccomp) {
        rustix::thread::set_no_new_privs(true)?;
        charge.filters.install()?;
    }
    Ok(())
}

/// Gives up every capability, also those that a program could be given later.
pub(crate) fn give_up_capabilities() -> anyhow::Result<()> {
    for capability in CapabilitySet::all().iter() {
        // A kernel older than a capability does not know it, and cannot grant it either.
        let gone = rustix::thread::remove_capability_from_bounding_set(capability);
        anyhow::ensure!(matches!(gone, Ok(()) | Err(rustix::io::Errno::INVAL)), "bounding set");
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, none)?;
    Ok(())
}

fn limit(walls: &Walls, alone: bool, off: Off) -> anyhow::Result<()> {
    let set = |resource, most: u64| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    // Behind the meter's limit, which is exact; hard equals soft, so no handler sees a signal.
    set(Resource::Cpu, u64::from(walls.cpu_ms.div_ceil(1000)) + 1)?;
    // Init is one more. Where a group counts, and tells, it must be the first to refuse.
    let spare = if alone { 1 } else { 8 };
    set(Resource::Nproc, u64::from(walls.processes) + spare)?;
    set(Resource::Fsize, walls.disk_bytes)?;
    if !off.has(Wall::Descriptors) {
        set(Resource::Nofile, DESCRIPTORS_MAX)?;
    }
    set(Resource::Stack, STACK_BYTES)?;
    set(Resource::Memlock, 64 << 10)?;
    set(Resource::Msgqueue, 0)?;
    // With 0, a handler that the machine set in core_pattern would still be started; with 1 not.
    if !off.has(Wall::Core) {
        set(Resource::Core, 1)?;
    }
    if alone {
        // The census stops a run at its limit, but looks only now and then. Far above it, as the
        // stacks of threads count in full here, used or not.
        set(Resource::Data, 4 * walls.memory_bytes + (1 << 30))?;
    }
    Ok(())
}

/// What this kernel's Landlock can do of this. The mounts say the same; this wall stands when
/// one of them is found to have a hole.
fn restrict_files() -> anyhow::Result<()> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let rules = [("/", read), (BOX, AccessFs::from_all(abi)), ("/dev", read | AccessFs::WriteFile)];
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for (path, access) in rules {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
    }
    ruleset.restrict_self()?;
    debug_assert!(std::env::current_dir().is_ok_and(|dir| dir.starts_with(WORK)));
    Ok(())
}
