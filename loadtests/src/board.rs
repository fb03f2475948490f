//! A wall of 100,000 contestants: scores moved and ranks asked a second, in turns with Redis's
//! sorted sets on the same moves.
//!
//! Ours begins with the frame that a session's commit puts on the bus and ends with the contestant's
//! row, its rank in it. Redis is told the score, made ready beforehand, and answers that it is set;
//! what ours takes from there is a figure of its own, and so is what it takes from the frame of
//! another node, whose row of JSON has to be read first.

mod ours;
mod redis;
mod whole;

use std::{sync::Arc, time::Duration};

use clap::Args;
use domain::ids::SessionId;
use loadtests::figures::{Figure, report};

use self::{
    ours::{FLUSH, From, Ours},
    redis::Redis,
    whole::Whole,
};

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

pub(crate) async fn run(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut random = fastrand::Rng::with_seed(7);
    let keys: Vec<SessionId> =
        (0..config.contestants).map(|n| SessionId::derived(&n.to_string())).collect();
    let mut ours = Ours::new(&keys);
    let mut redis = Redis::start(&config.redis, &keys)?;
    let whole = Whole::start(&keys);
    let all = (0..config.contestants).map(|contestant| drawn(&mut random, contestant));
    let all: Vec<Move> = all.collect();
    ours.play(&all, From::Here, FLUSH).await;
    redis.play(&all)?;
    whole.play(&Arc::new(all))?;

    let mut seen = Seen::default();
    for pair in 0..config.pairs {
        let moves = Moves::draw(config, &mut random);
        // Whoever is first has a cooler cache, so they take turns.
        for turn in [pair % 2, 1 - pair % 2] {
            if turn == 0 {
                seen.ours(&mut ours, &whole, &moves).await?;
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
    same_ranks(&ours, &mut redis, config.contestants)
}

/// What both halves of a pair play, all of it, so that both end alike.
struct Moves {
    whole: Arc<Vec<Move>>,
    many: Vec<Move>,
    few: Vec<Move>,
    ready: Vec<Move>,
    foreign: Vec<Move>,
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
            (0..config.moves).map(one).collect()
        };
        let (many, few, ready, foreign) = (draw(), draw(), draw(), draw());
        let whole = Arc::new(draw());
        Self {
            whole,
            many,
            few,
            ready,
            foreign,
            asked: (0..config.moves).map(|_| any(random)).collect(),
        }
    }
}

/// How many a second.
#[derive(Default)]
struct Seen {
    whole: Rates,
    many: Rates,
    few: Rates,
    ready: Rates,
    ranks: Rates,
    elsewhere: Vec<f64>,
}

impl Seen {
    async fn ours(&mut self, ours: &mut Ours, board: &Whole, moves: &Moves) -> anyhow::Result<()> {
        let Moves { whole, many, few, ready, foreign, asked } = moves;
        let count = asked.len();
        self.elsewhere.push(rate(count, ours.play(foreign, From::Elsewhere, FLUSH).await));
        self.ready.ours.push(rate(count, ours.move_all(ready)));
        self.many.ours.push(rate(count, ours.play(many, From::Here, FLUSH).await));
        self.few.ours.push(rate(count, ours.play(few, From::Here, BATCH).await));
        self.ranks.ours.push(rate(count, ours.ask(asked)));
        self.whole.ours.push(rate(count, board.play(whole)?));
        ours.play(whole, From::Here, FLUSH).await;
        Ok(())
    }

    fn redis(&mut self, redis: &mut Redis, moves: &Moves) -> anyhow::Result<()> {
        let count = moves.asked.len();
        redis.play(&moves.foreign)?;
        self.ready.redis.push(rate(count, redis.play(&moves.ready)?));
        self.many.redis.push(rate(count, redis.play(&moves.many)?));
        self.few.redis.push(rate(count, redis.play(&moves.few)?));
        self.ranks.redis.push(rate(count, redis.ask(&moves.asked)?));
        self.whole.redis.push(rate(count, redis.play(&moves.whole)?));
        Ok(())
    }

    fn figures(self) -> Vec<Figure> {
        let mut figures = vec![];
        figures.extend(self.whole.figures("committed frame to row, the board itself"));
        figures.extend(self.many.figures(&format!("frame to row, {FLUSH} a time")));
        figures.extend(self.few.figures(&format!("frame to row, {BATCH} a time")));
        let elsewhere = middle(self.elsewhere);
        figures.push(Figure::plain("frame of another node to row, ours", elsewhere, "1/s"));
        figures.extend(self.ready.figures("score to row"));
        figures.extend(self.ranks.figures("rank of one"));
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
    fn figures(self, what: &str) -> [Figure; 5] {
        let mut ratios: Vec<f64> =
            self.ours.iter().zip(&self.redis).map(|(ours, redis)| ours / redis).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        // Order statistics: all but the outermost on each side, at least of nine.
        let outer = usize::from(ratios.len() >= 9);
        let name = |figure: &str| format!("{what}, {figure}");
        [
            Figure::plain(&name("ours"), middle(self.ours), "1/s"),
            Figure::plain(&name("Redis"), middle(self.redis), "1/s"),
            Figure::at_least(&name("ratio"), middle(ratios.clone()), "x", 3.0),
            Figure::plain("  95 % from", ratios[outer], "x"),
            Figure::plain("  95 % to", ratios[ratios.len() - 1 - outer], "x"),
        ]
    }
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

/// After all moves both must say the same of everybody asked for.
fn same_ranks(ours: &Ours, redis: &mut Redis, contestants: usize) -> anyhow::Result<Vec<String>> {
    let mut problems = vec![];
    for contestant in (0..contestants).step_by(97) {
        let (mine, theirs) = (ours.rank(contestant), redis.rank(contestant)?);
        if mine != Some(theirs) {
            problems.push(format!("contestant {contestant}: {mine:?}, Redis {theirs}"));
        }
    }
    Ok(problems)
}
