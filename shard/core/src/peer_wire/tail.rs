//! The batches of a frame, one behind the other; each says how long it is.

use bytes::Bytes;

use super::PeerWireError;
use crate::format::record_batch::RecordBatch;

/// What to send for `batches`, without a copy.
#[must_use]
pub fn tail_of(batches: &[RecordBatch]) -> Vec<Bytes> {
    batches.iter().map(|batch| batch.bytes().clone()).collect()
}

/// Takes the batches of a tail, without a copy; the checksums of each are verified.
///
/// # Errors
/// Anything else is there; any bytes are safe to give.
pub fn batches_in(mut tail: Bytes) -> Result<Vec<RecordBatch>, PeerWireError> {
    let mut batches = Vec::new();
    while !tail.is_empty() {
        let batch = RecordBatch::parse(tail.clone())?;
        drop(tail.split_to(batch.bytes().len()));
        batches.push(batch);
    }
    Ok(batches)
}
