//! What this gateway knows of all sockets together, and what gateways tell each other: who is
//! connected, and whose right has ended.

mod doors;
mod presence;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use actors::board::{ROLL_EVERY, tell_gateways};
use domain::{
    ids::CommandId,
    ports::{Heard, Published},
    rows::Topic,
};
use tokio::time::{MissedTickBehavior, interval};

pub(crate) use self::{
    doors::{Door, Doors, Key, TooMany},
    presence::Presence,
};
use crate::app::App;

/// See the module.
pub(crate) struct Live {
    pub(crate) presence: Presence,
    pub(crate) doors: Arc<Doors>,
}

impl Live {
    pub(crate) fn new() -> Self {
        // A gateway that starts again is another one: what it said before is over with its lease.
        let presence = Presence::new(CommandId::random().to_string());
        Self { presence, doors: Arc::default() }
    }

    /// Somebody's right has ended, as the store knows by now: their sockets look again, here and
    /// behind all other gateways.
    pub(crate) fn end(&self, app: &App, key: &Key) {
        self.doors.look_again(key);
        tell_gateways(&app.node.deps, format!("ended.{key}"), &());
    }
}

/// Tells the boards who is connected here, and hears what is told to gateways; until the server
/// stops.
pub(crate) async fn go_on(app: Weak<App>) {
    let Some(mut heard) = app.upgrade().map(|app| app.node.deps.bus.subscribe(Topic::Gateways))
    else {
        return;
    };
    let every = Duration::from_millis(ROLL_EVERY.0.unsigned_abs());
    let mut rolls = interval(every);
    rolls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let heard = tokio::select! {
            heard = heard.next() => Some(heard),
            _ = rolls.tick() => None,
        };
        let Some(app) = app.upgrade() else { return };
        match heard {
            None => app.live.presence.tell_all(&app.node.deps),
            Some(Some(Heard::Frame(published))) => hear(&app, &published),
            // What was lost is found out when each socket looks again by itself.
            Some(Some(Heard::Gap)) => {}
            Some(None) => return,
        }
    }
}

/// One thing that gateways are told.
fn hear(app: &App, published: &Published) {
    for (key, _) in &published.frame.rows {
        match key.split_once('.') {
            Some(("ended", key)) => {
                if let Ok(key) = key.parse() {
                    app.live.doors.look_again(&key);
                }
            }
            Some(("roll_call", campaign)) => {
                if let Ok(campaign) = campaign.parse() {
                    app.live.presence.tell(&app.node.deps, campaign);
                }
            }
            // Of a newer gateway than this one.
            _ => {}
        }
    }
}
