//! The Redis store against real servers, which the tests start, freeze, kill and fill up.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod cursors;
mod faults;
mod fencing;
mod fixture;
mod log;
mod loss;
mod proxy;
mod server;
mod startup;
mod tls;
