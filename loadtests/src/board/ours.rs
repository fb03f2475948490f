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
use serde_json::json;
use storage::bus::LocalBus;
use tokio::time::Instant;

use super::{BATCH, Move};

const TOPIC: Topic = Topic::Candidates(CampaignId::from_u128(1));
const STARTED_AT: i64 = 1_750_000_000_000;

/// Where a frame comes from: of another node's, the row is all there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Here,
    Elsewhere,
}

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

    /// A row as a session of three questions writes it, with its whole history; `from` says whether
    /// it was written in this process.
    fn frame(&self, seq: u64, one: &Move, from: From) -> Arc<Published> {
        let key = self.keys[one.contestant];
        let at = STARTED_AT + i64::from(one.minutes) * 60_000;
        let points = f64::from(one.hundredths) / 100.0;
        let question = |score: f64| {
            let marks = if score > 0.0 {
                json!([{ "at": at, "score": score, "all": true }])
            } else {
                json!([])
            };
            json!({ "score": score, "points": 1_200.0, "passed": 3, "total": 10, "answered": true,
                "runs": 2, "best_at": (score > 0.0).then_some(at), "marks": marks })
        };
        let value = json!({
            "session": key, "status": "test_in_process", "decline_reason": null, "current": 1,
            "time_allowed_ms": 18_000_000, "started_at": STARTED_AT,
            "ends_at": STARTED_AT + 18_000_000, "time_up_at": null, "sealed_at": null,
            "handed_in": false, "paused_at": null, "shift_ms": 0, "credits": [], "pauses": [],
            "passed": 3, "total": 30, "score": points,
            "questions": [question(points), question(0.0), question(0.0)],
            "last_verdict": { "verdict": "accepted", "cpu_ms": 12, "at": at }, "waiting": [],
            "edits": 512, "minutes": [12, 9, 14, 3, 0, 7], "seats": 1, "lates": 0,
            "late_accepted": 0,
        });
        let value = Bytes::from(value.to_string());
        let sitting = Sitting::read(&value).filter(|_| from == From::Here).map(Arc::new);
        let rows = vec![(key.to_string(), Some(value))];
        let topic = TOPIC;
        let frame = RowsFrame { topic, epoch: 1, seq, prev: None, reset: false, more: false, rows };
        Arc::new(Published { sitting, ..Published::new(frame, Bytes::new()) })
    }

    /// Puts frames on the bus and takes them in, one by one: nothing is left out because something
    /// newer follows. How long that took, without making the frames.
    pub(crate) async fn play(&mut self, moves: &[Move], from: From) -> Duration {
        let mut took = Duration::ZERO;
        for batch in moves.chunks(BATCH) {
            let frames: Vec<_> = batch.iter().map(|one| self.frame(1, one, from)).collect();
            let start = Instant::now();
            for frame in frames {
                self.bus.publish(frame);
            }
            for _ in batch {
                let heard = self.changes.next().await.expect("the bus is there");
                let published = heard.frame().expect("nothing was lost");
                self.take_in(&published);
            }
            took += start.elapsed();
        }
        took
    }

    /// The same without bus and frame, from scores that are ready, as Redis is told them.
    pub(crate) fn move_all(&mut self, moves: &[Move]) -> Duration {
        let mut took = Duration::ZERO;
        for batch in moves.chunks(BATCH) {
            let score = |one: &Move| {
                let since = At(STARTED_AT + i64::from(one.minutes) * 60_000);
                (
                    self.keys[one.contestant],
                    Score { standing: Standing::new(one.hundredths, one.minutes), since },
                )
            };
            let scores: Vec<_> = batch.iter().map(score).collect();
            let start = Instant::now();
            for (session, score) in scores {
                self.standings.put(session, Some(score));
                std::hint::black_box(self.standings.ranking().row(&session));
            }
            took += start.elapsed();
        }
        took
    }

    fn take_in(&mut self, published: &Published) {
        for (key, value) in &published.frame.rows {
            let Ok(session) = key.parse::<SessionId>() else { continue };
            let read = |row: &Bytes| Sitting::read(row).map(Arc::new);
            let sitting = published.sitting.clone().or_else(|| value.as_ref().and_then(read));
            let results = sitting.and_then(|one| one.results(None, WallRules::Points));
            self.standings.put(session, results.map(|results| results.by(WallRules::Points)));
            std::hint::black_box(self.standings.ranking().row(&session));
        }
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
