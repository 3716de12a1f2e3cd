//! Subscriptions as tables.

use gateway_api::Page;
use gateway_api::subscriptions::{PartitionCursor, SeekResponse, Subscription, SubscriptionSummary};
use serde::Serialize;

use crate::output::{Render, Table, api_word, duration, or_dash};

const CURSOR_HEADINGS: &[&str] =
    &["PARTITION", "ACK FLOOR", "BACKLOG", "LEASED", "OLDEST UNACKED", "REDELIVERIES", "DEAD LETTERS", "CONSUMER"];

/// A subscription and its tag; the tag is shown to people only, since it is no part of the API's object.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Described {
    pub(super) value: Subscription,
    #[serde(skip)]
    pub(super) etag: Option<String>,
}

impl Render for Page<SubscriptionSummary> {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["NAME", "TOPIC", "TYPE", "CONSUMPTION", "DELIVERY", "ACK DEADLINE"]);
        for SubscriptionSummary { name, config } in &self.items {
            table.row([
                name.clone(),
                config.topic.clone(),
                api_word(&config.kind),
                api_word(&config.consumption),
                api_word(&config.delivery),
                duration(config.ack_deadline_ms),
            ]);
        }
        table
    }
}

impl Render for Described {
    fn table(&self) -> Table {
        let subscription = &self.value;
        let config = &subscription.config;
        let table = Table::fields([
            ("Name", subscription.name.clone()),
            ("Topic", config.topic.clone()),
            ("Type", api_word(&config.kind)),
            ("Consumption", api_word(&config.consumption)),
            ("Ordering", api_word(&config.ordering)),
            ("Delivery", api_word(&config.delivery)),
            ("Ack deadline", duration(config.ack_deadline_ms)),
            ("Max delivery attempts", config.max_delivery_attempts.to_string()),
            ("Dead-letter topic", or_dash(config.dead_letter_topic.clone())),
            ("Back-off", format!("{} to {}", duration(config.backoff.min_ms), duration(config.backoff.max_ms))),
            ("Filter", or_dash(config.filter.clone())),
            ("Started at", config.start.to_string()),
            ("Backlog", subscription.backlog.to_string()),
            ("Leased", subscription.leased.to_string()),
            ("Oldest unacked", or_dash(subscription.oldest_unacked_ms.map(duration))),
            ("Redeliveries", subscription.redeliveries.to_string()),
            ("Dead letters", subscription.dead_letters.to_string()),
            ("Expired", subscription.expired.to_string()),
            ("Filtered out", subscription.filtered.to_string()),
            ("Session timeout", duration(config.session_timeout_ms)),
            ("Generation", subscription.generation.to_string()),
            ("Consumers", subscription.consumers.len().to_string()),
            ("Etag", or_dash(self.etag.clone())),
        ]);
        subscription.cursors.iter().fold(table.then(CURSOR_HEADINGS), add_cursor)
    }
}

impl Render for SeekResponse {
    fn table(&self) -> Table {
        self.cursors.iter().fold(Table::columns(CURSOR_HEADINGS), add_cursor)
    }
}

fn add_cursor(mut table: Table, cursor: &PartitionCursor) -> Table {
    table.row([
        cursor.partition.to_string(),
        cursor.ack_floor.to_string(),
        cursor.backlog.to_string(),
        cursor.leased.to_string(),
        or_dash(cursor.oldest_unacked_ms.map(duration)),
        cursor.redeliveries.to_string(),
        cursor.dead_letters.to_string(),
        or_dash(cursor.consumer_id.clone()),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Output};

    const SUBSCRIPTION: &str = r#"{"name":"billing","topic":"orders","type":"pull","consumption":"shared",
        "ordering":"none","delivery":"at_least_once","ack_deadline_ms":30000,"max_delivery_attempts":0,
        "backoff":{"min_ms":100,"max_ms":60000},"start":"earliest","session_timeout_ms":10000,"backlog":3,"leased":1,
        "oldest_unacked_ms":1500,"redeliveries":0,"dead_letters":0,"expired":0,"filtered":0,"generation":0,
        "consumers":[],"cursors":[{"partition":0,"ack_floor":7,"backlog":3,"leased":1,"oldest_unacked_ms":1500,
        "redeliveries":2,"dead_letters":4}]}"#;

    fn printed(format: Format, value: &impl Render) -> String {
        let mut bytes = Vec::new();
        Output::new(format, &mut bytes).result(value).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_subscription_is_shown_with_its_cursors() {
        let described = Described { value: serde_json::from_str(SUBSCRIPTION).unwrap(), etag: None };
        let table = printed(Format::Table, &described);
        assert!(table.contains("\nAck deadline           30s\n"), "{table}");
        assert!(table.contains("\nOldest unacked         1500ms\n"), "{table}");
        let last: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(last, ["0", "7", "3", "1", "1500ms", "2", "4", "-"], "{table}");
    }

    #[test]
    fn json_is_the_object_of_the_api() {
        let described = Described { value: serde_json::from_str(SUBSCRIPTION).unwrap(), etag: Some("x".to_owned()) };
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Json, &described)).unwrap();
        assert_eq!(json, serde_json::from_str::<serde_json::Value>(SUBSCRIPTION).unwrap());
    }

    #[test]
    fn a_list_has_a_line_for_each_subscription() {
        let summary: SubscriptionSummary = serde_json::from_str(SUBSCRIPTION).unwrap();
        let page = Page { items: vec![summary], next_page_token: None };
        let table = printed(Format::Table, &page);
        assert!(table.ends_with("billing  orders  pull  shared       at_least_once  30s\n"), "{table}");
    }
}
