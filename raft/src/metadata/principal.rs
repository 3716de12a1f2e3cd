//! Who can be let in: a name with what it may do and how much of it.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};
use shard_core::model::Timestamp;

use super::{Grant, grant, wire};
use crate::limits;

/// What a principal is called: 1 to 200 of `A-Z a-z 0-9 . _ @ : / -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrincipalName(String);

/// Text that is no principal's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a principal's name is 1 to {bytes_max} of the characters A-Z a-z 0-9 . _ @ : / -")]
pub struct InvalidPrincipalName {
    bytes_max: usize,
}

/// How much a principal may use; what is not said here is as the nodes' configuration has it for everyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalLimits {
    /// Messages published in a second.
    pub messages_per_s: Option<u64>,
    /// Bytes of requests in a second.
    pub bytes_per_s: Option<u64>,
    /// Requests in a second, frames of a WebSocket included.
    pub requests_per_s: Option<u64>,
    /// Connections at a time.
    pub connections: Option<u64>,
    /// Topics.
    pub topics: Option<u64>,
    /// Subscriptions.
    pub subscriptions: Option<u64>,
    /// Requests under way at a time.
    pub in_flight: Option<u64>,
}

/// What the owner of a cluster says of a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalConfig {
    /// What it may do; nothing else.
    pub grants: Vec<Grant>,
    /// How much.
    pub limits: PrincipalLimits,
}

/// Someone who can be let in. It is never changed in place: a change makes a new one under the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// What it is called.
    pub name: PrincipalName,
    /// What it may do and how much.
    pub config: PrincipalConfig,
    /// Rises with each change, and is never the same twice in a cluster.
    pub revision: u64,
    /// When it was created, by its proposer's clock.
    #[serde(with = "wire::timestamp")]
    pub created_at: Timestamp,
}

/// Why limits were refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("limits: each is 1 to {max}; leave one out to take the default")]
pub struct InvalidLimits {
    max: u64,
}

impl PrincipalName {
    /// Takes a name.
    ///
    /// # Errors
    /// It breaks the rule for names.
    pub fn new(name: &str) -> Result<Self, InvalidPrincipalName> {
        let bytes_max = limits::PRINCIPAL_NAME_BYTES_MAX;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b':' | b'/' | b'-');
        if name.is_empty() || name.len() > bytes_max || !name.bytes().all(known) {
            return Err(InvalidPrincipalName { bytes_max });
        }
        Ok(Self(name.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PrincipalName {
    type Error = InvalidPrincipalName;

    fn try_from(name: String) -> Result<Self, InvalidPrincipalName> {
        Self::new(&name)
    }
}

impl From<PrincipalName> for String {
    fn from(name: PrincipalName) -> Self {
        name.0
    }
}

impl Borrow<str> for PrincipalName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PrincipalLimits {
    fn check(&self) -> Result<(), InvalidLimits> {
        let Self { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight } = *self;
        let all = [messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight];
        let max = limits::PRINCIPAL_LIMIT_MAX;
        let sound = all.iter().flatten().all(|limit| (1..=max).contains(limit));
        if sound { Ok(()) } else { Err(InvalidLimits { max }) }
    }
}

impl PrincipalConfig {
    /// Whether the values make sense by themselves.
    pub(super) fn check(&self) -> Result<(), super::Refusal> {
        grant::check_all(&self.grants)?;
        self.limits.check()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_characters_and_their_length() {
        for name in ["a", "ci/deploy@example.com", "urn:x:1", &"x".repeat(200)] {
            assert_eq!(PrincipalName::new(name).map(|name| name.as_str().len()), Ok(name.len()));
        }
        for name in ["", "a b", "ä", "a\n", "a\"", &"x".repeat(201)] {
            assert!(PrincipalName::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let none = PrincipalLimits { connections: Some(0), ..PrincipalLimits::default() };
        let one = PrincipalLimits { connections: Some(1), ..PrincipalLimits::default() };
        let huge = PrincipalLimits { bytes_per_s: Some(u64::MAX), ..PrincipalLimits::default() };
        assert!(none.check().is_err() && huge.check().is_err());
        assert_eq!(one.check(), Ok(()));
    }
}
