//! The contract of a store: what each operation promises, and what an error leaves behind.
//!
//! A core decides what is to be done, in which order, and who is answered; a store does it. All stores keep this
//! contract, and one suite of tests (`shard/tests/conformance`) holds them to it. Nothing in it says what a store looks
//! like inside: segments are the log store's own.

use std::{collections::BTreeMap, time::Duration};

use shard_core::{
    delivery::CursorState,
    format::record_batch::RecordBatch,
    log::{LogExtent, Reached, Retention},
    model::{LeaderEpoch, Offset, OffsetRange, SubscriptionId, Timestamp, TopicPartition},
};

/// The store of one shard, which opens the shard's partitions.
#[expect(async_fn_in_trait, reason = "everything of a shard stays on its core, so no future need be Send")]
pub trait ShardStore {
    /// What it keeps of one partition.
    type Partition: MessageStore;

    /// Brings back what is stored of a partition, or begins with nothing, for its owner in `epoch`.
    ///
    /// Whatever was durable is there. Of what was not, any number of whole batches may be there, without a gap; what
    /// follows the last of them was cut off. From here on what was found is as durable as the store can make it.
    ///
    /// A partition is open once at a time: `close` comes before it is opened again. What is asked of a handle from before
    /// that, or comes to its end only then, fails or does what it says, and never anything else.
    ///
    /// # Errors
    /// What was durable is damaged, lost or can't be read. Nothing was changed; the partition must not be used. After a
    /// transient error, opening it later may succeed.
    async fn open(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Result<Opened<Self::Partition>, StoreError>;

    /// Removes all that is stored of a partition, whether it is open or not. What is still under way on it ends without
    /// effect.
    ///
    /// # Errors
    /// Some of it may still be there. As the partition's id is never used again, it is only a waste of space.
    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError>;

    /// Puts what is stored of a partition that is not open out of the way, so that it is opened as a new one; what is kept of
    /// it, and where, is said for people. A store that keeps nothing on this node's disk has nothing to put away.
    ///
    /// # Errors
    /// It may be there as before, or not.
    async fn set_aside(&self, partition: TopicPartition) -> Result<Option<String>, StoreError> {
        let _ = partition;
        Ok(None)
    }

    /// Writes down what an `open` after a crash should know, if the store needs that and if it changed; to be called
    /// every second or so, and at the end. Costs nothing when nothing changed.
    ///
    /// # Errors
    /// What was written down before still holds; to be tried again later.
    async fn checkpoint(&self) -> Result<(), StoreError>;

    /// How long the oldest operation that is under way on a disk has been so; zero if there is none, or no disk.
    fn oldest_io(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a store keeps of one partition: a log of batches and the changes of its cursors.
///
/// At most one append, one sync, one round of retention and one write of cursors are under way at a time; they may
/// overlap each other and any number of reads. A clone is another handle of the same partition.
#[expect(async_fn_in_trait, reason = "everything of a shard stays on its core, so no future need be Send")]
pub trait MessageStore: Clone {
    /// Adds batches, byte for byte as they are, behind everything added before; the first one's offset is the log's end.
    ///
    /// All of them are in the log when it returns, and it says how safe they are. With `durable`, they and all that was
    /// added before are then as safe as this store makes anything; without, they may be less so until a `sync`.
    ///
    /// # Errors
    /// See [`AppendFault`].
    async fn append(&self, batches: Vec<RecordBatch>, durable: bool) -> Result<Reached, AppendFault>;

    /// Whether an append of these batches that begins now can't be refused for want of room. Such a one takes no room that
    /// was free.
    fn finds_room(&self, batches: &[RecordBatch]) -> bool {
        let _ = batches;
        false
    }

    /// Makes all that was added before the call as safe as this store makes anything.
    ///
    /// # Errors
    /// It is not known what is safe. The partition takes no appends any more until it was opened again; whether that may
    /// be tried while the node runs is said by the error.
    async fn sync(&self) -> Result<(), StoreError>;

    /// Whole batches, in order and without a gap, from the one that holds `wanted.start` on: at least one, beyond that
    /// about `bytes_max` at most, and none that begins at `wanted.end` or later. It need not give all it could; none at
    /// all means that `wanted` is empty or begins at the log's end.
    ///
    /// What it gives was verified: checksums, and that the batches hold the offsets asked for.
    ///
    /// # Errors
    /// See [`ReadFault`]. What is whole before a damage is given; a read that begins at the damage is the one to fail.
    async fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault>;

    /// The same of what is stored now, not of what an earlier read kept in memory.
    ///
    /// # Errors
    /// As for `read`.
    async fn read_stored(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        self.read(wanted, bytes_max).await
    }

    /// The offset of the first batch below `end` that holds a record taken at `at` or later; `end` if there is none.
    ///
    /// # Errors
    /// See [`ReadFault`].
    async fn find_time(&self, at: Timestamp, end: Offset) -> Result<Offset, ReadFault>;

    /// An offset at or after `from` before which, from `from` on, no message is to be delivered after `at`: what lies between
    /// need not be read to find those. A store that can't tell says `from`.
    fn scheduled_from(&self, from: Offset, at: Timestamp) -> Offset {
        let _ = at;
        from
    }

    /// An offset at or after `from` before which, from `from` on, every batch is plain: nothing there goes before its turn, or waits.
    /// A store that can't tell says `from`.
    fn plain_to(&self, from: Offset) -> Offset {
        from
    }

    /// Removes the batches that hold offset `to` or a later one, and returns the log's new end: `to`, or a lower offset
    /// if `to` lies within a batch. Durable when it returns. Only while nothing else is under way. Whoever keeps batches
    /// besides the store, as a tail cache does, has to let go of those from there on.
    ///
    /// # Errors
    /// `to` lies below the log's start, and nothing was changed; or anything from `to` on may be gone, and the partition
    /// takes nothing any more until it was opened again.
    async fn truncate(&self, to: Offset) -> Result<Offset, StoreError>;

    /// Lets go of all batches and has the log begin at `start`, where the next append goes. Durable when it returns. Only
    /// while nothing else is under way. A store that keeps what every node reaches has no use for it, and refuses.
    ///
    /// # Errors
    /// Any number of batches may be gone, newest first, and the partition takes nothing any more until it was opened again.
    async fn restart(&self, start: Offset) -> Result<(), StoreError> {
        Err(StoreError::new(format_args!("this store has no log begin anew, at offset {start} or elsewhere")))
    }

    /// Lets go of what `keep` does not ask to be kept at `now`, oldest first, acked or not, and returns where the log
    /// starts then. It may keep more than asked, and let go of the rest in later rounds; the log's end never changes. By its
    /// age a message goes only once its time of delivery is as long ago; by bytes it goes all the same.
    ///
    /// What it let go of is gone for good: no crash brings it back.
    ///
    /// # Errors
    /// The log starts where it did, or later; the partition takes no appends any more until it was opened again.
    async fn retain(&self, now: Timestamp, keep: Retention) -> Result<Offset, StoreError>;

    /// Adds changes of cursors, encoded as entries of the cursor journal, behind those stored before. They are as safe as
    /// this store makes anything when it returns.
    ///
    /// # Errors
    /// It is not known whether they are stored. No cursors are stored any more until the partition was opened again; where
    /// there was no room for them, `replace_cursors` may be tried again, and nothing else.
    async fn append_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError>;

    /// Stores these entries in the place of all that are stored: after a crash either the old ones are there or these.
    ///
    /// # Errors
    /// As for `append_cursors`.
    async fn replace_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError>;

    /// Asks whether the partition is this handle's still: nobody had opened it after this one when it was asked. A store that
    /// nobody else reaches has nothing to ask.
    ///
    /// # Errors
    /// Somebody had, or it is not known. Nothing was changed.
    async fn confirm(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Ends what is under way and lets go of files and connections; only reads may still be asked for after that.
    ///
    /// What was not synced is not made safe by it.
    ///
    /// # Errors
    /// None that matters to what is stored: the next `open` may take longer.
    async fn close(&self) -> Result<(), StoreError>;

    /// How many bytes the log takes, padding and the like included.
    fn bytes(&self) -> u64;
}

/// A partition that was opened.
#[derive(Debug)]
pub struct Opened<P> {
    /// What it is used through.
    pub store: P,
    /// What was there.
    pub found: Found,
}

/// What a store held of a partition when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the log starts and ends, and its newest time.
    pub extent: LogExtent,
    /// Every subscription and where it was.
    pub cursors: BTreeMap<SubscriptionId, CursorState>,
    /// Whether the store would rather have `replace_cursors` than `append_cursors` next.
    pub replace_cursors: bool,
    /// What was cut off and why, for people; none of it was durable.
    pub cut: Vec<String>,
}

/// What a store says when cursors are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorsStored {
    /// Whether it would rather have `replace_cursors` next, as what it holds has grown well beyond a snapshot.
    pub replace: bool,
}

/// Why a store did not do something; each operation says what that leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StoreError {
    /// For people.
    pub reason: String,
    /// What may help.
    pub kind: StoreErrorKind,
}

/// How a store's error can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Somebody has to do something about it, as where a disk has failed, whose word can't be trusted after that.
    Lasting,
    /// Opening the partition again later may help: the store is elsewhere, and was away.
    Transient,
    /// It does not: the partition is another node's by now, with a newer epoch. Nothing of what was asked is done.
    Superseded,
    /// There is no room for it on the disk: the same may succeed once there is.
    NoRoom,
    /// It does not, and the disk answers: what is stored is not all of what was, or not as it was written.
    Damaged,
}

/// Why batches were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendFault {
    /// None of them is in the log or ever will be; the next append may succeed, and begins at the same offset.
    #[error("{reason}")]
    Rejected {
        /// For people.
        reason: String,
    },
    /// The partition is another node's by now, with a newer epoch: none of them is in the log or ever will be, nor will
    /// anything else of this opening.
    #[error("{reason}")]
    Superseded {
        /// For people.
        reason: String,
    },
    /// Any number of them may be in the log after the next `open`. Until then, every append fails so; reads go on.
    #[error("{0}")]
    Failed(StoreError),
}

/// Why a read gave nothing; the log is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReadFault {
    #[error("offset {offset} is older than the log, which starts at {start}")]
    Expired { offset: Offset, start: Offset },
    #[error("offset {offset} is past the end of the log, {end}")]
    PastEnd { offset: Offset, end: Offset },
    #[error("the log is damaged at offset {offset}: {reason}")]
    Damaged { offset: Offset, reason: String },
    /// These offsets have no messages any more, and never will have again.
    #[error("the store has lost the messages {lost}")]
    Lost { lost: OffsetRange },
    /// Nothing is known of what is there; the same read may succeed later.
    #[error("{reason}")]
    Away { reason: String },
}

impl StoreError {
    /// An error that somebody has to do something about.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), kind: StoreErrorKind::Lasting }
    }

    /// An error of what is not as it was stored.
    pub fn damaged(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), kind: StoreErrorKind::Damaged }
    }

    /// An error that may be gone by itself later.
    pub fn transient(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), kind: StoreErrorKind::Transient }
    }

    /// An error of who finds the disk full.
    pub fn no_room(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), kind: StoreErrorKind::NoRoom }
    }

    /// An error of who is not the partition's owner any more.
    pub fn superseded(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), kind: StoreErrorKind::Superseded }
    }

    /// Whether opening the partition again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind == StoreErrorKind::Transient
    }
}
