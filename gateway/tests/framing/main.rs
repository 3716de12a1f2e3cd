//! Raw bytes against the HTTP front: against the parser in whatever pieces, and against a running front over a socket.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod cases;
mod parser;
mod socket;
