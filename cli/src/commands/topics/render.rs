//! Topics as tables.

use gateway_api::Page;
use gateway_api::topics::{PartitionLayout, Topic, TopicSummary};
use serde::Serialize;

use crate::output::{Render, Table, api_word, duration, or_dash};

/// A topic and its tag; the tag is shown to people only, since it is no part of the API's object.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Described {
    pub(super) value: Topic,
    #[serde(skip)]
    pub(super) etag: Option<String>,
}

impl Render for Page<TopicSummary> {
    fn table(&self) -> Table {
        let mut table =
            Table::columns(&["NAME", "PARTITIONS", "REPLICAS", "RETENTION", "COMPRESSION", "FLUSH", "ACKS"]);
        for TopicSummary { name, config } in &self.items {
            table.row([
                name.clone(),
                config.partitions.to_string(),
                config.replication_factor.to_string(),
                config.retention_ms.map_or("for ever".to_owned(), duration),
                api_word(&config.compression),
                api_word(&config.flush),
                api_word(&config.acks),
            ]);
        }
        table
    }
}

impl Render for Described {
    fn table(&self) -> Table {
        let Topic { name, config, layout } = &self.value;
        let table = Table::fields([
            ("Name", name.clone()),
            ("Partitions", config.partitions.to_string()),
            ("Replication factor", config.replication_factor.to_string()),
            ("Min in sync", config.min_insync.to_string()),
            ("Retention", config.retention_ms.map_or("for ever".to_owned(), duration)),
            ("Retention bytes", config.retention_bytes.map_or("without limit".to_owned(), |bytes| bytes.to_string())),
            ("Compression", api_word(&config.compression)),
            ("Flush", api_word(&config.flush)),
            ("Acks", api_word(&config.acks)),
            ("Dedup window", duration(config.dedup_window_ms)),
            ("Max message bytes", config.max_message_bytes.to_string()),
            ("Etag", or_dash(self.etag.clone())),
        ]);
        let headings = [
            "PARTITION",
            "OWNER",
            "EPOCH",
            "START",
            "HIGH WATERMARK",
            "END",
            "BYTES",
            "REPLICAS",
            "ISR",
            "ELR",
            "LAG",
            "LOG",
            "STATE",
        ];
        layout.iter().fold(table.then(&headings), add_partition)
    }
}

fn add_partition(mut table: Table, partition: &PartitionLayout) -> Table {
    let owner = partition.owner.map(|owner| format!("node {} core {}", owner.node, owner.shard));
    let numbers = |nodes: &[u64]| nodes.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    table.row([
        partition.partition.to_string(),
        or_dash(owner),
        partition.leader_epoch.to_string(),
        partition.start_offset.to_string(),
        partition.high_watermark.to_string(),
        partition.end_offset.to_string(),
        partition.bytes.to_string(),
        numbers(&partition.replicas),
        numbers(&partition.isr),
        or_dash((!partition.elr.is_empty()).then(|| numbers(&partition.elr))),
        or_dash(partition.followers.iter().map(|follower| follower.lag_messages).max().map(|lag| lag.to_string())),
        partition.incarnation.to_string(),
        api_word(&partition.state),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Output};

    const TOPIC: &str = r#"{"name":"orders","partitions":1,"replication_factor":1,"retention_ms":604800000,
        "retention_bytes":null,"compression":"none","flush":"always","acks":"quorum","min_insync":1,
        "dedup_window_ms":120000,"max_message_bytes":1048576,"layout":[{"partition":0,"owner":{"node":1,"shard":0},
        "leader_epoch":1,"replicas":[1],"isr":[1],"elr":[],"incarnation":0,
        "followers":[{"node":2,"lag_messages":0,"lag_ms":0},{"node":3,"lag_messages":7,"lag_ms":40}],
        "start_offset":0,"high_watermark":9,"end_offset":9,"bytes":4096,
        "state":"open"}]}"#;

    fn printed(format: Format, value: &impl Render) -> String {
        let mut bytes = Vec::new();
        Output::new(format, &mut bytes).result(value).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_topic_is_shown_with_its_partitions() {
        let described = Described { value: serde_json::from_str(TOPIC).unwrap(), etag: Some("\"3\"".to_owned()) };
        let table = printed(Format::Table, &described);
        assert!(table.starts_with("Name                orders\nPartitions          1\n"), "{table}");
        assert!(table.contains("Retention           7d\n"), "{table}");
        let last = table.lines().last().unwrap();
        assert_eq!(
            last.split_whitespace().collect::<Vec<_>>().join(" "),
            "0 node 1 core 0 1 0 9 9 4096 1 1 - 7 0 open"
        );
    }

    #[test]
    fn json_is_the_object_of_the_api() {
        let described = Described { value: serde_json::from_str(TOPIC).unwrap(), etag: Some("\"3\"".to_owned()) };
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Json, &described)).unwrap();
        assert_eq!(json, serde_json::from_str::<serde_json::Value>(TOPIC).unwrap());
    }

    #[test]
    fn a_list_has_a_line_for_each_topic() {
        let summary: TopicSummary = serde_json::from_str(TOPIC).unwrap();
        let page = Page { items: vec![summary], next_page_token: None };
        let expected = "NAME    PARTITIONS  REPLICAS  RETENTION  COMPRESSION  FLUSH   ACKS\n\
                        orders  1           1         7d         none         always  quorum\n";
        assert_eq!(printed(Format::Table, &page), expected);
    }
}
