//! What goes wrong when, as a seed has it.

use domain::at::{At, Ms};

use crate::world::NOON;

/// Chances, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Messages between nodes, and between people and nodes.
    pub lost: u32,
    pub doubled: u32,
    pub delayed: u32,
    pub frames_lost: u32,
    pub store_fails: u32,
    pub store_answers_lost: u32,
    pub store_slow: u32,
    pub leases_fail: u32,
    pub leases_answers_lost: u32,
    pub leases_slow: u32,
}

/// What is wrong with one node.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    pub no_store: bool,
    pub no_wire: bool,
    pub no_leases: bool,
    /// Of its clock, from the true time.
    pub skew: Ms,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    LossyWire,
    LossyFrames,
    FlakyStore,
    SlowStore,
    StoreAway,
    FlakyLeases,
    LeasesWiped,
    LeasesAway,
    CutFromStore(usize),
    CutFromWire(usize),
    CutFromLeases(usize),
    CutFromAll(usize),
    Paused(usize),
    Killed(usize),
    Leaves(usize),
    Skewed(usize, i64),
}

/// One thing that goes wrong, from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub from: At,
    pub to: At,
}

/// When faults begin at the earliest, and when all of them are over, after [`NOON`].
pub const FIRST: Ms = Ms(4_000);
pub const LAST: Ms = Ms(34_000);

impl Kind {
    fn any(dice: &mut fastrand::Rng, nodes: usize) -> Self {
        let node = dice.usize(0..nodes);
        match dice.u32(0..17) {
            0 => Self::LossyWire,
            1 => Self::LossyFrames,
            2 => Self::FlakyStore,
            3 => Self::SlowStore,
            4 => Self::StoreAway,
            5 => Self::FlakyLeases,
            6 => Self::LeasesWiped,
            7 => Self::LeasesAway,
            8 => Self::CutFromStore(node),
            9 => Self::CutFromWire(node),
            10 => Self::CutFromLeases(node),
            11 => Self::CutFromAll(node),
            12 | 13 => Self::Paused(node),
            14 => Self::Killed(node),
            15 => Self::Leaves(node),
            _ => Self::Skewed(node, *dice.choice(&[-3_000, -400, -90, 90, 130, 700]).unwrap_or(&0)),
        }
    }

    /// Whether the owner of some streams may be unable to commit because of it, or to be reached.
    pub fn may_take_time(self) -> bool {
        !matches!(self, Self::LossyFrames)
    }
}

/// Draws what goes wrong: a few kinds at a time, so that each gets its turn alone as well.
pub fn draw(dice: &mut fastrand::Rng, nodes: usize) -> Vec<Fault> {
    let kinds: Vec<Kind> = (0..dice.usize(1..=4)).map(|_| Kind::any(dice, nodes)).collect();
    let mut faults = vec![];
    for _ in 0..dice.usize(0..=7) {
        let Some(kind) = dice.choice(&kinds).copied() else { continue };
        let from = NOON + FIRST + Ms(dice.i64(0..(LAST - FIRST).0));
        let length = match dice.u32(0..3) {
            0 => dice.i64(50..1_500),
            1 => dice.i64(1_500..5_000),
            _ => dice.i64(5_000..11_000),
        };
        faults.push(Fault { kind, from, to: (from + Ms(length)).min(NOON + LAST) });
    }
    faults.sort_by_key(|fault| (fault.from, fault.to, fault.kind));
    faults
}

/// The weather while `faults` last.
pub fn weather<'a>(faults: impl Iterator<Item = &'a Fault>) -> Weather {
    let mut weather = Weather::default();
    for fault in faults {
        match fault.kind {
            Kind::LossyWire => {
                (weather.lost, weather.doubled, weather.delayed) = (150, 150, 300);
            }
            Kind::LossyFrames => weather.frames_lost = 400,
            Kind::FlakyStore => (weather.store_fails, weather.store_answers_lost) = (60, 100),
            Kind::SlowStore => weather.store_slow = 400,
            Kind::StoreAway => weather.store_fails = 1_000,
            Kind::FlakyLeases => {
                (weather.leases_fail, weather.leases_answers_lost) = (200, 200);
                weather.leases_slow = 100;
            }
            Kind::LeasesAway => weather.leases_fail = 1_000,
            Kind::LeasesWiped
            | Kind::CutFromStore(_)
            | Kind::CutFromWire(_)
            | Kind::CutFromLeases(_)
            | Kind::CutFromAll(_)
            | Kind::Paused(_)
            | Kind::Killed(_)
            | Kind::Leaves(_)
            | Kind::Skewed(..) => {}
        }
    }
    weather
}

/// What is wrong with `node` while `faults` last.
pub fn state<'a>(node: usize, faults: impl Iterator<Item = &'a Fault>) -> State {
    let mut state = State::default();
    for fault in faults {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others are of other nodes, or of none"
        )]
        match fault.kind {
            Kind::CutFromStore(of) if of == node => state.no_store = true,
            Kind::CutFromWire(of) if of == node => state.no_wire = true,
            Kind::CutFromLeases(of) if of == node => state.no_leases = true,
            Kind::CutFromAll(of) if of == node => {
                (state.no_store, state.no_wire, state.no_leases) = (true, true, true);
            }
            Kind::Skewed(of, by) if of == node => state.skew = Ms(by),
            _ => {}
        }
    }
    state
}
