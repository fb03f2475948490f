//! What each store promises beyond the ports: files, faults, power cuts.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail that way")]

mod backup;
mod durability;
mod faults;
mod files;
mod kit;
mod postgres;
mod trouble;
