//! The part of a subscription's configuration that says where and how it pushes.

use gateway_api::{
    Nullable,
    push::{PausedReason, Push, PushSettings, PushState, PushStatus},
};
use raft::metadata::{Change, PushConfig, PushPatch, PushPause, PushSecret};

use crate::{
    error::{self, Failure},
    limits,
    push::{PushPolicy, PushTarget},
};

/// The requests of a new push subscription: what is not given takes its default.
pub(super) fn of_settings(settings: &PushSettings, policy: PushPolicy) -> Result<PushConfig, Failure> {
    let missing = || error::invalid("push.url", "a push subscription needs the address to send to");
    let PushPatch { secret, max_in_flight, max_per_second, timeout_ms, paused, .. } = patch(settings, policy)?;
    let defaults = PushConfig::default();
    Ok(PushConfig {
        url: settings.url.clone().ok_or_else(missing)?,
        secret: set(secret).unwrap_or_default(),
        max_in_flight: set(max_in_flight).unwrap_or(defaults.max_in_flight),
        max_per_second: set(max_per_second).unwrap_or_default(),
        timeout_ms: set(timeout_ms).unwrap_or(defaults.timeout_ms),
        paused: set(paused).unwrap_or_default(),
    })
}

/// A change of the requests: what is not given stays.
pub(super) fn patch(settings: &PushSettings, policy: PushPolicy) -> Result<PushPatch, Failure> {
    if let Some(url) = &settings.url {
        PushTarget::parse(url, policy).map_err(|refused| error::invalid("push.url", refused.to_string()))?;
    }
    let secret = match &settings.secret {
        None => Change::Keep,
        Some(Nullable::Null) => Change::Set(None),
        Some(Nullable::Value(secret)) if !(1..=limits::PUSH_SECRET_BYTES_MAX).contains(&secret.len()) => {
            let detail = format!("a secret has 1 to {} bytes", limits::PUSH_SECRET_BYTES_MAX);
            return Err(error::invalid("push.secret", detail));
        }
        Some(Nullable::Value(secret)) => Change::Set(Some(PushSecret::new(secret.clone()))),
    };
    let paused = settings.paused.map(|paused| paused.then_some(PushPause::Requested));
    Ok(PushPatch {
        url: Change::from_option(settings.url.clone()),
        secret,
        max_in_flight: Change::from_option(settings.max_in_flight),
        max_per_second: Change::from_option(settings.max_per_second.map(Nullable::into_option)),
        timeout_ms: Change::from_option(settings.timeout_ms),
        paused: Change::from_option(paused),
    })
}

/// The requests as clients see them; without the secret.
pub(super) fn to_api(config: &PushConfig) -> Push {
    Push {
        url: config.url.clone(),
        signed: config.secret.is_some(),
        max_in_flight: config.max_in_flight,
        max_per_second: config.max_per_second,
        timeout_ms: config.timeout_ms,
        paused: config.paused.is_some(),
        paused_reason: config.paused.map(|pause| match pause {
            PushPause::Requested => PausedReason::Requested,
            PushPause::Gone => PausedReason::Gone,
        }),
        status: None,
    }
}

/// The status to show: that a subscription is paused is known before its requests have ended.
pub(super) fn status(push: &Push, reported: Option<&PushStatus>) -> PushStatus {
    let mut status = reported.cloned().unwrap_or(PushStatus {
        state: PushState::Active,
        in_flight: 0,
        consecutive_failures: 0,
        last_success_time: None,
        last_error: None,
    });
    if push.paused {
        status.state = PushState::Paused;
    } else if status.state == PushState::Paused {
        status.state = PushState::Active;
    }
    status
}

fn set<T>(change: Change<T>) -> Option<T> {
    match change {
        Change::Keep => None,
        Change::Set(value) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> PushSettings {
        serde_json::from_str(json).unwrap()
    }

    fn created(json: &str) -> Result<PushConfig, Failure> {
        of_settings(&settings(json), PushPolicy::default())
    }

    #[test]
    fn what_is_not_given_takes_its_default() {
        let url = "https://example.com/hook".to_owned();
        let created = created(r#"{"url":"https://example.com/hook"}"#).unwrap();
        assert_eq!(created, PushConfig { url, ..PushConfig::default() });
    }

    #[test]
    fn what_can_not_be_is_refused_with_its_field() {
        let long = format!(r#"{{"url":"https://a.example","secret":"{}"}}"#, "s".repeat(1_025));
        for (json, field) in [
            ("{}", "push.url"),
            (r#"{"url":"http://example.com"}"#, "push.url"),
            (r#"{"url":"https://127.0.0.1"}"#, "push.url"),
            (r#"{"url":"https://a.example","secret":""}"#, "push.secret"),
            (&long, "push.secret"),
        ] {
            assert_eq!(created(json).unwrap_err().errors[0].field, field, "{json}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = created(r#"{"url":"https://a.example","secret":"hunter2"}"#).unwrap();
        let shown = to_api(&config);
        assert!(shown.signed);
        assert!(!serde_json::to_string(&shown).unwrap().contains("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let change = patch(&settings(r#"{"secret":null,"paused":true}"#), PushPolicy::default()).unwrap();
        let paused = Change::Set(Some(PushPause::Requested));
        assert_eq!(change, PushPatch { secret: Change::Set(None), paused, ..PushPatch::default() });
    }

    #[test]
    fn a_pause_is_shown_before_the_requests_know_of_it() {
        let mut push = to_api(&created(r#"{"url":"https://a.example","paused":true}"#).unwrap());
        assert_eq!(status(&push, None).state, PushState::Paused);
        let reported = PushStatus { consecutive_failures: 3, ..status(&push, None) };
        push.paused = false;
        let shown = status(&push, Some(&reported));
        assert_eq!((shown.state, shown.consecutive_failures), (PushState::Active, 3));
    }
}
