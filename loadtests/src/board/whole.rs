//! The board itself: the actor that gateways read, told over the bus, on a thread of its own.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use actors::{
    board::Board,
    deps::Deps,
    node::{Node, Options},
};
use anyhow::Context;
use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::{PersonId, SessionId},
    people::Contact,
    ports::{Bus, People, Published},
    rows::Topic,
    stream::Stream,
};
use runner::FakeSandbox;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use storage::{
    SystemClock,
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::sync::mpsc::{Sender, channel};

use super::{
    BATCH, Move,
    ours::{CAMPAIGN, From, frame},
};

/// How long it is waited for what the last change made of the wall.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// How many batches of frames are made ahead.
const AHEAD: usize = 8;

const OWNER: PersonId = PersonId::from_u128(1);

/// See the module. It ends with its sender.
pub(crate) struct Whole {
    moves: Sender<Arc<Vec<Move>>>,
    took: mpsc::Receiver<anyhow::Result<Duration>>,
}

impl Whole {
    pub(crate) fn start(keys: &[SessionId]) -> Self {
        let (moves, mut played) = channel::<Arc<Vec<Move>>>(1);
        let (told, took) = mpsc::channel();
        let keys: Arc<[SessionId]> = keys.into();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let mut inner = Inner::start(keys).await?;
                // Between two of them the board's clocks go on.
                while let Some(moves) = played.recv().await {
                    told.send(inner.play(&moves).await)?;
                }
                anyhow::Ok(())
            })
        });
        Self { moves, took }
    }

    /// Publishes a frame for each move and waits until the wall shows the last of them. How much
    /// processor time the board's thread took.
    pub(crate) fn play(&self, moves: &Arc<Vec<Move>>) -> anyhow::Result<Duration> {
        self.moves.try_send(Arc::clone(moves)).context("the board's thread is there no more")?;
        self.took.recv().context("the board's thread is there no more")?
    }
}

struct Inner {
    keys: Arc<[SessionId]>,
    bus: Arc<LocalBus>,
    board: Arc<Board>,
    _node: Node,
    seq: u64,
}

impl Inner {
    async fn start(keys: Arc<[SessionId]>) -> anyhow::Result<Self> {
        let (bus, memory) = (Arc::new(LocalBus::default()), Arc::new(Memory::new()));
        for (n, session) in keys.iter().enumerate() {
            let email = format!("{n}@example.org");
            let name = format!("Candidate {n}");
            let (alias, campaign) = (format!("Heron {n}"), CAMPAIGN);
            let contact = Contact { session: *session, campaign, email, name, alias };
            memory.save_contact(contact).await?;
        }
        let node = Node::start(deps(&memory, &bus), Options::alone("load", 0)).await?;
        let board = node.board(CAMPAIGN).await.context("no board")?;
        let inner = Self { keys, bus, board, _node: node, seq: 1 };
        inner.open().await;
        Ok(inner)
    }

    /// Everybody is invited.
    async fn open(&self) {
        let tell = |key: String, row: &Value| {
            let topic = Topic::Of(Stream::Campaign(CAMPAIGN));
            let rows = vec![(key, Some(Bytes::from(row.to_string())))];
            let (epoch, seq) = (1, self.seq);
            let frame =
                RowsFrame { topic, epoch, seq, prev: None, reset: false, more: false, rows };
            self.bus.publish(Arc::new(Published::new(frame, Bytes::new())));
        };
        tell("campaign".to_owned(), &campaign());
        for batch in self.keys.chunks(BATCH) {
            for session in batch {
                let row = json!({ "session": session, "tags": ["a tag"] });
                tell(format!("candidate.{session}"), &row);
            }
            self.drained().await;
        }
    }

    async fn play(&mut self, moves: &Arc<Vec<Move>>) -> anyhow::Result<Duration> {
        let frames = make(&self.keys, self.seq, moves);
        self.seq += u64::try_from(moves.len())?;
        let start = cpu();
        while let Ok(batch) = frames.recv() {
            for frame in batch {
                self.bus.publish(frame);
            }
            self.drained().await;
        }
        let last = moves.last().context("no moves")?;
        self.shown(last).await?;
        Ok(cpu().saturating_sub(start))
    }

    /// Lets the board have its turn. The bus keeps what it has not heard yet.
    async fn drained(&self) {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a contestant's row is as their last move says.
    async fn shown(&self, one: &Move) -> anyhow::Result<()> {
        let session = self.keys[one.contestant];
        let points = f64::from(one.hundredths) / 100.0;
        let is_shown = async {
            loop {
                let place = self.board.place(session, 0).await.context("no board")?;
                let rows = place.rows.unwrap_or_default();
                let you = rows.iter().find(|(key, _)| key == "you").map(|(_, row)| parsed(row));
                let key = you.map(|you| you["key"].as_str().unwrap_or_default().to_owned());
                let own = rows.iter().find(|(of, _)| Some(of) == key.as_ref());
                if own.is_some_and(|(_, row)| parsed(row)["score"] == points) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let shown = tokio::time::timeout(SHOWN_WITHIN, is_shown).await;
        shown.context("the wall does not show the last move")?
    }
}

/// Makes frames on another thread, as sessions do, a few batches ahead.
fn make(
    keys: &Arc<[SessionId]>,
    seq: u64,
    moves: &Arc<Vec<Move>>,
) -> mpsc::Receiver<Vec<Arc<Published>>> {
    let (batches, made) = mpsc::sync_channel(AHEAD);
    let (keys, moves) = (Arc::clone(keys), Arc::clone(moves));
    std::thread::spawn(move || {
        let mut seq = seq..;
        for batch in moves.chunks(BATCH) {
            let frames = batch.iter().zip(&mut seq);
            let frames = frames.map(|(one, seq)| frame(keys[one.contestant], seq, one, From::Here));
            if batches.send(frames.collect()).is_err() {
                break;
            }
        }
    });
    made
}

fn parsed(row: &Bytes) -> Value {
    serde_json::from_slice(row).unwrap_or_default()
}

/// How much processor time this thread has had.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(secs.unwrap_or_default(), nanos.unwrap_or_default())
}

fn campaign() -> Value {
    json!({
        "campaign": CAMPAIGN, "owner": OWNER, "test": null, "test_version": 1,
        "test_title": "Sums", "questions": [], "candidates": 0, "is_paused": false,
        "is_archived": false, "edition": 1,
        "settings": { "title": "Cup", "zone": "UTC", "opens_at": null, "closes_at": null,
            "time_allowed": 18_000_000, "allow_small_screen": true, "wall": "names",
            "shows_place": true },
    })
}

fn deps(memory: &Arc<Memory>, bus: &Arc<LocalBus>) -> Deps {
    Deps {
        store: Arc::clone(memory) as _,
        shards: Arc::clone(memory) as _,
        blobs: Arc::clone(memory) as _,
        people: Arc::clone(memory) as _,
        bus: Arc::clone(bus) as _,
        clock: Arc::new(SystemClock),
        sandbox: Arc::new(FakeSandbox::new()),
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    }
}
