//! Decides when an append is done, where a log lies in segment files, what is read where, and what a restart finds.

mod appender;
mod config;
mod dedup;
mod effect;
mod flush;
mod index_check;
mod known_logs;
mod recovery;
mod scanner;
mod segment;
mod segment_log;
mod space;
mod survey;
#[cfg(test)]
mod testing;

pub use appender::{AppendError, Appender, LogExtent};
pub use config::{AppendConfig, FlushPolicy, Retention};
pub use dedup::{Admission, AppendPoint, Dedup, DedupConfig, DedupRebuild, Fact, Place, ProducerRefusal, Repeats};
pub use effect::{AppendEffect, AppendEvent, Fate, Placed, Reached};
pub use index_check::IndexCheck;
pub use known_logs::{KnownLogs, further};
pub use recovery::{Cut, DamagedLog, KnownLog, LogRecovery, RecoveredLog, RecoveryStep};
pub use scanner::{BatchScanner, Scanned};
pub use segment::Segment;
pub use segment_log::{Lane, ReadPlan, SegmentEffect, SegmentEvent, SegmentLog, SegmentLogConfig, Step};
pub use space::SpaceBudget;
pub use survey::{LogDamage, LogSurvey, SurveyStep, Surveyed};
