//! What the owner of a push subscription chose for its requests.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Change, PushSecret};
use crate::limits;

/// Where the messages of a push subscription are sent, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushConfig {
    /// The address that takes the messages. Where it may lead is not looked at here.
    pub url: String,
    /// Signs what is sent.
    pub secret: Option<PushSecret>,
    /// How many requests may be under way at a time.
    pub max_in_flight: u32,
    /// How many may be begun in a second; any number if none.
    pub max_per_second: Option<u32>,
    /// How long a request may take.
    pub timeout_ms: u64,
    /// Why nothing is sent, if so.
    pub paused: Option<PushPause>,
}

/// Why a push subscription sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushPause {
    /// Its owner wants it so.
    Requested,
    /// The address answered that it is gone.
    Gone,
}

/// A change of a push subscription's requests; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushPatch {
    /// The address.
    pub url: Change<String>,
    /// What signs.
    pub secret: Change<Option<PushSecret>>,
    /// How many requests at a time.
    pub max_in_flight: Change<u32>,
    /// How many requests in a second.
    pub max_per_second: Change<Option<u32>>,
    /// How long a request may take.
    pub timeout_ms: Change<u64>,
    /// Whether nothing is sent.
    pub paused: Change<Option<PushPause>>,
}

/// Why the part for pushing was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum InvalidPushConfig {
    #[error("url: the address and the secret have {bytes} bytes, at most {bytes_max} are allowed")]
    Length { bytes: usize, bytes_max: usize },
    #[error("max_in_flight: it is {value}, which is not within 1 and {max}")]
    InFlight { value: u32, max: u32 },
    #[error("max_per_second: it is {value}, which is not within 1 and {max}")]
    PerSecond { value: u32, max: u32 },
    #[error("timeout_ms: it is {value}, which is not within {min} and {max}")]
    Timeout { value: u64, min: u64, max: u64 },
}

impl PushConfig {
    /// Whether the values make sense by themselves.
    pub(super) fn validate(&self) -> Result<(), InvalidPushConfig> {
        let bytes = self.url.len().saturating_add(self.secret.as_ref().map_or(0, |secret| secret.expose().len()));
        if bytes > limits::PUSH_BYTES_MAX {
            return Err(InvalidPushConfig::Length { bytes, bytes_max: limits::PUSH_BYTES_MAX });
        }
        let within = |value: u32, max: u32| (1..=max).contains(&value);
        if !within(self.max_in_flight, limits::PUSH_IN_FLIGHT_MAX) {
            return Err(InvalidPushConfig::InFlight { value: self.max_in_flight, max: limits::PUSH_IN_FLIGHT_MAX });
        }
        if let Some(value) = self.max_per_second.filter(|value| !within(*value, limits::PUSH_PER_SECOND_MAX)) {
            return Err(InvalidPushConfig::PerSecond { value, max: limits::PUSH_PER_SECOND_MAX });
        }
        let timeouts: RangeInclusive<u64> = limits::PUSH_TIMEOUT_MS_MIN..=limits::PUSH_TIMEOUT_MS_MAX;
        if !timeouts.contains(&self.timeout_ms) {
            let (min, max) = timeouts.into_inner();
            return Err(InvalidPushConfig::Timeout { value: self.timeout_ms, min, max });
        }
        Ok(())
    }
}

impl PushPatch {
    /// The configuration after the change.
    pub(super) fn apply_to(&self, config: &mut PushConfig) {
        self.url.apply_to(&mut config.url);
        self.secret.apply_to(&mut config.secret);
        self.max_in_flight.apply_to(&mut config.max_in_flight);
        self.max_per_second.apply_to(&mut config.max_per_second);
        self.timeout_ms.apply_to(&mut config.timeout_ms);
        self.paused.apply_to(&mut config.paused);
    }
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: None,
            max_in_flight: limits::PUSH_IN_FLIGHT_DEFAULT,
            max_per_second: None,
            timeout_ms: limits::PUSH_TIMEOUT_MS_DEFAULT,
            paused: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_rule_is_named() {
        let ok = PushConfig::default;
        assert_eq!(ok().validate(), Ok(()));
        for max_in_flight in [0, limits::PUSH_IN_FLIGHT_MAX + 1] {
            let config = PushConfig { max_in_flight, ..ok() };
            assert!(matches!(config.validate(), Err(InvalidPushConfig::InFlight { .. })));
        }
        for per_second in [0, limits::PUSH_PER_SECOND_MAX + 1] {
            let config = PushConfig { max_per_second: Some(per_second), ..ok() };
            assert!(matches!(config.validate(), Err(InvalidPushConfig::PerSecond { .. })));
        }
        for timeout_ms in [limits::PUSH_TIMEOUT_MS_MIN - 1, limits::PUSH_TIMEOUT_MS_MAX + 1] {
            let config = PushConfig { timeout_ms, ..ok() };
            assert!(matches!(config.validate(), Err(InvalidPushConfig::Timeout { .. })));
        }
    }

    #[test]
    fn a_change_names_only_what_it_changes() {
        let secret = Some(PushSecret::new("old".to_owned()));
        let mut config = PushConfig { url: "https://a.example".to_owned(), secret, ..PushConfig::default() };
        let rotated = PushPatch { secret: Change::Set(None), ..PushPatch::default() };
        let paused = PushPatch { paused: Change::Set(Some(PushPause::Gone)), ..PushPatch::default() };
        rotated.apply_to(&mut config);
        paused.apply_to(&mut config);
        let expected =
            PushConfig { url: "https://a.example".to_owned(), paused: Some(PushPause::Gone), ..PushConfig::default() };
        assert_eq!(config, expected);
    }
}
