//! The bytes that PubSubRing leaves on disk and sends between nodes; `docs/formats.md` describes each.

pub mod cursor_journal;
pub mod record;
pub mod record_batch;

mod checksum;
#[cfg(test)]
mod golden;
