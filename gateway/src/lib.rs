//! The front of a node on each of its cores: HTTP/1.1 and WebSocket in, requests to the shards out.
//!
//! [`server::serve`] accepts connections. Their bytes go through [`http`], which is pure, to the [`operations`], or,
//! once upgraded, to [`websocket`].

pub mod ack_id;
pub mod address_counts;
pub mod application;
pub mod audit;
pub mod auth;
mod byte_budget;
pub mod call;
pub mod client;
mod cloud_events;
mod coarse_clock;
pub mod config;
mod connection;
mod connection_table;
pub mod context;
pub mod core_state;
pub mod describe;
pub mod early;
mod encoded_reads;
pub mod error;
mod events;
mod guard;
pub mod http;
mod json_write;
pub mod limits;
pub mod message_ids;
pub mod message_json;
pub mod metrics;
pub mod operations;
pub mod output_budget;
pub mod partitioner;
pub mod peer;
pub mod publish_decode;
pub mod push;
pub mod quota;
mod read_turns;
pub mod request_scope;
pub mod server;
mod server_state;
pub mod shutdown;
pub mod socket;
pub mod sticky_turn;
mod stream;
mod tick;
pub mod tls;
mod topic_reader;
mod traces;
pub mod websocket;
