//! Names a request within a shard, so that a core can say which one an effect answers.

/// One request that a driver handed to a core; the driver keeps what belongs to it and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// Wraps a number that the driver chose.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for the driver's table.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}
