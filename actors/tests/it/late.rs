//! A wire on which what nodes say of themselves is heard late.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    at::Ms,
    cluster::{CallError, Hearing, Serve, Serving, Subject, Wire},
    ports::Unavailable,
};
use storage::local::LocalWire;
use tokio::task::JoinSet;

/// See the module.
pub(crate) struct LateWire {
    inner: Arc<LocalWire>,
    late: Duration,
    on_their_way: Mutex<JoinSet<()>>,
}

impl LateWire {
    pub(crate) fn new(late: Ms) -> Self {
        let late = Duration::from_millis(late.0.cast_unsigned());
        Self { inner: Arc::default(), late, on_their_way: Mutex::default() }
    }
}

#[async_trait]
impl Wire for LateWire {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        self.inner.call(to, body, within).await
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        self.inner.serve(subject, serve).await
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        if subject != Subject::Nodes {
            return self.inner.tell(subject, body);
        }
        let (inner, late) = (Arc::clone(&self.inner), self.late);
        self.on_their_way.lock().unwrap().spawn(async move {
            tokio::time::sleep(late).await;
            inner.tell(subject, body);
        });
    }

    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable> {
        self.inner.hear(subject).await
    }
}
