//! A cluster in one process: nodes with runtimes and clocks of their own, on a network, a store and
//! leases that go wrong as a seed has it; people who use it; and a checker that holds what came of it
//! against what is promised. The same seed gives the same run.

pub mod chance;
pub mod check;
pub mod faults;
mod host;
mod people;
mod person;
mod ports;
pub mod run;
mod watcher;
pub mod world;

pub use run::{Report, run};
