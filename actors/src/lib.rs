//! Who does what, one at a time.
//!
//! ```text
//! Node ─ keeper (supervisor: starts streams' actors, counts their failures)
//!      │   └─ owner of one stream, one actor each: session, campaign, submission, content, test
//!      ├─ placement (owns shards, gives signs of life, records outages)
//!      ├─ clockwork (wakes streams whose time has come, or with something to tell)
//!      ├─ queue (hands out runs; one in a cluster) ─ crews of all nodes (run them in the sandbox)
//!      └─ boards (one for each campaign that somebody watches)
//! ```
//!
//! An owner is the only writer of its stream. Everything that it holds can be loaded again; it
//! never repairs itself, it stops.

mod answered;
pub mod ask;
pub mod board;
mod clockwork;
pub mod console;
mod crew;
pub mod deps;
mod desk;
pub mod directory;
mod epochs;
mod filing;
mod fit;
mod inbox;
pub mod journal;
mod keeper;
pub mod node;
pub mod outpost;
pub mod output;
mod owner;
pub mod placement;
mod prepare;
pub mod queue;
mod reach;
mod remote;
pub mod report;
mod runs;
mod steady;
mod streams;
mod teller;
mod worker;
