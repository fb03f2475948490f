//! Those who read as fast as they can: how late each frame is, and whether all came in order.

use std::sync::Arc;

use loadtests::{
    figures::per_mille,
    http::Http,
    socket::{Heard, Rows, Socket},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

/// How long the last frame may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Others {
    readers: JoinSet<()>,
    told: Vec<watch::Receiver<Seen>>,
    /// Frames before this one do not count.
    since: Arc<watch::Sender<u64>>,
    count: u64,
}

/// What one of them has seen.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Number of the last row.
    last: u64,
    /// In which turn this was.
    turn: u64,
    late_ms: Vec<f64>,
    problem: Option<String>,
}

impl Others {
    /// Opens so many, and waits until each has what there is.
    pub(super) async fn open(
        browser: &Http,
        topic: &str,
        count: usize,
        zero: Instant,
    ) -> anyhow::Result<Self> {
        let since = Arc::new(watch::Sender::new(0));
        let (mut readers, mut told) = (JoinSet::new(), vec![]);
        for _ in 0..count {
            let mut socket = Socket::open(browser).await?;
            socket.watch(topic, (0, 0)).await?;
            let (tell, seen) = watch::channel(Seen::default());
            told.push(seen);
            readers.spawn(read(socket, zero, since.subscribe(), tell));
        }
        Ok(Self { readers, told, since, count: 0 })
    }

    /// From here on it counts.
    pub(super) fn begin(&mut self) {
        self.count += 1;
        self.since.send_replace(self.count);
    }

    /// Waits until all have seen row number `last`. Answers the 99th percentile of all.
    pub(super) async fn end(&mut self, last: u64) -> anyhow::Result<f64> {
        let mut all = vec![];
        for seen in &mut self.told {
            let there = |seen: &Seen| last <= seen.last || seen.problem.is_some();
            let seen = timeout(PATIENCE, seen.wait_for(there)).await??;
            all.extend_from_slice(&seen.late_ms);
        }
        Ok(per_mille(&mut all, 990))
    }

    pub(super) fn problems(mut self) -> Vec<String> {
        self.readers.abort_all();
        let problem = |seen: &watch::Receiver<Seen>| seen.borrow().problem.clone();
        self.told.iter().filter_map(problem).collect()
    }
}

async fn read(
    mut socket: Socket,
    zero: Instant,
    turn: watch::Receiver<u64>,
    tell: watch::Sender<Seen>,
) {
    let mut place = None;
    loop {
        let frame = match socket.next().await {
            Heard::Rows(frame) => frame,
            Heard::Closed(code) => {
                let problem = Some(format!("closed with {code:?}"));
                tell.send_modify(|seen| seen.problem = problem);
                return;
            }
            Heard::Done { .. }
            | Heard::Refused { .. }
            | Heard::Unwatched { .. }
            | Heard::Untyped { .. }
            | Heard::Pong { .. }
            | Heard::Bye { .. } => continue,
        };
        let arrived_us = zero.elapsed().as_secs_f64() * 1_000_000.0;
        let now = *turn.borrow();
        tell.send_modify(|seen| seen.take(&frame, &mut place, now, arrived_us));
    }
}

impl Seen {
    fn take(&mut self, frame: &Rows, place: &mut Option<u64>, turn: u64, arrived_us: f64) {
        if !frame.reset && place.is_some() && frame.prev != *place {
            self.problem = Some(format!("{:?} before {}, after {place:?}", frame.prev, frame.seq));
        }
        *place = Some(frame.seq);
        if self.turn != turn {
            self.turn = turn;
            self.late_ms.clear();
        }
        for row in &frame.rows {
            let (sent_us, n) = (row.value["sent_us"].as_f64(), row.value["n"].as_u64());
            if let Some((sent_us, n)) = sent_us.zip(n) {
                self.last = n;
                self.late_ms.extend((!frame.reset).then_some((arrived_us - sent_us) / 1_000.0));
            }
        }
    }
}
