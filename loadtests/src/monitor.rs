//! A creator who looks at the live monitor, and how soon it shows what candidates type.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::ids::{CampaignId, SessionId};
use tokio::time::Instant;

use crate::{
    http::Http,
    socket::{Heard, Rows, Socket},
    view::View,
};

/// When each session's edits were sent: how many there were with it, and when.
#[derive(Default)]
pub struct Sightings(Mutex<HashMap<SessionId, VecDeque<(u32, Instant)>>>);

impl Sightings {
    /// The edit number `edits` of `session` is sent now.
    pub fn sent(&self, session: SessionId, edits: u32) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.entry(session).or_default().push_back((edits, Instant::now()));
    }

    /// The monitor says that there are `edits` of them: how long ago each new one was sent.
    fn seen(&self, session: SessionId, edits: u32, ages: &mut Vec<Duration>) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = sent.get_mut(&session) else { return };
        while waiting.front().is_some_and(|(count, _)| *count <= edits) {
            ages.extend(waiting.pop_front().map(|(_, at)| at.elapsed()));
        }
    }
}

/// See the module.
pub struct Monitor {
    pub view: View,
    /// From sending an edit to seeing it.
    pub ages: Vec<Duration>,
    pub problems: Vec<String>,
    pub resumes: u32,
    topic: String,
    browser: Http,
    socket: Socket,
}

impl Monitor {
    /// Watches `campaign` with the cookies of its creator.
    pub async fn open(browser: &Http, campaign: CampaignId) -> anyhow::Result<Self> {
        let topic = format!("monitor.{campaign}");
        let mut socket = Socket::open(browser).await?;
        socket.watch(&topic, (0, 0)).await?;
        let (view, browser) = (View::default(), browser.clone());
        Ok(Self { view, ages: vec![], problems: vec![], resumes: 0, topic, browser, socket })
    }

    /// Hears one frame. Cancelling it loses nothing.
    pub async fn step(&mut self, sightings: &Sightings) -> anyhow::Result<()> {
        match self.socket.next().await {
            Heard::Rows(rows) => self.take(&rows, sightings),
            Heard::Closed(_) => self.connect().await?,
            Heard::Unwatched { why, .. } => anyhow::bail!("not to be watched: {}", why.text),
            Heard::Done { .. }
            | Heard::Refused { .. }
            | Heard::Untyped { .. }
            | Heard::Pong { .. }
            | Heard::Bye { .. } => {}
        }
        Ok(())
    }

    /// Comes back on another socket, from the last frame on.
    pub async fn connect(&mut self) -> anyhow::Result<()> {
        self.view.forget_reading();
        self.socket = Socket::open(&self.browser).await?;
        self.socket.watch(&self.topic, (self.view.epoch, self.view.seq)).await?;
        self.resumes += 1;
        Ok(())
    }

    /// Waits until the rows are as `is_so` says.
    pub async fn until(&mut self, is_so: impl Fn(&View) -> bool) -> anyhow::Result<()> {
        let sightings = Sightings::default();
        let seen = async {
            while !self.view.is_whole() || !is_so(&self.view) {
                self.step(&sightings).await?;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(crate::candidate::PATIENCE, seen).await {
            Ok(seen) => seen,
            Err(_) => anyhow::bail!("the monitor still shows {:?}", self.view.rows),
        }
    }

    fn take(&mut self, rows: &Rows, sightings: &Sightings) {
        if let Err(wrong) = self.view.take(rows) {
            self.problems.push(wrong);
        }
        for row in &rows.rows {
            let session = row.key.strip_prefix("p.").and_then(|id| id.parse().ok());
            let edits = row.value["edits"].as_u64().and_then(|edits| u32::try_from(edits).ok());
            if let (Some(session), Some(edits)) = (session, edits) {
                sightings.seen(session, edits, &mut self.ages);
            }
        }
    }
}
