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
    let rows = (0..contest.teams.len()).map(|number| {
        let team = played.get(&number);
        let started_at = team.and_then(|team| team.started_at()).unwrap_or(0);
        let asked = team.map_or(&[][..], |team| &team.asked);
        row(number, cells(contest.questions, started_at, asked), since(asked))
    });
    ranked(rows.collect())
}

/// Each with its rank: one more than there are who have more, or as much in less time.
fn ranked(mut rows: Vec<Row>) -> BTreeMap<String, Row> {
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

/// When the last question was solved for the first time.
fn since(asked: &[Asked]) -> Option<i64> {
    let mut first = HashMap::<u16, i64>::new();
    for Asked { run, at_ms } in asked.iter().filter(|asked| asked.run.verdict == Verdict::Right) {
        first.entry(run.question).or_insert(*at_ms);
    }
    first.into_values().max()
}

fn row(number: usize, questions: Vec<Cell>, since: Option<i64>) -> Row {
    let solved = questions.iter().filter(|cell| cell.solved_at_min.is_some()).count();
    Row {
        rank: 0,
        name: format!("Candidate {number:05}"),
        score: questions.iter().map(|cell| cell.score).sum(),
        solved,
        minutes: questions.iter().filter_map(|cell| cell.solved_at_min).sum(),
        since,
        questions,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::contest::{Run, Verdict},
        *,
    };

    fn asked(question: u16, minute: i64, verdict: Verdict) -> Asked {
        let at_ms = minute * 60_000 + 59_999;
        Asked { run: Run { team: 0, question, at_ms: 0, verdict }, at_ms }
    }

    /// One has solved two questions, two have solved one at the same time, the last none.
    fn wall() -> BTreeMap<String, Row> {
        let right = |question, minute| asked(question, minute, Verdict::Right);
        let wrong = |question, minute| asked(question, minute, Verdict::Wrong);
        let all = [
            vec![wrong(0, 1), right(0, 7), right(0, 8), right(1, 9)],
            vec![right(1, 3)],
            vec![right(0, 3), wrong(1, 4)],
            vec![wrong(1, 4), asked(1, 5, Verdict::DoesNotCompile)],
        ];
        let rows = all
            .iter()
            .enumerate()
            .map(|(number, asked)| row(number, cells(2, 0, asked), since(asked)));
        ranked(rows.collect())
    }

    #[test]
    fn the_first_right_run_counts_and_equals_share_a_rank() {
        let ranks: Vec<_> =
            wall().values().map(|row| (row.rank, row.solved, row.minutes)).collect();
        assert_eq!(ranks, [(1, 2, 16), (2, 1, 3), (2, 1, 3), (4, 0, 0)]);
        assert_eq!(wall()["Candidate 00000"].questions[0].tries, 3);
    }

    #[test]
    fn a_wrong_rank_a_lost_run_and_a_missing_row_are_seen() {
        assert_eq!(differences(&wall(), &wall()), Vec::<String>::new());
        let spoil = |spoil: fn(&mut Row)| {
            let mut found = wall();
            spoil(found.get_mut("Candidate 00002").unwrap());
            differences(&wall(), &found).len()
        };
        assert_eq!(spoil(|row| row.rank = 3), 1);
        assert_eq!(spoil(|row| row.questions[1].tries = 0), 1);
        assert_eq!(spoil(|row| row.minutes += 1), 1);
        let mut found = wall();
        found.remove("Candidate 00003");
        assert_eq!(differences(&wall(), &found).len(), 0, "the last may be in no window");
        found.remove("Candidate 00000");
        assert_eq!(differences(&wall(), &found).len(), 1);
    }
}
