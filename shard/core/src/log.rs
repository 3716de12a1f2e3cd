//! Decides what a partition's log writes, when an append is done, what is read where, and what a restart finds.

mod appender;
mod config;
mod effect;
mod recovery;
mod scanner;
mod segment;
#[cfg(test)]
mod testing;

pub use appender::{AppendError, PartitionLog, ReadPlan};
pub use config::{FlushPolicy, LogConfig};
pub use effect::{LogEffect, LogEvent, Reached};
pub use recovery::{Cut, DamagedLog, LogRecovery, RecoveredLog, RecoveryStep};
pub use scanner::{BatchScanner, Scanned};
pub use segment::Segment;
