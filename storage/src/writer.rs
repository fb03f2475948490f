//! The one writer: gathers what waits into a batch, commits it, answers each of its parts alone.
//! There is no timer: while one commit runs, and for a turn of the runtime after it, the next batch
//! gathers.

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    pin::Pin,
};

use async_trait::async_trait;
use domain::{
    ports::{Append, AppendError, Unavailable},
    stream::Stream,
};
use tokio::sync::{mpsc, oneshot};

use crate::trouble::{Trouble, unavailable, words};

/// How many appends one transaction takes: enough to share a sync among many, few enough that the
/// last one does not wait long for the first.
const BATCH_APPENDS: usize = 200;

/// How many other writes one transaction takes besides.
const BATCH_OTHERS: usize = 64;

/// How many writes wait in the queue; at the limit their senders wait to be let in.
pub(crate) const QUEUE: usize = 1024;

const NOT_TRIED: &str = "it was not tried";

/// How each append of a transaction that was written ended, in the batch's order.
pub(crate) type Answers = Vec<Result<(), AppendError>>;

/// The connection that the writer has for itself; it opens again after it was lost.
#[async_trait]
pub(crate) trait Lane: Send + 'static {
    type On: Send + 'static;

    /// One transaction; nothing of it stays when it fails. With `weed` it looks first which
    /// commands are stored already.
    async fn transact(
        &mut self,
        appends: &[Waiting],
        weed: bool,
        others: &mut [Box<dyn Other<Self::On>>],
    ) -> Result<Answers, Trouble>;

    /// Called after each batch of so many writes.
    fn after(&mut self, _writes: usize) {}

    async fn close(self);
}

/// One append and who waits for it.
pub(crate) struct Waiting {
    pub(crate) append: Append,
    pub(crate) reply: oneshot::Sender<Result<(), AppendError>>,
}

/// What the writer is asked.
pub(crate) enum Write<C> {
    Append(Box<Waiting>),
    Other(Box<dyn Other<C>>),
    /// Finish what waits, take nothing more.
    Close,
}

pub(crate) type Running<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// A write that is no append. It runs once, inside a savepoint of the batch's transaction.
pub(crate) trait Other<C>: Send {
    fn run<'c>(&'c mut self, on: &'c mut C) -> Running<'c, ()>;

    /// Called once the transaction is over; `Err` when it was not written.
    fn answer(self: Box<Self>, written: Result<(), &str>);
}

/// An [`Other`] made of a closure.
pub(crate) struct Once<F, T> {
    run: Option<F>,
    done: Result<T, String>,
    reply: oneshot::Sender<Result<T, Unavailable>>,
}

impl<F, T> Once<F, T>
where
    T: Send + 'static,
{
    /// The write, and where its answer comes.
    pub(crate) fn ask<C>(run: F) -> (Write<C>, oneshot::Receiver<Result<T, Unavailable>>)
    where
        C: Send + 'static,
        F: for<'c> FnOnce(&'c mut C) -> Running<'c, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (
            Write::Other(Box::new(Self { run: Some(run), done: Err(NOT_TRIED.into()), reply })),
            answer,
        )
    }
}

impl<C, F, T> Other<C> for Once<F, T>
where
    C: Send + 'static,
    F: for<'c> FnOnce(&'c mut C) -> Running<'c, T> + Send + 'static,
    T: Send + 'static,
{
    fn run<'c>(&'c mut self, on: &'c mut C) -> Running<'c, ()> {
        Box::pin(async move {
            let Some(run) = self.run.take() else { return Ok(()) };
            match run(on).await {
                Ok(done) => self.done = Ok(done),
                Err(error) => {
                    self.done = Err(words(&error));
                    return Err(error);
                }
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>, written: Result<(), &str>) {
        let answer = match written {
            Ok(()) => self.done.map_err(|words| unavailable(&words)),
            Err(words) => Err(unavailable(words)),
        };
        // Nobody may be waiting any more; what was written stays written.
        drop(self.reply.send(answer));
    }
}

struct Batch<C> {
    appends: Vec<Waiting>,
    streams: HashSet<Stream>,
    others: Vec<Box<dyn Other<C>>>,
}

impl<C> Batch<C> {
    fn new() -> Self {
        Self { appends: vec![], streams: HashSet::new(), others: vec![] }
    }

    fn has_room(&self) -> bool {
        self.appends.len() < BATCH_APPENDS && self.others.len() < BATCH_OTHERS
    }

    fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.others.is_empty()
    }

    /// Gives back an append whose stream is in the batch already: its turn is the next one.
    fn add(&mut self, write: Write<C>) -> Option<Write<C>> {
        match write {
            Write::Append(waiting)
                if !self.has_room() || !self.streams.insert(waiting.append.stream) =>
            {
                return Some(Write::Append(waiting));
            }
            Write::Append(waiting) => self.appends.push(*waiting),
            Write::Other(other) => self.others.push(other),
            Write::Close => {}
        }
        None
    }
}

pub(crate) struct Writer<L: Lane> {
    queue: mpsc::Receiver<Write<L::On>>,
    held: VecDeque<Write<L::On>>,
    lane: L,
    failing: bool,
}

impl<L: Lane> Writer<L> {
    pub(crate) fn new(queue: mpsc::Receiver<Write<L::On>>, lane: L) -> Self {
        Self { queue, held: VecDeque::new(), lane, failing: false }
    }

    /// Writes until it is told to close and the queue is empty.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            let writes = batch.appends.len() + batch.others.len();
            self.write(batch).await;
            self.lane.after(writes);
            // Who was answered may have more to write, and comes along if it is let go first: a batch of
            // all instead of half of them, with the other half always waiting for it.
            tokio::task::yield_now().await;
        }
        self.lane.close().await;
    }

    /// What waits, or the next that comes; `None` when nothing will come any more.
    async fn gather(&mut self) -> Option<Batch<L::On>> {
        let mut batch = Batch::new();
        for write in std::mem::take(&mut self.held) {
            self.held.extend(batch.add(write));
        }
        if batch.is_empty() {
            let write = self.queue.recv().await?;
            self.take(&mut batch, write);
        }
        while batch.has_room() && self.held.len() < BATCH_APPENDS {
            let Ok(write) = self.queue.try_recv() else { break };
            self.take(&mut batch, write);
        }
        Some(batch)
    }

    fn take(&mut self, batch: &mut Batch<L::On>, write: Write<L::On>) {
        if matches!(write, Write::Close) {
            self.queue.close();
        }
        self.held.extend(batch.add(write));
    }

    async fn write(&mut self, batch: Batch<L::On>) {
        let Batch { appends, mut others, .. } = batch;
        match self.transact(&appends, false, &mut others).await {
            Ok(answers) => {
                answer_appends(appends, answers);
                answer_others(others, Ok(()));
            }
            Err(Trouble::Guilty(_)) => {
                self.halve(appends).await;
                let written = self.transact(&[], false, &mut others).await;
                answer_others(others, written.as_ref().map(|_| ()).map_err(Trouble::words));
            }
            Err(Trouble::Away(words)) => {
                refuse(appends, &words);
                answer_others(others, Err(&words));
            }
        }
    }

    /// Writes `appends` in ever smaller parts, until the guilty one is alone. Looks for commands
    /// that are stored already first, since that is what mostly is to blame.
    async fn halve(&mut self, appends: Vec<Waiting>) {
        let mut parts = vec![appends];
        while let Some(mut part) = parts.pop() {
            match self.transact(&part, true, &mut []).await {
                Ok(answers) => answer_appends(part, answers),
                Err(Trouble::Guilty(_)) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Err(trouble) => refuse(part, trouble.words()),
            }
        }
    }

    async fn transact(
        &mut self,
        appends: &[Waiting],
        weed: bool,
        others: &mut [Box<dyn Other<L::On>>],
    ) -> Result<Answers, Trouble> {
        if appends.is_empty() && others.is_empty() {
            return Ok(vec![]);
        }
        let outcome = self.lane.transact(appends, weed, others).await;
        self.note(outcome.as_ref().err());
        outcome
    }

    /// Says once when writing begins to fail, and once when it works again.
    fn note(&mut self, trouble: Option<&Trouble>) {
        let away = match trouble {
            Some(Trouble::Away(words)) => Some(words),
            Some(Trouble::Guilty(_)) | None => None,
        };
        match away {
            Some(reason) if !self.failing => tracing::error!(%reason, "the store cannot write"),
            None if self.failing => tracing::warn!("the store can write again"),
            _ => {}
        }
        self.failing = away.is_some();
    }
}

fn answer_appends(appends: Vec<Waiting>, answers: Answers) {
    for (waiting, answer) in appends.into_iter().zip(answers) {
        drop(waiting.reply.send(answer));
    }
}

fn answer_others<C>(others: Vec<Box<dyn Other<C>>>, written: Result<(), &str>) {
    for other in others {
        other.answer(written);
    }
}

fn refuse(appends: Vec<Waiting>, words: &str) {
    for waiting in appends {
        drop(waiting.reply.send(Err(unavailable(words).into())));
    }
}

pub(crate) const CLOSED: &str = "the store is closed";

/// The writer's answer; it is away when the writer is.
pub(crate) async fn answered<T>(answer: oneshot::Receiver<T>) -> Result<T, Unavailable> {
    answer.await.map_err(|_| unavailable(CLOSED))
}
