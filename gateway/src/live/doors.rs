//! The open sockets, by who they are of and where they come from: what each may do together with
//! all others of the same, and which of them look again when somebody's right has ended.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use domain::{
    ids::{CampaignId, PersonId, SessionId},
    people::Who,
};
use tokio::{sync::Notify, time::Instant};

use crate::limits::{Bucket, Flow};

/// How many endings are remembered for sockets that are just being opened. Of more, and of those that
/// get lost, sockets find out when they look again by themselves.
const RECENT_MAX: usize = 1_024;

/// By what a socket is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Person(PersonId),
    Candidate(SessionId),
    Viewer(CampaignId),
    /// SHA-256 of a cookie.
    Token(String),
    Address(IpAddr),
}

impl From<Who> for Key {
    fn from(who: Who) -> Self {
        match who {
            Who::Person(id, _) => Self::Person(id),
            Who::Candidate(id) => Self::Candidate(id),
            Who::Viewer(id) => Self::Viewer(id),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person.{id}"),
            Self::Candidate(id) => write!(f, "candidate.{id}"),
            Self::Viewer(id) => write!(f, "viewer.{id}"),
            Self::Token(sha256) => write!(f, "token.{sha256}"),
            Self::Address(address) => write!(f, "address.{address}"),
        }
    }
}

/// A text that names nobody.
#[derive(Debug)]
pub(crate) struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let (kind, of) = text.split_once('.').ok_or(NoKey)?;
        match kind {
            "person" => of.parse().map(Self::Person).map_err(|_| NoKey),
            "candidate" => of.parse().map(Self::Candidate).map_err(|_| NoKey),
            "viewer" => of.parse().map(Self::Viewer).map_err(|_| NoKey),
            "token" => Ok(Self::Token(of.to_owned())),
            _ => Err(NoKey),
        }
    }
}

/// What all sockets of one key may do together.
#[derive(Clone, Copy)]
struct Together {
    sockets: usize,
    watches: usize,
    frames: Flow,
}

impl Key {
    /// Whoever has a wall's link may be a whole hall, and a cookie is somebody's whose limit counts. An
    /// administrator can do everything anyway.
    fn together(&self, is_administrator: bool) -> Option<Together> {
        let of = |sockets, watches, a_second| {
            let frames = Flow { burst: 10 * a_second, a_second };
            Some(Together { sockets, watches, frames })
        };
        match self {
            Self::Candidate(_) => of(16, 128, 200),
            Self::Person(_) if !is_administrator => of(64, 512, 1_000),
            // What runs on this machine is most of all a proxy that speaks for everybody.
            Self::Address(address) if !address.is_loopback() => of(4_096, 32_768, 50_000),
            Self::Person(_) | Self::Viewer(_) | Self::Token(_) | Self::Address(_) => None,
        }
    }
}

/// Too many sockets of one person, or from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// See the module.
#[derive(Default)]
pub(crate) struct Doors(Mutex<State>);

#[derive(Default)]
struct State {
    opened: u64,
    by: HashMap<Key, Group>,
    /// Which endings came last, and when.
    recent: VecDeque<(Instant, Key)>,
}

#[derive(Default)]
struct Group {
    sockets: HashMap<u64, Arc<Notify>>,
    tally: Arc<Tally>,
}

/// What all of a group have done together.
#[derive(Default)]
struct Tally {
    frames: Bucket,
    watches: AtomicUsize,
}

impl Doors {
    /// Lets one more in, under all of `keys`, who was looked at `since` then: if a right of theirs has
    /// ended meanwhile, they look again at once. A candidate has limits of their own, and nobody in the
    /// same hall or behind the same proxy can keep them out.
    pub(crate) fn open(
        self: &Arc<Self>,
        mut keys: Vec<Key>,
        is_administrator: bool,
        since: Instant,
    ) -> Result<Door, TooMany> {
        if keys.iter().any(|key| matches!(key, Key::Candidate(_))) {
            keys.retain(|key| !matches!(key, Key::Address(_)));
        }
        let mut state = self.state();
        let is_full = |key: &Key| {
            let here = state.by.get(key).map_or(0, |group| group.sockets.len());
            key.together(is_administrator).is_some_and(|together| together.sockets <= here)
        };
        if keys.iter().any(is_full) {
            return Err(TooMany);
        }
        state.opened += 1;
        let (id, again) = (state.opened, Arc::new(Notify::new()));
        let mut tallies = vec![];
        for key in &keys {
            let group = state.by.entry(key.clone()).or_default();
            group.sockets.insert(id, Arc::clone(&again));
            if let Some(together) = key.together(is_administrator) {
                tallies.push((together, Arc::clone(&group.tally)));
            }
        }
        if state.recent.iter().any(|(at, key)| since <= *at && keys.contains(key)) {
            again.notify_one();
        }
        drop(state);
        Ok(Door { doors: Arc::clone(self), id, keys, again, tallies, watches: 0 })
    }

    /// All sockets of `key` look again whether they may be there.
    pub(crate) fn look_again(&self, key: &Key) {
        let mut state = self.state();
        if RECENT_MAX <= state.recent.len() {
            state.recent.pop_front();
        }
        state.recent.push_back((Instant::now(), key.clone()));
        let sockets = state.by.get(key).map(|group| group.sockets.values());
        sockets.into_iter().flatten().for_each(|again| again.notify_one());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open socket. It is closed when this is dropped.
pub(crate) struct Door {
    doors: Arc<Doors>,
    id: u64,
    keys: Vec<Key>,
    again: Arc<Notify>,
    tallies: Vec<(Together, Arc<Tally>)>,
    watches: usize,
}

impl Door {
    /// Waits until it is to be looked at again whether they may be here. Cancelling it loses nothing.
    pub(crate) async fn told_to_look(&self) {
        self.again.notified().await;
    }

    /// Whether all of the same person, and of the same address, together may still send `cost`
    /// frames now.
    pub(crate) fn may_send(&self, cost: u32) -> bool {
        self.tallies.iter().all(|(most, tally)| tally.frames.take(cost, most.frames))
    }

    /// Whether they may watch so many topics from this socket.
    pub(crate) fn may_watch(&mut self, count: usize) -> bool {
        let here = |tally: &Tally| tally.watches.load(Ordering::Relaxed);
        let is_full = |(most, tally): &(Together, Arc<Tally>)| {
            most.watches < (here(tally) + count).saturating_sub(self.watches)
        };
        if self.watches < count && self.tallies.iter().any(is_full) {
            return false;
        }
        self.watch(count);
        true
    }

    fn watch(&mut self, count: usize) {
        for (_, tally) in &self.tallies {
            tally.watches.fetch_add(count, Ordering::Relaxed);
            tally.watches.fetch_sub(self.watches, Ordering::Relaxed);
        }
        self.watches = count;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.watch(0);
        let mut state = self.doors.state();
        for key in &self.keys {
            let Some(group) = state.by.get_mut(key) else { continue };
            group.sockets.remove(&self.id);
            if group.sockets.is_empty() {
                state.by.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ADA: Key = Key::Candidate(SessionId::from_u128(1));
    const HALL: Key = Key::Viewer(CampaignId::from_u128(1));

    fn address(text: &str) -> Key {
        Key::Address(text.parse().unwrap())
    }

    fn open(doors: &Arc<Doors>, keys: &[Key]) -> Result<Door, TooMany> {
        doors.open(keys.to_vec(), false, Instant::now())
    }

    #[tokio::test]
    async fn a_person_and_an_address_have_so_many_sockets_and_a_hall_as_many_as_come() {
        let doors = Arc::default();
        let mut all: Vec<_> = (0..16).map(|_| open(&doors, &[ADA]).unwrap()).collect();
        assert_eq!(open(&doors, &[ADA]).err(), Some(TooMany));
        all.pop();
        assert!(open(&doors, &[ADA]).is_ok(), "one was closed");
        let hall: Vec<_> = (0..5_000).map(|_| open(&doors, &[HALL]).unwrap()).collect();
        drop(hall);
        let far = address("203.0.113.7");
        let from: Vec<_> =
            (0..4_096).map(|_| open(&doors, std::slice::from_ref(&far)).unwrap()).collect();
        assert!(open(&doors, &[HALL, far.clone()]).is_err());
        all.pop();
        assert!(open(&doors, &[ADA, far]).is_ok(), "spectators keep a candidate out");
        drop((all, from));
        let near: Vec<_> =
            (0..5_000).map(|_| open(&doors, &[address("127.0.0.1")]).unwrap()).collect();
        drop(near);
        assert!(doors.state().by.is_empty(), "nobody is remembered who has left");
    }

    #[tokio::test]
    async fn an_account_has_so_many_sockets_and_an_administrator_as_many_as_they_open() {
        let doors = Arc::default();
        let grace = Key::Person(PersonId::from_u128(1));
        let all: Vec<_> =
            (0..64).map(|_| open(&doors, std::slice::from_ref(&grace)).unwrap()).collect();
        assert_eq!(open(&doors, std::slice::from_ref(&grace)).err(), Some(TooMany));
        assert!(doors.open(vec![grace], true, Instant::now()).is_ok());
        drop(all);
    }

    #[tokio::test]
    async fn all_of_an_account_and_of_an_address_send_and_watch_together() {
        let grace = Key::Person(PersonId::from_u128(1));
        for (key, frames, watches) in
            [(grace, 10_000..11_000, 512), (address("203.0.113.7"), 500_000..600_000, 32_768)]
        {
            let doors = Arc::default();
            let mut one = open(&doors, std::slice::from_ref(&key)).unwrap();
            let mut other = open(&doors, &[key]).unwrap();
            let sent = (0..2 * frames.end)
                .filter(|n| if n % 2 == 0 { &one } else { &other }.may_send(1))
                .count();
            assert!(frames.contains(&sent), "{sent}");
            assert!(one.may_watch(watches - 10) && !other.may_watch(11) && other.may_watch(10));
        }
    }

    #[tokio::test]
    async fn all_sockets_of_a_person_send_and_watch_together() {
        let doors = Arc::default();
        let (mut one, mut other) = (open(&doors, &[ADA]).unwrap(), open(&doors, &[ADA]).unwrap());
        let sent = (0..5_000).filter(|n| if n % 2 == 0 { &one } else { &other }.may_send(1));
        assert!((2_000..2_100).contains(&sent.count()));
        assert!(one.may_watch(100) && !other.may_watch(29) && other.may_watch(28));
        assert!(one.may_watch(1) && other.may_watch(32));
        drop(one);
        assert_eq!(doors.state().by[&ADA].tally.watches.load(Ordering::Relaxed), 32);
    }

    #[tokio::test]
    async fn who_lost_a_right_while_the_socket_was_opened_looks_again_at_once() {
        let doors = Arc::default();
        let since = Instant::now();
        let token = Key::Token("ab".to_owned());
        let here = open(&doors, &[ADA, token.clone()]).unwrap();
        assert!(here.told_to_look().now_or_never().is_none());
        doors.look_again(&token.to_string().parse().unwrap());
        assert!(here.told_to_look().now_or_never().is_some());
        let late = doors.open(vec![token.clone()], false, since).unwrap();
        assert!(late.told_to_look().now_or_never().is_some());
        tokio::task::yield_now().await;
        let later = Instant::now() + std::time::Duration::from_millis(1);
        let later = doors.open(vec![token], false, later);
        assert!(later.unwrap().told_to_look().now_or_never().is_none());
    }
}
