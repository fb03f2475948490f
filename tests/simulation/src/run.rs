//! One run: a seed, its nodes, its faults, its people, and what the checker finds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    at::{At, Ms},
    blob::Blob,
    ids::{CampaignId, SeatId, SessionId},
    ports::{Blobs, EventStore, RowQuery, Shards},
    rows::Topic,
    session,
    stream::{Origin, SHARDS, Stream},
};
use futures_util::FutureExt;
use tokio::task::JoinSet;

use crate::{
    chance,
    check::{self, Asked, Finding, History, Watched},
    faults::{self, Fault, Kind, LAST},
    host::{Host, Led, Request},
    people::{self, Beliefs, CONTENT, CREATOR, Candidate},
    person::Person,
    watcher::{self, Page},
    world::{NOON, Plant, World},
};

/// How far time goes at once. Nodes take turns within it.
const TICK: Ms = Ms(10);
/// How often it is looked whether everything is at rest.
const LOOK: i64 = 500;
/// After how long without a fault everything must be at rest.
const PATIENCE: Ms = Ms(90_000);
/// The first candidate.
const FIRST_SESSION: u128 = 1_000;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    /// Of everything that happened.
    pub hash: u64,
    pub findings: Vec<Finding>,
    /// What did not come to rest.
    pub unrest: Option<String>,
    pub faults: Vec<Fault>,
    /// How long it took, in the simulation.
    pub took: Ms,
    pub events: usize,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.unrest.is_none()
    }
}

/// Runs `seed` in a thread of its own, since chance is a thread's.
pub fn run(seed: u64, prints: bool) -> Report {
    run_with(seed, prints, Plant::Nothing)
}

/// The same, with a fault planted.
pub fn run_with(seed: u64, prints: bool, plant: Plant) -> Report {
    let thread = std::thread::Builder::new().name(format!("seed {seed}"));
    let run = move || {
        chance::seed(seed);
        Run::new(seed, prints, plant).go()
    };
    let running = thread.spawn(run).expect("a thread is to be had");
    running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

struct Run {
    seed: u64,
    world: Arc<World>,
    hosts: Vec<Host>,
    faults: Vec<Fault>,
    outside: Led,
    campaign: CampaignId,
    sessions: Vec<SessionId>,
    asked: Arc<Mutex<Vec<Asked>>>,
    beliefs: Beliefs,
    pages: Vec<(Stream, Arc<Mutex<Page>>)>,
    people: JoinSet<()>,
    watchers: JoinSet<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    fn new(seed: u64, prints: bool, plant: Plant) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let nodes = dice.usize(2..=4);
        let candidates = dice.u128(2..=6);
        let faults = faults::draw(&mut dice, nodes);
        let world = World::new(dice.u64(..), nodes, prints, plant);
        Self {
            seed,
            hosts: (0..nodes).map(|node| Host::new(&world, node)).collect(),
            world,
            faults,
            outside: Led::new(NOON),
            campaign: CampaignId::from_u128(dice.u128(..)),
            sessions: (0..candidates).map(|n| SessionId::from_u128(FIRST_SESSION + n)).collect(),
            asked: Arc::default(),
            beliefs: Arc::default(),
            pages: vec![],
            people: JoinSet::new(),
            watchers: JoinSet::new(),
        }
    }

    fn go(mut self) -> Report {
        self.outside.run(std::future::ready(()));
        self.invite();
        for host in &mut self.hosts {
            host.start(NOON);
        }
        let mut now = NOON;
        let unrest = loop {
            self.fault(now);
            self.world.arrive(now);
            let mut order: Vec<usize> = (0..self.hosts.len()).collect();
            self.world.lock().dice.shuffle(&mut order);
            for node in order {
                if let Some(host) = self.hosts.get(node) {
                    host.step(now, now + TICK);
                }
            }
            self.outside.step(now, now + TICK);
            now = now + TICK;
            if NOON + LAST < now && (now - NOON).0 % LOOK == 0 {
                let unrest = self.unrest();
                if unrest.is_none() || NOON + LAST + PATIENCE < now {
                    break unrest;
                }
            }
        };
        self.report(now, unrest)
    }

    /// Puts everybody in their place.
    fn invite(&mut self) {
        let blob = Blob::of(b"1\n");
        let put = self.world.memory.put(bytes::Bytes::from_static(b"1\n"));
        put.now_or_never().expect("memory does not wait").ok();
        let (world, asked) = (Arc::clone(&self.world), Arc::clone(&self.asked));
        let began = self.outside.run(async { tokio::time::Instant::now() });
        let person = |origin| Person::new(&world, origin, began, &asked);
        let creator = person(Origin::Person(CREATOR));
        let time_allowed = world.between(12_000, 30_000);
        let acts = usize::try_from(world.between(0, 3).0).unwrap_or(0);
        let (campaign, sessions) = (self.campaign, self.sessions.clone());
        let prepare = {
            let creator = creator.clone();
            async move {
                people::prepare(&creator, campaign, &sessions, time_allowed, blob).await;
                people::create(creator, campaign, acts).await;
            }
        };
        let mut candidates = vec![];
        for session in &self.sessions {
            let me = person(Origin::Candidate(*session));
            let hands_in_after = world.chance(300).then(|| world.lock().dice.u32(3..30));
            candidates.push(Candidate {
                me,
                session: *session,
                beliefs: Arc::clone(&self.beliefs),
                seat: SeatId::from_u128(world.id()),
                rev: 0,
                text: String::new(),
                lates: 0,
                hands_in_after,
            });
        }
        for stream in
            [Stream::Campaign(campaign), Stream::Session(SessionId::from_u128(FIRST_SESSION))]
        {
            self.pages.push((stream, Arc::default()));
        }
        let (people, watchers, pages) = (&mut self.people, &mut self.watchers, &self.pages);
        self.outside.run(async {
            people.spawn(prepare);
            for candidate in candidates {
                people.spawn(candidate.sit());
            }
            for (stream, page) in pages {
                watchers.spawn(watcher::watch(creator.clone(), *stream, Arc::clone(page)));
            }
        });
    }

    /// What begins and ends at `now`.
    fn fault(&mut self, now: At) {
        let active = |fault: &&Fault| fault.from <= now && now < fault.to;
        let faults: Vec<Fault> = self.faults.iter().filter(active).copied().collect();
        let begins: Vec<Kind> = self
            .faults
            .iter()
            .filter(|fault| fault.from <= now && now - TICK < fault.from)
            .map(|fault| fault.kind)
            .collect();
        {
            let mut inner = self.world.lock();
            inner.weather = faults::weather(faults.iter());
            for (node, state) in inner.nodes.iter_mut().enumerate() {
                *state = faults::state(node, faults.iter());
            }
        }
        for kind in begins {
            self.world.note(now, &"", &format!("{kind:?}"));
            self.begin(kind);
        }
        for host in &mut self.hosts {
            let is = |kind: Kind| faults.iter().any(|fault| fault.kind == kind);
            let is_away =
                is(Kind::Killed(host.node)) || is(Kind::Leaves(host.node)) && !host.is_up();
            host.is_paused = is(Kind::Paused(host.node)) && host.is_up();
            if !host.is_up() && !is_away {
                self.world.note(now, &"", &format!("n{} starts", host.node));
                host.start(now);
            }
        }
        self.stop_those_who_left(now);
    }

    fn begin(&mut self, kind: Kind) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others are how things are meanwhile"
        )]
        match kind {
            Kind::LeasesWiped => {
                let anew = self.world.chance(500);
                self.world.lock().held.wipe(anew);
            }
            Kind::Killed(node) => {
                if let Some(host) = self.hosts.get_mut(node) {
                    host.kill();
                }
            }
            Kind::Leaves(node) => {
                let door = self.world.lock().doors.get(node).cloned().flatten();
                if let Some(door) = door {
                    door.try_send(Request::Leave).ok();
                }
            }
            _ => {}
        }
    }

    /// A node that leaves stops at the end of that.
    fn stop_those_who_left(&mut self, now: At) {
        let over = self.faults.iter().filter(|fault| fault.to <= now && now - TICK < fault.to);
        let left: Vec<usize> = over
            .filter_map(|fault| if let Kind::Leaves(node) = fault.kind { Some(node) } else { None })
            .collect();
        for node in left {
            if let Some(host) = self.hosts.get_mut(node) {
                host.kill();
            }
        }
    }

    /// What still goes on.
    fn unrest(&mut self) -> Option<String> {
        while self.people.try_join_next().is_some() {}
        if !self.people.is_empty() {
            return Some(format!("{} people wait", self.people.len()));
        }
        let memory = &self.world.memory;
        let due = memory.due(At(i64::MAX), None, 10).now_or_never()?.ok()?;
        if let Some((stream, head)) = due.first() {
            return Some(format!("{stream} is at {head:?}"));
        }
        let queue =
            RowQuery { topic: Topic::Queue, after_key: None, changed_after: None, limit: 9 };
        let queue = memory.rows(queue).now_or_never()?.ok()?;
        if let Some(row) = queue.first() {
            return Some(format!("{} is not judged", row.key));
        }
        let watched: Vec<Watched> = self.watched();
        let behind = watched.iter().find(|page| page.shows != page.stored)?;
        Some(format!("a page of {} is behind", behind.stream))
    }

    fn watched(&self) -> Vec<Watched> {
        let of = |(stream, page): &(Stream, Arc<Mutex<Page>>)| {
            let page = lock(page);
            let topic = Topic::Of(*stream);
            let query = RowQuery { topic, after_key: None, changed_after: None, limit: 10_000 };
            let rows = self.world.memory.rows(query).now_or_never();
            let rows = rows.expect("memory does not wait").expect("memory is there");
            let stored = rows.into_iter().filter_map(|row| Some((row.key, row.value?))).collect();
            let (frames, shows) = (page.frames.clone(), page.rows.clone());
            Watched { stream: *stream, frames, shows, stored }
        };
        self.pages.iter().map(of).collect()
    }

    fn report(self, now: At, unrest: Option<String>) -> Report {
        let history = self.history(unrest.is_none());
        let findings = check::check(&history);
        let events = history.streams.values().map(Vec::len).sum();
        let hash = self.world.hash();
        Report {
            seed: self.seed,
            hash,
            findings,
            unrest,
            faults: self.faults,
            took: now - NOON,
            events,
        }
    }

    fn history(&self, is_over: bool) -> History {
        let mut streams: BTreeMap<Stream, Vec<_>> = BTreeMap::new();
        let mut add = |stream| drop(streams.insert(stream, self.world.log(stream)));
        add(Stream::Content(CONTENT));
        add(Stream::Campaign(self.campaign));
        for session in &self.sessions {
            let stream = Stream::Session(*session);
            add(stream);
            for event in self.world.log(stream) {
                if let Ok(session::Event::RunAsked { submission, .. }) =
                    serde_json::from_slice(&event.body)
                {
                    add(Stream::Submission(submission));
                }
            }
        }
        let outages = (0..SHARDS).map(|shard| {
            let outages = self.world.memory.outages(shard, At(0)).now_or_never();
            (shard, outages.expect("memory does not wait").expect("memory is there"))
        });
        let troubles = self.faults.iter().filter(|fault| fault.kind.may_take_time());
        History {
            streams,
            wrote: self.world.lock().wrote.clone(),
            asked: lock(&self.asked).clone(),
            pages: self.watched(),
            typed: lock(&self.beliefs).clone(),
            outages: outages.collect(),
            troubles: troubles.map(|fault| (fault.from, fault.to)).collect(),
            is_over,
        }
    }
}
