//! Candidates and creators that are programs. They use the public interfaces only, check all that
//! they see, and say what was wrong with it.

#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    reason = "a field of JSON that is not there is null, and a panic is found at once"
)]

pub mod candidate;
pub mod clock;
pub mod cluster;
pub mod creator;
pub mod crowd;
pub mod figures;
pub mod http;
pub mod kept;
pub mod lag;
pub mod monitor;
pub mod page;
pub mod player;
pub mod proxy;
pub mod server;
pub mod socket;
pub mod typist;
pub mod view;
pub mod wall;
