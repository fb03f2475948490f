//! The document and the schema of the live protocol say what really goes over sockets, in both
//! directions.

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

const DOCUMENT: &str = include_str!("../../docs/live-protocol.md");
const SCHEMA: &str = include_str!("../../docs/live-protocol.schema.json");

/// What is seen in a whole test: kinds of frames, and of rows.
const SEEN: [&str; 24] = [
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
    "session:late",
    "monitor:c",
    "monitor:p",
    "monitor:campaign",
    "monitor:present",
    "monitor:queue",
    "wall:about",
    "wall:window",
    "wall:person",
    "place:you",
    "place:window",
    "place:person",
    "output:input",
    "output:0",
];
/// What comes and goes too quickly to be seen each time.
const SEEN_AT_TIMES: [&str; 3] = ["output:state", "output:judged", "output:1"];

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
            is_in_words(&frame)?;
            self.seen.extend(kinds(&frame));
            if is_it(&frame) {
                return Ok(frame);
            }
        }
    }

    /// Rows of this kind, unless some were seen before.
    async fn until_seen(&mut self, kind: &str) -> Done {
        if !self.seen.contains(kind) {
            self.until(|frame| kinds(frame).iter().any(|seen| seen == kind)).await?;
        }
        Ok(())
    }
}

/// The kind of a frame, and those of its rows.
fn kinds(frame: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let topic = word(&frame["topic"]).split('.').next().unwrap_or_default().to_owned();
    let mut kinds = vec![word(&frame["type"])];
    for row in frame["rows"].as_array().into_iter().flatten() {
        let is_named = topic == "session" || topic == "monitor" || topic == "output";
        let key = word(&row["key"]);
        let key = match key.as_str() {
            "about" | "you" | "window" => key,
            _ if is_named => key.split('.').next().unwrap_or_default().to_owned(),
            _ => "person".to_owned(),
        };
        kinds.push(format!("{topic}:{key}"));
    }
    kinds
}

/// The word of a refusal, and the code of a goodbye, stand in the document.
fn is_in_words(frame: &Value) -> Done {
    if let Some(word) = frame["why"]["code"].as_str() {
        ensure!(DOCUMENT.contains(&format!("`{word}`")), "the document lacks {word}");
    }
    if let Some(code) = frame["code"].as_u64() {
        ensure!(DOCUMENT.contains(&format!("| {code} |")), "the document lacks {code}");
    }
    Ok(())
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
    talk(&mut page, &mut creator, to, &seat).await?;
    setting.post("pause", json!({ "reason": "A fire drill" })).await?;
    page.until(|frame| says(frame, r#""pause_reason":"A fire drill""#)).await?;
    // What the way to the server takes is given back: the first may still count.
    while page.ask(to, edit(&seat)).await?["answer"]["late"].is_null() {}
    page.until_seen("session:late").await?;
    setting.post("resume", json!({})).await?;
    page.until(|frame| says(frame, r#""paused_at":null"#)).await?;
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
    let missing: Vec<_> = SEEN.iter().filter(|kind| !seen.contains(*kind)).collect();
    ensure!(missing.is_empty(), "no {missing:?} was seen, only {seen:?}");
    let known: BTreeSet<_> = SEEN.into_iter().chain(SEEN_AT_TIMES).collect();
    let unknown: Vec<_> = seen.difference(&known).collect();
    ensure!(unknown.is_empty(), "the schema has no {unknown:?}");
    Ok(())
}

fn edit(seat: &Value) -> Value {
    let file = json!({ "question": 1, "language": "python", "name": "main.py" });
    json!({
        "type": "edit", "seat": seat, "file": file, "base_rev": 0,
        "changes": [[0, "right = 1", ""]], "caret": 9,
    })
}

/// A run into which its candidate types, while the creator sees that it goes on.
async fn talk(page: &mut Checked, creator: &mut Checked, to: &str, seat: &Value) -> Done {
    let run = json!({
        "type": "run", "seat": seat, "question": 1, "kind": "interactive", "stdin": "",
    });
    let done = page.ask(to, run).await?;
    let submission = done["answer"]["submission"].as_str().unwrap_or_default().to_owned();
    page.send(json!({ "type": "watch", "topic": format!("output.{submission}") })).await?;
    page.until(|frame| says(frame, r#""open":true"#)).await?;
    page.send(json!({ "type": "type", "submission": submission, "text": "Ada\n" })).await?;
    page.until(|frame| says(frame, r#""typed":true"#)).await?;
    creator.until_seen("monitor:queue").await?;
    page.send(json!({ "type": "end_input", "submission": submission })).await?;
    page.until(|frame| says(frame, r#""state":"judged""#)).await?;
    Ok(())
}

/// Everything that a candidate does, and some things that are refused.
async fn sit(page: &mut Checked, to: &str, seat: &Value) -> Done {
    let file = json!({ "question": 1, "language": "python", "name": "main.py" });
    let extra = json!({ "question": 1, "language": "python", "name": "more.py" });
    for command in [
        json!({ "type": "accept" }),
        json!({ "type": "open" }),
        json!({ "type": "start", "seat": seat }),
        json!({ "type": "take_seat", "seat": seat }),
        json!({ "type": "answer", "seat": seat, "question": 0, "choices": [0] }),
        json!({ "type": "go_to", "seat": seat, "question": 1 }),
        json!({ "type": "choose_language", "seat": seat, "question": 1, "language": "python" }),
        edit(seat),
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
fn the_schema_has_no_frame_that_the_server_does_not_take() {
    let schema = Schema::read(SCHEMA).expect("it is JSON");
    let window = |from: u64, count: u64| json!({ "type": "watch", "topic": "wall.1", "window": { "from": from, "count": count } });
    for frame in [
        json!({ "type": "ping" }),
        json!({ "type": "ping", "sent_ms": 1, "x": 1 }),
        json!({ "type": "dance" }),
        json!({ "type": "watch", "topic": "wall.1", "from": 0, "count": 10 }),
        window(1 << 32, 10),
        json!([]),
        // Answered by `bad_window`.
        window(0, 0),
        window(0, 201),
    ] {
        assert!(schema.check("ClientFrame", &frame).is_err(), "{frame}");
    }
    assert!(schema.check("ClientFrame", &window(0, 200)).is_ok());
}

#[test]
fn what_a_later_server_adds_to_its_frames_is_valid() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
    let definitions = schema["$defs"].as_object().expect("definitions");
    let nothing_else = r#""additionalProperties":false"#;
    let closed = definitions.iter().filter(|(_, says)| says.to_string().contains(nothing_else));
    let closed: BTreeSet<_> = closed.map(|(name, _)| name.as_str()).collect();
    let of_clients = ["CandidateCommand", "ClientFrame", "File", "Window"];
    assert_eq!(closed, BTreeSet::from(of_clients));
}

/// By which words a stream refuses, as its source has them.
fn words(source: &str) -> Vec<&str> {
    let (_, codes) = source.split_once("fn code(&self)").expect("it refuses");
    let (codes, _) = codes.split_once("\n    }\n").expect("the function ends");
    codes.split('"').skip(1).step_by(2).collect()
}

#[test]
fn every_word_by_which_a_stream_refuses_is_in_the_document() {
    for source in [
        include_str!("../../actors/domain/src/session/command.rs"),
        include_str!("../../actors/domain/src/campaign/command.rs"),
        include_str!("../../actors/domain/src/document.rs"),
    ] {
        let words = words(source);
        assert_eq!(words.len(), source.matches("#[error(").count(), "{words:?}");
        for word in words {
            assert!(DOCUMENT.contains(&format!("`{word}`")), "the document lacks {word}");
        }
    }
}
