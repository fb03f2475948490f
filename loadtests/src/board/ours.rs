//! Our half: frames on the bus, taken in as a board does.

use std::{sync::Arc, time::Duration};

use actors::board::Standings;
use bytes::Bytes;
use domain::{
    at::At,
    campaign::WallRules,
    frame::RowsFrame,
    ids::{CampaignId, SessionId},
    ports::{Bus, Published, Subscription},
    ranking::{Score, Standing},
    rows::Topic,
    session::Sitting,
};
use storage::bus::LocalBus;
use tokio::time::Instant;

use super::{BATCH, Move};

pub(super) const CAMPAIGN: CampaignId = CampaignId::from_u128(1);
const TOPIC: Topic = Topic::Candidates(CAMPAIGN);
const STARTED_AT: i64 = 1_750_000_000_000;

/// Where a frame comes from: of another node's, the row is all there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Here,
    Elsewhere,
}

/// How many changes a wall takes in between two times that it is sent, if it is told as many as its
/// queue holds. With few of them each costs as much as one by one.
pub(crate) const FLUSH: usize = 16 * 1024;

pub(crate) struct Ours {
    keys: Vec<SessionId>,
    bus: LocalBus,
    changes: Box<dyn Subscription>,
    standings: Standings,
}

impl Ours {
    pub(crate) fn new(keys: &[SessionId]) -> Self {
        let bus = LocalBus::default();
        let changes = bus.subscribe(TOPIC);
        Self { keys: keys.to_vec(), bus, changes, standings: Standings::default() }
    }

    /// Puts frames on the bus as they are made and takes them in; every `flush` frames, as a wall that
    /// is sent, it puts all who changed where they belong, and reads the row of each. How long that
    /// took, without making the frames.
    pub(crate) async fn play(&mut self, moves: &[Move], from: From, flush: usize) -> Duration {
        let mut took = Duration::ZERO;
        for flush in moves.chunks(flush) {
            let mut changed = Vec::with_capacity(flush.len());
            for batch in flush.chunks(BATCH) {
                let frames: Vec<_> = batch
                    .iter()
                    .map(|one| frame(self.keys[one.contestant], 1, one, from))
                    .collect();
                let start = Instant::now();
                self.pass(frames, &mut changed).await;
                took += start.elapsed();
            }
            let start = Instant::now();
            self.put(changed);
            took += start.elapsed();
        }
        took
    }

    async fn pass(
        &mut self,
        batch: Vec<Arc<Published>>,
        changed: &mut Vec<(SessionId, Option<Score>)>,
    ) {
        let published = batch.into_iter().map(|frame| self.bus.publish(frame)).count();
        for _ in 0..published {
            let heard = self.changes.next().await.expect("the bus is there");
            changed.extend(results(&heard.frame().expect("nothing was lost")));
        }
    }

    fn put(&mut self, changed: Vec<(SessionId, Option<Score>)>) {
        self.standings.put(changed.iter().copied());
        for (session, _) in changed {
            std::hint::black_box(self.standings.ranking().row(&session));
        }
    }

    /// The same without bus and frame, from scores that are ready, as Redis is told them.
    pub(crate) fn move_all(&mut self, moves: &[Move]) -> Duration {
        let mut took = Duration::ZERO;
        for flush in moves.chunks(FLUSH) {
            let score = |one: &Move| {
                let since = At(STARTED_AT + i64::from(one.minutes) * 60_000);
                let standing = Standing::new(one.hundredths, one.minutes);
                (self.keys[one.contestant], Some(Score { standing, since }))
            };
            let changed: Vec<_> = flush.iter().map(score).collect();
            let start = Instant::now();
            self.put(changed);
            took += start.elapsed();
        }
        took
    }

    pub(crate) fn ask(&self, contestants: &[usize]) -> Duration {
        let start = Instant::now();
        for contestant in contestants {
            std::hint::black_box(self.rank(*contestant));
        }
        start.elapsed()
    }

    pub(crate) fn rank(&self, contestant: usize) -> Option<usize> {
        self.standings.ranking().rank(&self.keys[contestant])
    }
}

/// A row as a session of three questions writes it, with its whole history; `from` says whether
/// it was written in this process.
pub(super) fn frame(key: SessionId, seq: u64, one: &Move, from: From) -> Arc<Published> {
    let value = Bytes::from(row(key, one));
    let sitting = Sitting::read(&value).filter(|_| from == From::Here).map(Arc::new);
    let rows = vec![(key.to_string(), Some(value))];
    let topic = TOPIC;
    let frame = RowsFrame { topic, epoch: 1, seq, prev: None, reset: false, more: false, rows };
    Arc::new(Published { sitting, ..Published::new(frame, Bytes::new()) })
}

fn row(key: SessionId, one: &Move) -> String {
    let at = STARTED_AT + i64::from(one.minutes) * 60_000;
    let points = f64::from(one.hundredths) / 100.0;
    let ends_at = STARTED_AT + 18_000_000;
    let question = |score: f64, best_at: &str, marks: &str| {
        format!(
            r#"{{"score":{score},"points":1200.0,"passed":3,"total":10,"answered":true,"runs":2,"best_at":{best_at},"marks":[{marks}]}}"#
        )
    };
    let mark = format!(r#"{{"at":{at},"score":{points},"all":true}}"#);
    let (best, other) = (question(points, &at.to_string(), &mark), question(0.0, "null", ""));
    format!(
        r#"{{"session":"{key}","status":"test_in_process","decline_reason":null,"current":1,"time_allowed_ms":18000000,"started_at":{STARTED_AT},"ends_at":{ends_at},"time_up_at":null,"sealed_at":null,"handed_in":false,"paused_at":null,"shift_ms":0,"credits":[],"pauses":[],"passed":3,"total":30,"score":{points},"questions":[{best},{other},{other}],"last_verdict":{{"verdict":"accepted","cpu_ms":12,"at":{at}}},"waiting":[],"edits":512,"minutes":[12,9,14,3,0,7],"seats":1,"lates":0,"late_accepted":0}}"#
    )
}

/// What a board reads of a frame.
fn results(published: &Published) -> impl Iterator<Item = (SessionId, Option<Score>)> {
    published.frame.rows.iter().filter_map(|(key, value)| {
        let session = key.parse::<SessionId>().ok()?;
        let by = |one: &Sitting| Some(one.results(None, WallRules::Points)?.by(WallRules::Points));
        let score = match (&published.sitting, value) {
            (Some(sitting), _) => by(sitting),
            (None, Some(row)) => Sitting::read(row).as_ref().and_then(by),
            (None, None) => None,
        };
        Some((session, score))
    })
}
