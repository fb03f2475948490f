//! A contest as its files say.

use std::{collections::HashMap, fs::File, io::BufReader, path::Path};

use anyhow::Context;
use flate2::read::GzDecoder;
use serde::{Deserialize, de::DeserializeOwned};

/// See the module.
pub(super) struct Contest {
    pub(super) questions: usize,
    pub(super) teams: Vec<String>,
    /// In order of time.
    pub(super) runs: Vec<Run>,
}

/// One run, of the team in that place of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) team: usize,
    pub(super) question: u16,
    /// Since the contest began.
    pub(super) at_ms: i64,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    DoesNotCompile,
}

#[derive(Deserialize)]
struct Told {
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
    problem_quantity: usize,
}

impl Contest {
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let config = File::open(directory.join("config.json"));
        let config = config.with_context(|| format!("no contest in {}", directory.display()))?;
        let config: Config = serde_json::from_reader(BufReader::new(config))?;
        let teams: Vec<Team> = unpacked(&directory.join("team.json.gz"))?;
        let teams: Vec<String> = teams.into_iter().map(|team| team.team_id).collect();
        let told: Vec<Told> = unpacked(&directory.join("run.json.gz"))?;
        // Some count in seconds, others in ms, and none says which.
        let last = told.iter().map(|one| one.timestamp).max().unwrap_or(0);
        let unit_ms = if last <= config.end_time - config.start_time { 1_000 } else { 1 };
        let places: HashMap<&str, usize> =
            teams.iter().enumerate().map(|(place, team)| (team.as_str(), place)).collect();
        let run = |told: Told| {
            let team = *places.get(told.team_id.as_str()).context("a team of the contest")?;
            let at_ms = told.timestamp * unit_ms;
            let verdict = Verdict::of(&told.status);
            Ok(Run { team, question: told.problem_id.parse()?, at_ms, verdict })
        };
        let mut runs = told.into_iter().map(run).collect::<anyhow::Result<Vec<_>>>()?;
        runs.sort_by_key(|run| run.at_ms);
        Ok(Self { questions: config.problem_quantity, teams, runs })
    }

    /// Only the first teams, and the first minutes.
    pub(super) fn part(mut self, teams: Option<usize>, minutes: Option<i64>) -> Self {
        self.teams.truncate(teams.unwrap_or(usize::MAX));
        let until_ms = minutes.map_or(i64::MAX, |minutes| minutes * 60_000);
        let count = self.teams.len();
        self.runs.retain(|run| run.team < count && run.at_ms < until_ms);
        self
    }

    pub(super) fn runs_of(&self, team: usize) -> Vec<Run> {
        self.runs.iter().filter(|run| run.team == team).copied().collect()
    }
}

impl Verdict {
    fn of(status: &str) -> Self {
        match status {
            "CORRECT" | "ACCEPTED" => Self::Right,
            "COMPILATION_ERROR" => Self::DoesNotCompile,
            _ => Self::Wrong,
        }
    }

    /// A program that comes to it, in a sandbox that runs nothing.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Right => "# right\n",
            Self::Wrong => "# wrong\n",
            Self::DoesNotCompile => "# compile error\n",
        }
    }
}

fn unpacked<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_reader(BufReader::new(GzDecoder::new(BufReader::new(file))))?)
}
