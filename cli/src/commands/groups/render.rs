//! Groups as tables.

use gateway_api::subscriptions::Subscription;
use serde::Serialize;

use crate::output::{Render, Table, duration, or_dash};

/// A subscription, shown for its consumers.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Group(pub(super) Subscription);

/// All subscriptions that have consumers of their own.
#[derive(Serialize)]
pub(super) struct Groups {
    pub(super) items: Vec<Subscription>,
}

impl Render for Group {
    fn table(&self) -> Table {
        let Self(subscription) = self;
        let mut table = Table::fields([
            ("Subscription", subscription.name.clone()),
            ("Topic", subscription.config.topic.clone()),
            ("Generation", subscription.generation.to_string()),
            ("Session timeout", duration(subscription.config.session_timeout_ms)),
            ("Lag", subscription.backlog.to_string()),
            ("Oldest unacked", or_dash(subscription.oldest_unacked_ms.map(duration))),
        ])
        .then(&["PARTITION", "CONSUMER", "LAG", "LEASED", "ACK FLOOR", "OLDEST UNACKED", "REDELIVERIES"]);
        for cursor in &subscription.cursors {
            table.row([
                cursor.partition.to_string(),
                or_dash(cursor.consumer_id.clone()),
                cursor.backlog.to_string(),
                cursor.leased.to_string(),
                cursor.ack_floor.to_string(),
                or_dash(cursor.oldest_unacked_ms.map(duration)),
                cursor.redeliveries.to_string(),
            ]);
        }
        let mut table = table.then(&["CONSUMER", "NODE", "PARTITIONS", "LAST HEARTBEAT"]);
        for consumer in &subscription.consumers {
            let partitions: Vec<_> = consumer.partitions.iter().map(u32::to_string).collect();
            table.row([
                consumer.consumer_id.clone(),
                consumer.node.to_string(),
                or_dash(Some(partitions.join(",")).filter(|partitions| !partitions.is_empty())),
                consumer.last_heartbeat.to_string(),
            ]);
        }
        table
    }
}

impl Render for Groups {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["SUBSCRIPTION", "TOPIC", "GENERATION", "CONSUMERS", "LAG", "LEASED"]);
        for subscription in &self.items {
            table.row([
                subscription.name.clone(),
                subscription.config.topic.clone(),
                subscription.generation.to_string(),
                subscription.consumers.len().to_string(),
                subscription.backlog.to_string(),
                subscription.leased.to_string(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Output};

    const SUBSCRIPTION: &str = r#"{"name":"billing","topic":"orders","type":"pull","consumption":"assigned",
        "ordering":"none","delivery":"at_least_once","ack_deadline_ms":30000,"max_delivery_attempts":0,
        "backoff":{"min_ms":100,"max_ms":60000},"start":"earliest","session_timeout_ms":10000,"backlog":3,"leased":1,
        "oldest_unacked_ms":1500,"redeliveries":2,"dead_letters":0,"generation":7,
        "consumers":[{"consumer_id":"ann","node":1,"partitions":[0,2],"last_heartbeat":"2026-11-23T09:30:00.250Z"},
            {"consumer_id":"bob","node":1,"partitions":[],"last_heartbeat":"2026-11-23T09:30:01.000Z"}],
        "cursors":[{"partition":0,"ack_floor":7,"backlog":3,"leased":1,"redeliveries":2,"consumer_id":"ann"},
            {"partition":1,"ack_floor":0,"backlog":0,"leased":0}]}"#;

    fn subscription() -> Subscription {
        serde_json::from_str(SUBSCRIPTION).unwrap()
    }

    fn lines(value: &impl Render) -> Vec<String> {
        let mut bytes = Vec::new();
        Output::new(Format::Table, &mut bytes).result(value).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        String::from_utf8(bytes).unwrap().lines().map(words).collect()
    }

    #[test]
    fn a_group_is_shown_by_partition_and_by_consumer() {
        let lines = lines(&Group(subscription()));
        for line in [
            "Generation 7",
            "0 ann 3 1 7 - 2",
            "1 - 0 0 0 - 0",
            "ann 1 0,2 2026-11-23T09:30:00.250Z",
            "bob 1 - 2026-11-23T09:30:01.000Z",
        ] {
            assert!(lines.iter().any(|shown| shown == line), "{line}: {lines:#?}");
        }
    }

    #[test]
    fn a_list_has_a_line_for_each_group() {
        assert_eq!(lines(&Groups { items: vec![subscription()] })[1], "billing orders 7 2 3 1");
    }
}
