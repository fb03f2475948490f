//! A node: everything that runs here, started and stopped together.

use std::{sync::Arc, time::Duration};

use domain::ports::Unavailable;
use ractor::{Actor, ActorCell, SpawnErr};
use tokio::task::JoinSet;

use crate::{
    board::Boards, clockwork, deps::Deps, directory::Directory, filing, keeper::Keeper,
    output::Outputs, placement::Placement, queue::Queue, worker::Worker,
};

/// How long a queue that failed waits before it begins anew.
const AGAIN: Duration = Duration::from_secs(1);

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
        tasks.spawn(run_queue(Arc::clone(&directory), Arc::clone(&outputs), workers));
        clockwork::wake_all(&directory).await;
        tasks.spawn(clockwork::run(Arc::clone(&directory)));
        tasks.spawn(filing::run(Arc::clone(&directory)));
        let (beating, beaten) = (deps.clone(), Arc::clone(&directory));
        tasks.spawn(async move { placement.beat(&beating, &beaten).await });
        let supervisor = keeper.get_cell();
        let boards = Arc::new(Boards::default());
        Ok(Self { directory, outputs, boards, deps, supervisor, _tasks: tasks })
    }

    /// The board of `campaign`; keep it as long as you watch.
    pub async fn board(
        &self,
        campaign: domain::ids::CampaignId,
    ) -> Option<Arc<crate::board::Board>> {
        self.boards.board(&self.deps, campaign, self.supervisor.clone()).await
    }
}

/// The queue and its workers; should the queue fail, they begin anew from its table.
async fn run_queue(directory: Arc<Directory>, outputs: Arc<Outputs>, workers: usize) {
    loop {
        let arguments = (directory.deps().clone(), Arc::clone(&outputs));
        match Actor::spawn(None, Queue, arguments).await {
            Ok((queue, mut ended)) => {
                let mut work = JoinSet::new();
                for _ in 0..workers {
                    let (directory, outputs) = (Arc::clone(&directory), Arc::clone(&outputs));
                    let deps = directory.deps().clone();
                    work.spawn(Worker { deps, directory, outputs, queue: queue.clone() }.work());
                }
                let _stop = StopOnDrop(queue.get_cell());
                (&mut ended).await.ok();
                tracing::error!("the run queue failed; it begins anew");
            }
            Err(error) => tracing::error!(%error, "the run queue does not start"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Ends an actor with the task that started it.
struct StopOnDrop(ActorCell);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.supervisor.stop_children(None);
        self.supervisor.stop(None);
    }
}
