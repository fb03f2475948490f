//! A wall of 100,000 contestants: scores moved and ranks asked a second, in turns with Redis's
//! sorted sets on the same moves.
//!
//! Ours begins with the frame that a session's commit puts on the bus and ends with the row that
//! the board shows. Redis is told the score, made ready beforehand, and answers that it is set. What
//! ours takes from there, the order alone, is a figure of its own, and so is what it takes from the
//! frame of another node, whose row of JSON has to be read first.

mod frames;
mod ranks;
mod redis;
mod whole;

use std::{sync::Arc, time::Duration};

use clap::Args;
use domain::ids::SessionId;
use loadtests::figures::{Figure, Goal, median, ratio, report};

use self::{frames::From, ranks::Ranks, redis::Redis, whole::Whole};

/// How many are asked at once, of Redis in one pipeline.
pub(crate) const BATCH: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[arg(long, default_value_t = 100_000)]
    contestants: usize,
    /// Moves, and questions for a rank, in each half of a pair.
    #[arg(long, default_value_t = 200_000)]
    moves: usize,
    /// With nine, the second and the eighth bound the median at 96 %.
    #[arg(long, default_value_t = 9)]
    pairs: usize,
    #[arg(long, default_value = "redis-server")]
    redis: std::path::PathBuf,
}

/// A contestant has now these hundredths of points, after so many minutes.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    pub(crate) contestant: usize,
    pub(crate) hundredths: u32,
    pub(crate) minutes: u32,
}

pub(crate) fn run(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut random = fastrand::Rng::with_seed(7);
    let keys: Vec<SessionId> =
        (0..config.contestants).map(|n| SessionId::derived(&n.to_string())).collect();
    let mut ranks = Ranks::new(&keys);
    let mut redis = Redis::start(&config.redis, &keys)?;
    let whole = Whole::start(&keys);
    let all = (0..config.contestants).map(|contestant| drawn(&mut random, contestant));
    let all: Vec<Move> = all.collect();
    ranks.play(&all);
    redis.play(&all)?;
    whole.play(&Arc::new(all), From::Here)?;

    let mut seen = Seen::default();
    for pair in 0..config.pairs {
        let moves = Moves::draw(config, &mut random);
        // Whoever is first has a cooler cache, so they take turns.
        for turn in [pair % 2, 1 - pair % 2] {
            if turn == 0 {
                seen.ours(&mut ranks, &whole, &moves)?;
            } else {
                seen.redis(&mut redis, &moves)?;
            }
        }
    }
    let mut figures = vec![
        Figure::plain("contestants", number(config.contestants), ""),
        Figure::plain("pairs", number(config.pairs), ""),
    ];
    figures.extend(seen.figures());
    report("board", &figures)?;
    same_ranks(&whole.ranks()?, &ranks, &mut redis)
}

/// What both halves of a pair play, all of it, so that both end alike.
struct Moves {
    here: Arc<Vec<Move>>,
    elsewhere: Arc<Vec<Move>>,
    asked: Vec<usize>,
}

impl Moves {
    fn draw(config: &Config, random: &mut fastrand::Rng) -> Self {
        let any = |random: &mut fastrand::Rng| random.usize(..config.contestants);
        let mut draw = || {
            let one = |_| {
                let contestant = any(random);
                drawn(random, contestant)
            };
            Arc::new((0..config.moves).map(one).collect())
        };
        let (here, elsewhere) = (draw(), draw());
        Self { here, elsewhere, asked: (0..config.moves).map(|_| any(random)).collect() }
    }
}

/// How many a second.
#[derive(Default)]
struct Seen {
    board: Rates,
    elsewhere: Rates,
    order: Rates,
    ranks: Rates,
}

impl Seen {
    fn ours(&mut self, ranks: &mut Ranks, board: &Whole, moves: &Moves) -> anyhow::Result<()> {
        let Moves { here, elsewhere, asked } = moves;
        let count = asked.len();
        self.order.ours.push(rate(count, ranks.play(here)));
        ranks.play(elsewhere);
        self.ranks.ours.push(rate(count, ranks.ask(asked)));
        self.board.ours.push(rate(count, board.play(here, From::Here)?));
        self.elsewhere.ours.push(rate(count, board.play(elsewhere, From::Elsewhere)?));
        Ok(())
    }

    fn redis(&mut self, redis: &mut Redis, moves: &Moves) -> anyhow::Result<()> {
        let Moves { here, elsewhere, asked } = moves;
        let count = asked.len();
        let set = rate(count, redis.play(here)?);
        self.board.redis.push(set);
        self.order.redis.push(set);
        self.elsewhere.redis.push(rate(count, redis.play(elsewhere)?));
        self.ranks.redis.push(rate(count, redis.ask(asked)?));
        Ok(())
    }

    fn figures(self) -> Vec<Figure> {
        let mut figures = vec![];
        figures.extend(self.board.figures("committed frame to row", Some(3.0)));
        figures.extend(self.elsewhere.figures("frame of another node to row", None));
        figures.extend(self.order.figures("score to rank", Some(3.0)));
        figures.extend(self.ranks.figures("rank of one", Some(3.0)));
        figures
    }
}

/// Most have some points of few questions, so that many are equal.
fn drawn(random: &mut fastrand::Rng, contestant: usize) -> Move {
    Move { contestant, hundredths: random.u32(1..1_200) * 100, minutes: random.u32(..300) }
}

fn rate(count: usize, took: Duration) -> f64 {
    number(count) / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of millions")]
fn number(count: usize) -> f64 {
    count as f64
}

/// How many a second, pair by pair.
#[derive(Default)]
struct Rates {
    ours: Vec<f64>,
    redis: Vec<f64>,
}

impl Rates {
    fn figures(&self, what: &str, goal: Option<f64>) -> Vec<Figure> {
        let name = |figure: &str| format!("{what}, {figure}");
        let mut figures = vec![
            Figure::plain(&name("ours"), median(&self.ours), "1/s"),
            Figure::plain(&name("Redis"), median(&self.redis), "1/s"),
        ];
        let goal = goal.map(Goal::AtLeast);
        figures.extend(ratio(&name("ratio"), &self.ours, &self.redis, goal));
        figures
    }
}

/// After all moves all must say the same of everybody asked for.
fn same_ranks(board: &[usize], ranks: &Ranks, redis: &mut Redis) -> anyhow::Result<Vec<String>> {
    let mut problems = vec![];
    for (contestant, shown) in board.iter().enumerate().step_by(97) {
        let (mine, theirs) = (ranks.rank(contestant), redis.rank(contestant)?);
        if mine != Some(theirs) || *shown != theirs {
            problems.push(format!(
                "contestant {contestant}: shown {shown}, alone {mine:?}, Redis {theirs}"
            ));
        }
    }
    Ok(problems)
}
