//! Decides when an append is done, where a log lies in segment files, what is read where, and what a restart finds.

mod appender;
mod config;
mod dedup;
mod delivery_times;
mod effect;
mod flush;
mod index_check;
mod io_watch;
mod known_logs;
mod open_files;
mod recovery;
mod scanner;
mod segment;
mod segment_log;
mod segment_read;
mod space;
mod survey;
#[cfg(test)]
pub(crate) mod testing;

pub use appender::{AppendError, Appender, LogExtent};
pub use config::{Acks, AppendConfig, FlushPolicy, Retention};
pub use dedup::{Admission, AppendPoint, Dedup, DedupConfig, DedupRebuild, Fact, Place, ProducerRefusal, Repeats};
pub use delivery_times::DeliveryTimes;
pub use effect::{AppendEffect, AppendEvent, Fate, Placed, Reached};
pub use index_check::IndexCheck;
pub use io_watch::{IoHealth, IoLedger, IoLimits, IoTicket, IoWatch};
pub use known_logs::{KnownLogs, further};
pub use open_files::OpenFiles;
pub use recovery::{Cut, DamagedLog, KnownLog, LogRecovery, RecoveredLog, RecoveryStep};
pub use scanner::{BatchScanner, Scanned};
pub use segment::Segment;
pub use segment_log::{KnownPlace, Lane, ReadPlan, SegmentEffect, SegmentEvent, SegmentLog, SegmentLogConfig, Step};
pub use segment_read::{ReadFailure, ReadStep, SegmentRead};
pub use space::SpaceBudget;
pub use survey::{LogDamage, LogSurvey, SurveyStep, Surveyed};
