//! The figures.

use loadtests::{
    figures::{Figure, millis, per_mille, report},
    server::Usage,
};
use tokio::time::Duration;

use super::{
    client::{Client, Why},
    killer::Killer,
};

/// Everybody has to be up to date again so soon after their link is back.
const BACK_MS: f64 = 2_000.0;

pub(super) fn print(
    clients: &[Client],
    killer: &Killer,
    used: Usage,
    playing: Duration,
    problems: usize,
) -> anyhow::Result<()> {
    let sum = |of: fn(&Client) -> u64| whole(clients.iter().map(of).sum());
    let mut starts = millis(&killer.starts);
    let mut figures = vec![
        Figure::plain("clients", whole(clients.len() as u64), ""),
        Figure::plain("playing", playing.as_secs_f64(), "s"),
        Figure::plain("links cut", sum(|one| one.report.cuts), ""),
        Figure::plain("links stalled", sum(|one| one.report.stalls), ""),
        Figure::plain("server killed", f64::from(killer.kills), ""),
        Figure::plain("  until the next one answers, max", per_mille(&mut starts, 1_000), "ms"),
        Figure::plain("frames of rows", sum(|one| one.report.frames), ""),
        Figure::plain(
            "edits acknowledged in one go",
            sum(|one| one.candidate.report.acks.len() as u64),
            "",
        ),
        Figure::at_most("lost, doubled, out of order", whole(problems as u64), "", 0.0),
    ];
    let names = [
        (Why::Cut, "cut to up to date"),
        (Why::Silence, "silence noticed to up to date"),
        (Why::Killed, "server back to up to date"),
    ];
    for (why, name) in names {
        figures.extend(back(clients, why, name));
    }
    if used.cpu_s > 0.0 {
        let share = used.cpu_s / playing.as_secs_f64() * 100.0;
        figures.push(Figure::plain("server processor time", share, "% core"));
        figures.push(Figure::plain("server memory, max", used.rss_max_mib, "MiB"));
    }
    report("recovery", &figures)
}

/// How soon everybody was up to date again.
fn back(clients: &[Client], why: Why, name: &str) -> Vec<Figure> {
    let all = clients.iter().flat_map(|one| &one.report.back).filter(|back| back.why == why);
    let (took, connected): (Vec<_>, Vec<_>) = all.map(|back| (back.took, back.connected)).unzip();
    let (mut took, mut connected) = (millis(&took), millis(&connected));
    let count = whole(took.len() as u64);
    let name = |part: &str| format!("{name}, {part}");
    vec![
        Figure::plain(&name("times"), count, ""),
        Figure::plain(&name("p50"), per_mille(&mut took, 500), "ms"),
        Figure::plain(&name("p99"), per_mille(&mut took, 990), "ms"),
        Figure::at_most(&name("max"), per_mille(&mut took, 1_000), "ms", BACK_MS),
        Figure::plain("  since it connected, p50", per_mille(&mut connected, 500), "ms"),
        Figure::plain("  since it connected, p99", per_mille(&mut connected, 990), "ms"),
        Figure::plain("  since it connected, max", per_mille(&mut connected, 1_000), "ms"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: u64) -> f64 {
    of as f64
}
