//! The one writer: gathers what waits into a batch, commits it, answers each of its parts alone.
//! There is no timer: while one commit runs, the next batch gathers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::Future,
    pin::Pin,
};

use domain::{
    ports::{Append, AppendError, Unavailable},
    stream::Stream,
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{mpsc, oneshot};

use super::{
    append,
    checkpoint::Asking,
    trouble::{Trouble, unavailable, words},
};

/// How many appends one transaction takes: enough to share a sync among many, few enough that the
/// last one does not wait long for the first.
const BATCH_APPENDS: usize = 200;

/// How many other writes one transaction takes besides.
const BATCH_OTHERS: usize = 64;

/// How many writes wait in the queue; at the limit their senders wait to be let in.
pub(super) const QUEUE: usize = 1024;

const NOT_TRIED: &str = "it was not tried";

/// One append and who waits for it.
pub(super) struct Waiting {
    pub(super) append: Append,
    pub(super) reply: oneshot::Sender<Result<(), AppendError>>,
}

/// What the writer is asked.
pub(super) enum Write {
    Append(Box<Waiting>),
    Other(Box<dyn Other>),
    /// Finish what waits, take nothing more.
    Close,
}

pub(super) type Running<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// A write that is no append. It runs once, inside a savepoint of the batch's transaction.
pub(super) trait Other: Send {
    fn run<'c>(&'c mut self, on: &'c mut SqliteConnection) -> Running<'c, ()>;

    /// Called once the transaction is over; `Err` when it was not written.
    fn answer(self: Box<Self>, written: Result<(), &str>);
}

/// An [`Other`] made of a closure.
pub(super) struct Once<F, T> {
    run: Option<F>,
    done: Result<T, String>,
    reply: oneshot::Sender<Result<T, Unavailable>>,
}

impl<F, T> Once<F, T>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Running<'c, T> + Send + 'static,
    T: Send + 'static,
{
    /// The write, and where its answer comes.
    pub(super) fn ask(run: F) -> (Write, oneshot::Receiver<Result<T, Unavailable>>) {
        let (reply, answer) = oneshot::channel();
        (
            Write::Other(Box::new(Self { run: Some(run), done: Err(NOT_TRIED.into()), reply })),
            answer,
        )
    }
}

impl<F, T> Other for Once<F, T>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Running<'c, T> + Send + 'static,
    T: Send + 'static,
{
    fn run<'c>(&'c mut self, on: &'c mut SqliteConnection) -> Running<'c, ()> {
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

#[derive(Default)]
struct Batch {
    appends: Vec<Waiting>,
    streams: HashSet<Stream>,
    others: Vec<Box<dyn Other>>,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.appends.len() < BATCH_APPENDS && self.others.len() < BATCH_OTHERS
    }

    fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.others.is_empty()
    }

    /// Gives back an append whose stream is in the batch already: its turn is the next one.
    fn add(&mut self, write: Write) -> Option<Write> {
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

pub(super) struct Writer {
    queue: mpsc::Receiver<Write>,
    held: VecDeque<Write>,
    options: SqliteConnectOptions,
    on: Option<SqliteConnection>,
    asking: Asking,
    failing: bool,
}

impl Writer {
    pub(super) fn new(
        queue: mpsc::Receiver<Write>,
        options: SqliteConnectOptions,
        on: SqliteConnection,
        asking: Asking,
    ) -> Self {
        Self { queue, held: VecDeque::new(), options, on: Some(on), asking, failing: false }
    }

    /// Writes until it is told to close and the queue is empty.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            let writes = batch.appends.len() + batch.others.len();
            self.write(batch).await;
            self.asking.after(writes);
        }
        if let Some(on) = self.on.take()
            && let Err(error) = on.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }

    /// What waits, or the next that comes; `None` when nothing will come any more.
    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
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

    fn take(&mut self, batch: &mut Batch, write: Write) {
        if matches!(write, Write::Close) {
            self.queue.close();
        }
        self.held.extend(batch.add(write));
    }

    async fn write(&mut self, batch: Batch) {
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

    /// One transaction; nothing of it stays when it fails.
    async fn transact(
        &mut self,
        appends: &[Waiting],
        weed: bool,
        others: &mut [Box<dyn Other>],
    ) -> Result<Vec<Result<(), AppendError>>, Trouble> {
        if appends.is_empty() && others.is_empty() {
            return Ok(vec![]);
        }
        let outcome = match self.connection().await {
            Ok(on) => {
                let outcome = attempt(on, appends, weed, others).await;
                if outcome.is_err() {
                    // Fails when SQLite rolled back by itself, which is as good.
                    drop(sqlx::query("ROLLBACK").execute(&mut *on).await);
                    if on.ping().await.is_err() {
                        self.on = None;
                    }
                }
                outcome
            }
            Err(error) => Err(error.into()),
        };
        self.note(outcome.as_ref().err());
        outcome
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match &mut self.on {
            Some(on) => Ok(on),
            none => Ok(none.insert(SqliteConnection::connect_with(&self.options).await?)),
        }
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

async fn attempt(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    weed: bool,
    others: &mut [Box<dyn Other>],
) -> Result<Vec<Result<(), AppendError>>, Trouble> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *on).await?;
    let known = if weed { append::stored(on, appends).await? } else { HashMap::new() };
    let answers = append::apply(on, appends, known).await?;
    for other in others {
        aside(on, other.as_mut()).await?;
    }
    sqlx::query("COMMIT").execute(on).await?;
    Ok(answers)
}

/// Runs `other` so that its failure undoes only itself.
async fn aside(on: &mut SqliteConnection, other: &mut dyn Other) -> Result<(), Trouble> {
    sqlx::query("SAVEPOINT aside").execute(&mut *on).await?;
    match other.run(on).await.map_err(Trouble::from) {
        Ok(()) => {}
        Err(Trouble::Guilty(reason)) => {
            tracing::error!(%reason, "a write broke a rule of the tables");
            sqlx::query("ROLLBACK TO aside").execute(&mut *on).await?;
        }
        Err(away) => return Err(away),
    }
    sqlx::query("RELEASE aside").execute(on).await?;
    Ok(())
}

fn answer_appends(appends: Vec<Waiting>, answers: Vec<Result<(), AppendError>>) {
    for (waiting, answer) in appends.into_iter().zip(answers) {
        drop(waiting.reply.send(answer));
    }
}

fn answer_others(others: Vec<Box<dyn Other>>, written: Result<(), &str>) {
    for other in others {
        other.answer(written);
    }
}

fn refuse(appends: Vec<Waiting>, words: &str) {
    for waiting in appends {
        drop(waiting.reply.send(Err(unavailable(words).into())));
    }
}
