//! Carries consumers' requests to the coordinator and its answers back.

use std::sync::Arc;

use shard_core::model::SubscriptionId;
use tokio::sync::oneshot;

use super::{
    GroupError, Membership,
    request::{Answered, Request},
};

/// What a gateway wants.
#[derive(Debug)]
pub(crate) enum Call {
    /// An answer of the coordinator.
    Ask { request: Request, reply: oneshot::Sender<Answered> },
    /// To be told of a newer generation.
    Watch(Watch),
}

/// Who waits for a generation above `known`.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) subscription: SubscriptionId,
    pub(crate) consumer_id: Arc<str>,
    pub(crate) known: u64,
    pub(crate) reply: oneshot::Sender<Result<Membership, GroupError>>,
}
