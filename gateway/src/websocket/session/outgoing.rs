//! A frame on its way to the client, in parts that are put together where it is sent.

use std::rc::Rc;

use shard_core::format::record_batch::RecordBatch;

use crate::encoded_reads::EncodedRead;

/// Messages for the client.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The frame that they are in.
    pub(super) frame: Outgoing,
    /// How many they are.
    pub(super) count: u32,
}

/// One frame with messages.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// JSON.
    Json(Vec<u8>),
    /// JSON that begins as for others who read the same.
    Shared {
        /// The messages.
        messages: Rc<EncodedRead>,
        /// What follows.
        end: String,
    },
    /// Batches as they are stored.
    Batches {
        /// The header, which is JSON.
        header: Vec<u8>,
        /// The batches.
        batches: Vec<RecordBatch>,
    },
}
