//! The wire and the leases of one process: between its own parts, or between the nodes of a test.

use std::{
    collections::{BTreeMap, HashMap},
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
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// How many things said one listener may lag behind; the next one is lost to it.
const BEHIND_MAX: usize = 256;

/// See the module.
#[derive(Default)]
pub struct LocalWire {
    served: Arc<Mutex<HashMap<Subject, Arc<dyn Serve>>>>,
    heard: Mutex<HashMap<Subject, Vec<mpsc::Sender<Bytes>>>>,
}

#[async_trait]
impl Wire for LocalWire {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        let serve = lock(&self.served).get(&to).cloned().ok_or(CallError::NobodyServes)?;
        timeout(within, serve.answer(body)).await.map_err(|_| CallError::TimedOut)
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        lock(&self.served).insert(subject, Arc::clone(&serve));
        Ok(Box::new(Served { subject, serve, all: Arc::downgrade(&self.served) }))
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

/// Serves until it is dropped, unless another one serves by now.
struct Served {
    subject: Subject,
    serve: Arc<dyn Serve>,
    all: Weak<Mutex<HashMap<Subject, Arc<dyn Serve>>>>,
}

impl Serving for Served {}

impl Drop for Served {
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
