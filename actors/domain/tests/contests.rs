//! Real contests, replayed run by run: every rank is the one that follows from the file by sorting
//! everything, at the end and as the board was frozen.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use domain::{
    at::At,
    campaign::WallRules,
    ids::SessionId,
    points::Points,
    ranking::{Move, Ranking, Score},
    session::{Mark, QuestionScore, Sitting},
};
use serde::Deserialize;

/// A contest as its files say; times since its start.
struct Contest {
    questions: usize,
    frozen_at: i64,
    teams: Vec<String>,
    /// In order of time.
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    team_id: String,
    problem_id: String,
    timestamp: i64,
    status: String,
}

#[derive(Deserialize)]
struct Team {
    team_id: String,
}

#[derive(Deserialize)]
struct Config {
    start_time: i64,
    end_time: i64,
    frozen_time: i64,
    problem_quantity: usize,
}

#[test]
fn a_contest_of_two_and_a_half_thousand_teams_ends_with_the_ranks_of_its_file() {
    let Some(contest) = contest("icpc_48th_online-qualification-1", 1_000) else { return };
    assert_eq!((contest.teams.len(), contest.runs.len()), (2_554, 34_262));
    replay(&contest);
}

#[test]
fn a_contest_timed_in_milliseconds_ends_with_the_ranks_of_its_file() {
    let Some(contest) = contest("icpc_49th_shanghai", 1) else { return };
    assert_eq!((contest.teams.len(), contest.runs.len()), (352, 5_682));
    replay(&contest);
}

#[test]
fn a_contest_that_is_frozen_shows_the_hour_before_and_is_revealed_to_its_end() {
    for (name, unit) in [("icpc_48th_online-qualification-1", 1_000), ("icpc_49th_shanghai", 1)] {
        let Some(contest) = contest(name, unit) else { return };
        let mut sittings = begun(&contest);
        contest.runs.iter().for_each(|run| take(&mut sittings, run));
        let before = |run: &&Run| run.timestamp < contest.frozen_at;
        let frozen_at = Some(At(contest.frozen_at));
        let shown = ranked(&sittings, frozen_at);
        assert_eq!(ranks(&shown), plain(&contest, contest.runs.iter().filter(before)));
        assert_eq!(ranks(&ranked(&sittings, None)), plain(&contest, contest.runs.iter()));
    }
}

/// Plays all runs in order; looks at every rank now and then, and at the end.
fn replay(contest: &Contest) {
    let mut sittings = begun(contest);
    let mut ranking = Ranking::default();
    ranking.put(contest.teams.iter().map(|team| new(team, score(&sittings[team], None))));
    for (n, run) in contest.runs.iter().enumerate() {
        let before = Some(score(&sittings[&run.team_id], None));
        take(&mut sittings, run);
        let after = Some(score(&sittings[&run.team_id], None));
        ranking.put([Move { key: run.team_id.as_str(), before, after }]);
        if n % 3_000 == 0 || n + 1 == contest.runs.len() {
            assert_eq!(ranks(&ranking), plain(contest, contest.runs.iter().take(n + 1)), "{n}");
        }
    }
    let mut placed = (0..ranking.len()).map(|place| ranking.at(place).expect("a row"));
    assert!(placed.all(|row| ranking.rank(row.score.standing) == row.rank));
}

type Sittings = BTreeMap<String, Sitting>;

/// All teams have started, and tried nothing.
fn begun(contest: &Contest) -> Sittings {
    let untried = QuestionScore {
        score: Points::default(),
        points: Points::from_hundredths(1),
        passed: 0,
        total: 1,
        answered: true,
        runs: 0,
        best_at: None,
        marks: vec![],
    };
    let questions = vec![untried; contest.questions];
    let session = SessionId::from_u128(1);
    let sitting = Sitting { session, started_at: Some(At(0)), sealed_at: None, questions };
    contest.teams.iter().map(|team| (team.clone(), sitting.clone())).collect()
}

/// What a run makes of its team's row.
fn take(sittings: &mut Sittings, run: &Run) {
    let number: usize = run.problem_id.parse().expect("a number");
    let sitting = sittings.get_mut(&run.team_id).expect("a team of the contest");
    let question = &mut sitting.questions[number];
    let all = matches!(run.status.as_str(), "CORRECT" | "ACCEPTED");
    let score = Points::from_hundredths(u32::from(all));
    let (at, uncompiled) = (At(run.timestamp), run.status == "COMPILATION_ERROR");
    question.marks.push(Mark { at, score, all, uncompiled });
    if question.score < score {
        (question.score, question.best_at) = (score, Some(at));
    }
}

fn score(sitting: &Sitting, frozen_at: Option<At>) -> Score {
    sitting.results(frozen_at, WallRules::Icpc).expect("it has started").by(WallRules::Icpc)
}

fn ranked(sittings: &Sittings, frozen_at: Option<At>) -> Ranking<&str> {
    let mut ranking = Ranking::default();
    ranking.put(sittings.iter().map(|(team, sitting)| new(team, score(sitting, frozen_at))));
    ranking
}

fn new(team: &str, score: Score) -> Move<&str> {
    Move { key: team, before: None, after: Some(score) }
}

fn ranks(ranking: &Ranking<&str>) -> BTreeMap<String, usize> {
    let row = |place| ranking.at(place).expect("a row");
    (0..ranking.len()).map(row).map(|row| (row.key.to_owned(), row.rank)).collect()
}

/// Every team's rank from the file alone, by sorting: nothing here is shared with the rules.
fn plain<'a>(contest: &Contest, runs: impl Iterator<Item = &'a Run>) -> BTreeMap<String, usize> {
    let mut wrong: HashMap<(&str, &str), i64> = HashMap::new();
    let mut right: HashMap<(&str, &str), i64> = HashMap::new();
    for Run { team_id, problem_id, timestamp, status } in runs {
        let cell = (team_id.as_str(), problem_id.as_str());
        if right.contains_key(&cell) {
            continue;
        }
        match status.as_str() {
            "CORRECT" | "ACCEPTED" => drop(right.insert(cell, *timestamp)),
            "COMPILATION_ERROR" => {}
            _ => *wrong.entry(cell).or_default() += 1,
        }
    }
    let mut totals: HashMap<&str, (i64, i64)> = HashMap::new();
    for (cell, timestamp) in right {
        let (solved, penalty) = totals.entry(cell.0).or_default();
        *solved -= 1;
        *penalty += timestamp / 60_000 + 20 * wrong.get(&cell).copied().unwrap_or(0);
    }
    let total = |team: &String| totals.get(team.as_str()).copied().unwrap_or_default();
    let mut sorted: Vec<_> = contest.teams.iter().map(|team| (total(team), team)).collect();
    sorted.sort();
    let rank = |total| 1 + sorted.partition_point(|(other, _)| *other < total);
    sorted.iter().map(|(total, team)| ((*team).clone(), rank(*total))).collect()
}

/// A contest by its name, whose times are in units of so many ms; none where it is not at hand,
/// which is said.
///
/// Panics if it is missing under CI, where nothing may be left out.
fn contest(name: &str, unit_ms: i64) -> Option<Contest> {
    let path = shared().join("data/contest-streams").join(name);
    if !path.is_dir() {
        assert!(variable("CI").as_deref() != Some("true"), "{} is missing", path.display());
        eprintln!("1 contest left out, since there is no {}", path.display());
        return None;
    }
    let config = std::fs::read(path.join("config.json")).expect("it can be read");
    let config: Config = serde_json::from_slice(&config).expect("a configuration");
    let teams: Vec<Team> = unpacked(&path.join("team.json.gz"));
    let mut runs: Vec<Run> = unpacked(&path.join("run.json.gz"));
    for run in &mut runs {
        run.timestamp *= unit_ms;
    }
    runs.sort_by_key(|run| run.timestamp);
    Some(Contest {
        questions: config.problem_quantity,
        frozen_at: (config.end_time - config.start_time - config.frozen_time) * 1_000,
        teams: teams.into_iter().map(|team| team.team_id).collect(),
        runs,
    })
}

fn unpacked<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let file = std::fs::File::open(path).expect("it can be read");
    let read = flate2::read::GzDecoder::new(std::io::BufReader::new(file));
    serde_json::from_reader(std::io::BufReader::new(read)).expect("a list")
}

/// The directory of shared data, which usually lies beside the workspace.
fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    variable("POLYCODE_SHARED").map_or_else(beside, PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own to parse")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
