//! The store that all owners share: messages, and a journal that takes only what comes from the session that opened it last.

use std::{collections::BTreeSet, convert::Infallible};

use shard_core::{
    delivery::{CursorReplay, CursorState},
    format::{
        cursor_journal::{CursorChange, decode_entries},
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

use crate::world::SUBSCRIPTION;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Another session has opened the partition since. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fenced;

/// An ack as an owner took it: of which offset, under which assignment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) offset: u64,
    pub(crate) since: u64,
}

/// A write of a journal on its way.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) session: u64,
    pub(crate) replaces: bool,
    pub(crate) entries: Vec<u8>,
    pub(crate) acks: Vec<Ack>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) epoch: u32,
    pub(crate) session: u64,
    journal: Vec<u8>,
    batches: Vec<RecordBatch>,
    /// The key of each message.
    pub(crate) keys: Vec<Option<usize>>,
}

impl Store {
    pub(crate) fn end(&self) -> u64 {
        u64::try_from(self.keys.len()).unwrap()
    }

    pub(crate) fn publish(&mut self, keys: &[Option<usize>]) {
        let mut builder = BatchBuilder::new(64);
        for key in keys {
            let head = RecordHead {
                id: MessageId::Text("id"),
                key: key.and_then(|key| KEYS.get(key).copied()),
                content_type: "text/plain",
                priority: 4,
                ttl_ms: None,
                deliver_at: None,
            };
            let Ok(()) = builder.push(&head, &[], |_| Ok::<_, Infallible>(()));
        }
        let batch = builder.finish(Codec::None, None).unwrap();
        self.batches.push(batch.assign(Offset::new(self.end()), LeaderEpoch::new(1), Timestamp::from_millis(1)));
        self.keys.extend(keys);
    }

    pub(crate) fn batch_at(&self, offset: Offset) -> &RecordBatch {
        self.batches.iter().find(|batch| batch.offsets().contains(offset)).unwrap()
    }

    /// Opens the partition in an epoch, as the session that it returns.
    pub(crate) fn open(&mut self, epoch: u32) -> Result<u64, Fenced> {
        if epoch < self.epoch {
            return Err(Fenced);
        }
        self.epoch = epoch;
        self.session += 1;
        Ok(self.session)
    }

    pub(crate) fn write(&mut self, write: &Write, checks: bool) -> Result<(), Fenced> {
        if checks && write.session != self.session {
            return Err(Fenced);
        }
        if write.replaces {
            self.journal.clear();
        }
        self.journal.extend(&write.entries);
        Ok(())
    }

    /// Where the subscription is, as an owner makes it out; `None` before it was opened first.
    pub(crate) fn cursor(&self) -> Option<CursorState> {
        let mut replay = CursorReplay::default();
        replay.take(&self.journal).unwrap();
        replay.finish().remove(&SUBSCRIPTION)
    }

    /// What is acked, told as plainly as possible.
    pub(crate) fn acked(&self) -> BTreeSet<u64> {
        let mut acked = BTreeSet::new();
        decode_entries(&self.journal, |_, change| match change {
            CursorChange::Acked(range) => acked.extend(range.start.get()..range.end.get()),
            CursorChange::Snapshot(snapshot) => {
                acked = (0..snapshot.floor.get()).collect();
                acked.extend(snapshot.acked.iter().flat_map(|range| range.start.get()..range.end.get()));
            }
            CursorChange::Opened { .. } | CursorChange::Attempted { .. } => {}
            CursorChange::AckedBelow { .. } | CursorChange::Reset { .. } | CursorChange::Removed => {
                panic!("nobody did that: {change:?}")
            }
        })
        .unwrap();
        acked
    }
}
