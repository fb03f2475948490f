//! Somebody outside who asks, each command under one id until it is answered, through any node.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actors::ask::Meta;
use domain::{
    at::{At, Ms},
    command::{Answer, AnyCommand},
    ids::CommandId,
    stream::{Origin, Stream},
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{check::Asked, host::Request, ports::wire, world::NOON, world::World};

/// See the module.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) world: Arc<World>,
    pub(crate) origin: Origin,
    began: Instant,
    /// Everything that was asked, by all.
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Person {
    /// To be called in the runtime of the people.
    pub(crate) fn new(
        world: &Arc<World>,
        origin: Origin,
        began: Instant,
        asked: &Arc<Mutex<Vec<Asked>>>,
    ) -> Self {
        Self { world: Arc::clone(world), origin, began, asked: Arc::clone(asked) }
    }

    pub(crate) fn time(&self) -> At {
        NOON + Ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(0))
    }

    pub(crate) async fn wait(&self, from: i64, to: i64) {
        let wait = self.world.between(from, to);
        tokio::time::sleep(Duration::from_millis(wait.0.unsigned_abs())).await;
    }

    /// Opens a socket to some node, if one is there.
    pub(crate) fn open(&self, request: impl Fn() -> Request) {
        let mut inner = self.world.lock();
        let doors: Vec<_> = inner.doors.iter().flatten().cloned().collect();
        let door = inner.dice.choice(&doors).cloned();
        drop(inner);
        if let Some(door) = door {
            door.try_send(request()).ok();
        }
    }

    /// Asks until there is an answer that stands.
    pub(crate) async fn ask(&self, to: Stream, command: AnyCommand) -> Answer {
        let command_id = CommandId::from_u128(self.world.id());
        let mut is_first = true;
        loop {
            let meta = Meta { origin: self.origin, command_id, received_at: None, is_first };
            is_first = false;
            let answer = self.once(to, meta, command.clone()).await;
            if let Some(answer) = answer {
                self.note(to, command_id, &answer);
                let is_for_now =
                    matches!(&answer, Answer::Refused(why) if why.retry_after_ms.is_some());
                if !is_for_now {
                    return answer;
                }
            }
            self.wait(100, 700).await;
        }
    }

    fn note(&self, to: Stream, command_id: CommandId, answer: &Answer) {
        let what = format!("{to} {command_id}: {answer:?}");
        self.world.note(self.time(), &"page", &what);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (origin, answer) = (self.origin, answer.clone());
        asked.push(Asked { to, origin, command_id, answer });
    }

    /// `None`: nothing came back in time, or the socket broke.
    async fn once(&self, to: Stream, meta: Meta, command: AnyCommand) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        let patience = self.world.between(2_000, 14_000);
        let mut unsent = Some(reply);
        if let Some(ride) = wire::ride(&self.world) {
            let doors: Vec<_> = self.world.lock().doors.iter().flatten().cloned().collect();
            let door = self.world.lock().dice.choice(&doors).cloned()?;
            let reply = unsent.take()?;
            let command = Box::new(command);
            self.world.later(self.time() + ride, move |_: &Arc<World>| {
                door.try_send(Request::Ask { to, meta, command, reply }).ok();
            });
        }
        let patience = Duration::from_millis(patience.0.unsigned_abs());
        let answer = timeout(patience, answer).await.ok()?.ok();
        drop(unsent);
        answer
    }
}
