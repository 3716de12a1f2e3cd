//! Which batches retention keeps because of messages that are delivered late, of those that were there on opening.
//!
//! Redis says when a batch was taken, and not when its messages are to be delivered. So what is old enough is read once before
//! it is let go of; what was appended since the opening is known.

use shard_core::{
    log::{DeliveryTimes, Retention},
    model::{Offset, OffsetRange, Timestamp},
    redis::PageError,
};

use super::{LogReader, ReadError};
use crate::limits;

/// What was found so far of the batches that were there when a partition was opened.
#[derive(Debug, Default)]
pub(super) struct LateBatches {
    /// Read up to here.
    checked_to: Offset,
    /// What was there ended here.
    end: Offset,
    times: DeliveryTimes,
}

impl LateBatches {
    /// Nothing was read yet of what is there.
    pub(super) fn of(log: OffsetRange) -> Self {
        Self { checked_to: log.start, end: log.end, times: DeliveryTimes::default() }
    }

    /// The first batch of `old` that is kept; the end of `old` if there is none. Reads a bounded part of what was not read yet,
    /// and keeps what it did not come to.
    ///
    /// # Errors
    /// Redis can't be asked; what was read stays known.
    pub(super) async fn first_kept(
        &mut self,
        reader: &LogReader,
        (now, keep): (Timestamp, Retention),
        old: OffsetRange,
    ) -> Result<Offset, ReadError> {
        let to = old.end.min(self.end);
        for _ in 0..limits::REDIS_RETENTION_READS_MAX {
            self.checked_to = self.checked_to.max(old.start);
            if let Some(kept) = self.times.first_kept(keep, now) {
                return Ok(kept.clamp(old.start, old.end));
            }
            if self.checked_to >= to {
                return Ok(old.end);
            }
            self.read_on(reader).await?;
        }
        Ok(self.checked_to.clamp(old.start, old.end))
    }

    async fn read_on(&mut self, reader: &LogReader) -> Result<(), ReadError> {
        match reader.read(self.checked_to, limits::REDIS_RETENTION_READ_BYTES).await {
            Ok(batches) => {
                for batch in batches.iter().filter(|batch| batch.offsets().start < self.end) {
                    self.times.note(batch);
                    self.checked_to = batch.offsets().end;
                }
                Ok(())
            }
            // What is lost or damaged is nobody's to deliver: it goes with its age.
            Err(ReadError::Page(PageError::Lost { lost })) => {
                self.checked_to = self.checked_to.next().max(lost.end);
                Ok(())
            }
            Err(ReadError::Page(_)) => {
                let next = reader.peek(self.checked_to).await?.map(|entry| entry.id.end());
                self.checked_to = next.unwrap_or(self.end).max(self.checked_to.next());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
