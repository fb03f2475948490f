//! Frames as sessions' commits put them on the bus.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use domain::{
    at::At,
    frame::RowsFrame,
    ids::{CampaignId, SessionId},
    points::Points,
    ports::Published,
    ranking::{Score, Standing},
    rows::Topic,
    session::{Mark, QuestionScore, Sitting},
};

use super::{BATCH, Move};

pub(super) const CAMPAIGN: CampaignId = CampaignId::from_u128(1);
const STARTED_AT: At = At(1_750_000_000_000);

/// How many batches of frames are made ahead.
const AHEAD: usize = 8;

/// Where a frame comes from: of another node's, the row is all there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Here,
    Elsewhere,
}

impl Move {
    pub(super) fn score(&self) -> Score {
        Score { standing: Standing::new(self.hundredths, self.minutes), since: self.at() }
    }

    fn at(&self) -> At {
        At(STARTED_AT.0 + i64::from(self.minutes) * 60_000)
    }
}

/// Makes frames on another thread, as sessions do, a few batches ahead.
pub(super) fn make(
    keys: &Arc<[SessionId]>,
    seq: u64,
    moves: &Arc<Vec<Move>>,
    from: From,
) -> mpsc::Receiver<Vec<Arc<Published>>> {
    let (batches, made) = mpsc::sync_channel(AHEAD);
    let (keys, moves) = (Arc::clone(keys), Arc::clone(moves));
    std::thread::spawn(move || {
        let mut seq = seq..;
        for batch in moves.chunks(BATCH) {
            let frames = batch.iter().zip(&mut seq);
            let frames = frames.map(|(one, seq)| frame(keys[one.contestant], seq, one, from));
            if batches.send(frames.collect()).is_err() {
                break;
            }
        }
    });
    made
}

fn frame(key: SessionId, seq: u64, one: &Move, from: From) -> Arc<Published> {
    let sitting = (from == From::Here).then(|| Arc::new(sitting(key, one)));
    let rows = vec![(key.to_string(), Some(Bytes::from(row(key, one))))];
    let topic = Topic::Candidates(CAMPAIGN);
    let frame = RowsFrame { topic, epoch: 1, seq, prev: None, reset: false, more: false, rows };
    Arc::new(Published { sitting, ..Published::new(frame, Bytes::new()) })
}

/// What a wall needs of the row.
fn sitting(session: SessionId, one: &Move) -> Sitting {
    let (at, score) = (one.at(), Points::from_hundredths(one.hundredths));
    let points = Points::from_hundredths(120_000);
    let question = |score, best_at, marks| {
        let (passed, total, answered, runs) = (3, 10, true, 2);
        QuestionScore { score, points, passed, total, answered, runs, best_at, marks }
    };
    let other = question(Points::default(), None, vec![]);
    let mark = Mark { at, score, all: true, uncompiled: false };
    let questions = vec![question(score, Some(at), vec![mark]), other.clone(), other];
    Sitting { session, started_at: Some(STARTED_AT), sealed_at: None, questions }
}

/// A row as a session of three questions writes it, with its whole history.
fn row(key: SessionId, one: &Move) -> String {
    let (At(at), At(started_at)) = (one.at(), STARTED_AT);
    let points = f64::from(one.hundredths) / 100.0;
    let ends_at = started_at + 18_000_000;
    let question = |score: f64, best_at: &str, marks: &str| {
        format!(
            r#"{{"score":{score},"points":1200.0,"passed":3,"total":10,"answered":true,"runs":2,"best_at":{best_at},"marks":[{marks}]}}"#
        )
    };
    let mark = format!(r#"{{"at":{at},"score":{points},"all":true}}"#);
    let (best, other) = (question(points, &at.to_string(), &mark), question(0.0, "null", ""));
    format!(
        r#"{{"session":"{key}","status":"test_in_process","decline_reason":null,"current":1,"time_allowed_ms":18000000,"started_at":{started_at},"ends_at":{ends_at},"time_up_at":null,"sealed_at":null,"handed_in":false,"paused_at":null,"shift_ms":0,"credits":[],"pauses":[],"passed":3,"total":30,"score":{points},"questions":[{best},{other},{other}],"last_verdict":{{"verdict":"accepted","cpu_ms":12,"at":{at}}},"waiting":[],"edits":512,"minutes":[12,9,14,3,0,7],"seats":1,"lates":0,"late_accepted":0}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wall_needs_of_a_row_is_what_it_reads_of_it() {
        let (key, one) =
            (SessionId::from_u128(7), Move { contestant: 0, hundredths: 4_200, minutes: 17 });
        assert_eq!(Sitting::read(row(key, &one).as_bytes()), Some(sitting(key, &one)));
    }
}
