//! Which candidates are connected here. Boards are told of each change at once, and of everybody now
//! and then, which is also the sign that this gateway lives.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use actors::{
    board::{Here, Roll, pass},
    deps::Deps,
};
use domain::ids::{CampaignId, SessionId};

/// See the module.
pub(crate) struct Presence {
    /// Under which name the boards know this gateway.
    gate: String,
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    /// Counts what was told.
    n: u64,
    of: HashMap<CampaignId, HashMap<SessionId, Device>>,
}

#[derive(Clone, Copy, Default)]
struct Device {
    sockets: usize,
    rtt_ms: Option<u32>,
}

impl Presence {
    pub(super) fn new(gate: String) -> Self {
        Self { gate, rooms: Mutex::default() }
    }

    /// One more socket of this candidate.
    pub(crate) fn arrive(&self, deps: &Deps, campaign: CampaignId, session: SessionId) {
        let mut rooms = self.rooms();
        let device = rooms.of.entry(campaign).or_default().entry(session).or_default();
        device.sockets += 1;
        if device.sockets == 1 {
            let here = vec![Here(session, None)];
            self.say(deps, campaign, &mut rooms, Roll { here, ..Roll::default() });
        }
    }

    /// One socket less.
    pub(crate) fn leave(&self, deps: &Deps, campaign: CampaignId, session: SessionId) {
        let mut rooms = self.rooms();
        let Some(room) = rooms.of.get_mut(&campaign) else { return };
        let Some(device) = room.get_mut(&session) else { return };
        device.sockets = device.sockets.saturating_sub(1);
        if device.sockets == 0 {
            room.remove(&session);
            self.say(deps, campaign, &mut rooms, Roll { gone: vec![session], ..Roll::default() });
        }
    }

    /// How long the way to a candidate takes; told with everybody's.
    pub(crate) fn measured(&self, campaign: CampaignId, session: SessionId, rtt_ms: u32) {
        let mut rooms = self.rooms();
        let device = rooms.of.get_mut(&campaign).and_then(|room| room.get_mut(&session));
        if let Some(device) = device {
            device.rtt_ms = Some(rtt_ms);
        }
    }

    /// Tells all boards who is here.
    pub(super) fn tell_all(&self, deps: &Deps) {
        let mut rooms = self.rooms();
        let campaigns: Vec<CampaignId> = rooms.of.keys().copied().collect();
        for campaign in campaigns {
            self.say_whole(deps, campaign, &mut rooms);
        }
        // Of a room that has become empty it was told just now; its lease ends by itself.
        rooms.of.retain(|_, room| !room.is_empty());
    }

    /// Tells one board who is here.
    pub(super) fn tell(&self, deps: &Deps, campaign: CampaignId) {
        let mut rooms = self.rooms();
        if rooms.of.contains_key(&campaign) {
            self.say_whole(deps, campaign, &mut rooms);
        }
    }

    fn say_whole(&self, deps: &Deps, campaign: CampaignId, rooms: &mut Rooms) {
        let room = rooms.of.get(&campaign).into_iter().flatten();
        let here = room.map(|(session, device)| Here(*session, device.rtt_ms)).collect();
        self.say(deps, campaign, rooms, Roll { whole: true, here, ..Roll::default() });
    }

    /// While the rooms are held, so that what is told later is what happened later.
    fn say(&self, deps: &Deps, campaign: CampaignId, rooms: &mut Rooms, roll: Roll) {
        rooms.n += 1;
        let roll = Roll { n: rooms.n, ..roll };
        pass(deps, campaign, format!("gate.{}", self.gate), &roll);
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
