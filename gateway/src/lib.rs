//! The front of a node on each of its cores: HTTP/1.1 and WebSocket in, requests to the shards out.
//!
//! The bytes of each connection go through [`http`], which is pure, and its requests to the operations.

pub mod ack_id;
pub mod call;
pub mod config;
pub mod context;
pub mod core_state;
pub mod error;
pub mod http;
mod json_write;
pub mod limits;
pub mod message_ids;
pub mod message_json;
pub mod metrics;
pub mod operations;
pub mod partitioner;
pub mod peer;
pub mod publish_decode;
pub mod shutdown;
pub mod websocket;
