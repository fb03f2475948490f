//! A node: everything that runs here, started and stopped together.

use std::{sync::Arc, time::Duration};

use domain::{
    at::At,
    cluster::{Serving, Subject},
    frame::{RowsFrame, Why},
    ids::{NodeId, SubmissionId},
    ports::Unavailable,
    run::Typed,
    stream::SHARDS,
};
use ractor::{Actor, ActorCell, SpawnErr};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    board::Boards,
    clockwork,
    deps::Deps,
    directory::Directory,
    epochs::Epochs,
    filing,
    keeper::Keeper,
    output::Outputs,
    placement::{LINGER, Members, Mine, NodeCard, Placement, Role, Shepherd, VERSION},
    queue::QueueCard,
    report::{self, Report, Reporter},
    runs::Runs,
    steady::SteadyClock,
};

/// How often it is looked whether all shards are handed over.
const LOOK: Duration = Duration::from_millis(20);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("an actor does not start: {0}")]
    Spawn(#[from] SpawnErr),
}

/// How a node is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How people call it.
    pub name: String,
    pub roles: Vec<Role>,
    /// How many runs go on at once; with none, submissions wait.
    pub workers: usize,
    /// How long it listens for others before it takes what is free.
    pub listens: Duration,
    /// There are no others: it starts with all shards or not at all.
    pub is_alone: bool,
}

impl Options {
    /// Of a program that does everything by itself.
    pub fn alone(name: &str, workers: usize) -> Self {
        let roles = vec![Role::Gateway, Role::Actors, Role::Runner];
        Self { name: name.to_owned(), roles, workers, listens: Duration::ZERO, is_alone: true }
    }

    fn card(&self, started_at: At) -> NodeCard {
        NodeCard {
            id: NodeId::random(),
            name: self.name.clone(),
            version: VERSION,
            roles: self.roles.clone(),
            started_at,
            is_leaving: false,
            trouble: None,
            shards: 0,
            awake: 0,
            broken: 0,
            sockets: 0,
            runs: 0,
        }
    }
}

/// See the module. Dropping it ends everything at once; what was acknowledged is kept.
pub struct Node {
    pub directory: Arc<Directory>,
    pub outputs: Arc<Outputs>,
    pub boards: Arc<Boards>,
    pub deps: Deps,
    pub members: Arc<Members>,
    /// What it says of itself.
    pub card: watch::Sender<NodeCard>,
    runs: Arc<Runs>,
    _reporting: Box<dyn Serving>,
    supervisor: ActorCell,
    _tasks: JoinSet<()>,
}

impl Node {
    /// Takes the shards that are free, starts the actors, and wakes all streams with a deadline.
    pub async fn start(mut deps: Deps, options: Options) -> Result<Self, StartError> {
        let clock = Arc::new(SteadyClock::new(deps.clock));
        deps.clock = Arc::clone(&clock) as _;
        let placement = Arc::new(Placement::new(deps.clock.now()));
        let directory = Directory::new(deps.clone(), Arc::clone(&placement));
        let (keeper, _) = Actor::spawn(None, Keeper, Arc::clone(&directory)).await?;
        directory.set_keeper(keeper.get_cell());
        let mut tasks = JoinSet::new();
        let members = Arc::new(Members::default());
        let (wire, hearing) = (Arc::clone(&deps.wire), Arc::clone(&members));
        tasks.spawn(async move { hearing.listen(&*wire).await });
        let card = watch::Sender::new(options.card(deps.clock.now()));
        let epochs = Arc::new(Epochs::new(card.borrow().id));
        let (bus, now) = (Arc::clone(&deps.bus), Arc::clone(&deps.clock));
        let outputs = Arc::new(Outputs::new(bus, Arc::clone(&epochs), now));
        let (lost_by, lost) = mpsc::channel(usize::from(SHARDS));
        let mut shepherd = Shepherd {
            deps: deps.clone(),
            clock,
            directory: Arc::clone(&directory),
            placement: Arc::clone(&placement),
            members: Arc::clone(&members),
            card: card.clone(),
            lost,
            mine: Mine::default(),
        };
        shepherd.listen(options.listens).await;
        shepherd.look().await;
        shepherd.awake().await;
        if options.is_alone && placement.owned().len() < usize::from(SHARDS) {
            let why = || Unavailable(anyhow::anyhow!("not all shards could be taken"));
            return Err(shepherd.mine.failed.take().unwrap_or_else(why).into());
        }
        tasks.spawn(shepherd.run());
        let (at, printed) = (Arc::clone(&directory), Arc::clone(&outputs));
        let runs = Arc::new(Runs::new(at, printed, card.clone(), options.is_alone));
        tasks.spawn(Arc::clone(&runs).keep_queue());
        tasks.spawn(runs.work(options.workers));
        tasks.spawn(clockwork::run(Arc::clone(&directory)));
        tasks.spawn(filing::run(Arc::clone(&directory)));
        tasks.spawn(placement.beat(deps.clone(), Arc::clone(&directory), lost_by));
        let id = card.borrow().id;
        let reporter = Arc::new(Reporter(Arc::downgrade(&directory)));
        let reporting = deps.wire.serve(Subject::Status(id), reporter).await?;
        let supervisor = keeper.get_cell();
        let boards = Arc::new(Boards::new(epochs));
        Ok(Self {
            directory,
            outputs,
            boards,
            deps,
            members,
            card,
            runs,
            _reporting: reporting,
            supervisor,
            _tasks: tasks,
        })
    }

    /// Hands all shards over to other nodes, if there are any, for at most `within`.
    pub async fn leave(&self, within: Duration) {
        self.card.send_modify(|card| card.is_leaving = true);
        let left = async {
            while !self.directory.placement().owned().is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            tokio::time::sleep(LINGER).await;
        };
        if self.members.all().len() > 1 && tokio::time::timeout(within, left).await.is_err() {
            tracing::warn!("not all shards were handed over; others take them when they see");
        }
    }

    /// Every node that is there, as it says itself, with what it knows of itself.
    pub async fn all_nodes(&self) -> Vec<(NodeCard, Report)> {
        let nodes = self.members.all();
        let mut reports: std::collections::HashMap<_, _> =
            report::all(&self.deps.wire, &nodes).await.into_iter().collect();
        nodes
            .into_iter()
            .map(|card| (card.clone(), reports.remove(&card.id).unwrap_or_default()))
            .collect()
    }

    /// The shards that it owns.
    pub fn owned(&self) -> Vec<u16> {
        self.directory.placement().owned().into_iter().map(|(shard, _)| shard).collect()
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

    /// All that a run has printed so far, wherever it goes on, or the place of one that waits, as one
    /// frame that begins anew; nothing of one that is over.
    pub async fn output(&self, submission: SubmissionId) -> Result<RowsFrame, Unavailable> {
        self.runs.output(submission).await
    }

    /// How the queue of runs stands, wherever it is.
    pub async fn queue(&self) -> Result<QueueCard, Unavailable> {
        self.runs.queue_card().await
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
