//! What a candidate makes of what it hears.

use std::{sync::atomic::Ordering, time::Duration};

use domain::{frame::Why, ids::CommandId, ports::Clock};
use serde_json::Value;
use storage::SystemClock;
use tokio::time::Instant;

use super::{Candidate, Sent};
use crate::socket::{Heard, Rows, Socket};

/// Refusals that are no fault of anybody's: they came as the test ended, or with runs waiting.
const EXPECTED: [&str; 4] = ["time_is_up", "not_running", "too_many_runs", "wrong_stage"];

/// The next frame, or the end of a socket that there is not.
pub(super) async fn next(socket: &mut Option<Socket>) -> Heard {
    match socket {
        Some(socket) => socket.next().await,
        None => Heard::Closed(None),
    }
}

impl Candidate {
    /// The next frame. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Heard {
        next(&mut self.socket).await
    }

    /// Takes in a frame.
    pub fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Rows(rows) => self.hear_rows(&rows),
            Heard::Done { command_id, answer, .. } => self.hear_done(command_id, answer),
            Heard::Refused { command_id, why } => self.hear_refused(command_id, why),
            Heard::Unwatched { topic, why } => {
                self.problem(format!("{topic} is not to be watched: {}", why.text));
            }
            Heard::Untyped { why, .. } => self.problem(format!("it was not typed: {}", why.text)),
            Heard::Bye { .. } | Heard::Pong { .. } => {}
            Heard::Closed(code) => {
                if code.is_some_and(|code| 4_001 <= code) {
                    self.problem(format!("the socket was closed with {code:?}"));
                }
                self.cut();
            }
        }
    }

    fn hear_rows(&mut self, rows: &Rows) {
        if let Err(wrong) = self.view.take(rows) {
            self.problem(wrong);
        }
        for row in &rows.rows {
            if row.key == "session"
                && !row.value["time_up_at"].is_null()
                && self.report.time_up_heard_at.is_none()
            {
                self.report.time_up_heard_at = Some(SystemClock.now().0);
            }
        }
    }

    fn hear_done(&mut self, id: CommandId, answer: Value) {
        let Some(sent) = self.answered(id) else { return };
        if let Some(change) = sent.change {
            if sent.connection == self.connections {
                self.report.acks.push(sent.at.elapsed());
            }
            if answer["late"].is_u64() {
                self.report.lates += 1;
            } else if answer["rev"].as_u64() == Some(u64::from(self.text.rev) + 1) {
                let rev = self.text.rev + 1;
                self.text.take(change, rev);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            } else {
                let base = self.text.rev;
                self.problem(format!("an edit of revision {base} was answered {answer}"));
            }
        }
        if sent.is_awaited {
            self.answers.insert(id, Ok(answer));
        }
    }

    fn hear_refused(&mut self, id: CommandId, why: Why) {
        *self.report.refusals.entry(why.code.clone()).or_default() += 1;
        if let Some(wait_ms) = why.retry_after_ms {
            let sent = self.unanswered.iter_mut().find(|sent| sent.id == id);
            if let Some(sent) = sent {
                sent.again_at = Some(Instant::now() + Duration::from_millis(wait_ms));
            }
            return;
        }
        let Some(sent) = self.answered(id) else { return };
        if sent.is_awaited {
            self.answers.insert(id, Err(why));
        } else if !EXPECTED.contains(&why.code.as_str()) {
            self.problem(format!("refused: {} ({})", why.text, why.code));
        }
    }

    fn answered(&mut self, id: CommandId) -> Option<Sent> {
        let place = self.unanswered.iter().position(|sent| sent.id == id);
        if place.is_none() {
            self.problem(format!("an answer to {id}, which was answered before"));
        }
        Some(self.unanswered.remove(place?))
    }
}
