//! Nobody misses anything, whatever is lost on the way.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use actors::{deps::Deps, node::Node};
use bytes::Bytes;
use domain::{
    at::At,
    frame::RowsFrame,
    ids::{CommandId, SessionId},
    ports::{Append, Published},
    rows::RowChange,
    stream::{Recorded, Stream},
};
use fastrand::Rng;
use loadtests::{socket::Rows, view::View};
use runner::FakeSandbox;
use storage::{
    SystemClock,
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::*;
use crate::{
    app::{App, Connected, Revoked},
    limits::Limits,
    setup::Setup,
    socket::outbox::Outbox,
};

/// How many times somebody is cut off.
const CUTS: usize = 2_000;
/// How long anything may take before it is taken for lost.
const PATIENCE: Duration = Duration::from_mins(1);

async fn app() -> Shared {
    let store = Arc::new(Memory::new());
    let deps = Deps {
        store: store.clone(),
        shards: store.clone(),
        blobs: store.clone(),
        people: store,
        bus: Arc::new(LocalBus::default()),
        clock: Arc::new(SystemClock),
        sandbox: Arc::new(FakeSandbox::new()),
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    };
    let node = Node::start(deps, actors::node::Options::alone("here", 0)).await.unwrap();
    let tasks = Tasks::default();
    Arc::new(App {
        node,
        languages: vec![],
        setup: Setup::default(),
        limits: Limits::default(),
        url: String::new(),
        connected: Connected::default(),
        stopping: watch::Sender::new(false),
        hub: Hub::new(tasks.clone()),
        tasks,
        metrics: crate::metrics::Metrics::new(),
        revoked: Revoked::default(),
    })
}

/// A stream that somebody writes; its frames may get lost on the bus.
struct Writer {
    app: Shared,
    stream: Stream,
    seq: u64,
    rows_seq: u64,
}

impl Writer {
    fn new(app: &Shared) -> Self {
        let stream = Stream::Session(SessionId::from_u128(7));
        Self { app: Arc::clone(app), stream, seq: 0, rows_seq: 0 }
    }

    fn topic(&self) -> Topic {
        Topic::Of(self.stream)
    }

    /// Writes one event, with these rows; tells of it if it is not `lost`.
    async fn write(&mut self, rows: Vec<(String, Option<Bytes>)>, lost: bool) {
        let event = Recorded {
            seq: self.seq + 1,
            at: At(1),
            origin: "node".to_owned(),
            command_id: CommandId::from_u128(u128::from(self.seq)),
            n: 0,
            kind: "x".to_owned(),
            body: Bytes::from_static(b"{}"),
        };
        let topic = self.topic();
        let change = |(key, value): &(String, Option<Bytes>)| RowChange {
            topic,
            key: key.clone(),
            value: value.clone(),
        };
        let append = Append {
            stream: self.stream,
            epoch: 1,
            expected_seq: self.seq,
            events: vec![event],
            wake_at: None,
            untold: None,
            rows: rows.iter().map(change).collect(),
        };
        self.app.node.deps.store.append(append).await.unwrap();
        self.seq += 1;
        if rows.is_empty() {
            return;
        }
        let (seq, prev) = (self.seq, Some(self.rows_seq));
        self.rows_seq = seq;
        let frame = RowsFrame { topic, epoch: 1, seq, prev, reset: false, more: false, rows };
        let text = Bytes::from(frame.write());
        if !lost {
            self.app.node.deps.bus.publish(Arc::new(Published { frame, text }));
        }
    }

    async fn write_something(&mut self, random: &mut Rng, loss: f64) {
        let rows = (0..random.usize(0..3)).map(|_| {
            let text = format!("\"{}\"", "x".repeat(random.usize(0..3_000)));
            let value = (random.f64() > 0.1).then(|| Bytes::from(text));
            (format!("row{}", random.usize(0..40)), value)
        });
        let rows: BTreeMap<_, _> = rows.collect::<Vec<_>>().into_iter().collect();
        self.write(rows.into_iter().collect(), random.f64() < loss).await;
    }

    async fn rows(&self) -> BTreeMap<String, serde_json::Value> {
        let rows = self.app.rows(self.topic()).await.unwrap();
        rows.into_iter().map(|(key, row)| (key, serde_json::from_slice(&row).unwrap())).collect()
    }
}

/// A socket with small buffers, so that it is soon full.
async fn pair() -> (Outbox, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_send_buffer_size(4_096).unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4_096).unwrap();
    let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
    (Outbox::new(listener.accept().await.unwrap().0), client)
}

/// The next frame that comes, if the socket goes on.
async fn hear(client: &mut TcpStream) -> Option<Rows> {
    let mut head = [0; 2];
    client.read_exact(&mut head).await.ok()?;
    let length = match head[1] {
        126 => u64::from(client.read_u16().await.ok()?),
        127 => client.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut text = vec![0; usize::try_from(length).unwrap()];
    client.read_exact(&mut text).await.ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

/// Watches from what it has seen, is cut off at random, and comes back; until it has seen the end.
async fn follow(
    app: Shared,
    topic: Topic,
    seed: u64,
    mut end: watch::Receiver<Option<u64>>,
    cuts: Arc<AtomicUsize>,
) -> View {
    let mut random = Rng::with_seed(seed);
    let (mut view, mut whole) = (View::default(), View::default());
    loop {
        // Who is cut off in the middle of a reading has seen nothing of it, as the page says, too.
        view.clone_from(&whole);
        let (outbox, mut client) = pair().await;
        let _watching = Hub::watch(&app, topic, outbox.clone(), (view.epoch, view.seq));
        let mut left = random.u32(0..12);
        let is_cut_off = loop {
            let frame = tokio::select! {
                biased;
                frame = hear(&mut client) => frame,
                () = outbox.drain() => None,
                _ = end.wait_for(|end| view.is_whole() && end.is_some_and(|end| end <= view.seq)) => break false,
            };
            let Some(frame) = frame else { break true };
            view.take(&frame).unwrap();
            if view.is_whole() {
                whole.clone_from(&view);
            }
            left = left.saturating_sub(1);
            if left == 0 && view.is_whole() && end.borrow().is_none() {
                break true;
            }
        };
        if !is_cut_off {
            return view;
        }
        cuts.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us_084_whoever_is_cut_off_misses_nothing_though_frames_are_lost() {
    let app = app().await;
    let mut writer = Writer::new(&app);
    let (say_end, end) = watch::channel(None);
    let cuts = Arc::new(AtomicUsize::new(0));
    let mut watchers = JoinSet::new();
    for seed in 0..12 {
        watchers.spawn(follow(
            Arc::clone(&app),
            writer.topic(),
            seed,
            end.clone(),
            Arc::clone(&cuts),
        ));
    }
    let mut random = Rng::with_seed(1);
    while cuts.load(Ordering::Relaxed) < CUTS {
        writer.write_something(&mut random, 0.05).await;
        tokio::task::yield_now().await;
    }
    // A lost last frame would be seen by the head in the next pong; here, by one more.
    writer.write(vec![("last".to_owned(), Some(Bytes::from_static(b"1")))], false).await;
    say_end.send_replace(Some(writer.rows_seq));
    let seen = tokio::time::timeout(PATIENCE, watchers.join_all()).await.expect("somebody hangs");
    let expected = writer.rows().await;
    for view in seen {
        assert_eq!(view.rows, expected);
    }
}

#[tokio::test]
async fn the_last_watcher_takes_the_subscription_with_them() {
    let app = app().await;
    let mut writer = Writer::new(&app);
    let (outbox, mut client) = pair().await;
    let one = Hub::watch(&app, writer.topic(), outbox.clone(), (0, 0));
    let other = Hub::watch(&app, writer.topic(), outbox.clone(), (0, 0));
    hear(&mut client).await.unwrap();
    drop(one);
    assert_eq!(app.hub.0.fans.lock().unwrap().len(), 1);
    drop(other);
    writer.write(vec![], false).await;
    // Whoever still reads for them finds out first.
    while !app.hub.0.fans.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_socket_is_ended_at_its_limit_and_holds_up_nobody() {
    let app = app().await;
    let mut writer = Writer::new(&app);
    let (slow, _unread) = pair().await;
    let (quick, mut client) = pair().await;
    let _slow = Hub::watch(&app, writer.topic(), slow.clone(), (0, 0));
    let _quick = Hub::watch(&app, writer.topic(), quick.clone(), (0, 0));
    let mut view = View::default();
    view.take(&hear(&mut client).await.unwrap()).unwrap();
    let row = || Some(Bytes::from(format!("\"{}\"", "x".repeat(10_000))));
    for n in 0..200 {
        writer.write(vec![("row".to_owned(), row())], false).await;
        while view.seq <= n {
            let frame = tokio::select! {
                frame = hear(&mut client) => frame.unwrap(),
                () = quick.drain() => panic!("the quick one was ended"),
            };
            view.take(&frame).unwrap();
        }
    }
    assert_eq!(view.resets, 1);
    // It ends by itself: nothing more is taken.
    tokio::time::timeout(PATIENCE, slow.drain()).await.unwrap();
}
