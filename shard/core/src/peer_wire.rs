//! The bytes of what one node asks of a partition on another, and of the answer: the head of a [`crate::link`] frame is an
//! rkyv archive, which is validated as a whole before anything of it is used; batches lie in the frame's tail as they lie on
//! disk.
//!
//! What a request may ask for is bounded here, on both sides, so that its answer fits into a frame.

mod attempts;
mod reply;
mod request;
mod tail;

pub use attempts::{Attempts, Failed, Repeat, Verdict, patience};
pub use reply::PeerReply;
pub use request::PeerRequest;
pub use tail::{batches_in, tail_of};

use crate::{format::record_batch::BatchError, replication::TailError};

/// Why bytes of another node are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PeerWireError {
    #[error("the head of {bytes} bytes is no request or reply that this version knows")]
    Head { bytes: usize },
    #[error("the tail holds something else than batches: {0}")]
    Batch(#[from] BatchError),
    #[error("{0}")]
    Fetched(#[from] TailError),
    #[error("the tail has {bytes} bytes where none should be")]
    Tail { bytes: usize },
}

#[cfg(test)]
mod tests;
