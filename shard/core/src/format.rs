//! The bytes that PubSubRing leaves on disk and sends between nodes; `docs/formats.md` describes each.

pub mod cursor_journal;
pub mod durable_ends;
pub mod incarnation;
pub mod offset_index;
pub mod record;
pub mod record_batch;
pub mod segment_header;

pub(crate) mod checksum;
pub(crate) mod fields;
#[cfg(test)]
pub(crate) mod golden;
