//! Who is connected, as gateways tell it: each change at once, and everybody now and then. What a
//! gateway said holds for as long as its lease, so that one that died takes its people with it; a
//! candidate with two devices on two gateways is there once.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::{
    at::{At, Ms},
    ids::SessionId,
};
use serde::{Deserialize, Serialize};

/// How often a gateway tells everybody who is connected to it…
pub const ROLL_EVERY: Ms = Ms(5_000);
/// …and for how long that holds: two lists may get lost.
const LEASE: Ms = Ms(12_000);
/// By how much the way to a candidate changes before it is told anew: it differs with each ping.
const RTT_STEP_MS: u32 = 10;

/// Row `gate.<gateway>` of `candidates.<campaign>`, never stored: who is connected to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    /// Counts what this gateway said of this campaign; the greater is the later.
    pub n: u64,
    /// `here` is everybody; otherwise only who came, or whose way changed.
    pub whole: bool,
    pub here: Vec<Here>,
    pub gone: Vec<SessionId>,
}

/// Somebody who is connected, and how long the way to them and back takes, in ms. Written as a pair:
/// there are thousands in one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here(pub SessionId, pub Option<u32>);

/// See the module.
#[derive(Default)]
pub(super) struct Presences {
    gates: HashMap<String, Gate>,
    people: HashMap<SessionId, Link>,
    connected: usize,
}

/// What one gateway said.
struct Gate {
    n: u64,
    until: At,
    here: HashSet<SessionId>,
}

/// How somebody is connected, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// On how many gateways.
    gates: u32,
    /// Since when; of who is not, until when.
    pub(super) at: At,
    pub(super) rtt_ms: Option<u32>,
}

impl Link {
    pub(super) fn is_connected(self) -> bool {
        self.gates > 0
    }
}

impl Presences {
    /// Takes in what a gateway says. Answers whose presence changed.
    pub(super) fn take(&mut self, name: &str, roll: Roll, now: At) -> BTreeSet<SessionId> {
        let new = || Gate { n: 0, until: now, here: HashSet::new() };
        let mut gate = self.gates.remove(name).unwrap_or_else(new);
        let mut changed = BTreeSet::new();
        if gate.n < roll.n {
            (gate.n, gate.until) = (roll.n, now + LEASE);
            let mut gone = roll.gone;
            if roll.whole {
                let here: HashSet<_> = roll.here.iter().map(|Here(session, _)| *session).collect();
                gone = gate.here.difference(&here).copied().collect();
            }
            let left = gone.into_iter().filter(|session| gate.here.remove(session));
            changed.extend(left.filter(|session| self.leave(*session, now)));
            for Here(session, rtt_ms) in roll.here {
                let is_new = gate.here.insert(session);
                if self.arrive(session, rtt_ms, now, is_new) {
                    changed.insert(session);
                }
            }
        }
        self.gates.insert(name.to_owned(), gate);
        changed
    }

    /// Lets go of gateways that have said nothing for too long. Answers whose presence changed.
    pub(super) fn expire(&mut self, now: At) -> BTreeSet<SessionId> {
        let is_over = |(_, gate): &(&String, &Gate)| gate.until < now;
        let over: Vec<String> =
            self.gates.iter().filter(is_over).map(|(name, _)| name.clone()).collect();
        let mut changed = BTreeSet::new();
        for gate in over.iter().filter_map(|name| self.gates.remove(name)).collect::<Vec<_>>() {
            // The last that was heard of them is when the lease began.
            let left = gate.here.into_iter();
            changed.extend(left.filter(|session| self.leave(*session, gate.until - LEASE)));
        }
        changed
    }

    /// How somebody is connected; `None` if nothing was ever heard of them.
    pub(super) fn of(&self, session: SessionId) -> Option<Link> {
        self.people.get(&session).copied()
    }

    /// How many are connected, each once.
    pub(super) fn connected(&self) -> usize {
        self.connected
    }

    fn arrive(&mut self, session: SessionId, rtt_ms: Option<u32>, now: At, is_new: bool) -> bool {
        let new = Link { gates: 0, at: now, rtt_ms: None };
        let link = self.people.entry(session).or_insert(new);
        let before = *link;
        if is_new {
            link.gates += 1;
        }
        if !before.is_connected() {
            self.connected += 1;
            link.at = now;
        }
        let is_other = |a: u32, b: u32| RTT_STEP_MS.max(a / 4) < a.abs_diff(b);
        link.rtt_ms = match (link.rtt_ms, rtt_ms) {
            (Some(old), Some(new)) if !is_other(old, new) => Some(old),
            (old, new) => new.or(old),
        };
        (link.is_connected(), link.rtt_ms) != (before.is_connected(), before.rtt_ms)
    }

    fn leave(&mut self, session: SessionId, at: At) -> bool {
        let Some(link) = self.people.get_mut(&session) else { return false };
        link.gates = link.gates.saturating_sub(1);
        if link.is_connected() {
            return false;
        }
        self.connected = self.connected.saturating_sub(1);
        link.at = at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: SessionId = SessionId::from_u128(1);
    const BOB: SessionId = SessionId::from_u128(2);

    fn roll(n: u64, whole: bool, here: &[SessionId], gone: &[SessionId]) -> Roll {
        let here = here.iter().map(|session| Here(*session, Some(20))).collect();
        Roll { n, whole, here, gone: gone.to_vec() }
    }

    fn all(presences: &Presences) -> [bool; 2] {
        [ADA, BOB].map(|one| presences.of(one).is_some_and(Link::is_connected))
    }

    #[test]
    fn two_devices_on_two_gateways_count_once_each_and_the_last_one_counts() {
        let mut presences = Presences::default();
        assert_eq!(presences.take("one", roll(1, false, &[ADA], &[]), At(0)), [ADA].into());
        assert!(presences.take("two", roll(1, false, &[ADA, ADA], &[]), At(1)).is_empty());
        assert_eq!(presences.connected(), 1);
        assert!(presences.take("one", roll(2, false, &[], &[ADA]), At(2)).is_empty());
        assert_eq!(all(&presences), [true, false]);
        assert_eq!(presences.take("two", roll(2, false, &[], &[ADA]), At(3)), [ADA].into());
        assert_eq!((presences.connected(), presences.of(ADA).unwrap().at), (0, At(3)));
    }

    #[test]
    fn a_whole_list_mends_whatever_was_lost() {
        let mut presences = Presences::default();
        presences.take("one", roll(1, true, &[ADA], &[]), At(0));
        // Lost: Ada went, Bob came.
        assert_eq!(presences.take("one", roll(4, true, &[BOB], &[]), At(1)), [ADA, BOB].into());
        assert_eq!(all(&presences), [false, true]);
        // What comes late says nothing any more, nor does the same again.
        for n in [3, 4] {
            assert!(presences.take("one", roll(n, false, &[ADA], &[BOB]), At(2)).is_empty());
        }
        assert_eq!(all(&presences), [false, true]);
    }

    #[test]
    fn a_gateway_that_died_takes_its_people_with_it_once_its_lease_is_over() {
        let mut presences = Presences::default();
        presences.take("one", roll(1, true, &[ADA, BOB], &[]), At(0));
        presences.take("two", roll(1, true, &[BOB], &[]), At(10_000));
        assert!(presences.expire(At(12_000)).is_empty());
        assert_eq!(presences.expire(At(12_001)), [ADA].into());
        assert_eq!(all(&presences), [false, true]);
        assert_eq!(presences.of(ADA).unwrap().at, At(0), "it was heard of last then");
        assert_eq!(presences.connected(), 1);
        // It was only cut off, and is back.
        assert_eq!(presences.take("one", roll(9, true, &[ADA], &[]), At(13_000)), [ADA].into());
    }

    #[test]
    fn a_way_that_is_about_the_same_is_not_told_again() {
        let mut presences = Presences::default();
        let told = |rtt, n| Roll { n, whole: false, here: vec![Here(ADA, rtt)], gone: vec![] };
        presences.take("one", told(Some(100), 1), At(0));
        for (n, rtt, is_told) in [(2, 120, false), (3, 80, false), (4, 130, true), (5, 20, true)] {
            let changed = presences.take("one", told(Some(rtt), n), At(0));
            assert_eq!(!changed.is_empty(), is_told, "{rtt}");
        }
        assert!(presences.take("one", told(None, 6), At(0)).is_empty());
        assert_eq!(presences.of(ADA).unwrap().rtt_ms, Some(20));
    }
}
