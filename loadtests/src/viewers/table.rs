//! The figures.

use loadtests::figures::{Figure, millis, per_mille, report};

use super::{Config, Measured, ledger::Ledger, whole};

/// How soon a change is on a screen.
const SHOWN_MS: f64 = 400.0;

/// Answers what went wrong.
pub(super) fn print(
    config: &Config,
    ledger: &Ledger,
    measured: Measured,
) -> anyhow::Result<Vec<String>> {
    let Measured { opening, playing, quiet, before, after, lags, changes, screens, mut problems } =
        measured;
    let times = ledger.times(&screens, &changes);
    problems.extend(times.problems);
    let (mut shown, mut asked) = (times.since_verdict, times.since_run);
    let arrived: usize = screens.iter().map(|one| one.arrivals.len()).sum();
    let closed: usize = screens.iter().map(|one| one.closed).sum();
    let seconds = playing.as_secs_f64();
    let cpu_s = after.cpu_s - before.cpu_s;
    let kib = (before.rss_mib - quiet.rss_mib) * 1_024.0 / whole(config.viewers);
    let figures = [
        Figure::plain("viewers", whole(config.viewers), ""),
        Figure::plain("candidates", whole(config.candidates), ""),
        Figure::plain("opening all sockets", opening.as_secs_f64(), "s"),
        Figure::plain("scores changed", whole(changes.values().map(Vec::len).sum()), ""),
        Figure::plain("frames that arrived", whole(arrived), ""),
        Figure::plain("frames that arrived a second", whole(arrived) / seconds, "1/s"),
        Figure::plain("bytes of a frame, p50", per_mille(&mut ledger.sizes(), 500), "B"),
        Figure::plain("verdict to screen, p50", per_mille(&mut shown, 500), "ms"),
        Figure::at_most("verdict to screen, p99", per_mille(&mut shown, 990), "ms", SHOWN_MS),
        Figure::plain("verdict to screen, max", per_mille(&mut shown, 1_000), "ms"),
        Figure::plain("run asked to screen, p50", per_mille(&mut asked, 500), "ms"),
        Figure::plain("run asked to screen, p99", per_mille(&mut asked, 990), "ms"),
        Figure::plain("own lag, p99", per_mille(&mut millis(&lags), 990), "ms"),
        Figure::plain("sockets lost and opened again", whole(closed), ""),
        Figure::at_most("problems found", whole(problems.len()), "", 0.0),
        Figure::plain("server processor time", cpu_s / seconds * 100.0, "% core"),
        Figure::plain("memory a viewer", kib, "KiB"),
        Figure::plain("server memory, max", after.rss_max_mib, "MiB"),
    ];
    report("viewers", &figures)?;
    Ok(problems)
}
