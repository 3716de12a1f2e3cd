//! What a partition on another node answers.

use bytes::Bytes;

use super::{PeerWireError, batches_in, tail_of};
use crate::{
    delivery::AckOutcome,
    format::record_batch::RecordBatch,
    replication::{FetchError, FetchReply},
    request::{
        Cancelled, CursorStatus, Letters, LogDigest, PartitionStatus, PartitionUnavailable, PublishError, Published,
        Pulled, ReadError, ReadReply, Redriven, Scheduled, SubscriptionError,
    },
};

/// The answer to the request of the same name; batches are in the frame's tail.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each is what the request of that name is answered")]
pub enum PeerReply {
    Publish(Result<Published, PublishError>),
    Read(Result<ReadReply, ReadError>),
    Status(Result<PartitionStatus, PartitionUnavailable>),
    Pull(Result<Pulled, SubscriptionError>),
    Acknowledge(Result<Vec<AckOutcome>, SubscriptionError>),
    AckUpTo(Result<(), SubscriptionError>),
    Seek(Result<(), SubscriptionError>),
    CursorStatus(Result<CursorStatus, SubscriptionError>),
    AwaitDeliverable(Result<(), PartitionUnavailable>),
    Letters(Result<Letters, SubscriptionError>),
    Redrive(Result<Redriven, SubscriptionError>),
    Scheduled(Result<Scheduled, SubscriptionError>),
    Cancel(Result<Cancelled, SubscriptionError>),
    Fetch(Result<FetchReply, FetchError>),
    Holds(Result<bool, PartitionUnavailable>),
    /// The request was not understood, or not taken; nothing was done.
    Refused(PartitionUnavailable),
    Digest(Result<LogDigest, PartitionUnavailable>),
}

impl PeerReply {
    /// The head of its frame, and the tail.
    ///
    /// # Errors
    /// It can't be encoded, for want of memory.
    pub fn encode(&self) -> Result<(Bytes, Vec<Bytes>), PeerWireError> {
        let tail = if let Self::Fetch(Ok(fetched)) = self {
            fetched.tail()
        } else {
            self.batches().map(tail_of).unwrap_or_default()
        };
        rkyv::api::high::to_bytes_in::<_, rkyv::rancor::Failure>(self, Vec::new())
            .map(|head| (Bytes::from(head), tail))
            .map_err(|_| PeerWireError::Head { bytes: 0 })
    }

    /// Reads the head and the tail of a frame.
    ///
    /// # Errors
    /// It is no reply; any bytes are safe to give.
    pub fn decode(head: &[u8], tail: Bytes) -> Result<Self, PeerWireError> {
        let mut reply = rkyv::from_bytes::<Self, rkyv::rancor::Failure>(head)
            .map_err(|_| PeerWireError::Head { bytes: head.len() })?;
        if let Self::Fetch(Ok(fetched)) = &mut reply {
            fetched.take_tail(tail)?;
            return Ok(reply);
        }
        match reply.batches_mut() {
            Some(batches) => *batches = batches_in(tail)?,
            None if tail.is_empty() => {}
            None => return Err(PeerWireError::Tail { bytes: tail.len() }),
        }
        Ok(reply)
    }

    fn batches(&self) -> Option<&[RecordBatch]> {
        if let Self::Read(Ok(ReadReply { batches, .. }))
        | Self::Pull(Ok(Pulled { batches, .. }))
        | Self::Letters(Ok(Letters { batches, .. })) = self
        {
            return Some(batches);
        }
        None
    }

    const fn batches_mut(&mut self) -> Option<&mut Vec<RecordBatch>> {
        if let Self::Read(Ok(ReadReply { batches, .. }))
        | Self::Pull(Ok(Pulled { batches, .. }))
        | Self::Letters(Ok(Letters { batches, .. })) = self
        {
            return Some(batches);
        }
        None
    }
}
