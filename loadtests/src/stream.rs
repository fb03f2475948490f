//! A real contest, played again: every run of every team at its own time, or faster, through links,
//! sockets, edits and runs. What each program comes to is told by its first line, to a sandbox that
//! runs nothing. At the end every row on the wall is held against the contest's file.

mod checks;
mod contest;
mod table;
mod team;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use clap::Args;
use domain::plan::Question;
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    creator::Creator,
    crowd::Crowd,
    server::{Server, Usage, usage},
};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, interval, sleep},
};

use self::{contest::Contest, team::Team};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    /// Where real data is.
    #[arg(long, env = "POLYCODE_SHARED", default_value = "../shared")]
    shared: PathBuf,
    /// Which contest.
    #[arg(long, default_value = "icpc_48th_online-qualification-1")]
    contest: String,
    /// How much faster than it was.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Only the first so many teams.
    #[arg(long)]
    teams: Option<usize>,
    /// Only the runs until so many minutes of the contest.
    #[arg(long)]
    minutes: Option<i64>,
}

/// Within this all have opened their sockets: so long, and so much for each.
const QUIET: Duration = Duration::from_secs(2);
const EACH: Duration = Duration::from_millis(2);
/// How often it says how far it is.
const SAY: Duration = Duration::from_secs(20);
/// How many do the same thing at the same time, before it begins.
const ABREAST: usize = 32;

/// What was measured.
struct Measured {
    preparing: Duration,
    playing: Duration,
    settling: Duration,
    before: Usage,
    after: Usage,
    /// How many rows of the wall were held against the file.
    compared: usize,
    problems: Vec<String>,
}

/// Answers what went wrong.
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let directory = config.shared.join("data/contest-streams").join(&config.contest);
    let contest = Contest::read(&directory)?.part(config.teams, config.minutes);
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let began = Instant::now();
    let questions = questions(&mut creator, contest.questions).await?;
    let mut crowd = Crowd::begin(&mut creator, "Contest", questions, contest.teams.len()).await?;
    let mut playing = JoinSet::new();
    let candidates = std::mem::take(&mut crowd.candidates);
    let teams = candidates
        .into_iter()
        .enumerate()
        .map(|(number, candidate)| Team::new(candidate, contest.runs_of(number), config.speed));
    let teams: Vec<Team> = stream::iter(teams).buffered(ABREAST).try_collect().await?;
    let preparing = began.elapsed();
    let pid = server.pid().unwrap_or_default();
    let before = usage(pid)?;
    let start_at = Instant::now() + QUIET + EACH * u32::try_from(teams.len())?;
    let sent = Arc::<AtomicUsize>::default();
    for team in teams {
        playing.spawn(team.play(start_at, Arc::clone(&sent)));
    }
    let mut teams = vec![];
    let mut said = interval(SAY);
    loop {
        tokio::select! {
            team = playing.join_next() => match team {
                Some(team) => teams.push(team??),
                None => break,
            },
            _ = said.tick() => say(&contest, teams.len(), sent.load(Ordering::Relaxed)),
        }
    }
    let (playing, after) = (start_at.elapsed(), usage(pid)?);
    teams.sort_by_key(Team::number);
    let viewer = crowd.viewer(&mut creator).await?;
    let checked = checks::check(&viewer, crowd.campaign, &contest, &teams).await?;
    let mut problems = checked.problems;
    problems.extend(teams.iter_mut().flat_map(Team::problems));
    let (settling, compared) = (checked.settling, checked.compared);
    let measured = Measured { preparing, playing, settling, before, after, compared, problems };
    table::print(&config, &contest, &teams, &measured)?;
    Ok(measured.problems)
}

/// So many questions, each with one validator, worth one point: what counts is how many are solved.
async fn questions(creator: &mut Creator, count: usize) -> anyhow::Result<Vec<Question>> {
    let mut all = vec![];
    for _ in 0..count {
        all.push(creator.code(1, None).await?);
    }
    Ok(all)
}

#[expect(clippy::print_stderr, reason = "it takes minutes")]
fn say(contest: &Contest, done: usize, sent: usize) {
    let (teams, runs) = (contest.teams.len(), contest.runs.len());
    eprintln!("{sent} of {runs} runs asked for, {done} of {teams} teams done");
}

/// As long as everything takes anyway.
async fn soon() {
    sleep(Duration::from_millis(50)).await;
}
