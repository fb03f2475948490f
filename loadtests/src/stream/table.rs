//! The figures.

use loadtests::figures::{Figure, millis, per_mille, report};
use tokio::time::Duration;

use super::{Config, Measured, contest::Contest, team::Team};

pub(super) fn print(
    config: &Config,
    contest: &Contest,
    teams: &[Team],
    measured: &Measured,
) -> anyhow::Result<()> {
    let all = |of: fn(&Team) -> &Vec<Duration>| {
        millis(&teams.iter().flat_map(of).copied().collect::<Vec<_>>())
    };
    let (mut late, mut verdicts) = (all(|team| &team.late), all(|team| &team.verdicts));
    let seconds = measured.playing.as_secs_f64();
    let cpu_s = measured.after.cpu_s - measured.before.cpu_s;
    let lost = contest.runs.len() - verdicts.len();
    let figures = [
        Figure::plain("teams", whole(contest.teams.len()), ""),
        Figure::plain("times as fast", config.speed, "x"),
        Figure::plain("starting everybody", measured.preparing.as_secs_f64(), "s"),
        Figure::plain("playing", seconds, "s"),
        Figure::plain("runs", whole(contest.runs.len()), ""),
        Figure::at_most("runs without a verdict", whole(lost), "", 0.0),
        Figure::plain("verdicts a second", whole(verdicts.len()) / seconds, "1/s"),
        Figure::plain("asked late, p50", per_mille(&mut late, 500), "ms"),
        Figure::plain("asked late, p99", per_mille(&mut late, 990), "ms"),
        Figure::plain("run to verdict, p50", per_mille(&mut verdicts, 500), "ms"),
        Figure::plain("run to verdict, p99", per_mille(&mut verdicts, 990), "ms"),
        Figure::plain("run to verdict, max", per_mille(&mut verdicts, 1_000), "ms"),
        Figure::plain("wall right after the last verdict", measured.settling.as_secs_f64(), "s"),
        Figure::plain("rows of the wall compared", whole(measured.compared), ""),
        Figure::at_most("problems found", whole(measured.problems.len()), "", 0.0),
        Figure::plain("server processor time", cpu_s / seconds * 100.0, "% core"),
        Figure::plain("server memory, max", measured.after.rss_max_mib, "MiB"),
    ];
    report("stream", &figures)
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
