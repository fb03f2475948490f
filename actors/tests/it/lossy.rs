//! A wire that loses what it is told to lose.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Hearing, Serve, Serving, Subject, Wire},
    ports::Unavailable,
};
use storage::local::LocalWire;

/// See the module. Of calls about runs it loses so many of each ten questions and so many of each ten
/// answers, by chance from a seed.
#[derive(Default)]
pub(crate) struct LossyWire {
    inner: LocalWire,
    of_ten: AtomicU32,
    calls: AtomicUsize,
    pub(crate) lost: AtomicUsize,
}

impl LossyWire {
    pub(crate) fn lose(&self, of_ten: u32) {
        self.of_ten.store(of_ten, Ordering::SeqCst);
    }

    /// Whether the next thing on its way is lost.
    fn loses(&self) -> bool {
        let n = self.calls.fetch_add(1, Ordering::SeqCst) as u64;
        // splitmix64 (Steele, Lea and Flood, 2014).
        let mut z = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let is_lost = (z ^ (z >> 31)) % 10 < u64::from(self.of_ten.load(Ordering::SeqCst));
        self.lost.fetch_add(usize::from(is_lost), Ordering::SeqCst);
        is_lost
    }
}

#[async_trait]
impl Wire for LossyWire {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        if !matches!(to, Subject::Runs | Subject::Run(_)) {
            return self.inner.call(to, body, within).await;
        }
        let (is_lost, is_unanswered) = (self.loses(), self.loses());
        if !is_lost {
            let answer = self.inner.call(to, body, within).await;
            if !is_unanswered || answer.is_err() {
                return answer;
            }
        }
        tokio::time::sleep(within).await;
        Err(CallError::TimedOut)
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        self.inner.serve(subject, serve).await
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        self.inner.tell(subject, body);
    }

    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable> {
        self.inner.hear(subject).await
    }
}
