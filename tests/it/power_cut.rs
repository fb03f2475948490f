//! The power goes while 200 type: a whole node over a store that keeps only what it synced, on
//! tokio's paused clock. What must hold is what must hold after a kill.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use domain::aggregate::Outage;
use fastrand::Rng;
use loadtests::{kept, typist::Text};
use storage::forgetful::Forgetful;
use tokio::{
    sync::watch,
    task::{JoinSet, yield_now},
    time::sleep,
};

use crate::{
    node::{Running, World, ask, edit, start},
    setting::Done,
};

const CANDIDATES: u128 = 200;
/// How often the power goes in one test.
const CUTS: usize = 3;
const STEP: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_millis(1);
/// How often it is looked whether writes are in the air.
const MOMENTS: usize = 1_000_000;

#[tokio::test(start_paused = true)]
async fn a_store_that_forgets_what_it_did_not_sync_loses_no_acknowledged_edit() -> Done {
    for seed in 0..4 {
        let mut power = Power::of(Forgetful::honest(), seed).await?;
        let mut gone = vec![];
        for _ in 0..CUTS {
            power.all_type().await;
            gone.push(power.cut().await?);
        }
        power.all_type().await;
        for problem in power.check(&gone).await? {
            problem.with_context(|| format!("seed {seed}"))?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_check_notices_a_store_that_answers_before_it_syncs() -> Done {
    let mut power = Power::of(Forgetful::dishonest(), 7).await?;
    power.all_type().await;
    power.world.store.sync();
    power.all_type().await;
    let outage = power.cut().await?;
    let checked = power.check(&[outage]).await?;
    let lost = checked.iter().filter(|checked| checked.is_err()).count();
    ensure!(lost == checked.len(), "only {lost} of {} were found out", checked.len());
    Ok(())
}

/// Those who type, and the switch.
struct Power {
    world: World,
    random: Rng,
    stop: watch::Sender<bool>,
    counts: Vec<Arc<AtomicU32>>,
    typists: JoinSet<Typist>,
}

/// Somebody who types, and what they were told.
struct Typist {
    n: u128,
    text: Text,
    acknowledged: Arc<AtomicU32>,
    random: Rng,
    problem: Option<String>,
}

impl Power {
    async fn of(store: Forgetful, seed: u64) -> anyhow::Result<Self> {
        let world = World::new(store).await?;
        let (stop, stopped) = watch::channel(false);
        let (mut counts, mut typists) = (vec![], JoinSet::new());
        for n in 0..CANDIDATES {
            start(&world, n).await?;
            let acknowledged = Arc::new(AtomicU32::new(0));
            counts.push(Arc::clone(&acknowledged));
            let random = Rng::with_seed(seed ^ u64::try_from(n)?);
            let typist = Typist { n, text: Text::default(), acknowledged, random, problem: None };
            typists.spawn(typist.play(world.running(), stopped.clone()));
        }
        // What a dishonest store is told to keep, so that there is somebody to type.
        world.store.sync();
        Ok(Self { world, random: Rng::with_seed(seed), stop, counts, typists })
    }

    /// Waits until everybody has three more edits acknowledged, or a while.
    async fn all_type(&self) {
        let read = || self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let before: Vec<u32> = read().collect();
        for _ in 0..1_000 {
            if read().zip(&before).all(|(count, before)| *before + 3 <= count) {
                return;
            }
            sleep(STEP).await;
        }
    }

    /// The power goes for a while, at a random moment at which writes are in the air.
    async fn cut(&mut self) -> anyhow::Result<Outage> {
        sleep(STEP * self.random.u32(0..40)).await;
        let in_the_air = self.random.usize(1..8);
        for turn in 0..MOMENTS {
            if in_the_air <= self.world.store.unsynced() {
                break;
            }
            ensure!(turn + 1 < MOMENTS, "nothing is in the air");
            // In between time passes, which it does only when everything waits.
            if turn % 100 == 99 { sleep(MOMENT).await } else { yield_now().await }
        }
        self.world.cut().await;
        let from = self.world.now();
        sleep(STEP * self.random.u32(1..100)).await;
        let to = self.world.now();
        self.world.start().await?;
        Ok(Outage { from, to })
    }

    /// Ends the typing, and checks everybody.
    async fn check(&mut self, gone: &[Outage]) -> anyhow::Result<Vec<anyhow::Result<()>>> {
        self.stop.send_replace(true);
        let mut checked = vec![];
        while let Some(typist) = self.typists.join_next().await {
            checked.push(self.world.check(typist?, gone).await);
        }
        Ok(checked)
    }
}

impl World {
    async fn check(&self, typist: Typist, gone: &[Outage]) -> Done {
        let stored = self.text(typist.n).await?;
        ensure!(stored.rev == typist.acknowledged.load(Ordering::Relaxed), "{}", stored.rev);
        kept::check(&self.row(typist.n).await?, &typist.text, &stored, gone)?;
        ensure!(typist.problem.is_none(), "{:?}", typist.problem);
        Ok(())
    }
}

impl Typist {
    async fn play(mut self, mut running: Running, stop: watch::Receiver<bool>) -> Self {
        while !*stop.borrow() && self.problem.is_none() {
            sleep(STEP * self.random.u32(2..8)).await;
            let change = self.text.typed(&mut self.random);
            let answer = ask(&mut running, self.n, edit(&self.text, &change.json)).await;
            let rev = self.text.rev + 1;
            if answer.as_ref().is_ok_and(|answer| answer["rev"] == rev) {
                self.text.take(change, rev);
                self.acknowledged.store(rev, Ordering::Relaxed);
            } else {
                self.problem = Some(format!("revision {rev} was answered {answer:?}"));
            }
        }
        self
    }
}
