//! All that can happen to a shard: what is not in here can't.

use std::rc::Rc;

use futures_channel::oneshot;
use shard_core::{
    format::record_batch::RecordBatch,
    log::LogEvent,
    model::{Offset, TopicPartition},
};

use crate::{
    command::{PartitionChange, SubscriptionSettings},
    partition::ActiveSegment,
    request::{PartitionSubscription, PullRequest, Pulled, ReadError, Reply, Request, SubscriptionError},
    store::{dma_file::BlockFile, open::Recovered},
};

/// An event of the shard's loop.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    /// A gateway asks, on this core or over the mesh.
    Request(Request),
    /// The metadata changed a partition.
    Change { change: PartitionChange, applying: Rc<Applying> },
    /// A partition was recovered, or could not be.
    Opened { change: PartitionChange, recovered: Box<Result<Recovered, String>>, applying: Rc<Applying> },
    /// The record that a new subscription starts at was found.
    Located { partition: TopicPartition, settings: SubscriptionSettings, start: Offset, applying: Rc<Applying> },
    /// The record that a cursor is to be set to was found, or could not be.
    SeekLocated { cursor: PartitionSubscription, to: Result<Offset, ReadError>, reply: Reply<(), SubscriptionError> },
    /// A log's operation ended.
    Log { partition: TopicPartition, event: LogEvent },
    /// A log's write ended; its file may have been opened for it.
    Written { partition: TopicPartition, active: ActiveSegment },
    /// A log's new segment is there.
    SegmentCreated { partition: TopicPartition, segment: Offset, file: BlockFile },
    /// A journal's write ended, perhaps with a new file.
    Journal { partition: TopicPartition, written: Result<Option<BlockFile>, String> },
    /// The batches a pull waited for were read.
    PullRead {
        cursor: PartitionSubscription,
        pull: PullRequest,
        read: Result<Vec<RecordBatch>, ReadError>,
        reply: Reply<Pulled, SubscriptionError>,
    },
    /// A deadline may have come.
    Tick,
    /// It is time to write down what is durable.
    DurableEndsDue,
    /// What is durable was written down, or not.
    DurableEndsWritten,
    /// It is time to look at retention.
    RetentionDue,
    /// The node stops.
    Stop { done: oneshot::Sender<()> },
}

/// A step of the metadata that is being applied: when the last event that carries it is done with, it says so.
#[derive(Debug)]
pub(crate) struct Applying {
    done: Option<oneshot::Sender<()>>,
}

impl Applying {
    pub(crate) fn new(done: oneshot::Sender<()>) -> Rc<Self> {
        Rc::new(Self { done: Some(done) })
    }
}

impl Drop for Applying {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // The control thread may have stopped waiting.
            let _ = done.send(());
        }
    }
}
