//! What one run may use, from what a package names and what the format leaves to us.

use domain::content::Limits;

use crate::{
    notes::Notes,
    settings::Settings,
    tree::Tree,
    yaml::{get, number},
};

/// Processor time at most, in s: a queue of slower runs would keep everybody waiting.
const CPU_S_MAX: f64 = 60.0;
/// Memory at most, in MiB: several runs share a machine.
const MEMORY_MIB_MAX: f64 = 1024.0;
/// Output at most, in MiB.
const OUTPUT_MIB_MAX: f64 = 32.0;
/// Time on the wall, as a multiple of processor time; never below its own least.
const WALL_FACTOR: u32 = 3;
const WALL_MS_MIN: u32 = 3_000;

pub(crate) fn read(tree: &Tree, settings: &Settings, notes: &mut Notes) -> Limits {
    let usual = Limits::default();
    let cpu_ms = cpu_ms(tree, settings, notes);
    let memory = mib(settings, "memory", MEMORY_MIB_MAX, notes);
    if memory.is_none() {
        notes.assume(format!(
            "{} MiB of memory, since the package names no limit",
            usual.memory_bytes >> 20
        ));
    }
    let output = mib(settings, "output", OUTPUT_MIB_MAX, notes);
    Limits {
        cpu_ms,
        wall_ms: cpu_ms.saturating_mul(WALL_FACTOR).max(WALL_MS_MIN),
        memory_bytes: memory.map_or(usual.memory_bytes, |mib| u64::from(mib) << 20),
        output_bytes: output.map_or(usual.output_bytes, |mib| mib << 20),
        ..usual
    }
}

fn cpu_ms(tree: &Tree, settings: &Settings, notes: &mut Notes) -> u32 {
    let named = number(get(&settings.limits, "time_limit")).or_else(|| beside(tree));
    let Some(named) = named.filter(|s| *s > 0.0) else {
        let usual = Limits::default().cpu_ms;
        let timed = if tree.has_folder("submissions/accepted") {
            " and its accepted solutions have not been timed"
        } else {
            ""
        };
        notes.assume(format!("{} s, since the package names no time limit{timed}", usual / 1000));
        return usual;
    };
    if named > CPU_S_MAX {
        notes.assume(format!("{CPU_S_MAX} s instead of the {named} s that the package names"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive and at most a minute"
    )]
    let ms = (named.min(CPU_S_MAX) * 1000.0).ceil() as u32;
    ms
}

/// The time limit in s that judging systems leave beside `problem.yaml`.
fn beside(tree: &Tree) -> Option<f64> {
    let file = |path| tree.get(path).map(|bytes| String::from_utf8_lossy(bytes));
    if let Some(text) = file(".timelimit") {
        return text.trim().parse().ok();
    }
    let ini = file("domjudge-problem.ini")?;
    let line = ini.lines().find_map(|line| line.trim().strip_prefix("timelimit"))?;
    let value = line.trim_start().strip_prefix('=')?;
    value.trim().trim_matches(['\'', '"']).parse().ok()
}

/// A limit in whole MiB, none if the package leaves it to us.
fn mib(settings: &Settings, key: &str, max: f64, notes: &mut Notes) -> Option<u32> {
    let named = number(get(&settings.limits, key)).filter(|mib| *mib > 0.0)?;
    if named > max {
        notes.assume(format!(
            "{max} MiB of {key} instead of the {named} MiB that the package names"
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive and at most a few thousand"
    )]
    let whole = named.min(max).ceil() as u32;
    Some(whole)
}
