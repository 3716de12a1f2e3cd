//! A subscription's settings on the command line.

use gateway_api::Nullable;
use gateway_api::subscriptions::SubscriptionSettings;
use gateway_api::subscriptions::{Backoff, Consumption, Delivery, Ordering, Position, SubscriptionKind};

use super::push::PushArgs;
use crate::error::CliError;
use crate::values::{milliseconds, text_or_none, word};

/// What only a new subscription takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// Where it starts: earliest, latest or an RFC 3339 time
    #[arg(long, value_name = "WHERE")]
    start: Option<Position>,
    /// Whether consumers fetch messages or the node sends them
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<SubscriptionKind>(&["pull", "push"]))]
    kind: Option<SubscriptionKind>,
    /// How messages are shared between consumers
    #[arg(long, value_name = "HOW", value_parser = word::<Consumption>(&["shared", "assigned"]))]
    consumption: Option<Consumption>,
    /// What is delivered in order
    #[arg(long, value_name = "WHAT", value_parser = word::<Ordering>(&["none", "key"]))]
    ordering: Option<Ordering>,
    /// How often a message may be delivered
    #[arg(
        long,
        value_name = "HOW",
        value_parser = word::<Delivery>(&["at_least_once", "at_most_once", "exactly_once"])
    )]
    delivery: Option<Delivery>,
}

/// A subscription's settings; what is not given takes its default, or stays as it is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SettingsArgs {
    /// How long a consumer may hold a message before it is delivered again, such as 30s
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    ack_deadline: Option<u64>,
    /// After how many deliveries a message becomes a dead letter; 0 is never
    #[arg(long, value_name = "N")]
    max_delivery_attempts: Option<u32>,
    /// The topic to which dead letters go, or `none`
    #[arg(long, value_name = "TOPIC", value_parser = text_or_none)]
    dead_letter_topic: Option<Nullable<String>>,
    /// How long a message rests at first before it is delivered again
    #[arg(long, value_name = "TIME", value_parser = milliseconds, requires = "backoff_max")]
    backoff_min: Option<u64>,
    /// How long it rests at most
    #[arg(long, value_name = "TIME", value_parser = milliseconds, requires = "backoff_min")]
    backoff_max: Option<u64>,
    /// Which messages are delivered, such as 'priority >= 5', or `none` for all
    #[arg(long, value_name = "FILTER", value_parser = text_or_none)]
    filter: Option<Nullable<String>>,
    /// How long a consumer may be silent before its partitions go to others
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    session_timeout: Option<u64>,
    #[command(flatten)]
    push: PushArgs,
}

impl StartArgs {
    /// The settings of a new subscription as the API has them.
    pub(super) fn settings(&self, topic: String, others: &SettingsArgs) -> SubscriptionSettings {
        SubscriptionSettings {
            topic: Some(topic),
            kind: self.kind,
            consumption: self.consumption,
            ordering: self.ordering,
            delivery: self.delivery,
            start: self.start,
            ..others.settings()
        }
    }
}

impl SettingsArgs {
    /// The settings as the API has them.
    fn settings(&self) -> SubscriptionSettings {
        SubscriptionSettings {
            ack_deadline_ms: self.ack_deadline,
            max_delivery_attempts: self.max_delivery_attempts,
            dead_letter_topic: self.dead_letter_topic.clone(),
            backoff: self.backoff_min.zip(self.backoff_max).map(|(min_ms, max_ms)| Backoff { min_ms, max_ms }),
            filter: self.filter.clone(),
            session_timeout_ms: self.session_timeout,
            push: self.push.settings(),
            ..SubscriptionSettings::default()
        }
    }

    /// The same, of which there must be at least one.
    pub(super) fn some_settings(&self) -> Result<SubscriptionSettings, CliError> {
        let settings = self.settings();
        if settings == SubscriptionSettings::default() {
            return Err(CliError::Usage { detail: "nothing to change: give at least one setting".to_owned() });
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        start: StartArgs,
        #[command(flatten)]
        settings: SettingsArgs,
    }

    #[test]
    fn settings_are_those_of_the_api() {
        let line = "x --start earliest --type pull --ack-deadline 10s --backoff-min 1s --backoff-max 1m --filter none";
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        let json = serde_json::to_string(&line.start.settings("orders".to_owned(), &line.settings)).unwrap();
        let expected = concat!(
            r#"{"topic":"orders","type":"pull","ack_deadline_ms":10000,"backoff":{"min_ms":1000,"max_ms":60000},"#,
            r#""filter":null,"start":"earliest"}"#
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_backoff_has_both_ends() {
        assert!(Line::try_parse_from(["x", "--backoff-min", "1s"]).is_err());
    }

    #[test]
    fn an_update_needs_something_to_change() {
        assert!(Line::try_parse_from(["x"]).unwrap().settings.some_settings().is_err());
    }
}
