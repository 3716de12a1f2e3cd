//! Black-box tests: the real binaries, real files and sockets, kill -9.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "all of it is test code: a panic is a failed test, and what is printed is shown with it"
)]

mod canned;
mod filesystem;
mod harness;
mod http;
mod nodes;
mod programs;
mod volatile_disk;

mod access;
mod bad_input;
mod binary_payloads;
mod both_cores;
mod browser;
mod canary;
mod cloud_events;
mod command_line;
mod compressed_bodies;
mod crash;
mod delivery;
mod delivery_over_websocket;
mod described;
mod encoded_batches;
mod events;
mod examples;
mod failing_replicas;
mod failing_system;
mod failover;
mod floods;
mod full_disk;
mod groups;
mod health_check;
mod hostile_input;
mod idle_connections;
mod inspect;
mod jwt;
mod letters;
mod link_tls;
mod logs;
mod memory;
mod metrics;
mod operate;
mod origins;
mod ports;
mod power_cut;
mod proxies;
mod publish_consume;
mod publish_lines;
mod publish_twice;
mod push;
mod recovery;
mod redis;
mod replicated;
mod scheduled;
mod startup;
mod statistics;
mod stopping;
mod stuck_disk;
mod tls;
mod tour;
mod traces;
mod version;
mod websocket;
