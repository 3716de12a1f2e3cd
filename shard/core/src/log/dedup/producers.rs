//! Producers that number their records: each number is taken once, in order.

use std::collections::{BTreeMap, VecDeque};

use crate::{format::record_batch::Producer, limits, model::Offset};

/// What a producer takes beside its batches, and what each of these takes, about.
const PRODUCER_BYTES: usize = 192;
const BATCH_BYTES: usize = 32;

/// The producers of one partition; those that have been silent longest are forgotten first.
#[derive(Debug, Default)]
pub(super) struct Producers {
    known: BTreeMap<u64, Known>,
    /// By when they were last heard of.
    by_use: BTreeMap<u64, u64>,
    uses: u64,
    batches: usize,
}

/// What is known of one producer, the newest batch last.
#[derive(Debug, Default)]
struct Known {
    batches: VecDeque<KnownBatch>,
    used: u64,
}

#[derive(Clone, Copy, Debug)]
struct KnownBatch {
    epoch: u16,
    first_sequence: u32,
    record_count: u32,
    base_offset: Offset,
}

/// Why a producer's batch was not taken. Nothing was stored by this try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ProducerRefusal {
    #[error("epoch {sent} of the producer is over, its epoch is {current} now")]
    Stale { sent: u16, current: u16 },
    #[error("sequence {sent} leaves a gap: {expected} is the next")]
    Gap { sent: u32, expected: u32 },
    /// It was taken some time ago, or is a part of what was; where it is, is not remembered.
    #[error("sequence {sent} is behind, {expected} is the next; what was stored then is not remembered any more")]
    Forgotten { sent: u32, expected: u32 },
}

impl Producers {
    /// Whether the batch goes on where its producer was; or where it is, if it was taken before.
    pub(super) fn check(
        &self,
        producer: Producer,
        record_count: u32,
        stored_end: Offset,
    ) -> Result<Option<Offset>, ProducerRefusal> {
        let known = self.known.get(&producer.id);
        // One that nobody remembers begins where it likes: it may have been forgotten.
        let Some((known, last)) = known.and_then(|known| Some((known, known.batches.back()?))) else {
            return Ok(None);
        };
        let sent = producer.first_sequence;
        if producer.epoch < last.epoch {
            return Err(ProducerRefusal::Stale { sent: producer.epoch, current: last.epoch });
        }
        let expected = if producer.epoch > last.epoch { 0 } else { last.next_sequence() };
        if sent == expected {
            return Ok(None);
        }
        if producer.epoch > last.epoch {
            return Err(ProducerRefusal::Gap { sent, expected });
        }
        let remembered = known.batches.iter().skip(known.surplus(stored_end)).rev();
        let mut of_epoch = remembered.take_while(|batch| batch.epoch == producer.epoch);
        if let Some(offset) = of_epoch.find_map(|batch| batch.offset_of(sent, record_count)) {
            return Ok(Some(offset));
        }
        // Sequences go round: what lies less than half the circle back is behind.
        let is_behind = expected.wrapping_sub(sent) <= u32::MAX / 2;
        Err(if is_behind {
            ProducerRefusal::Forgotten { sent, expected }
        } else {
            ProducerRefusal::Gap { sent, expected }
        })
    }

    /// Takes down a batch that goes to `base_offset`; of those below `stored_end`, only the newest few are kept.
    pub(super) fn add(&mut self, producer: Producer, record_count: u32, base_offset: Offset, stored_end: Offset) {
        let Producer { id, epoch, first_sequence } = producer;
        self.uses += 1;
        let known = self.known.entry(id).or_default();
        self.by_use.remove(&known.used);
        self.by_use.insert(self.uses, id);
        known.used = self.uses;
        known.batches.push_back(KnownBatch { epoch, first_sequence, record_count, base_offset });
        self.batches += 1;
        let surplus = known.surplus(stored_end);
        known.batches.drain(..surplus);
        self.batches -= surplus;
        self.forget_silent(stored_end);
    }

    /// Forgets the batches from `end` on.
    pub(super) fn roll_back(&mut self, end: Offset) {
        // Only those heard of last can have batches in flight, but there may be a stored one among them.
        let batches = &mut self.batches;
        let by_use = &mut self.by_use;
        self.known.retain(|_, known| {
            while known.batches.pop_back_if(|batch| batch.base_offset >= end).is_some() {
                *batches -= 1;
            }
            let is_known = !known.batches.is_empty();
            if !is_known {
                by_use.remove(&known.used);
            }
            is_known
        });
    }

    pub(super) fn bytes(&self) -> usize {
        self.known.len() * PRODUCER_BYTES + self.batches * BATCH_BYTES
    }

    /// Keeps the number of producers within its bound. One with a batch in flight stays, whatever the bound.
    fn forget_silent(&mut self, stored_end: Offset) {
        while self.known.len() > limits::PRODUCERS_MAX {
            let Some((&used, &id)) = self.by_use.first_key_value() else { return };
            let in_flight = self.known.get(&id).and_then(|known| known.batches.back());
            if in_flight.is_some_and(|batch| batch.base_offset >= stored_end) {
                return;
            }
            self.by_use.remove(&used);
            if let Some(known) = self.known.remove(&id) {
                self.batches -= known.batches.len();
            }
        }
    }
}

impl Known {
    /// How many of the oldest batches are not remembered. A batch in flight may be taken back; what was stored before it
    /// is then what counts.
    fn surplus(&self, stored_end: Offset) -> usize {
        let stored = self.batches.partition_point(|batch| batch.base_offset < stored_end);
        stored.saturating_sub(limits::PRODUCER_BATCHES_MAX)
    }
}

impl KnownBatch {
    const fn next_sequence(&self) -> u32 {
        self.first_sequence.wrapping_add(self.record_count)
    }

    /// Where the records from `sent` on are, if all of them are in this batch.
    fn offset_of(&self, sent: u32, record_count: u32) -> Option<Offset> {
        let into = sent.wrapping_sub(self.first_sequence);
        let rest = self.record_count.checked_sub(into)?;
        (record_count <= rest).then(|| self.base_offset.plus(u64::from(into)))
    }
}
