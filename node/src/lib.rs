//! The PubSubRing node: the only crate that knows every other.

pub mod args;
pub mod config;
pub mod exit_code;
mod limits;
pub mod preflight;
