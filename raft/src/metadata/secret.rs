//! Secrets that the metadata keeps: they never show in logs or errors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The key of the tags by which the cluster knows its own ack ids again; drawn once, when the cluster is made.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckKey([u8; 16]);

/// What a push subscription signs its requests with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSecret(String);

impl AckKey {
    /// Wraps random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the keyed hash.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PushSecret {
    /// Wraps a client's text.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The text, for signing alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AckKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AckKey(…)")
    }
}

impl fmt::Debug for PushSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", AckKey::new([7; 16])), "AckKey(…)");
        assert_eq!(format!("{:?}", PushSecret::new("hunter2".to_owned())), "PushSecret(…)");
    }
}
