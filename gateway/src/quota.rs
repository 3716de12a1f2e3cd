//! How much each principal may use.

pub mod rate;
