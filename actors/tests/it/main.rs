//! How actors behave: commands, failures, time, telling, runs and boards, on a node in memory.

mod board;
mod commands;
mod failures;
mod kit;
mod runs;
mod telling;
mod time;
mod world;
