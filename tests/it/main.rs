//! Integration tests: each starts a server process of its own, with a directory of its own, and
//! plays creators and candidates against it. What is waited for has a deadline far behind it.

#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    reason = "a field of JSON that is not there is null, and a panic is found at once"
)]

mod accounts;
mod bad_frames;
mod bad_requests;
mod campaigns;
mod cluster;
mod devices;
mod disk_full;
mod durability;
mod isolation;
mod judging;
mod kill;
mod links;
mod live;
mod malformed;
mod node;
mod postgres;
mod power_cut;
mod protocol;
mod questions;
mod reconnect;
mod schema;
mod setting;
mod standing;
mod statuses;
mod time;
mod trace;
mod typed;
mod verdicts;
