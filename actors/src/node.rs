//! A node: everything that runs here, started and stopped together.

use std::{sync::Arc, time::Duration};

use domain::{frame::Why, ids::SubmissionId, ports::Unavailable, run::Typed};
use ractor::{Actor, ActorCell, SpawnErr};
use tokio::task::JoinSet;

use crate::{
    board::Boards, clockwork, deps::Deps, directory::Directory, filing, keeper::Keeper,
    output::Outputs, placement::Placement, runs::Runs,
};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("an actor does not start: {0}")]
    Spawn(#[from] SpawnErr),
}

/// See the module. Dropping it ends everything at once; what was acknowledged is kept.
pub struct Node {
    pub directory: Arc<Directory>,
    pub outputs: Arc<Outputs>,
    pub boards: Arc<Boards>,
    pub deps: Deps,
    runs: Arc<Runs>,
    supervisor: ActorCell,
    _tasks: JoinSet<()>,
}

impl Node {
    /// Takes the shards, starts the actors, and wakes all streams with a deadline. `workers` runs
    /// go on at once; with none, submissions wait.
    pub async fn start(deps: Deps, name: &str, workers: usize) -> Result<Self, StartError> {
        let placement = Arc::new(Placement::take_all(&deps, name).await?);
        let directory = Directory::new(deps.clone(), Arc::clone(&placement));
        let (keeper, _) = Actor::spawn(None, Keeper, Arc::clone(&directory)).await?;
        directory.set_keeper(keeper.get_cell());
        let outputs = Arc::new(Outputs::new(Arc::clone(&deps.bus)));
        let mut tasks = JoinSet::new();
        let runs = Arc::new(Runs::new(Arc::clone(&directory), Arc::clone(&outputs)));
        tasks.spawn(Arc::clone(&runs).go_on(workers));
        clockwork::wake_all(&directory).await;
        tasks.spawn(clockwork::run(Arc::clone(&directory)));
        tasks.spawn(filing::run(Arc::clone(&directory)));
        let (beating, beaten) = (deps.clone(), Arc::clone(&directory));
        tasks.spawn(async move { placement.beat(&beating, &beaten).await });
        let supervisor = keeper.get_cell();
        let boards = Arc::new(Boards::default());
        Ok(Self { directory, outputs, boards, deps, runs, supervisor, _tasks: tasks })
    }

    /// The board of `campaign`; keep it as long as you watch.
    pub async fn board(
        &self,
        campaign: domain::ids::CampaignId,
    ) -> Option<Arc<crate::board::Board>> {
        self.boards.board(&self.deps, campaign, self.supervisor.clone()).await
    }

    /// Passes on what a person did with their own run: typed into it, ended its input, stopped it.
    pub async fn pass(&self, submission: SubmissionId, typed: Typed) -> Result<(), Why> {
        self.runs.pass(submission, typed).await
    }

    /// Takes no more runs, waits for those that go on for at most `within`, and gives back the
    /// others, which then wait for the next start. Without workers there is nothing to wait for.
    pub async fn finish_runs(&self, within: Duration) {
        self.runs.finish(within).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.supervisor.stop_children(None);
        self.supervisor.stop(None);
    }
}
