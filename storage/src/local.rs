//! The wire and the leases of one process: between its own parts, or between the nodes of a test.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::Ms,
    cluster::{CallError, Hearing, Lease, LeaseError, Leases, Serve, Serving, Subject, Wire},
    ids::NodeId,
    ports::Unavailable,
};
use futures_util::FutureExt;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout},
};

/// How many things said one listener may lag behind; the next one is lost to it.
const BEHIND_MAX: usize = 256;

/// How many calls may be going on at one moment; the next one is told that too much is going on.
pub(crate) const CALLS_MAX: usize = 1_024;

type Served = HashMap<Subject, Arc<dyn Serve>>;

/// See the module.
pub struct LocalWire {
    served: Arc<Mutex<Served>>,
    heard: Mutex<HashMap<Subject, Vec<mpsc::Sender<Bytes>>>>,
    places: Arc<Semaphore>,
    going_on: Mutex<JoinSet<()>>,
}

impl Default for LocalWire {
    fn default() -> Self {
        let (served, heard, going_on) = (Arc::default(), Mutex::default(), Mutex::default());
        Self { served, heard, places: Arc::new(Semaphore::new(CALLS_MAX)), going_on }
    }
}

/// Whoever served a call failed; it may have been carried out.
#[derive(Debug, thiserror::Error)]
#[error("whoever serves it failed")]
pub(crate) struct Failed;

impl LocalWire {
    pub(crate) fn serves(&self, subject: Subject) -> bool {
        lock(&self.served).contains_key(&subject)
    }

    /// Has the call carried out beside others, and its answer dealt with by `then`. Neither ends
    /// with who asked.
    pub(crate) fn carry_out<F: Future<Output = ()> + Send>(
        &self,
        to: Subject,
        body: Bytes,
        then: impl FnOnce(Result<Bytes, Failed>) -> F + Send + 'static,
    ) -> Result<(), CallError> {
        let serve = lock(&self.served).get(&to).cloned().ok_or(CallError::NobodyServes)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| CallError::Busy)?;
        let mut going_on = lock(&self.going_on);
        while going_on.try_join_next().is_some() {}
        going_on.spawn(async move {
            let answer = AssertUnwindSafe(serve.answer(body)).catch_unwind().await;
            then(answer.map_err(|_| Failed)).await;
            drop(place);
        });
        Ok(())
    }
}

#[async_trait]
impl Wire for LocalWire {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        let (sender, answer) = oneshot::channel();
        self.carry_out(to, body, |answer| async {
            // Who asked may have gone.
            sender.send(answer).ok();
        })?;
        match timeout(within, answer).await {
            Err(_) => Err(CallError::TimedOut),
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(_)) | Err(_)) => Err(Unavailable(Failed.into()).into()),
        }
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        Ok(Box::new(self.serve_here(subject, serve)))
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        let mut heard = lock(&self.heard);
        let Some(listeners) = heard.get_mut(&subject) else { return };
        listeners.retain(|listener| {
            !matches!(listener.try_send(body.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }

    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable> {
        let (sender, receiver) = mpsc::channel(BEHIND_MAX);
        lock(&self.heard).entry(subject).or_default().push(sender);
        Ok(Box::new(Listener(receiver)))
    }
}

impl LocalWire {
    pub(crate) fn serve_here(&self, subject: Subject, serve: Arc<dyn Serve>) -> ServedHere {
        lock(&self.served).insert(subject, Arc::clone(&serve));
        ServedHere { subject, serve, all: Arc::downgrade(&self.served) }
    }
}

/// Serves until it is dropped, unless another one serves by now.
pub(crate) struct ServedHere {
    subject: Subject,
    serve: Arc<dyn Serve>,
    all: Weak<Mutex<Served>>,
}

impl Serving for ServedHere {}

impl Drop for ServedHere {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let mut all = lock(&all);
        if all.get(&self.subject).is_some_and(|serve| Arc::ptr_eq(serve, &self.serve)) {
            all.remove(&self.subject);
        }
    }
}

struct Listener(mpsc::Receiver<Bytes>);

#[async_trait]
impl Hearing for Listener {
    async fn next(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }
}

/// See the module.
pub struct LocalLeases {
    ttl: Ms,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    leases: BTreeMap<u16, (Lease, Instant)>,
    revision: u64,
}

/// Of a program that has no others beside it: they last as good as for ever.
impl Default for LocalLeases {
    fn default() -> Self {
        Self::new(Ms(600_000))
    }
}

impl LocalLeases {
    /// Leases that are free after `ttl` without a renewal.
    pub fn new(ttl: Ms) -> Self {
        Self { ttl, held: Mutex::default() }
    }

    /// Those whose time is not over.
    fn held(&self) -> MutexGuard<'_, Held> {
        let mut held = lock(&self.held);
        let ttl = Duration::from_millis(u64::try_from(self.ttl.0).unwrap_or(0));
        held.leases.retain(|_, (_, renewed_at)| renewed_at.elapsed() < ttl);
        held
    }
}

#[async_trait]
impl Leases for LocalLeases {
    fn ttl(&self) -> Ms {
        self.ttl
    }

    async fn all(&self) -> Result<BTreeMap<u16, Lease>, Unavailable> {
        Ok(self.held().leases.iter().map(|(shard, (lease, _))| (*shard, *lease)).collect())
    }

    async fn put(&self, shard: u16, owner: NodeId, after: Option<u64>) -> Result<u64, LeaseError> {
        let mut held = self.held();
        if held.leases.get(&shard).map(|(lease, _)| lease.revision) != after {
            return Err(LeaseError::Changed);
        }
        held.revision += 1;
        let revision = held.revision;
        held.leases.insert(shard, (Lease { owner, revision }, Instant::now()));
        Ok(revision)
    }

    async fn release(&self, shard: u16, revision: u64) -> Result<(), LeaseError> {
        let mut held = self.held();
        if held.leases.get(&shard).map(|(lease, _)| lease.revision) != Some(revision) {
            return Err(LeaseError::Changed);
        }
        held.leases.remove(&shard);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
