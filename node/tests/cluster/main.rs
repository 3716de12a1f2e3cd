//! Black-box tests: the real binaries, real files and sockets, kill -9.

mod harness;
mod http;

mod bad_input;
mod binary_payloads;
mod both_cores;
mod command_line;
mod crash;
mod idle_connections;
mod publish_consume;
mod recovery;
mod startup;
mod stopping;
