//! The schema of the live protocol says what really goes over sockets, in both directions.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use domain::{
    campaign::{Settings, WallNames},
    ids::CommandId,
};
use loadtests::{candidate::PATIENCE, socket::Socket};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{
    schema::Schema,
    setting::{Done, Setting, settings},
};

const SCHEMA: &str = include_str!("../../docs/live-protocol.schema.json");

/// A socket of which everything is checked that is sent and heard.
struct Checked {
    socket: Socket,
    schema: Schema,
    /// Kinds of frames, and of rows as `topic:key`.
    seen: BTreeSet<String>,
}

impl Checked {
    async fn send(&mut self, frame: Value) -> Done {
        let is_valid = self.schema.check("ClientFrame", &frame);
        is_valid.map_err(|wrong| anyhow::anyhow!("{frame}: {wrong}"))?;
        if let Some(command) = frame.get("command") {
            let is_valid = self.schema.check("CandidateCommand", command);
            is_valid.map_err(|wrong| anyhow::anyhow!("{command}: {wrong}"))?;
        }
        self.socket.send(&frame).await
    }

    async fn ask(&mut self, to: &str, command: Value) -> anyhow::Result<Value> {
        let id = json!(CommandId::random());
        self.send(json!({ "type": "do", "command_id": id, "to": to, "command": command })).await?;
        self.until(|frame| frame["command_id"] == id).await
    }

    /// The first frame that `is_it`; all before it are checked, too.
    async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = timeout_at(until, self.socket.next_text()).await;
            let text = text.with_context(|| format!("only {:?}", self.seen))?;
            let text = text.map_err(|code| anyhow::anyhow!("closed with {code:?}"))?;
            let frame: Value = serde_json::from_str(&text)?;
            let is_valid = self.schema.check("ServerFrame", &frame);
            is_valid.map_err(|wrong| anyhow::anyhow!("{frame}: {wrong}"))?;
            self.see(&frame);
            if is_it(&frame) {
                return Ok(frame);
            }
        }
    }

    fn see(&mut self, frame: &Value) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.seen.insert(word(&frame["type"]));
        let topic = word(&frame["topic"]).split('.').next().unwrap_or_default().to_owned();
        for row in frame["rows"].as_array().into_iter().flatten() {
            let is_named = topic == "session" || topic == "monitor" || topic == "output";
            let key = word(&row["key"]);
            let key = match key.as_str() {
                "about" | "you" | "window" => key,
                _ if is_named => key.split('.').next().unwrap_or_default().to_owned(),
                _ => "person".to_owned(),
            };
            self.seen.insert(format!("{topic}:{key}"));
        }
    }
}

/// Whether the rows of a frame say this.
fn says(frame: &Value, words: &str) -> bool {
    frame["rows"].to_string().contains(words)
}

async fn open(browser: &loadtests::http::Http) -> anyhow::Result<Checked> {
    let (socket, schema) = (Socket::open(browser).await?, Schema::read(SCHEMA)?);
    Ok(Checked { socket, schema, seen: BTreeSet::new() })
}

#[tokio::test]
async fn every_frame_of_a_whole_test_is_what_the_schema_says() -> Done {
    let with = Settings { wall: WallNames::Initials, shows_place: true, ..settings() };
    let mut setting = Setting::with(&with, 2).await?;
    let (campaign, candidate) = (setting.campaign, setting.first().await?);
    let mut creator = open(&setting.creator.browser).await?;
    let mut page = open(&candidate.browser).await?;
    for topic in ["monitor", "wall"] {
        creator.send(json!({ "type": "watch", "topic": format!("{topic}.{campaign}") })).await?;
    }
    let session = format!("session.{}", candidate.session);
    let (to, seat) = (session.as_str(), json!(candidate.seat));
    page.send(json!({ "type": "watch", "topic": to, "epoch": 0, "after_seq": 0 })).await?;
    sit(&mut page, to, &seat).await?;
    let window = json!({ "from": 0, "count": 5 });
    let wall = json!({ "type": "watch", "topic": format!("wall.{campaign}"), "window": window });
    let is_there = |frame: &Value| frame["topic"] == wall["topic"] && frame["reset"] == true;
    creator.until(|frame| says(frame, r#""rank":1"#) && says(frame, r#""since""#)).await?;
    creator.send(wall.clone()).await?;
    creator.until(is_there).await?;
    page.send(json!({ "type": "watch", "topic": format!("place.{campaign}") })).await?;
    page.until(|frame| says(frame, r#""you""#)).await?;
    setting.post("announce", json!({ "text": "Welcome" })).await?;
    setting.post("time", json!({ "session": null, "by_ms": 60_000, "reason": "Late" })).await?;
    page.until(|frame| says(frame, r#""by":60000"#)).await?;
    page.ask(to, json!({ "type": "hand_in", "seat": seat })).await?;
    creator.until(|frame| says(frame, "test_finished")).await?;
    // While it stops: what is not read by then is gone with it.
    let is_bye = |frame: &Value| frame["type"] == "bye";
    let (creators, candidates, stopped) =
        tokio::join!(creator.until(is_bye), page.until(is_bye), setting.server.stop());
    creators?;
    candidates?;
    stopped?;
    let seen: BTreeSet<_> = creator.seen.union(&page.seen).map(String::as_str).collect();
    for kind in [
        "rows",
        "done",
        "refused",
        "pong",
        "bye",
        "unwatched",
        "untyped",
        "session:session",
        "session:question",
        "session:run",
        "monitor:c",
        "monitor:p",
        "monitor:campaign",
        "monitor:present",
        "wall:about",
        "wall:window",
        "wall:person",
        "place:you",
        "place:window",
        "place:person",
    ] {
        ensure!(seen.contains(kind), "no {kind} was seen, only {seen:?}");
    }
    Ok(())
}

/// Everything that a candidate does, and some things that are refused.
async fn sit(page: &mut Checked, to: &str, seat: &Value) -> Done {
    let file = json!({ "question": 1, "language": "python", "name": "main.py" });
    let edit = json!({
        "type": "edit", "seat": seat, "file": file, "base_rev": 0,
        "changes": [[0, "right = 1", ""]], "caret": 9,
    });
    let extra = json!({ "question": 1, "language": "python", "name": "more.py" });
    for command in [
        json!({ "type": "accept" }),
        json!({ "type": "open" }),
        json!({ "type": "start", "seat": seat }),
        json!({ "type": "take_seat", "seat": seat }),
        json!({ "type": "answer", "seat": seat, "question": 0, "choices": [0] }),
        json!({ "type": "go_to", "seat": seat, "question": 1 }),
        json!({ "type": "choose_language", "seat": seat, "question": 1, "language": "python" }),
        edit,
        json!({ "type": "caret", "seat": seat, "file": file, "caret": 3 }),
        json!({ "type": "add_file", "seat": seat, "file": extra }),
        json!({ "type": "delete_file", "seat": seat, "file": extra }),
        json!({ "type": "next_question", "seat": seat }),
        json!({ "type": "decline", "reason": "too late" }),
    ] {
        page.ask(to, command).await?;
    }
    let run = json!({ "type": "run", "seat": seat, "question": 1, "kind": "all" });
    let done = page.ask(to, run).await?;
    let submission = done["answer"]["submission"].clone();
    ensure!(submission.is_string(), "{done}");
    let output = format!("output.{}", submission.as_str().unwrap_or_default());
    page.send(json!({ "type": "watch", "topic": output })).await?;
    for frame in [
        json!({ "type": "type", "submission": submission, "text": "1\n" }),
        json!({ "type": "end_input", "submission": submission }),
        json!({ "type": "stop", "submission": submission }),
    ] {
        page.send(frame).await?;
        page.until(|frame| frame["type"] == "untyped").await?;
    }
    page.until(|frame| says(frame, r#""state":"judged""#)).await?;
    page.send(json!({ "type": "unwatch", "topic": output })).await?;
    page.send(json!({ "type": "watch", "topic": "nothing" })).await?;
    page.until(|frame| frame["type"] == "unwatched").await?;
    page.send(json!({ "type": "ping", "sent_ms": 1.5, "rtt_ms": 20 })).await?;
    page.until(|frame| frame["type"] == "pong").await?;
    Ok(())
}

#[test]
fn the_schema_refuses_what_the_server_refuses() {
    let schema = Schema::read(SCHEMA).expect("it is JSON");
    for frame in [
        json!({ "type": "ping" }),
        json!({ "type": "ping", "sent_ms": 1, "x": 1 }),
        json!({ "type": "dance" }),
        json!({ "type": "watch", "topic": "wall.1", "window": { "from": 0, "count": 0 } }),
        json!({ "type": "watch", "topic": "wall.1", "window": { "from": 0, "count": 201 } }),
        json!({ "type": "watch", "topic": "wall.1", "from": 0, "count": 10 }),
        json!([]),
    ] {
        assert!(schema.check("ClientFrame", &frame).is_err(), "{frame}");
    }
}
