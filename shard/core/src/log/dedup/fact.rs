//! What a stored batch tells about what must not be stored again.

use crate::{
    format::{
        record::MessageId,
        record_batch::{Producer, RecordBatch},
    },
    model::{Offset, Timestamp},
};

/// Something that the log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A message with an id that its publisher gave.
    Message {
        /// The id.
        id: Box<str>,
        /// Where it is.
        offset: Offset,
        /// When it was taken.
        taken: Timestamp,
    },
    /// A batch whose producer numbers its records.
    Batch {
        /// The producer.
        producer: Producer,
        /// How many records there are.
        record_count: u32,
        /// Where the first of them is.
        base_offset: Offset,
    },
}

impl Fact {
    /// Adds what a batch tells. Ids of a batch with a producer, and of one that the broker wrote itself, are names only,
    /// here as when it was appended.
    pub fn of_batch(batch: &RecordBatch, facts: &mut Vec<Self>) {
        let header = batch.header();
        if header.relay.is_some() {
            return;
        }
        if let Some(producer) = header.producer {
            let (record_count, base_offset) = (header.record_count, header.base_offset);
            facts.push(Self::Batch { producer, record_count, base_offset });
            return;
        }
        // Whoever reads a record that is not one is told so; here it names nothing.
        let _ = batch.for_each_record(|record| {
            if let MessageId::Text(id) = record.head.id {
                facts.push(Self::Message { id: id.into(), offset: record.offset, taken: record.timestamp });
            }
        });
    }
}
