//! The board itself: the actor that gateways read, told over the bus, on a thread of its own.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use actors::{
    board::Board,
    node::{Node, Options},
};
use anyhow::Context;
use bytes::Bytes;
use domain::{
    frame::RowsFrame,
    ids::{PersonId, SessionId},
    people::Contact,
    ports::{Bus, People, Published},
    ranking::WINDOW_MAX,
    rows::{Topic, Window},
    stream::Stream,
};
use loadtests::{view::View, wall};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use storage::{bus::LocalBus, memory::Memory};
use tokio::sync::mpsc::{Sender, channel};

use super::{
    BATCH, Move,
    frames::{CAMPAIGN, From, make},
};
use crate::alone::deps;

/// How long it is waited for what the last change made of the wall.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// What everybody's name begins with.
const NAMED: &str = "Candidate ";

const OWNER: PersonId = PersonId::from_u128(1);

/// See the module. It ends with its sender.
pub(crate) struct Whole(Sender<Ask>);

/// What it is asked, and where the answer goes.
enum Ask {
    Play(Arc<Vec<Move>>, From, mpsc::Sender<anyhow::Result<Duration>>),
    Ranks(mpsc::Sender<anyhow::Result<Vec<usize>>>),
}

impl Whole {
    pub(crate) fn start(keys: &[SessionId]) -> Self {
        let (asks, mut asked) = channel(1);
        let keys: Arc<[SessionId]> = keys.into();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let mut inner = Inner::start(keys).await?;
                // Between two of them the board's clocks go on.
                while let Some(ask) = asked.recv().await {
                    match ask {
                        Ask::Play(moves, from, told) => {
                            told.send(inner.play(&moves, from).await)?;
                        }
                        Ask::Ranks(told) => told.send(inner.ranks().await)?,
                    }
                }
                anyhow::Ok(())
            })
        });
        Self(asks)
    }

    /// Publishes a frame for each move and waits until the wall shows the last of them. How much
    /// processor time the board's thread took.
    pub(crate) fn play(&self, moves: &Arc<Vec<Move>>, from: From) -> anyhow::Result<Duration> {
        self.ask(|told| Ask::Play(Arc::clone(moves), from, told))
    }

    /// The rank of each contestant, as whoever looks at the whole wall reads it.
    pub(crate) fn ranks(&self) -> anyhow::Result<Vec<usize>> {
        self.ask(Ask::Ranks)
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(mpsc::Sender<anyhow::Result<T>>) -> Ask,
    ) -> anyhow::Result<T> {
        let (told, answer) = mpsc::channel();
        self.0.try_send(question(told)).ok().context("the board's thread is there no more")?;
        answer.recv().context("the board's thread is there no more")?
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
            let name = format!("{NAMED}{n}");
            let (alias, campaign) = (format!("Heron {n}"), CAMPAIGN);
            let contact = Contact { session: *session, campaign, email, name, alias };
            memory.save_contact(contact).await?;
        }
        let node =
            Node::start(deps(&memory, Arc::clone(&bus) as _), Options::alone("load", 0)).await?;
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

    async fn play(&mut self, moves: &Arc<Vec<Move>>, from: From) -> anyhow::Result<Duration> {
        let frames = make(&self.keys, self.seq, moves, from);
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

    async fn ranks(&self) -> anyhow::Result<Vec<usize>> {
        let mut ranks = vec![0; self.keys.len()];
        for from in (0..self.keys.len()).step_by(WINDOW_MAX) {
            let window = Window { from: u32::try_from(from)?, count: u32::try_from(WINDOW_MAX)? };
            let frames = self.board.read_window(window, (0, 0)).await.context("no board")?;
            let mut view = View::default();
            for frame in frames {
                let frame = serde_json::from_slice(&frame.text)?;
                view.take(&frame).map_err(anyhow::Error::msg)?;
            }
            for (name, row) in wall::rows(&view)? {
                let n: Option<usize> = name.strip_prefix(NAMED).and_then(|n| n.parse().ok());
                *n.and_then(|n| ranks.get_mut(n)).context("a stranger")? = row.rank;
            }
        }
        Ok(ranks)
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
