//! Batches that the broker writes itself, of messages that it has had before.

use super::{BatchBuilder, BatchError, Codec, GivenIds, UnassignedBatch};
use crate::model::SubscriptionId;

/// Whom the broker wrote a batch for by itself, of messages that it has had before: dead letters, and those sent back.
///
/// Their ids were looked up when they came first; they are no repeats, and nothing is a repeat of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// For whoever reads the topic.
    Everyone,
    /// For one subscription; to all others the messages are as good as acked.
    To(SubscriptionId),
}

impl Relay {
    /// The metadata gives no subscription the number 0.
    pub(super) const fn to_bits(self) -> u64 {
        match self {
            Self::Everyone => 0,
            Self::To(subscription) => subscription.get(),
        }
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        if bits == 0 { Self::Everyone } else { Self::To(SubscriptionId::new(bits)) }
    }
}

impl BatchBuilder {
    /// Closes a batch of messages that the broker has had before.
    ///
    /// # Errors
    /// An empty batch, and one over its limits, are refused.
    pub fn finish_relayed(self, relay: Relay) -> Result<UnassignedBatch, BatchError> {
        Self { given_ids: GivenIds::default(), ..self }.close(Codec::None, None, Some(relay))
    }
}
