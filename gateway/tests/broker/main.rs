//! The whole front over real sockets, before one real shard on a real disk.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod auth;
mod bad_input;
mod client;
mod harness;
mod limits;
mod publish_and_read;
mod pull_and_ack;
mod websocket;
mod websocket_batches;
