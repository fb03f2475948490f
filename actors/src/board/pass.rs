//! What is told over the bus and never stored: to a campaign's board, and to all gateways.

use std::sync::Arc;

use bytes::Bytes;
use domain::{frame::RowsFrame, ids::CampaignId, ports::Published, rows::Topic};
use serde::Serialize;

use crate::deps::Deps;

/// Tells a campaign's board something that is not stored.
pub fn pass(deps: &Deps, campaign: CampaignId, key: String, row: &impl Serialize) {
    tell(deps, Topic::Candidates(campaign), key, row);
}

/// Tells all gateways something that is not stored.
pub fn tell_gateways(deps: &Deps, key: String, row: &impl Serialize) {
    tell(deps, Topic::Gateways, key, row);
}

fn tell(deps: &Deps, topic: Topic, key: String, row: &impl Serialize) {
    let row = serde_json::to_vec(row).expect("rows are plain data");
    let rows = vec![(key, Some(row.into()))];
    let frame = RowsFrame { topic, epoch: 0, seq: 0, prev: None, reset: false, more: false, rows };
    deps.bus.publish(Arc::new(Published::new(frame, Bytes::new())));
}
