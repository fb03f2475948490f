//! From how a run went to what is said of it. Pure.

use domain::{content::Limits, run::Verdict};

use crate::frame::{Ending, Exit, Stop, Walls};

/// What kept a run from ending well; `None` if nothing did.
pub(crate) fn stopped(
    ending: &Ending,
    limits: &Limits,
    walls: &Walls,
) -> Option<(Verdict, String)> {
    let by_limit = match ending.stop {
        Some(Stop::Output) => Some(Verdict::OutputLimit),
        // Whoever halts a run has judged it; what ended just before is what it was.
        Some(Stop::Halted) => None,
        // What hangs for want of a process, or fills memory with dead ones, is best told so.
        Some(_) if ending.processes_hit => Some(Verdict::ProcessLimit),
        Some(Stop::Memory) => Some(Verdict::MemoryLimit),
        Some(Stop::Wall) => Some(Verdict::WallLimit),
        Some(Stop::Cpu) => Some(Verdict::TimeLimit),
        None if ending.cpu_ms > walls.cpu_ms => Some(Verdict::TimeLimit),
        None if ending.wall_ms > walls.wall_ms => Some(Verdict::WallLimit),
        None => None,
    };
    if let Some(verdict) = by_limit {
        return Some((verdict, limit_in_words(verdict, limits)));
    }
    let (verdict, words) = match &ending.exit {
        Exit::Code(0) => return None,
        Exit::NotStarted(why) => return Some((Verdict::InternalError, why.clone())),
        Exit::Signal(libc::SIGXFSZ) => (Verdict::DiskLimit, String::new()),
        Exit::Signal(libc::SIGXCPU) => (Verdict::TimeLimit, String::new()),
        _ if ending.disk_full => (Verdict::DiskLimit, String::new()),
        _ if ending.processes_hit => (Verdict::ProcessLimit, String::new()),
        Exit::Code(code) => (Verdict::RuntimeError, format!("ended with exit code {code}")),
        Exit::Signal(signal) => (Verdict::RuntimeError, signal_in_words(*signal)),
        Exit::Stopped => (Verdict::InternalError, "the run was lost".to_owned()),
    };
    let words = if words.is_empty() { limit_in_words(verdict, limits) } else { words };
    Some((verdict, words))
}

/// That a limit was passed, in words.
pub(crate) fn limit_in_words(verdict: Verdict, limits: &Limits) -> String {
    let seconds = |ms: u32| f64::from(ms) / 1000.0;
    let size = |bytes: u64| match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes >> 20),
    };
    match verdict {
        Verdict::TimeLimit => {
            format!("used more than {} s of processor time", seconds(limits.cpu_ms))
        }
        Verdict::WallLimit => format!("still ran after {} s", seconds(limits.wall_ms)),
        Verdict::MemoryLimit => format!("used more than {} of memory", size(limits.memory_bytes)),
        Verdict::OutputLimit => format!("printed more than {}", size(limits.output_bytes.into())),
        Verdict::DiskLimit => {
            format!("wrote more than {} of files", size(limits.disk_bytes.into()))
        }
        Verdict::ProcessLimit => {
            format!("wanted more than {} processes and threads", limits.processes)
        }
        Verdict::Accepted
        | Verdict::WrongAnswer
        | Verdict::RuntimeError
        | Verdict::CompileError
        | Verdict::Rejected
        | Verdict::InternalError
        | Verdict::Stopped => String::new(),
    }
}

fn signal_in_words(signal: i32) -> String {
    let meaning = match signal {
        libc::SIGABRT => " (it aborted)",
        libc::SIGBUS => " (a bad memory access)",
        libc::SIGFPE => " (an arithmetic error, such as a division by zero)",
        libc::SIGILL => " (an illegal instruction)",
        libc::SIGKILL => " (it was killed)",
        libc::SIGPIPE => " (nobody reads what it writes)",
        libc::SIGSEGV => " (a memory access out of bounds, or too deep a recursion)",
        libc::SIGSYS => " (a forbidden system call)",
        _ => "",
    };
    format!("killed by signal {signal}{meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn only_a_program_that_ended_well_was_not_stopped() {
        assert_eq!(verdict(&ended(Exit::Code(0))), None);
        assert_eq!(verdict(&ended(Exit::Code(1))), Some(Verdict::RuntimeError));
        assert_eq!(verdict(&ended(Exit::Signal(11))), Some(Verdict::RuntimeError));
        let lost = Exit::NotStarted(String::new());
        assert_eq!(verdict(&ended(lost)), Some(Verdict::InternalError));
    }

    #[test]
    fn a_limit_is_told_before_what_came_of_it() {
        for (stop, wanted) in [
            (Stop::Cpu, Verdict::TimeLimit),
            (Stop::Wall, Verdict::WallLimit),
            (Stop::Memory, Verdict::MemoryLimit),
            (Stop::Output, Verdict::OutputLimit),
        ] {
            let ending = Ending { stop: Some(stop), ..ended(Exit::Stopped) };
            assert_eq!(verdict(&ending), Some(wanted));
        }
        let late = Ending { cpu_ms: 2001, ..ended(Exit::Code(0)) };
        assert_eq!(verdict(&late), Some(Verdict::TimeLimit));
    }

    #[test]
    fn a_halt_that_comes_too_late_changes_nothing() {
        let late = |exit| Ending { stop: Some(Stop::Halted), ..ended(exit) };
        assert_eq!(verdict(&late(Exit::Code(0))), None);
        assert_eq!(verdict(&late(Exit::Code(1))), Some(Verdict::RuntimeError));
        assert_eq!(verdict(&late(Exit::Stopped)), Some(Verdict::InternalError));
    }

    #[test]
    fn a_wall_that_was_hit_and_survived_does_not_count() {
        let full = Ending { disk_full: true, processes_hit: true, ..ended(Exit::Code(0)) };
        assert_eq!(verdict(&full), None);
        assert_eq!(verdict(&Ending { exit: Exit::Code(1), ..full }), Some(Verdict::DiskLimit));
    }

    #[test]
    fn details_are_in_words() {
        let limits = Limits::default();
        let said = |ending| stopped(&ending, &limits, &walls()).unwrap().1;
        let memory = Ending { stop: Some(Stop::Memory), ..ended(Exit::Stopped) };
        assert_eq!(said(memory), "used more than 256 MiB of memory");
        assert_eq!(said(ended(Exit::Code(3))), "ended with exit code 3");
        assert!(said(ended(Exit::Signal(11))).starts_with("killed by signal 11 (a memory"));
    }

    fn verdict(ending: &Ending) -> Option<Verdict> {
        stopped(ending, &Limits::default(), &walls()).map(|(verdict, _)| verdict)
    }

    fn ended(exit: Exit) -> Ending {
        Ending {
            exit,
            stop: None,
            processes_hit: false,
            kept: false,
            disk_full: false,
            cpu_ms: 1,
            wall_ms: 2,
            memory_bytes: 4096,
        }
    }

    fn walls() -> Walls {
        Walls {
            cpu_ms: 2000,
            wall_ms: 6000,
            memory_bytes: 1 << 28,
            processes: 32,
            output_bytes: 1 << 20,
            disk_bytes: 1 << 20,
        }
    }
}
