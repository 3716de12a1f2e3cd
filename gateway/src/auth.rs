//! Who a client is.

pub mod jwt;
