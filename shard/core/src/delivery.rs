//! Decides which message of a partition goes to whom, when it comes back, and what of it must be durable.
//!
//! A [`Dispatcher`] serves one subscription on one partition; its changes go to the partition's [`JournalWriter`],
//! which says when an answer may be given. A change holds in memory at once and is answered when durable, so that a
//! crash in between leads to a redelivery and never to a skip.

mod backoff;
mod cursor;
mod cursor_state;
mod dispatcher;
mod fence;
mod filter;
mod journal;
mod key_order;
mod lease;
mod letters;
mod lookahead;
mod outstanding;
mod priority_set;
mod scheduled;

pub use backoff::Backoff;
pub use cursor::Cursor;
pub use cursor_state::CursorState;
pub use dispatcher::{
    AckOutcome, DeadLetter, DeadLetterPolicy, DeadLetterReason, DeliveryMode, DeliveryOrder, DeliveryPolicy,
    Dispatcher, DispatcherIdentity, DispatcherStatus, LeaseRequest, LeasedMessage,
};
pub use fence::{Assignee, Claim, ClaimRefused, PartitionAssignment};
pub use filter::{Filter, FilterError, FilterSubject};
pub use journal::{
    CursorReplay, JournalEffect, JournalError, JournalFile, JournalFiles, JournalWrite, JournalWriter,
    RecoveredJournal, TornTail, recover,
};
pub use lease::{ClusterKey, ConsumerId, LeaseId, LeaseSigner};
pub use letters::{FoundLetters, LetterOwner, LetterSearch, SentBack};
pub use scheduled::{FoundScheduled, ScheduledMessage, ScheduledSearch};
