//! The sandbox, through its port: what people write, what comes of it, and what must not.

mod languages;
mod stage;
