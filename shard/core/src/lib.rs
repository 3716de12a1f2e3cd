//! Every decision of the data plane, and every byte it leaves on disk, without I/O.
//!
//! A core takes events and the time, and returns effects: nothing here reads a clock, opens a file or draws a
//! random number. The driver is the `shard` crate.
#![forbid(unsafe_code)]

pub mod delivery;
pub mod format;
pub mod layout;
pub mod limits;
pub mod link;
pub mod log;
pub mod model;
pub mod peer_wire;
pub mod redis;
pub mod replication;
pub mod request;
pub mod trace;
