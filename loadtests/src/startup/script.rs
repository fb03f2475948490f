//! A stream played in memory and stored in few appends, by the rules that the server has.

use domain::{
    aggregate::{Aggregate, Times},
    at::At,
    ids::CommandId,
    ports::{Append, EventStore, Snapshot},
    stream::{Origin, Recorded, Stream},
};
use storage::sqlite::Sqlite;

/// See the module.
pub(super) struct Script<A: Aggregate> {
    pub(super) state: A,
    stream: Stream,
    epoch: u64,
    stored: u64,
    recorded: Vec<Recorded>,
    events: Vec<(At, A::Event)>,
}

impl<A: Aggregate> Script<A> {
    pub(super) fn new(stream: Stream, epoch: u64) -> Self {
        let (recorded, events) = (vec![], vec![]);
        Self { state: A::default(), stream, epoch, stored: 0, recorded, events }
    }

    /// Carries out a command at `at`.
    pub(super) fn play(
        &mut self,
        origin: Origin,
        at: At,
        command: A::Command,
    ) -> anyhow::Result<()> {
        let events = self.state.decide(command, Times { received_at: at, now: at })?;
        let command_id = CommandId::random();
        for (event, n) in events.into_iter().zip(0..) {
            self.state.evolve(&event, at);
            let json = serde_json::to_value(&event)?;
            let kind = json["type"].as_str().unwrap_or_default().to_owned();
            let (origin, body) = (origin.to_string(), serde_json::to_vec(&event)?.into());
            let seq = self.stored + self.recorded.len() as u64 + 1;
            self.recorded.push(Recorded { seq, at, origin, command_id, n, kind, body });
            self.events.push((at, event));
        }
        Ok(())
    }

    /// Stores what was played since the last time.
    pub(super) async fn store(&mut self, store: &Sqlite) -> anyhow::Result<()> {
        let events = std::mem::take(&mut self.events);
        let append = Append {
            stream: self.stream,
            epoch: self.epoch,
            expected_seq: self.stored,
            events: std::mem::take(&mut self.recorded),
            wake_at: self.state.wake_at(),
            untold: None,
            rows: self.state.rows(self.stream, &events),
        };
        self.stored += events.len() as u64;
        Ok(store.append(append).await?)
    }

    /// Keeps a snapshot of what is stored.
    pub(super) async fn snapshot(&self, store: &Sqlite, at: At) -> anyhow::Result<()> {
        let body = serde_json::to_vec(&(&self.state, at))?.into();
        let snapshot = Snapshot { seq: self.stored, schema: A::SCHEMA, body };
        Ok(store.save_snapshot(self.stream, snapshot).await?)
    }
}
