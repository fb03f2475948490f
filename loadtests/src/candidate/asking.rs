//! How a candidate asks: under ids of its own, again on each socket until it is answered.

use std::sync::atomic::Ordering;

use anyhow::Context;
use domain::ids::CommandId;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Candidate, PATIENCE, Sent};
use crate::typist::Change;

impl Candidate {
    /// Types once, unless the last edit waits for its acknowledgement.
    pub async fn type_once(&mut self) {
        if self.unanswered.iter().any(|sent| sent.change.is_some()) {
            return;
        }
        let change = self.text.typed(&mut self.random);
        if let Some(sightings) = &self.sightings {
            sightings.sent(self.session, self.acknowledged.load(Ordering::Relaxed) + 1);
        }
        self.send_change(change, false).await;
    }

    /// Sends a change and waits for its answer.
    pub async fn edit(&mut self, change: Change) -> anyhow::Result<Answer> {
        let id = self.send_change(change, true).await;
        self.answer(id).await
    }

    /// Sends a change as the next one.
    pub async fn send_change(&mut self, change: Change, is_awaited: bool) -> CommandId {
        let command = json!({
            "type": "edit", "seat": self.seat, "file": self.file, "base_rev": self.text.rev,
            "changes": change.json, "caret": change.caret,
        });
        self.send(command, Some(change), is_awaited).await
    }

    /// Asks for something and waits for the answer, however many sockets that takes.
    pub async fn ask(&mut self, command: Value) -> anyhow::Result<Answer> {
        let id = self.send(command, None, true).await;
        self.answer(id).await
    }

    /// Waits for the answer to what was sent to be awaited.
    pub async fn answer(&mut self, id: CommandId) -> anyhow::Result<Answer> {
        let answered = async {
            loop {
                if let Some(answer) = self.answers.remove(&id) {
                    return anyhow::Ok(answer);
                }
                self.step().await?;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.context("a command was not answered")?
    }

    /// Asks for something; the answer is heard later.
    pub async fn send(
        &mut self,
        command: Value,
        change: Option<Change>,
        is_awaited: bool,
    ) -> CommandId {
        let (id, at, connection) = (CommandId::random(), Instant::now(), self.connections);
        let sent = Sent { id, command, at, connection, change, again_at: None, is_awaited };
        let frame = sent.frame(&self.topic, true);
        self.unanswered.push(sent);
        self.send_frame(&frame).await;
        id
    }

    /// Sends a frame; what cannot be sent is sent again on the next socket.
    pub async fn send_frame(&mut self, frame: &Value) {
        if let Some(socket) = &mut self.socket
            && socket.send(frame).await.is_err()
        {
            self.cut();
        }
    }

    /// Answers a ping that may never have come.
    pub async fn send_pong(&mut self, payload: &[u8]) {
        if let Some(socket) = &mut self.socket
            && socket.send_pong(payload).await.is_err()
        {
            self.cut();
        }
    }

    /// Asks again what it was told to ask later.
    pub async fn ask_again(&mut self) {
        let now = Instant::now();
        let mut frames = vec![];
        for sent in &mut self.unanswered {
            if sent.again_at.take_if(|at| *at <= now).is_some() {
                frames.push(sent.frame(&self.topic, false));
            }
        }
        for frame in frames {
            self.send_frame(&frame).await;
        }
    }

    /// Whether everything that was sent is answered.
    pub fn is_quiet(&self) -> bool {
        self.unanswered.is_empty()
    }
}

impl Sent {
    pub(super) fn frame(&self, to: &str, first: bool) -> Value {
        let (id, command) = (self.id, &self.command);
        json!({ "type": "do", "command_id": id, "to": to, "command": command, "first": first })
    }
}
