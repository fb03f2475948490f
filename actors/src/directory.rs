//! The directory: which actor owns a stream. Commands go through here, are admitted here, and are
//! asked again here when their owner is lost.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use domain::{
    aggregate::Aggregate,
    campaign::Campaign,
    cluster::CallError,
    command::{Answer, AnyCommand},
    content::Content,
    document::Versioned,
    frame::Why,
    ids::SessionId,
    plan::Test,
    session::Session,
    stream::{Origin, SHARDS, Stream},
    submission::Submission,
};
use futures_util::future::join_all;
use ractor::{Actor, ActorCell, ActorId, ActorStatus};
use tokio::{
    sync::{Semaphore, SemaphorePermit, oneshot},
    time::Instant,
};

use crate::{
    ask::{Ask, Meta},
    deps::Deps,
    inbox::{Line, NotTaken},
    journal::Journal,
    owner::{Arguments, Msg, Owner},
    placement::Placement,
    remote,
    streams::{Entry, Starting, Streams},
};

/// How many commands of people wait for all streams of one shard at most.
const SHARD_QUEUE: usize = 256;
/// How many of streams and the clock are carried out at once.
const SHARD_SYSTEM: usize = 32;
/// How many streams tell others at once: a thousand sessions that end in one moment wake a thousand
/// submissions, but not all together.
const TELLING_MAX: usize = 64;
/// How long a command is asked again when its owner was lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits in between, when the owner failed here, or is on its way to another node.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_ELSEWHERE: Duration = Duration::from_millis(25);

/// The code of a refusal by a stream that is out of order.
pub(crate) const BROKEN: &str = "broken";

/// See the module.
pub struct Directory {
    deps: Deps,
    placement: Arc<Placement>,
    keeper: OnceLock<ActorCell>,
    shards: Vec<[Semaphore; 2]>,
    campaigns: Streams<Campaign>,
    sessions: Streams<Session>,
    submissions: Streams<Submission>,
    contents: Streams<Versioned<Content>>,
    tests: Streams<Versioned<Test>>,
    broken: Mutex<HashMap<Stream, String>>,
    /// What each owner owns, until the keeper heard of its end.
    born: Mutex<HashMap<ActorId, Stream>>,
    /// Places to tell others something.
    telling: Semaphore,
    myself: Weak<Self>,
}

impl Directory {
    pub(crate) fn new(deps: Deps, placement: Arc<Placement>) -> Arc<Self> {
        let permits = || [Semaphore::new(SHARD_QUEUE), Semaphore::new(SHARD_SYSTEM)];
        Arc::new_cyclic(|myself| Self {
            deps,
            placement,
            keeper: OnceLock::new(),
            shards: (0..SHARDS).map(|_| permits()).collect(),
            campaigns: Streams::default(),
            sessions: Streams::default(),
            submissions: Streams::default(),
            contents: Streams::default(),
            tests: Streams::default(),
            broken: Mutex::default(),
            born: Mutex::default(),
            telling: Semaphore::new(TELLING_MAX),
            myself: Weak::clone(myself),
        })
    }

    /// Carries out `command` on `to`, wherever its owner is, and answers once it is durable. Asked
    /// again while the owner is lost or on its way to another node: the id makes that safe.
    pub async fn ask(&self, to: Stream, mut meta: Meta, command: AnyCommand) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_here = self.placement.epoch(to).is_some();
            let asked = if is_here {
                Ok(self.ask_here(to, meta, command.clone()).await)
            } else {
                remote::ask(&*self.deps.wire, to, meta, &command).await
            };
            let pause = if is_here { AGAIN } else { AGAIN_ELSEWHERE };
            match asked {
                Ok(Some(answer)) => return answer,
                Err(CallError::Busy) => return busy(),
                Err(CallError::TooLarge) => return too_large(),
                Ok(None) | Err(_) if deadline < Instant::now() => return unavailable(),
                Ok(None) | Err(_) => tokio::time::sleep(pause).await,
            }
            meta.is_first = false;
        }
    }

    /// The same, once, if its owner is to be here; `None` if it is not, or was lost, perhaps after
    /// it had stored.
    pub(crate) async fn ask_here(
        &self,
        to: Stream,
        meta: Meta,
        command: AnyCommand,
    ) -> Option<Answer> {
        match (to, command) {
            (Stream::Campaign(_), AnyCommand::Campaign(it)) => {
                self.to(&self.campaigns, to, meta, it).await
            }
            (Stream::Session(_), AnyCommand::Session(it)) => {
                self.to(&self.sessions, to, meta, *it).await
            }
            (Stream::Submission(_), AnyCommand::Submission(it)) => {
                self.to(&self.submissions, to, meta, it).await
            }
            (Stream::Content(_), AnyCommand::Content(it)) => {
                self.to(&self.contents, to, meta, *it).await
            }
            (Stream::Test(_), AnyCommand::Test(it)) => self.to(&self.tests, to, meta, *it).await,
            _ => {
                let why = Why::new("wrong_stream", "this is no command of that stream");
                Some(Answer::Refused(why))
            }
        }
    }

    /// The turn to tell others something; `None` when there are no turns any more.
    pub(crate) async fn place_to_tell(&self) -> Option<SemaphorePermit<'_>> {
        self.telling.acquire().await.ok()
    }

    /// Reads from a session's state by `look`: at its owner, if that is here, or else, as when that
    /// ends just now, from what is stored. `None` when it cannot be had.
    pub async fn look<R: Send + 'static>(
        &self,
        session: SessionId,
        look: impl Fn(&Session) -> R + Clone + Send + 'static,
    ) -> Option<R> {
        let stream = Stream::Session(session);
        if let Some(seen) = self.look_at_owner(stream, look.clone()).await {
            return Some(seen);
        }
        let state = Journal::<Session>::read(stream, self.deps.clone()).await.ok()?;
        Some(look(&state))
    }

    async fn look_at_owner<R: Send + 'static>(
        &self,
        stream: Stream,
        look: impl FnOnce(&Session) -> R + Send + 'static,
    ) -> Option<R> {
        let entry = self.entry(&self.sessions, stream).await?;
        let (reply, answer) = oneshot::channel();
        let look = Box::new(move |session: &Session| drop(reply.send(look(session))));
        entry.actor.get()?.cast(Msg::Look(look)).ok()?;
        answer.await.ok()
    }

    /// Loads `stream`, so that its clock runs and its tale is told.
    pub(crate) async fn wake(&self, stream: Stream) {
        if self.placement.epoch(stream).is_none() {
            return;
        }
        match stream {
            Stream::Campaign(_) => drop(self.entry(&self.campaigns, stream).await),
            Stream::Session(_) => drop(self.entry(&self.sessions, stream).await),
            Stream::Submission(_) => drop(self.entry(&self.submissions, stream).await),
            Stream::Content(_) => drop(self.entry(&self.contents, stream).await),
            Stream::Test(_) => drop(self.entry(&self.tests, stream).await),
        }
    }

    /// Ends all owners of streams of `shard`, which somebody else may own: what they still try to
    /// write is fenced.
    pub(crate) fn drop_shard(&self, shard: u16) {
        for owner in self.owners(shard) {
            owner.stop(Some("its shard is another node's".to_owned()));
        }
    }

    /// Lets all owners of streams of `shard` finish what they were asked, put away what they have,
    /// and end.
    pub(crate) async fn retire(&self, shard: u16) {
        self.campaigns.retire(shard);
        self.sessions.retire(shard);
        self.submissions.retire(shard);
        self.contents.retire(shard);
        self.tests.retire(shard);
        join_all(self.owners(shard).iter().map(|owner| owner.wait(None))).await;
    }

    fn owners(&self, shard: u16) -> Vec<ActorCell> {
        let mut owners = self.campaigns.owners(shard);
        owners.extend(self.sessions.owners(shard));
        owners.extend(self.submissions.owners(shard));
        owners.extend(self.contents.owners(shard));
        owners.extend(self.tests.owners(shard));
        owners
    }

    /// Tells every session that is awake that we could not commit for a while.
    pub(crate) fn tell_outage(&self) {
        for actor in self.sessions.all() {
            actor.cast(Msg::Outage).ok();
        }
    }

    pub(crate) fn deps(&self) -> &Deps {
        &self.deps
    }

    pub(crate) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// How many streams are awake.
    pub fn awake(&self) -> usize {
        self.campaigns.len()
            + self.sessions.len()
            + self.submissions.len()
            + self.contents.len()
            + self.tests.len()
    }

    /// The streams whose owner failed again and again, with why.
    pub fn broken(&self) -> Vec<(Stream, String)> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.iter().map(|(stream, why)| (*stream, why.clone())).collect()
    }

    pub(crate) fn mark_broken(&self, stream: Stream, why: String) {
        tracing::error!(%stream, why, "this stream's owner failed too often; it stays down");
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(stream, why);
    }

    /// The actor `id` is about to own `stream`.
    pub(crate) fn born(&self, stream: Stream, id: ActorId) {
        self.born.lock().unwrap_or_else(PoisonError::into_inner).insert(id, stream);
    }

    /// The actor `id` has ended. Answers what it owned.
    pub(crate) fn ended(&self, id: ActorId) -> Option<Stream> {
        let stream = self.born.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)?;
        self.forget(stream, id);
        Some(stream)
    }

    pub(crate) fn set_keeper(&self, keeper: ActorCell) {
        self.keeper.set(keeper).ok();
    }

    /// The actor `id` owns `stream` no more. Another one that owns it by now stays.
    pub(crate) fn forget(&self, stream: Stream, id: ActorId) {
        let heads = &self.deps.heads;
        match stream {
            Stream::Campaign(_) => self.campaigns.remove(stream, id, heads),
            Stream::Session(_) => self.sessions.remove(stream, id, heads),
            Stream::Submission(_) => self.submissions.remove(stream, id, heads),
            Stream::Content(_) => self.contents.remove(stream, id, heads),
            Stream::Test(_) => self.tests.remove(stream, id, heads),
        }
    }

    async fn to<A: Aggregate>(
        &self,
        streams: &Streams<A>,
        to: Stream,
        meta: Meta,
        command: A::Command,
    ) -> Option<Answer> {
        let is_system = matches!(meta.origin, Origin::Stream(_) | Origin::Node);
        let [people, system] = self.shards.get(usize::from(to.shard()))?;
        let permit =
            if is_system { system.acquire().await.ok() } else { people.try_acquire().ok() };
        let Some(_permit) = permit else { return Some(busy()) };
        let line = if is_system { Line::System } else { Line::People };
        self.try_once(streams, to, meta, command, line).await
    }

    async fn try_once<A: Aggregate>(
        &self,
        streams: &Streams<A>,
        to: Stream,
        meta: Meta,
        command: A::Command,
        line: Line,
    ) -> Option<Answer> {
        if self.is_broken(to) {
            let text = "this is out of order; the administrators see it";
            return Some(Answer::Refused(Why::new(BROKEN, text)));
        }
        let entry = self.entry(streams, to).await?;
        let (reply, answer) = oneshot::channel();
        match entry.inbox.send(line, Ask { meta, command, reply }) {
            Ok(()) => {}
            Err(NotTaken::Full) => return Some(busy()),
            Err(NotTaken::Closed) => {
                streams.remove_dead(to, &entry);
                return None;
            }
        }
        if entry.actor.get().is_none_or(|actor| actor.cast(Msg::Wake).is_err()) {
            streams.remove_dead(to, &entry);
            return None;
        }
        answer.await.ok()
    }

    fn is_broken(&self, stream: Stream) -> bool {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&stream)
    }

    /// The owner of `stream`, started if there is none. Waits for its start at most, never for its
    /// loading.
    async fn entry<A: Aggregate>(
        &self,
        streams: &Streams<A>,
        stream: Stream,
    ) -> Option<Arc<Entry<A>>> {
        if self.is_broken(stream) || self.placement.epoch(stream).is_none() {
            return None;
        }
        let (entry, inbox) = streams.get_or_insert(stream);
        let Some(inbox) = inbox else {
            let entry = entry.started().await?;
            // It may have ended before its entry knew of it; nobody else would find that out.
            if entry.actor.get().is_some_and(|actor| actor.get_status() >= ActorStatus::Stopping) {
                streams.remove_dead(stream, &entry);
                return None;
            }
            return Some(entry);
        };
        let starting = Starting { streams, stream, entry: &entry };
        let arguments = Arguments { stream, directory: self.myself.upgrade()?, inbox };
        let keeper = self.keeper.get()?.clone();
        match Actor::spawn_linked(None, Owner(PhantomData), arguments, keeper).await {
            Ok((actor, _)) => {
                entry.actor.set(actor).ok();
                drop(starting);
                Some(entry)
            }
            Err(error) => {
                tracing::error!(%stream, %error, "an owner does not start");
                None
            }
        }
    }
}

fn busy() -> Answer {
    Answer::Refused(Why::later("busy", "too much is going on here; it is tried again", 1_000))
}

/// Of a command that the cluster's own wire does not take.
fn too_large() -> Answer {
    let text = "this is more at once than the server passes on; save it in smaller parts";
    Answer::Refused(Why::new("payload_too_large", text))
}

fn unavailable() -> Answer {
    let text = "this cannot be saved just now; it is tried again, and nothing is lost";
    Answer::Refused(Why::later("unavailable", text, 1_000))
}
