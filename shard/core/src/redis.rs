//! What the Redis store decides: names of keys and entries, what an answer means, what a failure leaves behind.
//!
//! The scripts that run inside Redis are beside the driver, in the `shard` crate; `docs/formats.md` has the layout.

mod answer;
mod cluster;
mod entry_id;
mod failure;
mod journal_size;
mod keys;
mod page;
mod reconnect;
mod reply_guard;
mod search;
mod server;

pub use answer::{
    AnswerError, OpenedPartition, Peeked, Refusal, Written, read_opened, read_peeked, read_tail, read_written,
};
pub use cluster::{ServerAddress, Slot, SlotMap};
pub use entry_id::EntryId;
pub use failure::{Failure, FailureKind, Outcome, Remedy};
pub use journal_size::JournalSize;
pub use keys::{ClusterName, PartitionKeys};
pub use page::{PageError, read_page};
pub use reconnect::Reconnect;
pub use reply_guard::{ReplyGuard, ReplyLimits, UnboundedReply};
pub use search::EntrySearch;
pub use server::{Persistence, ServerFacts, ServerMode, ServerUnfit};
