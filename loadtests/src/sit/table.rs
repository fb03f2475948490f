//! What was measured, as figures.

use std::time::Duration;

use loadtests::{
    candidate::Candidate,
    figures::{Figure, millis, per_mille, report},
    player::moment,
};

use super::{Config, Measured};

pub(super) fn print(
    config: &Config,
    candidates: &[Candidate],
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let mut figures = preparation(config, measured);
    figures.extend(answers(candidates, measured));
    figures.extend(expiry(candidates));
    figures.extend(machine(measured));
    let problems = u32::try_from(measured.problems.len())?;
    figures.push(Figure::at_most("problems found", f64::from(problems), "", 0.0));
    report("sit", &figures)
}

fn preparation(config: &Config, measured: &Measured) -> Vec<Figure> {
    let seconds = |name, length: Duration| Figure::plain(name, length.as_secs_f64(), "s");
    vec![
        Figure::plain("candidates", count(config.candidates), ""),
        seconds("adding all candidates", measured.adding),
        seconds("opening all links and sockets", measured.opening),
        seconds("starting all sessions", measured.starting),
        seconds("playing, with the last 12 s", measured.playing),
    ]
}

fn answers(candidates: &[Candidate], measured: &Measured) -> Vec<Figure> {
    let all = |of: fn(&Candidate) -> &[Duration]| {
        candidates.iter().flat_map(|one| millis(of(one))).collect::<Vec<f64>>()
    };
    let mut acks = all(|one| &one.report.acks);
    let mut verdicts = all(|one| &one.report.verdicts);
    let mut ages = millis(&measured.ages);
    let mut lags = millis(&measured.lags);
    let sum =
        |of: fn(&Candidate) -> u32| candidates.iter().map(|one| f64::from(of(one))).sum::<f64>();
    let refusals = sum(|one| one.report.refusals.values().sum());
    let mut figures = vec![
        Figure::plain("edits acknowledged", count(acks.len()), ""),
        Figure::at_most("edit to durable ack, p50", per_mille(&mut acks, 500), "ms", 10.0),
        Figure::at_most("edit to durable ack, p99", per_mille(&mut acks, 990), "ms", 50.0),
        Figure::plain("edit to durable ack, max", per_mille(&mut acks, 1_000), "ms"),
        Figure::plain("edits seen on the monitor", count(ages.len()), ""),
        Figure::plain("edit to monitor, p50", per_mille(&mut ages, 500), "ms"),
        Figure::at_most("edit to monitor, p99", per_mille(&mut ages, 990), "ms", 400.0),
        Figure::plain("runs", count(verdicts.len()), ""),
        Figure::plain("run to verdict, p50", per_mille(&mut verdicts, 500), "ms"),
        Figure::plain("run to verdict, p99", per_mille(&mut verdicts, 990), "ms"),
        Figure::at_most("own lag, p99", per_mille(&mut lags, 990), "ms", 5.0),
        Figure::plain("sockets lost and resumed", sum(|one| one.report.resumes), ""),
        Figure::plain("refusals", refusals, ""),
    ];
    figures.push(Figure::plain(
        "monitor settled after the end",
        measured.settling.as_secs_f64() * 1_000.0,
        "ms",
    ));
    figures
}

/// How late the time was up: by the server's rows, and as it was heard.
fn expiry(candidates: &[Candidate]) -> Vec<Figure> {
    let ended = candidates.iter().filter_map(|one| {
        let row = one.view.row("session");
        let (ends_at, up_at) = (moment(row, "ends_at")?, moment(row, "time_up_at")?);
        let late = |at: i64| i32::try_from(at - ends_at).map_or(f64::MAX, f64::from);
        Some((late(up_at), one.report.time_up_heard_at.map(late)))
    });
    let (mut late, heard): (Vec<f64>, Vec<Option<f64>>) = ended.unzip();
    let mut heard: Vec<f64> = heard.into_iter().flatten().collect();
    vec![
        Figure::plain("expired in the same moment", count(late.len()), ""),
        Figure::at_least(
            "time up late, min",
            late.iter().copied().fold(f64::MAX, f64::min),
            "ms",
            0.0,
        ),
        Figure::plain("time up late, p50", per_mille(&mut late, 500), "ms"),
        Figure::at_most("time up late, p99", per_mille(&mut late, 990), "ms", 100.0),
        Figure::plain("time up late, max", per_mille(&mut late, 1_000), "ms"),
        Figure::plain("time up heard late, p50", per_mille(&mut heard, 500), "ms"),
        Figure::plain("time up heard late, p99", per_mille(&mut heard, 990), "ms"),
    ]
}

fn machine(measured: &Measured) -> Vec<Figure> {
    let Measured { before, after, judged, playing, .. } = measured;
    if after.rss_mib == 0.0 {
        return vec![];
    }
    let cpu_s = after.cpu_s - before.cpu_s;
    vec![
        Figure::at_most("server memory, max", judged.rss_max_mib, "MiB", 128.0),
        Figure::plain("server memory, at the end", judged.rss_mib, "MiB"),
        Figure::plain("server processor time", cpu_s / playing.as_secs_f64() * 100.0, "% core"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn count(of: usize) -> f64 {
    of as f64
}
