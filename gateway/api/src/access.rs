//! Who may do what: principals, their grants and limits, keys and tickets.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rfc3339::Timestamp;

/// One thing that a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Putting messages into topics.
    Publish,
    /// Getting messages and saying what becomes of them.
    Consume,
    /// Creating, changing and deleting topics and subscriptions.
    Manage,
    /// Everything, keys and principals included; it stands alone and without a prefix.
    Admin,
}

/// Actions on the topics, or the subscriptions, whose names fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Topics: a name, or the beginning of names with `*` behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_prefix: Option<String>,
    /// Subscriptions, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_prefix: Option<String>,
    /// What is allowed there.
    pub actions: Vec<Action>,
}

/// How much a principal may use; what is left out is as the node has it for everyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Messages published in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_s: Option<u64>,
    /// Bytes of requests in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    /// Requests, and frames over WebSocket, in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<u64>,
    /// Connections of WebSocket, and streams of events, at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Topics that its grants to manage cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<u64>,
    /// Subscriptions that its grants to manage cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<u64>,
    /// Requests under way at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
}

/// The body of `PUT /v1/principals/{principal}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PrincipalSettings {
    /// All that it may do.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// How much of it.
    #[serde(default)]
    pub limits: Limits,
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Principal {
    /// What it is called.
    pub name: String,
    /// All that it may do.
    pub grants: Vec<Grant>,
    /// How much of it.
    pub limits: Limits,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The body of `POST /v1/keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Whose key it is to be.
    pub principal: String,
    /// Creates the principal with these grants if it isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// The limits of the principal that is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// From when on the key counts for nothing; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Text that proves who somebody is. It does not show when it is printed for debugging.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SecretText(String);

/// A key that has just been made; its secret is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedKey {
    /// What it is called in lists.
    pub key_id: String,
    /// The key itself: what stands behind `Authorization: Bearer`.
    pub key: SecretText,
    /// Whose it is.
    pub principal: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key as it stands in lists, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Key {
    /// What it is called.
    pub key_id: String,
    /// Whose it is.
    pub principal: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The answer to `GET /v1/whoami`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Whoami {
    /// Who the caller is; nobody in particular where no keys are asked for.
    pub principal: Option<String>,
    /// What the caller may do.
    pub grants: Vec<Grant>,
    /// How much of it.
    pub limits: Limits,
    /// When what proves it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The answer to `POST /v1/tickets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ticket {
    /// What opens a connection in the caller's name.
    pub ticket: SecretText,
    /// Until when.
    pub expires_at: Timestamp,
}

impl SecretText {
    /// Wraps text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let ticket = Ticket { ticket: SecretText::new("hunter2".to_owned()), expires_at: Timestamp::from_unix_ms(0) };
        assert!(!format!("{ticket:?}").contains("hunter2"));
        assert!(serde_json::to_string(&ticket).unwrap().contains("hunter2"));
    }
}
