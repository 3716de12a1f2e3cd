//! What watches over the nodes of the cluster: on the leader it decides what has to change.

mod core;
mod driver;

pub(crate) use driver::{ControllerDriver, ControllerPort};
