//! The sandbox, through its port: what people write, what comes of it, and what must not.

mod attacks;
mod languages;
mod stage;
