//! One who comes, looks, and goes: with a goodbye, without one, or before anything has come.

use std::time::Duration;

use domain::ids::{CommandId, SeatId};
use fastrand::Rng;
use loadtests::{
    http::Http,
    socket::{Heard, Socket},
};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How long somebody stays, and stays away, at most.
const STAY: Duration = Duration::from_secs(4);
const AWAY: Duration = Duration::from_secs(1);
/// How long the first rows may take.
const FIRST: Duration = Duration::from_secs(30);
/// How many problems of one are kept.
const PROBLEMS_MAX: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Asks for something as well, from this seat.
    Candidate(SeatId),
    Other,
}

/// See the module.
pub(super) struct Stayer {
    browser: Http,
    topics: Vec<String>,
    what: What,
    random: Rng,
    pub(super) visits: u64,
    pub(super) problems: Vec<String>,
}

impl Stayer {
    pub(super) fn new(browser: Http, topics: Vec<String>, what: What) -> Self {
        Self { browser, topics, what, random: Rng::new(), visits: 0, problems: vec![] }
    }

    pub(super) async fn come_and_go(
        mut self,
        mut stop: watch::Receiver<bool>,
        here: watch::Sender<u32>,
    ) -> Self {
        while !*stop.borrow() {
            let away = AWAY.mul_f64(self.random.f64());
            tokio::select! {
                () = sleep(away) => {}
                _ = stop.changed() => return self,
            }
            here.send_modify(|here| *here += 1);
            if let Err(error) = self.visit().await
                && self.problems.len() < PROBLEMS_MAX
            {
                self.problems.push(format!("{:?}: {error:#}", self.topics));
            }
            here.send_modify(|here| *here -= 1);
            self.visits += 1;
        }
        self
    }

    async fn visit(&mut self) -> anyhow::Result<()> {
        let mut socket = Socket::open(&self.browser).await?;
        for topic in &self.topics {
            socket.watch(topic, (0, 0)).await?;
        }
        if self.random.u8(..10) == 0 {
            return Ok(());
        }
        let first = async {
            loop {
                match socket.next().await {
                    Heard::Rows(rows) if !rows.more => return Ok(()),
                    Heard::Closed(code) => anyhow::bail!("closed with {code:?}"),
                    Heard::Unwatched { why, .. } => anyhow::bail!("{}", why.text),
                    Heard::Rows(_)
                    | Heard::Done { .. }
                    | Heard::Refused { .. }
                    | Heard::Untyped { .. }
                    | Heard::Pong { .. }
                    | Heard::Bye { .. } => {}
                }
            }
        };
        timeout(FIRST, first).await??;
        if let What::Candidate(seat) = self.what {
            self.ask(&mut socket, seat).await?;
        }
        let stay = STAY.mul_f64(self.random.f64());
        let looking = async { while !matches!(socket.next().await, Heard::Closed(_)) {} };
        if timeout(stay, looking).await.is_ok() {
            anyhow::bail!("closed by the server");
        }
        // Half say goodbye.
        if self.random.bool() {
            socket.close().await?;
        }
        Ok(())
    }

    /// Something that changes a row.
    async fn ask(&mut self, socket: &mut Socket, seat: SeatId) -> anyhow::Result<()> {
        let Some(to) = self.topics.first() else { return Ok(()) };
        let (id, choices) = (CommandId::random(), [self.random.u8(..2)]);
        let command = json!({ "type": "answer", "seat": seat, "question": 0, "choices": choices });
        let ask =
            json!({ "type": "do", "command_id": id, "to": to, "command": command, "first": true });
        socket.send(&ask).await
    }
}
