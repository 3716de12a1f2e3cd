//! What a push subscription is told of its requests, and what it shows of them.

use serde::{Deserialize, Serialize};

use crate::nullable::{Nullable, given};
use crate::rfc3339::Timestamp;

/// Where the messages of a push subscription are sent, and how; what is not given takes its default, or stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    /// The address that takes the messages; a new push subscription needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Signs what is sent; never shown again. `null` takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub secret: Option<Nullable<String>>,
    /// How many requests may be under way at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// How many may be begun in a second; `null` is any number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub max_per_second: Option<Nullable<u32>>,
    /// How long a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// The requests of a push subscription as they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Push {
    /// The address that takes the messages.
    pub url: String,
    /// Whether there is a secret that signs what is sent.
    pub signed: bool,
    /// How many requests may be under way at a time.
    pub max_in_flight: u32,
    /// How many may be begun in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_second: Option<u32>,
    /// How long a request may take.
    pub timeout_ms: u64,
    /// Whether nothing is sent.
    pub paused: bool,
    /// Why, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_reason: Option<PausedReason>,
    /// How the requests go; lists don't say.
    #[serde(flatten)]
    pub status: Option<PushStatus>,
}

/// Why a push subscription sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PausedReason {
    /// Its owner wants it so.
    Requested,
    /// The address answered that it is gone.
    Gone,
}

/// How the requests of a push subscription go, since the node started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushStatus {
    /// Whether messages are sent.
    pub state: PushState,
    /// How many requests are under way.
    pub in_flight: u32,
    /// How many have failed since the last that did not.
    pub consecutive_failures: u32,
    /// When a message was last taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Timestamp>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<PushError>,
}

/// Whether messages are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    /// They are.
    #[default]
    Active,
    /// The subscription is paused.
    Paused,
    /// After failures in a row only one is tried now and then.
    OpenCircuit,
    /// The address asked to be left alone for a while.
    HoldingOff,
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushError {
    /// When.
    pub time: Timestamp,
    /// What.
    pub reason: PushErrorReason,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// In words; never what the address answered.
    pub detail: String,
}

/// What kind of thing went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PushErrorReason {
    /// The answer was not 2xx.
    Status,
    /// There was no whole answer in time.
    Timeout,
    /// The host has no address.
    Resolve,
    /// The host has an address that requests may not go to.
    AddressDenied,
    /// Nothing takes connections there.
    Connect,
    /// The host could not prove who it is.
    Tls,
    /// The connection broke, or what came over it was no answer.
    Connection,
}

impl PushErrorReason {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::Resolve => "resolve",
            Self::AddressDenied => "address_denied",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Connection => "connection",
        }
    }
}
