//! The keeper: supervises owners, and gives up on a stream that fails again and again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::stream::Stream;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use crate::directory::Directory;

/// So many failures within [`WITHIN`] are too many.
const FAILURES_MAX: usize = 5;
const WITHIN: Duration = Duration::from_mins(1);

/// Behaviour only.
pub(crate) struct Keeper;

/// What the keeper holds.
pub(crate) struct State {
    directory: Arc<Directory>,
    failures: HashMap<Stream, Vec<Instant>>,
}

impl Actor for Keeper {
    type Msg = ();
    type State = State;
    type Arguments = Arc<Directory>;

    async fn pre_start(
        &self,
        _myself: ActorRef<()>,
        directory: Arc<Directory>,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { directory, failures: HashMap::new() })
    }

    /// The default would stop the keeper with its first child.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<()>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, why) => {
                if let Some(stream) = state.directory.ended(cell.get_id()) {
                    state.failed(stream, &why.to_string());
                }
            }
            SupervisionEvent::ActorTerminated(cell, ..) => {
                state.directory.ended(cell.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    fn failed(&mut self, stream: Stream, why: &str) {
        tracing::error!(%stream, why, "an owner failed");
        self.failures.retain(|_, failures| {
            failures.retain(|failed_at| failed_at.elapsed() < WITHIN);
            !failures.is_empty()
        });
        let failures = self.failures.entry(stream).or_default();
        failures.push(Instant::now());
        if FAILURES_MAX <= failures.len() {
            self.directory.mark_broken(stream, why.to_owned());
        }
    }
}
