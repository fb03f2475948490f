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
    ports::{Append, EventStore, Published},
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

mod counted;

use self::counted::Counted;
use super::*;
use crate::{
    app::App,
    limits::Limits,
    live::Live,
    setup::Setup,
    socket::{
        outbox::Outbox,
        wire::{self, Kind},
    },
};

/// How many times somebody is cut off.
const CUTS: usize = 2_000;
/// How long anything may take before it is taken for lost.
const PATIENCE: Duration = Duration::from_mins(1);

async fn app() -> Shared {
    app_on(Arc::new(Memory::new()), |store| store).await
}

/// The same, its streams read through what `before` makes of the store.
async fn app_on(
    store: Arc<Memory>,
    before: impl FnOnce(Arc<Memory>) -> Arc<dyn EventStore>,
) -> Shared {
    let deps = Deps {
        store: before(store.clone()),
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
        live: Live::new(),
        stopping: watch::Sender::new(false),
        hub: Hub::new(tasks.clone()),
        tasks,
        cache: None,
        metrics: crate::metrics::Metrics::new(),
    })
}

fn watch_whole(app: &Shared, topic: Topic, outbox: &Outbox, after: (u64, u64)) -> Watching {
    let watched = Watched { topic, part: Part::Whole };
    Hub::watch(app, watched, outbox.clone(), after, Rank::Candidate).unwrap()
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
            sitting: None,
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
            self.app.node.deps.bus.publish(Arc::new(Published::new(frame, text)));
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
        let _watching = watch_whole(&app, topic, &outbox, (view.epoch, view.seq));
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
    let one = watch_whole(&app, writer.topic(), &outbox, (0, 0));
    let other = watch_whole(&app, writer.topic(), &outbox, (0, 0));
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
    let _slow = watch_whole(&app, writer.topic(), &slow, (0, 0));
    let _quick = watch_whole(&app, writer.topic(), &quick, (0, 0));
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

#[tokio::test]
async fn a_slow_socket_is_spared_what_is_only_latest_and_gets_the_latest_when_it_reads_again() {
    let (outbox, mut client) = pair().await;
    let watch = Watch::new(outbox.clone(), (1, 0), Rank::Other);
    assert!(watch.go_live(&[]));
    let frame = |seq: u64| {
        let wire = wire::frame(Kind::Text, format!("{seq:>20000}").as_bytes());
        recent::Frame { epoch: 1, seq, prev: Some(seq - 1), wire }
    };
    let spared = (1..1_000).find(|seq| !watch.take(&frame(*seq), true)).unwrap();
    assert!(watch.take(&frame(spared + 1), true), "nobody reads for it twice");
    let Ok((_, seen)) = watch.after() else { panic!("it was ended") };
    assert_eq!(seen, spared - 1);
    let length = frame(1).wire.len();
    let mut read = async |frames: u64| {
        let mut all = vec![0; length * usize::try_from(frames).unwrap()];
        tokio::select! {
            read = client.read_exact(&mut all) => read.unwrap(),
            () = outbox.drain() => panic!("it was ended"),
        };
        all
    };
    read(seen).await;
    // Read anew then, as of what is latest.
    watch.has_read((1, 5_000));
    assert!(watch.go_live(&[]));
    assert!(watch.take(&frame(5_001), true));
    let latest = read(1).await;
    assert!(latest.ends_with(b"5001"));
}

#[tokio::test]
async fn a_socket_for_which_much_came_while_it_was_read_for_is_not_ended() {
    let (outbox, _unread) = pair().await;
    let watch = Watch::new(outbox.clone(), (1, 0), Rank::Other);
    let wire = Bytes::from(vec![0; 50_000]);
    let frame = |seq| recent::Frame { epoch: 1, seq, prev: Some(seq - 1), wire: wire.clone() };
    let frames: Vec<_> = (1..100).map(frame).collect();
    assert!(!watch.go_live(&frames), "it takes in nothing");
    let Ok((_, seen)) = watch.after() else { panic!("it was ended") };
    assert!((1..99).contains(&seen), "{seen}");
    let goodbye = domain::frame::ServerFrame::Bye { code: 4_000, retry_after_ms: None };
    assert_eq!(outbox.frame(&goodbye), Ok(()), "there is room for what must be said");
}

#[tokio::test]
async fn whoever_comes_back_with_many_others_reads_what_they_read() {
    let counted = Arc::new(Counted::new(Arc::new(Memory::new())));
    let store = Arc::clone(&counted);
    let app = app_on(Arc::clone(counted.inner()), |_| store).await;
    let mut writer = Writer::new(&app);
    for n in 0..5 {
        writer.write(vec![(format!("row{n}"), Some(Bytes::from_static(b"1")))], false).await;
    }
    let before = counted.reads();
    // While the first reading waits, all come: new ones, and ones who were away for a moment.
    counted.hold(true);
    let mut all = vec![];
    for after in [(0, 0), (1, 3)] {
        for _ in 0..200 {
            let (outbox, client) = pair().await;
            all.push((watch_whole(&app, writer.topic(), &outbox, after), client));
        }
    }
    tokio::task::yield_now().await;
    counted.hold(false);
    for (watching, client) in &mut all {
        let rows = tokio::time::timeout(PATIENCE, hear(client)).await.unwrap().unwrap();
        assert_eq!(rows.seq, 5);
        assert_eq!(rows.rows.len(), if rows.reset { 5 } else { 2 });
        assert_eq!(watching.of().topic, writer.topic());
    }
    assert_eq!(
        counted.reads() - before,
        2,
        "one for each place to go on from, not for each of 400"
    );
}

#[tokio::test]
async fn candidates_are_served_before_any_number_of_spectators_has_been() {
    let counted = Arc::new(Counted::new(Arc::new(Memory::new())));
    let store = Arc::clone(&counted);
    let app = app_on(Arc::clone(counted.inner()), |_| store).await;
    counted.hold(true);
    // Each of another session, as administrators may look at them, so that each reads for itself.
    let mut spectators = vec![];
    for n in 1_000..1_300 {
        let (outbox, client) = pair().await;
        let topic = Topic::Of(Stream::Session(SessionId::from_u128(n)));
        let watched = Watched { topic, part: Part::Whole };
        let watching = Hub::watch(&app, watched, outbox, (0, 0), Rank::Other).unwrap();
        spectators.push((watching, client));
    }
    let (outbox, mut client) = pair().await;
    let topic = Topic::Of(Stream::Session(SessionId::from_u128(1)));
    let _candidate = watch_whole(&app, topic, &outbox, (0, 0));
    // Nobody of the others is through, and the candidate's reading has begun.
    let begun = async {
        while !counted.has_read(topic) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the candidate waits behind spectators");
    assert!(counted.waiting() < 64, "{} read at once", counted.waiting());
    counted.hold(false);
    hear(&mut client).await.unwrap();
    for (_, client) in &mut spectators {
        tokio::time::timeout(PATIENCE, hear(client)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_wall_is_looked_at_in_so_many_windows_and_no_more() {
    let app = app().await;
    let campaign = domain::ids::CampaignId::from_u128(1);
    let look = async |from| {
        let part = Part::Rows(Window { from, count: 10 });
        let (outbox, _client) = pair().await;
        let watched = Watched { topic: Topic::Wall(campaign), part };
        Hub::watch(&app, watched, outbox, (0, 0), Rank::Other)
    };
    let mut all = vec![];
    for from in 0..64 {
        all.push(look(from).await.unwrap());
    }
    all.push(look(7).await.unwrap());
    assert_eq!(look(64).await.err(), Some(TooManyWindows));
    drop(all);
    // Whoever still reads for them finds out first.
    while let Err(TooManyWindows) = look(64).await {
        tokio::task::yield_now().await;
    }
}
