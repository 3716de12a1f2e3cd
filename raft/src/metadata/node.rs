//! The nodes of the cluster.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The configured number of a node; one that was removed is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(u64);

/// 16 random bytes that were drawn when a node's data directory was made: another directory is another node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation([u8; 16]);

/// A node that belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its configured number.
    pub id: NodeId,
    /// Where other nodes reach it.
    pub address: String,
    /// Where clients reach it by HTTP; empty if it never said.
    pub client_address: String,
    /// Whose data directory it has.
    pub incarnation: Incarnation,
    /// Which run of it counts: rises with each start. What an earlier run says is refused.
    pub epoch: u64,
    /// Whether it is out: it is given no partition, and those it has may be given to others.
    pub fenced: bool,
    /// Whether it is to be emptied: it is given no partition while there are others.
    pub draining: bool,
    /// What it shares with some nodes and not with others, as a power supply; replicas are spread over racks.
    pub rack: Option<String>,
    /// Over how many cores it spreads its partitions.
    pub shards: u32,
    /// The highest level of commands that its software understands.
    pub software: u32,
}

impl NodeId {
    /// Wraps the configured number.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for clients and formats.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Incarnation {
    /// That of a node which joined before nodes had one.
    pub const UNKNOWN: Self = Self([0; 16]);

    /// Wraps random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for formats.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Node {
    /// Whether it may be given partitions: it is neither fenced nor to be emptied.
    #[must_use]
    pub const fn takes_partitions(&self) -> bool {
        !self.fenced && !self.draining
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_shown_in_hex() {
        let mut bytes = [0; 16];
        bytes[0] = 0xa7;
        assert_eq!(Incarnation::new(bytes).to_string(), "a7000000000000000000000000000000");
    }
}
