//! A subscription's configuration between the API's words and the metadata's.

use gateway_api::{
    Nullable,
    subscriptions::{self as api, Position, SubscriptionSettings},
};
use raft::metadata::{
    Backoff, Change, Consumption, DeliveryMode, Ordering, StartPosition, Subscription, SubscriptionConfig,
    SubscriptionKind, SubscriptionPatch,
};
use shard_core::{
    delivery::Filter,
    model::{Timestamp, TopicName},
};

use crate::error::{self, Failure};

/// The configuration of a new subscription: what is not given takes its default.
pub(super) fn of_settings(settings: &SubscriptionSettings) -> Result<SubscriptionConfig, Failure> {
    let defaults = SubscriptionConfig::default();
    check(settings)?;
    let start = settings.start.map_or(defaults.start, start);
    let ordering = settings.ordering.map_or(defaults.ordering, ordering);
    let consumption = settings.consumption.map_or(defaults.consumption, consumption);
    let config = patch(settings)?.applied_to(&defaults);
    check_dead_letters(&config, settings.topic.as_deref().unwrap_or_default())?;
    Ok(SubscriptionConfig { start, ordering, consumption, ..config })
}

/// The change of a subscription: what is not given stays.
pub(super) fn patch_of_settings(
    settings: &SubscriptionSettings,
    current: &Subscription,
) -> Result<SubscriptionPatch, Failure> {
    check(settings)?;
    if settings.topic.as_deref().is_some_and(|topic| topic != current.topic_name.as_str()) {
        return Err(error::invalid("topic", "a subscription's topic can't be changed"));
    }
    if settings.start.is_some_and(|position| start(position) != current.config.start) {
        return Err(error::invalid("start", "a subscription has started: use seek"));
    }
    if settings.ordering.is_some_and(|order| ordering(order) != current.config.ordering) {
        return Err(error::invalid("ordering", "a subscription's ordering can't be changed"));
    }
    if settings.consumption.is_some_and(|shared| consumption(shared) != current.config.consumption) {
        return Err(error::invalid("consumption", "a subscription's consumption can't be changed"));
    }
    let patch = patch(settings)?;
    check_dead_letters(&patch.applied_to(&current.config), current.topic_name.as_str())?;
    Ok(patch)
}

/// Dead letters need a place of their own.
fn check_dead_letters(config: &SubscriptionConfig, topic: &str) -> Result<(), Failure> {
    match &config.dead_letter_topic {
        Some(dead_letters) if dead_letters.as_str() == topic => {
            Err(error::invalid("dead_letter_topic", "dead letters would be delivered to the subscription again"))
        }
        None if config.max_delivery_attempts > 0 => {
            let detail = "without a `dead_letter_topic` there is nowhere for a message to go after its last attempt";
            Err(error::invalid("max_delivery_attempts", detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses what this version would accept without doing it.
fn check(settings: &SubscriptionSettings) -> Result<(), Failure> {
    if let Some(Nullable::Value(filter)) = &settings.filter {
        // What is wrong with it is told all the same.
        Filter::parse(filter).map_err(|fault| error::invalid("filter", fault.to_string()))?;
    }
    let refused = [
        ("type", settings.kind.is_some_and(|kind| kind != api::SubscriptionKind::Pull)),
        ("push", settings.push.is_some()),
    ];
    match refused.into_iter().find(|(_, refused)| *refused) {
        Some((field, _)) => Err(error::unsupported(field)),
        None => Ok(()),
    }
}

/// The settings that act; [`check`] has refused the others.
fn patch(settings: &SubscriptionSettings) -> Result<SubscriptionPatch, Failure> {
    let dead_letter_topic = match &settings.dead_letter_topic {
        None => None,
        Some(Nullable::Null) => Some(None),
        Some(Nullable::Value(name)) => {
            let name = TopicName::new(name).map_err(|error| error::invalid("dead_letter_topic", error.to_string()))?;
            Some(Some(name))
        }
    };
    let backoff = settings.backoff.map(|api::Backoff { min_ms, max_ms }| Backoff { min_ms, max_ms });
    Ok(SubscriptionPatch {
        ack_deadline_ms: Change::from_option(settings.ack_deadline_ms),
        max_delivery_attempts: Change::from_option(settings.max_delivery_attempts),
        dead_letter_topic: Change::from_option(dead_letter_topic),
        backoff: Change::from_option(backoff),
        delivery: Change::from_option(settings.delivery.map(delivery)),
        filter: Change::from_option(settings.filter.clone().map(Nullable::into_option)),
        session_timeout_ms: Change::from_option(settings.session_timeout_ms),
        ..SubscriptionPatch::default()
    })
}

const fn ordering(ordering: api::Ordering) -> Ordering {
    match ordering {
        api::Ordering::None => Ordering::None,
        api::Ordering::Key => Ordering::Key,
    }
}

const fn consumption(consumption: api::Consumption) -> Consumption {
    match consumption {
        api::Consumption::Shared => Consumption::Shared,
        api::Consumption::Assigned => Consumption::Assigned,
    }
}

const fn delivery(delivery: api::Delivery) -> DeliveryMode {
    match delivery {
        api::Delivery::AtLeastOnce => DeliveryMode::AtLeastOnce,
        api::Delivery::AtMostOnce => DeliveryMode::AtMostOnce,
        api::Delivery::ExactlyOnce => DeliveryMode::ExactlyOnce,
    }
}

const fn start(position: Position) -> StartPosition {
    match position {
        Position::Earliest => StartPosition::Earliest,
        Position::Latest => StartPosition::Latest,
        Position::Time(time) => StartPosition::Time(Timestamp::from_millis(time.unix_ms())),
    }
}

/// The configuration as clients see it; a push secret is not shown.
pub(super) fn to_api(subscription: &Subscription) -> api::SubscriptionConfig {
    let config = &subscription.config;
    let Backoff { min_ms, max_ms } = config.backoff;
    api::SubscriptionConfig {
        topic: subscription.topic_name.as_str().to_owned(),
        kind: match config.kind {
            SubscriptionKind::Pull => api::SubscriptionKind::Pull,
            SubscriptionKind::Push => api::SubscriptionKind::Push,
        },
        consumption: match config.consumption {
            Consumption::Shared => api::Consumption::Shared,
            Consumption::Assigned => api::Consumption::Assigned,
        },
        ordering: match config.ordering {
            Ordering::None => api::Ordering::None,
            Ordering::Key => api::Ordering::Key,
        },
        delivery: match config.delivery {
            DeliveryMode::AtLeastOnce => api::Delivery::AtLeastOnce,
            DeliveryMode::AtMostOnce => api::Delivery::AtMostOnce,
            DeliveryMode::ExactlyOnce => api::Delivery::ExactlyOnce,
        },
        ack_deadline_ms: config.ack_deadline_ms,
        max_delivery_attempts: config.max_delivery_attempts,
        dead_letter_topic: config.dead_letter_topic.as_ref().map(|topic| topic.as_str().to_owned()),
        backoff: api::Backoff { min_ms, max_ms },
        filter: config.filter.clone(),
        start: match config.start {
            StartPosition::Earliest => Position::Earliest,
            StartPosition::Latest => Position::Latest,
            StartPosition::Time(time) => Position::Time(gateway_api::Timestamp::from_unix_ms(time.as_millis())),
        },
        session_timeout_ms: config.session_timeout_ms,
        push: config.push.as_ref().map(|push| api::Push { url: push.url.clone(), secret: None }),
    }
}

#[cfg(test)]
mod tests {
    use gateway_api::decode::decode;
    use shard_core::model::{SubscriptionId, SubscriptionName, TopicId};

    use super::*;

    fn created(body: &str) -> Result<SubscriptionConfig, Failure> {
        of_settings(&decode(body.as_bytes()).unwrap())
    }

    fn subscription(config: SubscriptionConfig) -> Subscription {
        Subscription {
            id: SubscriptionId::new(2),
            name: SubscriptionName::new("s").unwrap(),
            topic: TopicId::new(1),
            topic_name: TopicName::new("t").unwrap(),
            config,
            revision: 1,
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn what_is_not_given_takes_its_default() {
        assert_eq!(created("{}").unwrap(), SubscriptionConfig::default());
        let config = created(r#"{"ack_deadline_ms":500,"start":"earliest"}"#).unwrap();
        let expected = SubscriptionConfig {
            ack_deadline_ms: 500,
            start: StartPosition::Earliest,
            ..SubscriptionConfig::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_shown_creates_the_same() {
        let config = SubscriptionConfig {
            ack_deadline_ms: 777,
            backoff: Backoff { min_ms: 5, max_ms: 6 },
            start: StartPosition::Time(Timestamp::from_millis(1_700_000_000_123)),
            ordering: Ordering::Key,
            delivery: DeliveryMode::ExactlyOnce,
            consumption: Consumption::Assigned,
            session_timeout_ms: 5_000,
            ..SubscriptionConfig::default()
        };
        let shown = serde_json::to_string(&to_api(&subscription(config.clone()))).unwrap();
        assert_eq!(created(&shown).unwrap(), config, "{shown}");
    }

    #[test]
    fn a_promise_that_would_not_be_kept_is_refused() {
        for (body, field) in [
            (r#"{"type":"push"}"#, "type"),
            (r#"{"max_delivery_attempts":3}"#, "max_delivery_attempts"),
            (r#"{"dead_letter_topic":"no such name!"}"#, "dead_letter_topic"),
            (r#"{"dead_letter_topic":"t","topic":"t"}"#, "dead_letter_topic"),
            (r#"{"push":{"url":"https://example.com"}}"#, "push"),
        ] {
            assert_eq!(created(body).unwrap_err().errors[0].field, field, "{body}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_refused_with_the_column() {
        let refused = created(r#"{"filter":"priority >= 5 AND color = \"red\""}"#).unwrap_err();
        assert_eq!(refused.errors[0].field, "filter");
        assert!(refused.detail.contains("column 19"), "{refused:?}");
    }

    #[test]
    fn topic_and_start_stay() {
        let current = subscription(SubscriptionConfig::default());
        for (body, field) in [
            (r#"{"topic":"other"}"#, "topic"),
            (r#"{"start":"earliest"}"#, "start"),
            (r#"{"ordering":"key"}"#, "ordering"),
            (r#"{"consumption":"assigned"}"#, "consumption"),
        ] {
            let refused = patch_of_settings(&decode(body.as_bytes()).unwrap(), &current).unwrap_err();
            assert_eq!(refused.errors[0].field, field);
        }
        let settings = decode(br#"{"topic":"t","start":"latest","ack_deadline_ms":400}"#).unwrap();
        let changed = patch_of_settings(&settings, &current).unwrap().applied_to(&current.config);
        assert_eq!(changed, SubscriptionConfig { ack_deadline_ms: 400, ..current.config });
    }
}
