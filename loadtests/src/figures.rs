//! Figures: measured, held against their goals, printed as a table and kept as JSON.

use std::{path::Path, time::Duration};

use anyhow::Context;
use serde::Serialize;

/// One line of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// What it should be, if there is a goal.
    pub goal: Option<f64>,
    /// Whether the goal is met; `None` without one.
    pub holds: Option<bool>,
}

impl Figure {
    /// A figure without a goal.
    pub fn plain(name: &str, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, goal: None, holds: None }
    }

    /// A figure that should be `goal` at most.
    pub fn at_most(name: &str, value: f64, unit: &'static str, goal: f64) -> Self {
        Self { goal: Some(goal), holds: Some(value <= goal), ..Self::plain(name, value, unit) }
    }

    /// A figure that should be `goal` at least.
    pub fn at_least(name: &str, value: f64, unit: &'static str, goal: f64) -> Self {
        Self { goal: Some(goal), holds: Some(goal <= value), ..Self::plain(name, value, unit) }
    }
}

/// The value below which so many thousandths of `all` lie, by nearest rank; 0 for none.
pub fn per_mille(all: &mut [f64], part: usize) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    let rank = (all.len() * part).div_ceil(1_000).max(1);
    all.get(rank - 1).copied().unwrap_or(0.0)
}

/// Lengths of time in ms.
pub fn millis(all: &[Duration]) -> Vec<f64> {
    all.iter().map(|one| one.as_secs_f64() * 1_000.0).collect()
}

/// The median.
pub fn median(all: &[f64]) -> f64 {
    per_mille(&mut all.to_vec(), 500)
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// The median of the turns' ratios, and its interval by the sign test: of seven turns all enclose the
/// median with 98 %, of nine those without the ends with 96 %. Both the median and the interval's
/// lower end are held against the goal, if there is one: the lower end says whether a miss is more
/// than noise, and whether what is reached is.
pub fn ratio(name: &str, ours: &[f64], theirs: &[f64], goal: Option<Goal>) -> [Figure; 3] {
    let mut all: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    all.sort_unstable_by(f64::total_cmp);
    let judged = |name: &str, value| match goal {
        Some(Goal::AtLeast(goal)) => Figure::at_least(name, value, "", goal),
        Some(Goal::AtMost(goal)) => Figure::at_most(name, value, "", goal),
        None => Figure::plain(name, value, ""),
    };
    let (ends, sure) = if all.len() < 9 { (0, "98 %") } else { (1, "96 %") };
    let nth = |n: usize| all.get(n).copied().unwrap_or(f64::NAN);
    let (low, high) = (nth(ends), nth(all.len().saturating_sub(1 + ends)));
    [
        judged(name, median(&all)),
        judged(&format!("  {sure} from"), low),
        Figure::plain(&format!("  {sure} to"), high, ""),
    ]
}

/// Prints `figures` and writes them to `target/bench/<name>.json`, with what else the machine had to
/// do: figures of a busy one are of no use beside those of an idle one.
#[expect(clippy::print_stdout, reason = "the answer of a program that measures")]
pub fn report(name: &str, figures: &[Figure]) -> anyhow::Result<()> {
    let loads = loads().unwrap_or_default();
    let names = ["load of the machine, 1 min", "load of the machine, 5 min"];
    let loads = names.into_iter().zip(loads).map(|(name, load)| Figure::plain(name, load, ""));
    let figures: Vec<Figure> = figures.iter().cloned().chain(loads).collect();
    let figures = figures.as_slice();
    println!("| {name:<36} | {:>12} | {:<8} | {:>10} | holds |", "value", "unit", "goal");
    println!(
        "|{}|{}|{}|{}|-------|",
        "-".repeat(38),
        "-".repeat(14),
        "-".repeat(10),
        "-".repeat(12)
    );
    for figure in figures {
        let goal = figure.goal.map(|goal| goal.to_string()).unwrap_or_default();
        let holds = figure.holds.map_or("", |holds| if holds { "yes" } else { "NO" });
        let Figure { name, value, unit, .. } = figure;
        println!("| {name:<36} | {value:>12.2} | {unit:<8} | {goal:>10} | {holds:<5} |");
    }
    let directory = Path::new("target/bench");
    std::fs::create_dir_all(directory)?;
    let path = directory.join(format!("{name}.json"));
    let json = serde_json::to_vec_pretty(figures)?;
    std::fs::write(&path, json).with_context(|| format!("writing {}", path.display()))
}

/// How many wait for a processor, on the average of one minute and of five (`proc_loadavg(5)`).
fn loads() -> anyhow::Result<Vec<f64>> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(2).map(str::parse).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(figures: &[Figure; 3]) -> String {
        figures.each_ref().map(|one| one.value.to_string()).join(" ")
    }

    #[test]
    fn a_ratio_and_the_lower_end_of_its_interval_are_held_against_the_goal() {
        let (ours, theirs) = ([2.0, 6.0, 4.0, 3.0, 5.0, 8.0, 7.0], [2.0; 7]);
        let judged = |goal| {
            let all = ratio("", &ours, &theirs, Some(goal));
            assert_eq!(values(&all), "2.5 1 4");
            all.map(|one| one.holds)
        };
        assert_eq!(judged(Goal::AtMost(2.5)), [Some(true), Some(true), None]);
        assert_eq!(judged(Goal::AtMost(1.0)), [Some(false), Some(true), None]);
        assert_eq!(judged(Goal::AtLeast(1.1)), [Some(true), Some(false), None]);
    }

    #[test]
    fn of_nine_turns_the_outermost_are_left_out() {
        let nine: Vec<f64> = (1..=9).map(f64::from).collect();
        let all = ratio("", &nine, &[1.0; 9], None);
        assert_eq!(values(&all), "5 2 8");
        assert_eq!(all.map(|one| one.holds), [None; 3]);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut all: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!(per_mille(&mut all, 500).total_cmp(&50.0).is_eq());
        assert!(per_mille(&mut all, 990).total_cmp(&99.0).is_eq());
        assert!(per_mille(&mut all, 1_000).total_cmp(&100.0).is_eq());
        assert!(per_mille(&mut [], 500).total_cmp(&0.0).is_eq());
    }
}
