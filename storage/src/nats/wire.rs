//! Calls between nodes over NATS, and what is said to all of them.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    cluster::{CallError, Hearing, Serve, Serving, Subject, Wire},
    ports::Unavailable,
};
use futures_util::StreamExt;
use tokio::sync::oneshot;

use super::{Nats, PATIENCE};
use crate::local::{Failed, LocalWire, ServedHere};

/// In the header of an answer that is none: why.
const WHY: &str = "Polycode-Why";

/// Of all nodes that believe to serve a subject, one is given each call; but for commands, which
/// everybody is given who does: while a shard moves two are, and what reaches the one that no longer
/// has it must not be lost with it.
const GROUP: &str = "serve";

/// See the module. What this node serves is asked without the server.
pub struct NatsWire {
    nats: Nats,
    local: Arc<LocalWire>,
}

impl NatsWire {
    pub fn new(nats: &Nats) -> Self {
        Self { nats: nats.clone(), local: Arc::default() }
    }

    /// What is said to all goes beside the calls, so that who hears a subject does not seem to serve
    /// it.
    fn said(&self, subject: Subject) -> String {
        self.nats.subject(format_args!("{subject}.said"))
    }
}

#[async_trait]
impl Wire for NatsWire {
    async fn call(&self, to: Subject, body: Bytes, within: Duration) -> Result<Bytes, CallError> {
        if self.local.serves(to) {
            return self.local.call(to, body, within).await;
        }
        // The queue to the server may be full as well.
        let ask = Request::new().payload(body).timeout(None);
        let mut seen = self.nats.seen();
        let breaks = seen.borrow_and_update().breaks;
        let answer = tokio::select! {
            answer = tokio::time::timeout(within, self.nats.request(to, ask)) => answer,
            _ = seen.wait_for(|seen| seen.breaks != breaks) => return Err(CallError::TimedOut),
        };
        match answer.map_err(|_| CallError::TimedOut)? {
            Ok(answer) => read(answer),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => CallError::NobodyServes,
                RequestErrorKind::TimedOut => CallError::TimedOut,
                RequestErrorKind::MaxPayloadExceeded => CallError::TooLarge,
                RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                    Unavailable(anyhow!("{error}: {:?}", std::error::Error::source(&error))).into()
                }
            }),
        }
    }

    async fn serve(
        &self,
        subject: Subject,
        serve: Arc<dyn Serve>,
    ) -> Result<Box<dyn Serving>, Unavailable> {
        let here = self.local.serve_here(subject, serve);
        let name = self.nats.subject(subject);
        let calls = if matches!(subject, Subject::Commands(_)) {
            within(self.nats.client().subscribe(name)).await?
        } else {
            within(self.nats.client().queue_subscribe(name, GROUP.into())).await?
        };
        let (stop, stopped) = oneshot::channel();
        let (local, client) = (Arc::clone(&self.local), self.nats.client().clone());
        self.nats.spawn(take(calls, stopped, local, client, subject));
        self.nats.sync().await?;
        Ok(Box::new(ServedByAll { _here: here, _stop: stop }))
    }

    fn tell(&self, subject: Subject, body: Bytes) {
        self.local.tell(subject, body.clone());
        // It may be lost.
        self.nats.send(self.said(subject), body);
    }

    async fn hear(&self, subject: Subject) -> Result<Box<dyn Hearing>, Unavailable> {
        let here = self.local.hear(subject).await?;
        let there = within(self.nats.client().subscribe(self.said(subject))).await?;
        self.nats.sync().await?;
        Ok(Box::new(Listener { here, there }))
    }
}

/// While the connection is down, its queue may be full.
async fn within(
    asked: impl Future<Output = Result<Subscriber, async_nats::SubscribeError>>,
) -> Result<Subscriber, Unavailable> {
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    Ok(asked.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?)
}

/// Calls are served until it is dropped.
struct ServedByAll {
    _here: ServedHere,
    /// Dropped, it stops.
    _stop: oneshot::Sender<()>,
}

impl Serving for ServedByAll {}

/// Takes calls and has them answered, until it is stopped; those on their way at that moment are told
/// that nobody serves here.
async fn take(
    mut calls: Subscriber,
    mut stopped: oneshot::Receiver<()>,
    local: Arc<LocalWire>,
    client: Client,
    subject: Subject,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            call = calls.next() => match call {
                Some(call) => answer(&local, &client, subject, call).await,
                None => return,
            },
        }
    }
    if calls.drain().await.is_ok() {
        while let Some(call) = calls.next().await {
            answer(&local, &client, subject, call).await;
        }
    }
}

async fn answer(local: &LocalWire, client: &Client, subject: Subject, call: Message) {
    let Some(to) = call.reply else { return };
    let (answers, back) = (client.clone(), to.clone());
    let taken = local.carry_out(subject, call.payload, |answer| reply(answers, back, answer));
    match taken {
        Ok(()) => {}
        Err(CallError::NobodyServes) => refuse(client, to, "nobody").await,
        Err(_) => refuse(client, to, "busy").await,
    }
}

async fn reply(client: Client, to: async_nats::Subject, answer: Result<Bytes, Failed>) {
    match answer {
        Err(failed) => refuse(&client, to, &failed.to_string()).await,
        Ok(answer) => {
            if let Err(error) = client.publish(to.clone(), answer).await {
                refuse(&client, to, &format!("the answer could not be sent: {error}")).await;
            }
        }
    }
}

async fn refuse(client: &Client, to: async_nats::Subject, why: &str) {
    let mut headers = HeaderMap::new();
    headers.insert(WHY, why);
    if let Err(error) = client.publish_with_headers(to, headers, Bytes::new()).await {
        tracing::warn!(%error, "a call is not answered");
    }
}

fn read(answer: Message) -> Result<Bytes, CallError> {
    match answer.headers.as_ref().and_then(|headers| headers.get(WHY)) {
        None => Ok(answer.payload),
        Some(why) => Err(match why.as_str() {
            "nobody" => CallError::NobodyServes,
            "busy" => CallError::Busy,
            why => Unavailable(anyhow!("{why}")).into(),
        }),
    }
}

/// Hears what is said here and elsewhere.
struct Listener {
    here: Box<dyn Hearing>,
    there: Subscriber,
}

#[async_trait]
impl Hearing for Listener {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            here = self.here.next() => here,
            there = self.there.next() => there.map(|there| there.payload),
        }
    }
}
