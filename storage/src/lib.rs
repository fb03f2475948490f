//! Keeps what the ports promise. One contract suite holds every implementation to the same word:
//! [`memory::Memory`] for tests and demonstrations, [`sqlite::Sqlite`] for the single binary.

#![forbid(unsafe_code)]

pub mod bus;
pub mod clock;
pub mod flaky;
pub mod forgetful;
pub mod memory;
pub mod sqlite;

pub use clock::{SystemClock, TestClock};
