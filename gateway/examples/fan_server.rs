//! The live gateway by itself, for `make bench-fanout`: the real routes, access check, topics and
//! rows, on a store in memory. What is published comes in by NATS' text protocol
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>), of which it knows `PUB`.
//!
//! `fan_server PORT TOPICS DIRECTORY` serves on 127.0.0.1:PORT, takes `PUB t<n> <length>` on the port
//! behind it, and writes into the directory the topics' names, a line each, and an
//! administrator's cookie.

#![forbid(unsafe_code)]

use std::{path::PathBuf, sync::Arc};

use actors::{deps::Deps, journal::STREAM_EPOCH};
use anyhow::Context;
use bytes::Bytes;
use domain::{
    at::At,
    frame::RowsFrame,
    ids::{CommandId, SessionId},
    ports::{Append, People, Published},
    rows::{RowChange, Topic},
    stream::{Recorded, Stream},
};
use loadtests::{creator::Creator, http::Http};
use runner::FakeSandbox;
use storage::{
    SystemClock,
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().context("a port")?.parse()?;
    let topics: u32 = arguments.next().context("how many topics")?.parse()?;
    let directory = PathBuf::from(arguments.next().context("a directory")?);
    let store = Arc::new(Memory::new());
    store.add_person(gateway::administrator("Ada", EMAIL, PASSWORD.to_owned()).await?).await?;
    let deps = deps(&store);
    let streams = (0..topics).map(stream).collect();
    let http = TcpListener::bind(("127.0.0.1", port)).await?;
    let publishers = TcpListener::bind(("127.0.0.1", port + 1)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(gateway::serve_on(deps.clone(), http));
    let creator =
        Creator::sign_in(&Http::new(&format!("http://127.0.0.1:{port}")), EMAIL, PASSWORD).await?;
    let names: Vec<String> = (0..topics).map(|n| stream(n).to_string()).collect();
    std::fs::write(directory.join("topics"), names.join("\n"))?;
    std::fs::write(directory.join("cookie"), creator.browser.cookies())?;
    let heads = vec![0; names.len()];
    tasks.spawn(publish_all(publishers, Publisher { deps, streams, heads }));
    tasks.join_next().await.context("it serves")??
}

fn deps(store: &Arc<Memory>) -> Deps {
    Deps {
        store: Arc::clone(store) as _,
        shards: Arc::clone(store) as _,
        blobs: Arc::clone(store) as _,
        people: Arc::clone(store) as _,
        bus: Arc::new(LocalBus::default()),
        clock: Arc::new(SystemClock),
        sandbox: Arc::new(FakeSandbox::new()),
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    }
}

fn stream(n: u32) -> Stream {
    Stream::Session(SessionId::derived(&n.to_string()))
}

/// Stands for the owners of all topics.
struct Publisher {
    deps: Deps,
    streams: Vec<Stream>,
    /// The last seq of each.
    heads: Vec<u64>,
}

async fn publish_all(listener: TcpListener, mut publisher: Publisher) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        if let Err(error) = hear(stream, &mut publisher).await {
            tracing::debug!(%error, "a publisher has left");
        }
    }
}

/// One publisher, until it leaves.
async fn hear(stream: TcpStream, publisher: &mut Publisher) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"INFO {}\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("PING") => stream.write_all(b"PONG\r\n").await?,
            Some("PUB") => {
                let topic = words.next().and_then(|name| name.strip_prefix('t'));
                let topic = topic.context("a topic")?.parse()?;
                let length: usize = words.next().context("a length")?.parse()?;
                let mut payload = vec![0; length + b"\r\n".len()];
                stream.read_exact(&mut payload).await?;
                payload.truncate(length);
                publisher.publish(topic, payload.into()).await?;
            }
            _ => {}
        }
    }
}

impl Publisher {
    /// What a journal does once a command is decided: event and row stored, then the frame.
    async fn publish(&mut self, n: usize, value: Bytes) -> anyhow::Result<()> {
        let stream = *self.streams.get(n).context("no such topic")?;
        let head = self.heads.get_mut(n).context("no such topic")?;
        let (prev, seq) = (*head, *head + 1);
        *head = seq;
        let topic = Topic::Of(stream);
        let key = "session".to_owned();
        let row = RowChange { topic, key, value: Some(value.clone()), sitting: None };
        let event = Recorded {
            seq,
            at: At(0),
            origin: String::new(),
            command_id: CommandId::random(),
            n: 0,
            kind: "published".to_owned(),
            body: Bytes::new(),
        };
        self.deps.store.append(append(stream, prev, event, row)).await?;
        let frame = RowsFrame {
            topic,
            epoch: STREAM_EPOCH,
            seq,
            prev: Some(prev),
            reset: false,
            more: false,
            rows: vec![("session".to_owned(), Some(value))],
        };
        let text = frame.write().into();
        self.deps.bus.publish(Arc::new(Published::new(frame, text)));
        Ok(())
    }
}

fn append(stream: Stream, expected_seq: u64, event: Recorded, row: RowChange) -> Append {
    // A new store's shards are in their first epoch once the node has taken them.
    let (epoch, wake_at, untold) = (1, None, None);
    Append { stream, epoch, expected_seq, events: vec![event], wake_at, untold, rows: vec![row] }
}
