//! The wall against the contest's file. What was right is the file's; when it was asked is the
//! server's, since the contest is played faster. Nothing here is shared with the server's rules.

use std::collections::{BTreeMap, HashMap};

use domain::ids::CampaignId;
use loadtests::{
    http::Http,
    wall::{self, Cell, Row},
};
use tokio::time::{Duration, Instant};

use super::{
    contest::{Contest, Verdict},
    soon,
    team::{Asked, Team},
};

/// How long a wall may take to come to its end.
const SETTLED: Duration = Duration::from_secs(30);

pub(super) struct Checked {
    pub(super) settling: Duration,
    pub(super) compared: usize,
    pub(super) problems: Vec<String>,
}

/// Reads the wall until it is as expected, or too long has passed.
pub(super) async fn check(
    viewer: &Http,
    campaign: CampaignId,
    contest: &Contest,
    teams: &[Team],
) -> anyhow::Result<Checked> {
    let expected = expected(contest, teams);
    let began = Instant::now();
    loop {
        let found = wall::read(viewer, campaign, contest.teams.len()).await?;
        let problems = differences(&expected, &found);
        if problems.is_empty() || SETTLED < began.elapsed() {
            let (settling, compared) = (began.elapsed(), found.len());
            return Ok(Checked { settling, compared, problems });
        }
        soon().await;
    }
}

fn differences(expected: &BTreeMap<String, Row>, found: &BTreeMap<String, Row>) -> Vec<String> {
    let mut problems = vec![];
    for (name, row) in found {
        if expected.get(name) != Some(row) {
            problems.push(format!("{name} is {row:?}, expected {:?}", expected.get(name)));
        }
    }
    let best = expected.values().filter(|row| !found.contains_key(&row.name));
    let best = best.map(|row| row.rank).min().unwrap_or(usize::MAX);
    // Whoever is missing has to be behind everybody who is there.
    if found.values().any(|row| best < row.rank) || found.is_empty() {
        problems.push(format!("somebody of rank {best} is missing"));
    }
    problems
}

/// Everybody's row: the file's verdicts at the server's moments, ranked by sorting.
fn expected(contest: &Contest, teams: &[Team]) -> BTreeMap<String, Row> {
    let played: HashMap<usize, &Team> = teams.iter().map(|team| (team.number(), team)).collect();
    let mut rows: Vec<Row> = (0..contest.teams.len())
        .map(|number| {
            let team = played.get(&number);
            let started_at = team.and_then(|team| team.started_at()).unwrap_or(0);
            let asked = team.map_or(&[][..], |team| &team.asked);
            row(number, cells(contest.questions, started_at, asked))
        })
        .collect();
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    let order = |row: &Row| (-(row.score as i64), row.minutes);
    let mut sorted: Vec<_> = rows.iter().map(order).collect();
    sorted.sort_unstable();
    for row in &mut rows {
        row.rank = 1 + sorted.partition_point(|other| *other < order(row));
    }
    rows.into_iter().map(|row| (row.name.clone(), row)).collect()
}

/// The first right run of a question is what counts.
fn cells(questions: usize, started_at: i64, asked: &[Asked]) -> Vec<Cell> {
    let mut cells = vec![Cell { score: 0.0, tries: 0, solved_at_min: None }; questions];
    for Asked { run, at_ms } in asked {
        let Some(cell) = cells.get_mut(usize::from(run.question)) else { continue };
        cell.tries += 1;
        if run.verdict == Verdict::Right && cell.solved_at_min.is_none() {
            cell.score = 1.0;
            cell.solved_at_min = Some((at_ms - started_at) / 60_000);
        }
    }
    cells
}

fn row(number: usize, questions: Vec<Cell>) -> Row {
    let solved = questions.iter().filter(|cell| cell.solved_at_min.is_some()).count();
    Row {
        rank: 0,
        name: format!("Candidate {number:05}"),
        score: questions.iter().map(|cell| cell.score).sum(),
        solved,
        minutes: questions.iter().filter_map(|cell| cell.solved_at_min).sum(),
        questions,
    }
}
