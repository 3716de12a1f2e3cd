//! Appends to the log of one partition, and trims it; one request at a time.

use std::{cell::Cell, rc::Rc};

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, Timestamp},
    redis::{EntryId, OpenedPartition, Outcome, Persistence, Written, read_written},
};

use super::{
    RequestError, WriteError,
    append::{Append, NotStored},
    link::{Answer, Done},
    owner::Owner,
    scripts::{Argument, ScriptName},
};

/// Writes the log of one partition in the epoch in which it was opened.
#[derive(Debug)]
pub struct LogWriter {
    owner: Owner,
    /// What of it is acknowledged, for readers too.
    log: Rc<Cell<OffsetRange>>,
    /// Where it starts in Redis: readers are told of a trim before.
    stored_start: Offset,
    last: Option<EntryId>,
    /// The connection over which `last` was seen to be the last.
    verified_over: Cell<u64>,
    /// The bytes of all batches ever appended.
    position: u64,
    /// The latest timestamp of them.
    latest: Timestamp,
    closed: bool,
}

/// An append that Redis has, in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// What was appended.
    pub offsets: OffsetRange,
    /// Whether it was there already, from a try whose answer was lost.
    pub written: Written,
    /// What the server's answer is worth.
    pub persistence: Persistence,
    /// How many replicas have it, if the settings ask for that.
    pub replicas: Option<u32>,
}

/// The log as it will be.
struct Planned {
    end: Offset,
    position: u64,
    latest: Timestamp,
    bytes: usize,
    /// Of each batch: its id, and how many bytes lie before it.
    entries: Vec<(EntryId, u64)>,
}

impl LogWriter {
    pub(super) fn new(owner: Owner, opened: &OpenedPartition, log: Rc<Cell<OffsetRange>>) -> Self {
        let verified_over = Cell::new(0);
        Self {
            owner,
            log,
            stored_start: opened.offsets.start,
            last: opened.last,
            verified_over,
            position: opened.position,
            latest: opened.latest,
            closed: false,
        }
    }

    /// Appends batches, all of them or none, each as it is.
    ///
    /// A try that got no answer is made again until the deadline of the operation: Redis tells a second copy from a first.
    ///
    /// # Errors
    /// If the outcome is unknown, or the partition is not as it was left, it is closed: it has to be opened anew.
    ///
    /// # Panics
    /// If there are none, or they don't follow each other and the log.
    pub async fn append(&mut self, batches: &[RecordBatch]) -> Result<Acknowledged, WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        assert!(!batches.is_empty(), "an append has a batch");
        let planned = self.plan(batches);
        // A caller that goes away in the middle leaves the outcome open.
        self.closed = true;
        let acknowledged = self.send(batches, &planned).await;
        match &acknowledged {
            Ok(_) => {
                let start = self.log.get().start;
                self.log.set(OffsetRange::new(start, planned.end));
                self.last = planned.entries.last().map(|(id, _)| *id).or(self.last);
                (self.position, self.latest) = (planned.position, planned.latest);
                self.closed = false;
            }
            Err(error) => self.closed = error.closes(),
        }
        acknowledged
    }

    /// Drops the batches that lie wholly before `start`, and lets the log begin there; never takes a start back.
    ///
    /// # Errors
    /// If the outcome is unknown, the log may be trimmed or not, and can be written on.
    ///
    /// # Panics
    /// If `start` lies beyond the log.
    pub async fn trim(&mut self, start: Offset) -> Result<OffsetRange, WriteError> {
        let log = self.log.get();
        assert!(start <= log.end, "a log begins where it ends, at the latest");
        if self.closed {
            return Err(WriteError::Closed);
        }
        if start <= self.stored_start {
            return Ok(log);
        }
        // Told to readers first: what they miss from here on is not lost.
        let trimmed = OffsetRange::new(log.start.max(start), log.end);
        self.log.set(trimmed);
        let done = self.send_trim(start).await?;
        let answer = read_written(&done.value.strings)?;
        answer.map_err(|refusal| {
            self.closed = true;
            WriteError::Refused { refusal, outcome: done.earlier }
        })?;
        self.stored_start = start;
        self.last = self.last.filter(|_| start < log.end);
        Ok(trimmed)
    }

    /// Asks whether nobody has opened the partition since.
    ///
    /// # Errors
    /// Somebody has, or it is not known.
    pub async fn confirm(&self) -> Result<(), WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        // A trim to where the log starts already does nothing, for the owner alone.
        let done = self.send_trim(self.stored_start).await?;
        let answer = read_written(&done.value.strings)?;
        answer.map_err(|refusal| WriteError::Refused { refusal, outcome: done.earlier })?;
        Ok(())
    }

    /// The offsets of the log.
    #[must_use]
    pub fn offsets(&self) -> OffsetRange {
        self.log.get()
    }

    /// The bytes of all batches that were ever appended.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether an earlier write left the outcome open, or found the partition in other hands.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    async fn send_trim(&self, start: Offset) -> Result<Done<Answer>, RequestError> {
        let log_key = self.owner.log_key();
        let keys = [self.owner.keys.metadata.as_str(), &log_key];
        let arguments = vec![Argument::Number(start.get()), Argument::Text(EntryId::first_holding(start))];
        self.owner.run(ScriptName::Trim, &keys, arguments).await
    }

    /// What the log is after the batches, and what each entry is called.
    fn plan(&self, batches: &[RecordBatch]) -> Planned {
        let (end, position, latest) = (self.log.get().end, self.position, self.latest);
        let mut planned = Planned { end, position, latest, bytes: 0, entries: Vec::with_capacity(batches.len()) };
        for batch in batches {
            assert_eq!(batch.offsets().start, planned.end, "a batch follows the one before it");
            planned.end = batch.offsets().end;
            planned.latest = planned.latest.max(batch.header().last_timestamp());
            planned.entries.push((EntryId::new(planned.end, planned.latest), planned.position));
            planned.position += u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX);
            planned.bytes += batch.bytes().len();
        }
        planned
    }

    async fn send(&self, batches: &[RecordBatch], planned: &Planned) -> Result<Acknowledged, WriteError> {
        let tried = self.owner.link.run(planned.bytes, async |current| {
            let verified = self.verified_over.get() == current.number;
            let append = Append {
                owner: &self.owner,
                last: self.last,
                trimmed: self.log.get().is_empty(),
                verified,
                batches,
                entries: &planned.entries,
            };
            let tried = append.try_once(current).await;
            if let Ok(Ok(_)) = &tried {
                self.verified_over.set(current.number);
            }
            tried
        });
        let done = tried.await?;
        let stored = done.value.map_err(|not_stored| match not_stored {
            NotStored::Refused(refusal) => WriteError::Refused { refusal, outcome: done.earlier },
            NotStored::Mixed(refusal) => WriteError::Refused { refusal, outcome: Outcome::Unknown },
            NotStored::Answer(error) => WriteError::Answer(error),
        })?;
        if let Some((reached, wanted)) = self.owner.missing_replicas(stored.replicas) {
            return Err(WriteError::Replicas { reached, wanted });
        }
        let offsets = OffsetRange::new(self.log.get().end, planned.end);
        Ok(Acknowledged {
            offsets,
            written: stored.written,
            persistence: stored.persistence,
            replicas: stored.replicas,
        })
    }
}
