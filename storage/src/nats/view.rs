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
        let mut heard = Heard { bucket, messages: 0 };
        loop {
            tokio::select! {
                next = timeout(SILENCE_MAX, next(&mut messages)) => {
                    let message = next.map_err(|_| anyhow!("nothing was heard of the leases"))??;
                    self.hear(&mut heard, &message)?;
                }
                now = seen.wait_for(|seen| seen.connections != connections) => {
                    now?;
                    bail!("the connection was made anew");
                }
                () = self.again.notified() => bail!("the bucket is another"),
            }
        }
    }

    fn hear(&self, heard: &mut Heard, message: &Message) -> anyhow::Result<()> {
        let shard = self.bucket.shard_of(&message.subject);
        let mut answer = Ok(());
        self.view.send_modify(|view| answer = heard.take(shard, message, view));
        answer
    }
}

/// How far one consumer of a bucket was heard.
struct Heard {
    bucket: u64,
    messages: u64,
}

impl Heard {
    fn take(&mut self, shard: Option<u16>, said: &Message, view: &mut View) -> anyhow::Result<()> {
        if said.status == Some(StatusCode::IDLE_HEARTBEAT) {
            return self.beat(said, view);
        }
        let place = said.reply.as_deref().and_then(Place::read);
        let place = place.ok_or_else(|| anyhow!("not a message of a consumer"))?;
        if place.nth != self.messages + 1 {
            bail!("something was lost of the leases");
        }
        self.messages = place.nth;
        view.seq = place.seq;
        let owner = std::str::from_utf8(&said.payload).ok().and_then(|text| text.parse().ok());
        if let (Some(shard), Some(owner)) = (shard, owner) {
            let (bucket, revision) = (self.bucket, self.bucket + place.seq);
            let lease = Lease { owner, revision };
            view.learn(shard, Known { lease, heard_at: Instant::now(), bucket });
        }
        if place.pending == 0 {
            view.bucket = Some(self.bucket);
        }
        Ok(())
    }

    /// A consumer that beats has nothing left to send: what it counted as still to come may have
    /// been over before it was sent, and then no message says that all is known.
    fn beat(&self, beat: &Message, view: &mut View) -> anyhow::Result<()> {
        let sent = sent(beat).ok_or_else(|| anyhow!("not a sign of life of a consumer"))?;
        if sent != self.messages {
            bail!("something was lost of the leases");
        }
        view.bucket = Some(self.bucket);
        Ok(())
    }
}

/// How many messages the consumer has sent so far, as its sign of life says.
fn sent(beat: &Message) -> Option<u64> {
    beat.headers.as_ref()?.get("Nats-Last-Consumer")?.as_str().parse().ok()
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

    /// What a consumer says: `reply` behind a lease, or how much it `sent` so far.
    fn said(reply: Option<&str>, sent: Option<u64>) -> Message {
        let headers = sent.map(|sent| {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Last-Consumer", sent.to_string());
            headers
        });
        Message {
            subject: "$KV.a.7.5".into(),
            reply: reply.map(Into::into),
            payload: bytes::Bytes::new(),
            status: headers.is_some().then_some(StatusCode::IDLE_HEARTBEAT),
            headers,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn all_is_known_once_the_consumer_rests_even_if_what_was_to_come_is_over() {
        let (mut heard, mut view) = (Heard { bucket: 7, messages: 0 }, View::default());
        heard.take(None, &said(None, Some(0)), &mut view).unwrap();
        assert_eq!(view.bucket, Some(7));
    }

    #[test]
    fn what_is_still_to_come_is_waited_for() {
        let (mut heard, mut view) = (Heard { bucket: 7, messages: 0 }, View::default());
        heard.take(Some(5), &said(Some("$JS.ACK.KV_a.c.1.9.1.0.1"), None), &mut view).unwrap();
        assert_eq!(view.bucket, None);
        heard.take(Some(5), &said(None, Some(1)), &mut view).unwrap();
        assert_eq!(view.bucket, Some(7));
    }

    #[test]
    fn a_rest_says_what_was_lost() {
        let (mut heard, mut view) = (Heard { bucket: 7, messages: 0 }, View::default());
        assert!(heard.take(None, &said(None, Some(1)), &mut view).is_err());
        assert_eq!(view.bucket, None);
    }

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
