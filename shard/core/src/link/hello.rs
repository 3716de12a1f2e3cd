//! Who a node says it is at the beginning of a connection.
//!
//! ```text
//!  0 u16 lowest link version it speaks      24 u64 node it believes to talk to; 0 if it does not know
//!  2 u16 highest                            32 u64 incarnation
//!  4 u8  1 if it has a secret               40 32 random bytes
//!  5 u8  length of the cluster's name       72 the cluster's name, UTF-8; none before it is a member
//!  6 u16 zero
//!  8 u64 node; 0 before it is a member
//! 16 u64 zero
//! ```

use bytes::Bytes;

use crate::{
    format::fields::{put, u16_at, u64_at},
    limits,
};

/// The size of a Hello without the cluster's name.
const FIXED_BYTES: usize = 72;
/// How many random bytes each side gives.
pub(super) const NONCE_BYTES: usize = 32;

/// The versions of the link that a node speaks, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest.
    pub lowest: u16,
    /// The newest.
    pub highest: u16,
}

/// The name of a cluster, no longer than a Hello holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterText(String);

/// Who a node is, towards other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkIdentity {
    /// Its cluster; none before it has joined one.
    pub cluster: Option<ClusterText>,
    /// Its number in it; none before it has joined.
    pub node: Option<u64>,
    /// Rises with each start of the node, as far as it knows.
    pub incarnation: u64,
}

/// What each side says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The versions it speaks.
    pub versions: VersionRange,
    /// Who it is.
    pub identity: LinkIdentity,
    /// Whom it believes to talk to; none if it can't know.
    pub peer: Option<u64>,
    /// Whether it will prove that it knows the secret, and asks the same.
    pub has_secret: bool,
    /// Random bytes, different in each connection.
    pub nonce: [u8; NONCE_BYTES],
}

/// Why bytes are not a Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HelloError {
    #[error("{available} bytes are there, the Hello has {needed}")]
    Length { needed: usize, available: usize },
    #[error("the versions {lowest} to {highest} are no range")]
    Versions { lowest: u16, highest: u16 },
    #[error("the name of the cluster is not text")]
    Cluster,
    #[error("the Hello has something where nothing should be")]
    Reserved,
}

impl VersionRange {
    /// What this code speaks.
    pub const OURS: Self = Self { lowest: 1, highest: 2 };
    /// The first in which a publish may say which trace it is part of.
    pub const WITH_TRACES: u16 = 2;

    /// The newest version that both speak.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.highest.min(other.highest);
        (newest >= self.lowest.max(other.lowest)).then_some(newest)
    }
}

impl ClusterText {
    /// Takes a name; `None` if it is empty or longer than a Hello holds.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        (1..=limits::LINK_CLUSTER_BYTES_MAX).contains(&name.len()).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LinkIdentity {
    /// Whether it has joined a cluster.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        self.cluster.is_some() && self.node.is_some()
    }
}

impl Hello {
    /// The bytes to send.
    ///
    /// # Panics
    /// Never: the name of a cluster is no longer than its length can say.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let cluster = self.identity.cluster.as_ref().map_or("", ClusterText::as_str);
        let mut bytes = vec![0; FIXED_BYTES];
        put(&mut bytes, 0, &self.versions.lowest.to_le_bytes());
        put(&mut bytes, 2, &self.versions.highest.to_le_bytes());
        let length = u8::try_from(cluster.len()).expect("the name of a cluster is short");
        put(&mut bytes, 4, &[u8::from(self.has_secret), length]);
        put(&mut bytes, 8, &self.identity.node.unwrap_or(0).to_le_bytes());
        put(&mut bytes, 24, &self.peer.unwrap_or(0).to_le_bytes());
        put(&mut bytes, 32, &self.identity.incarnation.to_le_bytes());
        put(&mut bytes, 40, &self.nonce);
        bytes.extend_from_slice(cluster.as_bytes());
        bytes.into()
    }

    /// Reads a Hello, which is all of `bytes`.
    ///
    /// # Errors
    /// Says what is there instead; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, HelloError> {
        let fixed: &[u8; FIXED_BYTES] =
            bytes.first_chunk().ok_or(HelloError::Length { needed: FIXED_BYTES, available: bytes.len() })?;
        let [_, _, _, _, has_secret, cluster_length, ..] = *fixed;
        let needed = FIXED_BYTES + usize::from(cluster_length);
        if bytes.len() != needed {
            return Err(HelloError::Length { needed, available: bytes.len() });
        }
        if has_secret > 1 || u16_at(fixed, 6) != 0 || u64_at(fixed, 16) != 0 {
            return Err(HelloError::Reserved);
        }
        let (lowest, highest) = (u16_at(fixed, 0), u16_at(fixed, 2));
        if lowest == 0 || lowest > highest {
            return Err(HelloError::Versions { lowest, highest });
        }
        let name = bytes.get(FIXED_BYTES..).unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| HelloError::Cluster)?;
        let cluster = match name {
            "" => None,
            name => Some(ClusterText::new(name).ok_or(HelloError::Cluster)?),
        };
        let some = |number: u64| (number != 0).then_some(number);
        let identity = LinkIdentity { cluster, node: some(u64_at(fixed, 8)), incarnation: u64_at(fixed, 32) };
        let nonce = fixed.last_chunk().copied().unwrap_or_default();
        let versions = VersionRange { lowest, highest };
        Ok(Self { versions, identity, peer: some(u64_at(fixed, 24)), has_secret: has_secret == 1, nonce })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::golden::assert_golden;

    fn hello() -> Hello {
        Hello {
            versions: VersionRange { lowest: 1, highest: 3 },
            identity: LinkIdentity { cluster: ClusterText::new("orders"), node: Some(7), incarnation: 9 },
            peer: Some(8),
            has_secret: true,
            nonce: [0xab; NONCE_BYTES],
        }
    }

    #[test]
    fn link_hello_v1_is_frozen() {
        let stranger = Hello {
            identity: LinkIdentity { cluster: None, node: None, incarnation: 0 },
            peer: None,
            has_secret: false,
            ..hello()
        };
        assert_golden("link_hello.v1.hex", &[hello().encode(), stranger.encode()].concat());
        for hello in [hello(), stranger] {
            assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        }
    }

    #[test]
    fn every_other_length_is_refused() {
        let bytes = [hello().encode().as_ref(), b"x"].concat();
        for length in (0..bytes.len() - 1).chain([bytes.len()]) {
            assert!(matches!(Hello::decode(&bytes[..length]), Err(HelloError::Length { .. })), "{length} bytes");
        }
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let changed = |at: usize, field: &[u8]| {
            let mut bytes = hello().encode().to_vec();
            put(&mut bytes, at, field);
            Hello::decode(&bytes)
        };
        assert_eq!(changed(0, &[0]), Err(HelloError::Versions { lowest: 0, highest: 3 }));
        assert_eq!(changed(0, &[4]), Err(HelloError::Versions { lowest: 4, highest: 3 }));
        assert_eq!(changed(4, &[2]), Err(HelloError::Reserved));
        assert_eq!(changed(6, &[1]), Err(HelloError::Reserved));
        assert_eq!(changed(16, &[1]), Err(HelloError::Reserved));
        assert_eq!(changed(72, &[0xff]), Err(HelloError::Cluster));
        let long = "x".repeat(limits::LINK_CLUSTER_BYTES_MAX + 1);
        let mut bytes = hello().encode().to_vec();
        bytes.truncate(FIXED_BYTES);
        bytes[5] = u8::try_from(long.len()).unwrap();
        bytes.extend_from_slice(long.as_bytes());
        assert_eq!(Hello::decode(&bytes), Err(HelloError::Cluster));
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        let range = |lowest, highest| VersionRange { lowest, highest };
        assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
        assert_eq!(range(2, 5).common(range(1, 2)), Some(2));
        assert_eq!(range(1, 2).common(range(3, 4)), None);
        assert_eq!(range(3, 4).common(range(1, 2)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(hello) = Hello::decode(&bytes) {
                prop_assert_eq!(hello.encode(), Bytes::from(bytes));
            }
        }
    }
}
