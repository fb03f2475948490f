//! How actors behave: commands, failures, time, telling, runs and boards, on a node in memory.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod afar;
mod board;
mod cluster;
mod commands;
mod failures;
mod filing;
mod kit;
mod late;
mod lossy;
mod outposts;
mod runs;
mod spread;
mod telling;
mod time;
mod typed;
mod world;
