//! The words of the data plane as types: names, ids, offsets, epochs and times.

mod epoch;
mod ids;
mod name;
mod offset;
mod partition;
mod request_id;
mod time;

pub use epoch::LeaderEpoch;
pub use ids::{SubscriptionId, TopicId};
pub use name::{NameError, SubscriptionName, TopicName};
pub use offset::{Offset, OffsetRange};
pub use partition::{PartitionIndex, TopicPartition};
pub use request_id::RequestId;
pub use time::{Monotonic, Timestamp};
