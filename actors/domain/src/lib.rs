//! Polycode's vocabulary and rules. Nothing here reads a clock, draws a random number on its own
//! or waits: time, ids and stored events come in by parameter, decisions go out as values.

pub mod at;
pub mod blob;
pub mod content;
pub mod ids;
pub mod ports;
pub mod run;
