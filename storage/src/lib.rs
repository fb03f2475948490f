//! Keeps what the ports promise. One contract suite holds every implementation to the same word:
//! [`memory::Memory`] for tests and demonstrations, [`sqlite::Sqlite`] for the single binary,
//! [`postgres::Postgres`] beside a server; [`nats`]
//! and [`redis`] between several nodes.

#![forbid(unsafe_code)]

pub mod backup;
pub mod bus;
pub mod cache;
pub mod cached;
pub mod clock;
pub mod flaky;
pub mod forgetful;
mod kept;
mod loaded;
pub mod local;
pub mod memory;
pub mod nats;
pub mod postgres;
pub mod redis;
pub mod scratch;
mod segment;
pub mod sqlite;
mod trouble;
mod writer;

pub use clock::{SystemClock, TestClock};
