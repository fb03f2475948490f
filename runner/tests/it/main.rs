//! The sandbox, through its port: what people write, what comes of it, and what must not.

#![expect(clippy::print_stdout, reason = "tests say what they left out")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod attacks;
mod comparison;
mod confinement;
mod faults;
mod interaction;
mod judging;
mod keeping;
mod lanes;
mod languages;
mod limits;
mod shares;
mod slots;
mod stage;
mod streaming;
mod submissions;
mod typing;
mod warm;
