//! What one node knows of the leases without asking for each: it follows the bucket. To be told is a
//! hint; whoever asks for all of them asks the server what is there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{anyhow, bail};
use async_nats::{Client, Message, StatusCode, Subscriber};
use domain::cluster::Lease;
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    bucket::{Bucket, Shape},
    link::Seen,
};

/// How often the server gives a sign of life where nothing is written.
const BEAT: Duration = Duration::from_secs(1);

/// After how long without any the bucket is followed anew: a server that was started again may say
/// nothing for ever.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Pauses between attempts to follow: each one leaves something with the server for 10 s.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// One lease as it was heard of.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub lease: Lease,
    pub heard_at: Instant,
    /// When the bucket began that it is in.
    pub bucket: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// When the bucket began that is followed, once all that was in it at first is known.
    pub bucket: Option<u64>,
    /// The number of the last thing heard in it.
    pub seq: u64,
    pub known: BTreeMap<u16, Known>,
}

impl View {
    /// Learns of one lease, unless something later is known.
    pub(super) fn learn(&mut self, shard: u16, known: Known) {
        let later = self.known.get(&shard).is_some_and(|old| {
            old.bucket == known.bucket && old.lease.revision >= known.lease.revision
        });
        if !later {
            self.known.insert(shard, known);
        }
    }
}

/// Follows a bucket for ever.
pub(super) struct Follower {
    pub client: Client,
    pub bucket: Bucket,
    pub shape: Shape,
    pub view: Arc<watch::Sender<View>>,
    /// Somebody noticed that it is gone, or another.
    pub again: Arc<Notify>,
    pub seen: watch::Receiver<Seen>,
}

impl Follower {
    pub(super) async fn run(self) {
        let (mut failed, mut said) = (0_usize, false);
        loop {
            let began = Instant::now();
            let Err(error) = self.follow().await else { return };
            self.view.send_modify(|view| view.bucket = None);
            failed = if began.elapsed() > SILENCE_MAX { 0 } else { failed + 1 };
            if failed > 2 && !said {
                tracing::warn!(error = format!("{error:#}"), "the leases cannot be followed");
            }
            said = failed > 2;
            let nth = failed.saturating_sub(1);
            let pause = PAUSES.get(nth).or(PAUSES.last()).copied().unwrap_or(BEAT);
            let spread = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            sleep(spread).await;
        }
    }

    /// Ends with why it cannot go on.
    async fn follow(&self) -> anyhow::Result<()> {
        let mut seen = self.seen.clone();
        let connections = seen.borrow_and_update().connections;
        let made = self.bucket.make(&self.shape).await??;
        let bucket = self.bucket.began(&made);
        let bucket = bucket.ok_or_else(|| anyhow!("the bucket is none of ours"))?;
        let inbox = self.client.new_inbox();
        let mut messages = timeout(BEAT, self.client.subscribe(inbox.clone())).await??;
        let pending = self.bucket.follow(&inbox, BEAT).await?;
        self.view.send_modify(|view| {
            view.seq = 0;
            view.bucket = (pending == 0).then_some(bucket);
        });
        let mut heard = 0;
        loop {
            tokio::select! {
                next = timeout(SILENCE_MAX, next(&mut messages)) => {
                    let message = next.map_err(|_| anyhow!("nothing was heard of the leases"))??;
                    heard = self.hear(bucket, heard, &message)?;
                }
                now = seen.wait_for(|seen| seen.connections != connections) => {
                    now?;
                    bail!("the connection was made anew");
                }
                () = self.again.notified() => bail!("the bucket is another"),
            }
        }
    }

    /// Learns from one message, the one behind number `heard`; its number.
    fn hear(&self, bucket: u64, heard: u64, message: &Message) -> anyhow::Result<u64> {
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            return Ok(heard);
        }
        let place = message.reply.as_deref().and_then(Place::read);
        let place = place.ok_or_else(|| anyhow!("not a message of a consumer"))?;
        if place.nth != heard + 1 {
            bail!("something was lost of the leases");
        }
        let shard = self.bucket.shard_of(&message.subject);
        let owner = std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse().ok());
        self.view.send_modify(|view| {
            view.seq = place.seq;
            if let (Some(shard), Some(owner)) = (shard, owner) {
                let lease = Lease { owner, revision: bucket + place.seq };
                view.learn(shard, Known { lease, heard_at: Instant::now(), bucket });
            }
            if place.pending == 0 {
                view.bucket = Some(bucket);
            }
        });
        Ok(place.nth)
    }
}

async fn next(messages: &mut Subscriber) -> anyhow::Result<Message> {
    messages.next().await.ok_or_else(|| anyhow!("the connection is closed"))
}

/// What the reply subject of a message of a consumer says.
#[derive(Debug, PartialEq)]
struct Place {
    /// Its number in the stream.
    seq: u64,
    /// Its number among those sent.
    nth: u64,
    /// How many are still to come.
    pending: u64,
}

impl Place {
    /// Reads `$JS.ACK.<stream>.<consumer>.<times>.<seq>.<nth>.<time>.<pending>`; later servers put
    /// two words before the stream and may add one behind.
    fn read(reply: &str) -> Option<Self> {
        let words: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let from = if words.len() == 7 { 3 } else { 5 };
        let number = |nth: usize| words.get(from + nth)?.parse().ok();
        Some(Self { seq: number(0)?, nth: number(1)?, pending: number(3)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_replies_are_read() {
        let expected = Some(Place { seq: 9, nth: 4, pending: 0 });
        assert_eq!(Place::read("$JS.ACK.KV_a.c.1.9.4.1700000000.0"), expected);
        assert_eq!(Place::read("$JS.ACK.hub.acc.KV_a.c.1.9.4.1700000000.0"), expected);
        assert_eq!(Place::read("$JS.ACK.hub.acc.KV_a.c.1.9.4.1700000000.0.x"), expected);
        assert_eq!(Place::read("$JS.ACK.KV_a.c.1.9.x.1700000000.0"), None);
        assert_eq!(Place::read("_INBOX.a"), None);
    }
}
