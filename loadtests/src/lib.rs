//! Candidates and creators that are programs. They use the public interfaces only, check all that
//! they see, and say what was wrong with it.

#![forbid(unsafe_code)]

pub mod candidate;
pub mod creator;
pub mod figures;
pub mod http;
pub mod monitor;
pub mod player;
pub mod server;
pub mod socket;
pub mod typist;
pub mod view;
