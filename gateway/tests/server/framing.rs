//! Raw bytes against the HTTP front: against the parser in whatever pieces, against a running front over a socket, and
//! beside other parsers.

mod cases;
mod differential;
mod parser;
mod socket;
