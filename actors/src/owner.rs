//! The owner of one stream: its only writer, and the keeper of its clock.

use std::{sync::Arc, time::Duration};

use domain::{
    aggregate::Aggregate,
    at::{At, Ms},
    ports::{AppendError, Unavailable},
    stream::Stream,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;

use crate::{
    ask::{Ask, Meta},
    directory::Directory,
    inbox,
    journal::{Failure, Journal},
    teller,
};

/// An actor that nobody asked anything for so long goes to sleep.
const IDLE: Duration = Duration::from_mins(2);
/// How many waiting commands are decided together.
const BATCH_MAX: usize = 64;

/// What an owner is told. Commands wait in its inbox, which has a limit; mailboxes have none.
pub(crate) enum Msg<A> {
    /// There are commands in the inbox.
    Wake,
    /// The time may be up.
    Tick,
    /// We could not commit for a while.
    Outage,
    /// Telling others has ended, well or not.
    Told,
    /// The shard moves to another node.
    Retire,
    /// Somebody reads the state.
    Look(Box<dyn FnOnce(&A) + Send>),
    /// Is there still anything to do?
    Idle,
}

/// Behaviour only; what changes is in [`State`].
pub(crate) struct Owner<A>(pub(crate) std::marker::PhantomData<fn() -> A>);

/// What an owner starts with.
pub(crate) struct Arguments<A: Aggregate> {
    pub(crate) stream: Stream,
    pub(crate) directory: Arc<Directory>,
    pub(crate) inbox: inbox::Receiver<A::Command>,
}

/// What an owner holds.
pub(crate) struct State<A: Aggregate> {
    arguments: Arguments<A>,
    /// Loaded after the start, so that starting never waits for the store.
    journal: Option<Journal<A>>,
    armed_for: Option<At>,
    busy_at: tokio::time::Instant,
    telling: JoinSet<u64>,
    /// How many of the node's own outages are given back.
    given_back: Option<u64>,
}

impl<A: Aggregate> Actor for Owner<A> {
    type Msg = Msg<A>;
    type State = State<A>;
    type Arguments = Arguments<A>;

    async fn pre_start(
        &self,
        myself: ActorRef<Msg<A>>,
        arguments: Arguments<A>,
    ) -> Result<State<A>, ActorProcessingErr> {
        arguments.directory.born(arguments.stream, myself.get_id());
        Ok(State {
            arguments,
            journal: None,
            armed_for: None,
            busy_at: tokio::time::Instant::now(),
            telling: JoinSet::new(),
            given_back: None,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Msg<A>>,
        state: &mut State<A>,
    ) -> Result<(), ActorProcessingErr> {
        let loaded = Box::pin(state.load()).await;
        state.carry_on(&myself, loaded)?;
        myself.send_after(IDLE, || Msg::Idle);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg<A>>,
        msg: Msg<A>,
        state: &mut State<A>,
    ) -> Result<(), ActorProcessingErr> {
        // Boxed: an owner waits most of its life, and its task has room for all that it awaits itself.
        let handled = Box::pin(state.handle(&myself, msg)).await;
        state.carry_on(&myself, handled)
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Msg<A>>,
        state: &mut State<A>,
    ) -> Result<(), ActorProcessingErr> {
        state.arguments.directory.forget(state.arguments.stream, myself.get_id());
        Ok(())
    }
}

impl<A: Aggregate> State<A> {
    async fn load(&mut self) -> Result<(), Failure> {
        let (stream, directory) = (self.arguments.stream, &self.arguments.directory);
        let placement = directory.placement();
        let epoch = placement.epoch(stream).ok_or(AppendError::Fenced)?;
        let journal = Journal::load(stream, epoch, directory.deps().clone()).await?;
        self.journal = Some(journal.answering_while(placement.hold(stream)));
        self.give_back().await?;
        self.work_off().await
    }

    /// What was taken from people is given back before anything else is decided. Fails while we do
    /// not know yet what that is.
    async fn give_back(&mut self) -> Result<(), Failure> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let placement = self.arguments.directory.placement();
        let now = journal.now();
        let is_over = journal.state().wake_at().is_some_and(|wake_at| wake_at <= now);
        if is_over && placement.is_silent(now) {
            let why = anyhow::anyhow!("nothing could be committed for a while");
            return Err(Unavailable(why).into());
        }
        let noticed = placement.noticed();
        if self.given_back == Some(noticed) {
            return Ok(());
        }
        if journal.state().wake_at().is_none() {
            // It stands still: what is due to it is decided when it goes on.
            return Ok(());
        }
        let credits = placement.outages(self.arguments.stream).into_iter();
        journal.execute(credits.filter_map(A::credit).map(own).collect()).await?;
        self.given_back = Some(noticed);
        Ok(())
    }

    async fn handle(&mut self, myself: &ActorRef<Msg<A>>, msg: Msg<A>) -> Result<(), Failure> {
        if self.arguments.inbox.is_closed() {
            // Nobody finds us any more; there may be another owner.
            myself.stop(Some("forgotten".to_owned()));
            return Ok(());
        }
        self.give_back().await?;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        match msg {
            Msg::Wake => {
                self.busy_at = tokio::time::Instant::now();
                self.work_off().await
            }
            Msg::Tick => {
                self.armed_for = None;
                journal.execute(A::expire().map(own).into_iter().collect()).await
            }
            Msg::Outage => Ok(()),
            Msg::Told => match self.telling.join_next().await {
                Some(Ok(seq)) => journal.told(seq).await,
                Some(Err(failed)) if failed.is_panic() => {
                    std::panic::resume_unwind(failed.into_panic())
                }
                Some(Err(_)) | None => Ok(()),
            },
            Msg::Look(look) => {
                self.busy_at = tokio::time::Instant::now();
                look(journal.state());
                Ok(())
            }
            Msg::Retire => {
                self.work_off().await?;
                if let Some(journal) = &mut self.journal {
                    journal.put_away().await;
                }
                self.leave(myself, "its shard moves");
                Ok(())
            }
            Msg::Idle => {
                self.sleep_if_idle(myself).await;
                Ok(())
            }
        }
    }

    /// Carries out what waits: the clock's commands before people's.
    async fn work_off(&mut self) -> Result<(), Failure> {
        loop {
            // Again each time: while the last ones were stored an end may have come, and an outage.
            self.give_back().await?;
            let Some(journal) = &mut self.journal else { return Ok(()) };
            let mut asks = self.arguments.inbox.take(BATCH_MAX);
            if asks.is_empty() {
                return Ok(());
            }
            if journal.state().wake_at().is_some_and(|wake_at| wake_at <= journal.now()) {
                // The end came before them, though its tick has not: after a commit for them alone
                // it would be late, at the end of everybody's test by as much as all others' take.
                asks.splice(..0, A::expire().map(own));
            }
            journal.execute(asks).await?;
        }
    }

    /// After each message: the next tick, the next thing to tell; or the end.
    fn carry_on(
        &mut self,
        myself: &ActorRef<Msg<A>>,
        handled: Result<(), Failure>,
    ) -> Result<(), ActorProcessingErr> {
        match handled {
            Ok(()) => {
                self.arm_timer(myself);
                self.tell(myself);
                if A::IS_BRIEF && self.is_at_rest() {
                    myself.cast(Msg::Idle).ok();
                }
                Ok(())
            }
            Err(Failure::Lost(AppendError::Gone)) => {
                self.arguments.directory.forget(self.arguments.stream, myself.get_id());
                self.arguments.inbox.close().into_iter().for_each(Ask::refuse_as_gone);
                myself.stop(Some("gone".to_owned()));
                Ok(())
            }
            // Not our fault: whoever asks again finds another owner, freshly loaded.
            Err(Failure::Lost(why)) => {
                tracing::info!(stream = %self.arguments.stream, %why, "an owner stops");
                self.arguments.directory.forget(self.arguments.stream, myself.get_id());
                myself.stop(Some(why.to_string()));
                Ok(())
            }
            Err(failure @ Failure::Undecodable { .. }) => Err(failure.into()),
        }
    }

    /// Asks for a [`Msg::Tick`] at the deadline. A tick too many does no harm, so none is cancelled.
    fn arm_timer(&mut self, myself: &ActorRef<Msg<A>>) {
        let Some(journal) = &self.journal else { return };
        let deadline = journal.state().wake_at();
        if deadline == self.armed_for {
            return;
        }
        self.armed_for = deadline;
        if let Some(deadline) = deadline {
            let Ms(wait_ms) = deadline - journal.now();
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
            myself.send_after(wait, || Msg::Tick);
        }
    }

    /// Tells the oldest thing untold, one at a time, never awaited here.
    fn tell(&mut self, myself: &ActorRef<Msg<A>>) {
        let Some(journal) = &self.journal else { return };
        let (Some((seq, event)), true) = (journal.untold(), self.telling.is_empty()) else {
            return;
        };
        let (directory, stream) = (Arc::clone(&self.arguments.directory), self.arguments.stream);
        let (state, ended) = (journal.shared(), Ended(myself.clone()));
        self.telling.spawn(async move {
            let _ended = ended;
            teller::tell(directory, stream, &*state, seq, event).await;
            seq
        });
    }

    /// Nothing is asked, nothing is to be told, no deadline is ahead.
    fn is_at_rest(&self) -> bool {
        let is_quiet = |journal: &Journal<A>| {
            journal.state().wake_at().is_none() && journal.untold().is_none()
        };
        self.journal.as_ref().is_some_and(is_quiet) && self.arguments.inbox.is_empty()
    }

    async fn sleep_if_idle(&mut self, myself: &ActorRef<Msg<A>>) {
        let idle = self.busy_at.elapsed();
        let is_early = idle < IDLE && !A::IS_BRIEF;
        if is_early || !self.is_at_rest() {
            myself.send_after(IDLE.saturating_sub(idle).max(IDLE / 4), || Msg::Idle);
            return;
        }
        let Some(journal) = &mut self.journal else { return };
        if let Some(files_at) = journal.state().files_at() {
            let Ms(wait_ms) = files_at - journal.now();
            if let Ok(wait_ms @ 1..) = u64::try_from(wait_ms) {
                myself.send_after(Duration::from_millis(wait_ms), || Msg::Idle);
                return;
            }
            let asks = A::expire().map(own).into_iter().collect();
            if let Err(error) = journal.execute(asks).await {
                tracing::info!(stream = %self.arguments.stream, %error, "a stream was not filed");
            }
        }
        journal.put_away().await;
        self.leave(myself, "idle");
    }

    /// From here on commands find another owner; those that came before are told to ask again.
    fn leave(&self, myself: &ActorRef<Msg<A>>, why: &str) {
        self.arguments.directory.forget(self.arguments.stream, myself.get_id());
        myself.stop(Some(why.to_owned()));
    }
}

/// Says that telling has ended, be it by a panic.
struct Ended<A: Aggregate>(ActorRef<Msg<A>>);

impl<A: Aggregate> Drop for Ended<A> {
    fn drop(&mut self) {
        self.0.cast(Msg::Told).ok();
    }
}

/// A command of the node itself, whose answer nobody waits for.
fn own<C>(command: C) -> Ask<C> {
    let (reply, _) = tokio::sync::oneshot::channel();
    Ask { meta: Meta::of_node(), command, reply }
}
