//! How a candidate behaves for the length of a test.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use crate::candidate::Candidate;

/// See the module.
#[derive(Clone, Debug)]
pub struct Manner {
    pub edit_every: Duration,
    /// Presses Run so often, on the average.
    pub run_every: Option<Duration>,
    /// Loses the socket so often, on the average.
    pub cut_every: Option<Duration>,
    pub hand_in_at: Option<Instant>,
    /// How long the server may be gone.
    pub patience: Duration,
}

const PING_EVERY: Duration = Duration::from_secs(5);

/// Plays until the session is sealed, or everything is answered after `stop`.
pub async fn play(
    mut candidate: Candidate,
    manner: Manner,
    stop: watch::Receiver<bool>,
) -> Candidate {
    let mut edits = ticks(&mut candidate, manner.edit_every);
    let mut pings = ticks(&mut candidate, PING_EVERY);
    let mut cut_at = soon(&mut candidate, manner.cut_every);
    let mut run = Run { at: soon(&mut candidate, manner.run_every), asked: None };
    let mut handed_in = false;
    while !is_over(&candidate, &stop) {
        if !candidate.is_connected()
            && let Err(error) = candidate.reconnect(manner.patience).await
        {
            candidate.problem(format!("cannot come back: {error:#}"));
            break;
        }
        tokio::select! {
            heard = candidate.next() => {
                candidate.hear(heard);
                run.look(&mut candidate);
            }
            _ = edits.tick() => {
                candidate.ask_again().await;
                if is_running(&candidate) && !handed_in && !*stop.borrow() {
                    candidate.type_once().await;
                }
            }
            _ = pings.tick() => candidate.send_frame(&json!({ "type": "ping", "sent_ms": 0 })).await,
            () = sleep_until(cut_at) => {
                candidate.cut();
                cut_at = soon(&mut candidate, manner.cut_every);
            }
            () = sleep_until(run.at) => {
                run.press(&mut candidate).await;
                run.at = soon(&mut candidate, manner.run_every);
            }
            () = sleep_until(manner.hand_in_at.unwrap_or_else(never)), if !handed_in => {
                handed_in = true;
                let hand_in = json!({ "type": "hand_in", "seat": candidate.seat });
                candidate.send(hand_in, None, false).await;
            }
        }
    }
    candidate
}

/// The run that waits for its verdict.
struct Run {
    at: Instant,
    asked: Option<(Instant, u64)>,
}

impl Run {
    async fn press(&mut self, candidate: &mut Candidate) {
        if self.asked.is_some() || !is_running(candidate) {
            return;
        }
        self.asked = Some((Instant::now(), judged(candidate)));
        let (seat, question) = (candidate.seat, candidate.file["question"].clone());
        let run = json!({ "type": "run", "seat": seat, "question": question, "kind": "all" });
        candidate.send(run, None, false).await;
    }

    fn look(&mut self, candidate: &mut Candidate) {
        if let Some((at, before)) = self.asked
            && before < judged(candidate)
        {
            candidate.report.verdicts.push(at.elapsed());
            self.asked = None;
        }
    }
}

/// How many runs have a verdict.
fn judged(candidate: &Candidate) -> u64 {
    let rows = candidate.view.rows.iter();
    let judged = rows.filter(|(key, row)| key.starts_with("run.") && row["state"] == "judged");
    u64::try_from(judged.count()).unwrap_or(u64::MAX)
}

fn is_running(candidate: &Candidate) -> bool {
    let row = candidate.view.row("session");
    row["time_up_at"].is_null() && row["sealed_at"].is_null() && row["paused_at"].is_null()
}

fn is_over(candidate: &Candidate, stop: &watch::Receiver<bool>) -> bool {
    let is_sealed = !candidate.view.row("session")["sealed_at"].is_null();
    (is_sealed || *stop.borrow()) && candidate.is_quiet()
}

/// Ticks that begin anywhere within the first one.
fn ticks(candidate: &mut Candidate, every: Duration) -> tokio::time::Interval {
    let phase = every.mul_f64(candidate.random.f64());
    let mut ticks = interval_at(Instant::now() + phase, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A moment that is `every` away on the average.
fn soon(candidate: &mut Candidate, every: Option<Duration>) -> Instant {
    every.map_or_else(never, |every| Instant::now() + every.mul_f64(2.0 * candidate.random.f64()))
}

fn never() -> Instant {
    Instant::now() + Duration::from_hours(24)
}

/// The value of a row's field as a moment in ms.
pub fn moment(row: &Value, field: &str) -> Option<i64> {
    row[field].as_i64()
}
