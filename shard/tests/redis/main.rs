//! The Redis store against real servers, which the tests start, freeze, kill and fill up.

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
