//! Polycode's vocabulary and rules. Nothing here reads a clock, draws a random number on its own
//! or waits: time, ids and stored events come in by parameter, decisions go out as values.

pub mod aggregate;
pub mod at;
pub mod blob;
pub mod campaign;
pub mod cluster;
pub mod command;
pub mod content;
pub mod document;
pub mod frame;
pub mod ids;
pub mod judging;
pub mod people;
pub mod plan;
pub mod points;
pub mod ports;
pub mod ranking;
pub mod rows;
pub mod run;
pub mod scoring;
pub mod session;
pub mod status;
pub mod stream;
pub mod submission;
pub mod text;
