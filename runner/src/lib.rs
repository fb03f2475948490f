//! The runner: runs code that nobody trusts, behind the port [`domain::ports::Sandbox`].
//!
//! From the outside in: [`NamespaceSandbox`] holds a pool of slots; a slot is a helper process
//! (this same executable, see [`sandbox_main_if_asked`]) that lives in a small read-only tree; each
//! run is an init in new namespaces, whose child is the program. Killing init ends the run.
//!
//! What is absent: the server never forks; no privileged process uses a path in a directory that
//! a run can write; nothing a program writes is read as anything but its output.

mod beside;
mod cache;
mod census;
mod cgroup;
mod check;
pub mod compare;
mod descriptors;
mod excerpt;
mod fake;
mod feed;
mod feedback;
mod frame;
mod headers;
mod init;
mod job;
mod judge;
mod lanes;
mod languages;
mod namespace;
mod off;
mod program;
mod referee;
mod seccomp;
mod slot;
mod sys;
mod talk;
mod talkative;
mod tap;
mod tree;
mod unit_tests;
mod verdict;
mod walls;
mod warm;
mod watch;
mod zygote;

pub use check::check;
pub use fake::FakeSandbox;
pub use namespace::{Config, NamespaceSandbox, NotMet};
pub use walls::FORK_SERVER;
#[doc(hidden)]
pub use zygote::sandbox_main_without;
pub use zygote::{sandbox_main, sandbox_main_if_asked};
