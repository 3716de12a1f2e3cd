//! All that can happen to a shard: what is not in here can't.

use std::rc::Rc;

use futures_channel::oneshot;
use shard_core::{
    delivery::DeadLetter,
    format::record_batch::RecordBatch,
    log::{AppendEvent, Dedup},
    model::{LeaderEpoch, Offset, TopicPartition},
    replication::{FetchReply, Lineage, ProposalEnd},
};

use crate::{
    command::{PartitionChange, SubscriptionSettings},
    replication::{Done, PeerKey},
    request::{PartitionSubscription, PullRequest, Pulled, ReadError, Reply, Request, SubscriptionError},
    search::{RedriveEnd, Search},
    store::{AnyPartition, CursorsStored, Opened, StoreError},
    tally::{Counting, Tally},
};

/// An event of the shard's loop.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    /// A gateway asks, on this core or over the mesh.
    Request(Request),
    /// The metadata changed a partition.
    Change { change: PartitionChange, applying: Rc<Applying> },
    /// A partition was opened in the store, or could not be.
    Opened { change: PartitionChange, opened: Box<Result<OpenedLog, StoreError>>, applying: Rc<Applying> },
    /// The record that a new subscription starts at was found.
    Located { partition: TopicPartition, settings: SubscriptionSettings, start: Offset, applying: Rc<Applying> },
    /// The record that a cursor is to be set to was found, or could not be.
    SeekLocated { cursor: PartitionSubscription, to: Result<Offset, ReadError>, reply: Reply<(), SubscriptionError> },
    /// A partition can't be opened yet, since its store is away.
    OpeningDelayed { partition: TopicPartition, reason: String },
    /// A partition whose store had failed was opened again, or can't be.
    Reopened { partition: TopicPartition, opened: Box<Result<OpenedLog, StoreError>> },
    /// Something that the store did for a partition ended.
    Stored { partition: TopicPartition, opening: u64, event: StoreEvent },
    /// The batches a pull waited for were read.
    PullRead {
        cursor: PartitionSubscription,
        pull: PullRequest,
        read: Result<Vec<RecordBatch>, ReadError>,
        reply: Reply<Pulled, SubscriptionError>,
    },
    /// The batches that a subscription is to look at were read.
    LookedAt { cursor: PartitionSubscription, read: Result<Vec<RecordBatch>, ReadError> },
    /// A dead letter is where it belongs, or did not get there.
    DeadLetter { cursor: PartitionSubscription, letter: DeadLetter, arrived: bool },
    /// The batches that are to be searched were read.
    Searched { partition: TopicPartition, search: Search, read: Result<Vec<RecordBatch>, ReadError> },
    /// Dead letters were sent back, or could not be.
    SentBack(Box<RedriveEnd>),
    /// A deadline may have come.
    Tick,
    /// It is time for the store to write down what a start after a crash should know.
    CheckpointDue,
    /// That was written down, or not.
    CheckpointDone,
    /// It is time to look at retention.
    RetentionDue,
    /// The round of retention is over.
    RetentionDone,
    /// A partition was closed in the store.
    Closed { partition: TopicPartition },
    /// More may be sent to followers that are not in sync.
    CatchUpDue,
    /// A fetch from another node has ended.
    Fetched { source: PeerKey, session: u64, fetched: Result<FetchReply, String> },
    /// The store has done something for one opening of a partition that is followed.
    Followed { place: (TopicPartition, u64), source: Option<PeerKey>, done: Result<Done, StoreError> },
    /// Retention has ended on a partition that is followed, and has perhaps moved its start.
    FollowedStart { partition: TopicPartition, start: Option<Offset> },
    /// What the leader of an epoch proposed came to an end, for the partition epoch that it started from.
    ProposalEnded { place: (TopicPartition, LeaderEpoch), proposed: (u32, ProposalEnd) },
    /// Nobody counts on a replica of this node any more; or it is not known, and is to be said again.
    GivenUp { partition: TopicPartition, is_given_up: bool },
    /// A read has found damage at an offset.
    DamageFound { partition: TopicPartition, offset: Offset, reason: String },
    /// A partition was closed that had only been opened to see whether it is whole.
    LetGo { partition: TopicPartition },
    /// A damaged partition was put aside and opened anew, or could not be.
    Mended { partition: TopicPartition, mended: Box<Result<OpenedLog, StoreError>> },
    /// It is time to look at followers, and at who waits for what they are sent.
    ReplicationDue,
    /// Somebody asks how topics and subscriptions stand.
    TallyAsked { reply: oneshot::Sender<Tally> },
    /// There is more to count for whoever asked.
    CountOn(Box<Counting>),
    /// The node stops.
    Stop { done: oneshot::Sender<()> },
}

/// A partition that was opened in the store, and what is known of the publishes that its log holds.
#[derive(Debug)]
pub(crate) struct OpenedLog {
    pub(crate) opened: Opened<AnyPartition>,
    pub(crate) dedup: Dedup,
    /// Of which epochs its batches are, if other nodes keep it too.
    pub(crate) lineage: Lineage,
}

/// The end of something that the store did for one opening of a partition.
#[derive(Debug)]
pub(crate) enum StoreEvent {
    /// An append or a sync ended.
    Log(AppendEvent),
    /// A write of cursors ended.
    Cursors(Result<CursorsStored, StoreError>),
    /// Retention has let go of what lies below.
    Start(Offset),
    /// An append was refused since the partition is another node's, for this reason.
    Superseded(String),
    /// The log takes nothing more.
    Failed(StoreError),
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
