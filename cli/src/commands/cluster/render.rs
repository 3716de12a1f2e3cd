//! The cluster as tables.

use gateway_api::cluster::{Cluster, ClusterNode};
use serde::Serialize;

use crate::output::{Render, Table, api_word, duration, or_dash};

/// The nodes alone.
#[derive(Serialize)]
pub(super) struct Nodes {
    pub(super) items: Vec<ClusterNode>,
}

impl Render for Cluster {
    fn table(&self) -> Table {
        let table = Table::fields([
            ("Cluster", self.cluster_id.clone()),
            ("Leader", self.leader.map_or("nobody".to_owned(), |leader| format!("node {leader}, term {}", self.term))),
            ("Store", if self.shared_store { "shared" } else { "each node its own" }.to_owned()),
            ("Command level", self.command_level.to_string()),
            ("To even out", format!("{} partitions", self.uneven_partitions)),
            ("Under-replicated", format!("{} partitions", self.under_replicated_partitions)),
            ("Offline", format!("{} partitions", self.offline_partitions)),
            ("Answered by", format!("node {}, in contact {} ago", self.answered_by, duration(self.contact_ms))),
            ("Log", format!("{}, applied {}", self.last_log_index, self.applied_index)),
        ]);
        let headings = ["NODE", "STATE", "ROLE", "OWNED", "KEPT", "EPOCH", "LOG", "RACK", "DRAIN"];
        self.nodes.iter().fold(table.then(&headings), |mut table, node| {
            table.row([
                node.node.to_string(),
                api_word(&node.state),
                or_dash(node.role.as_ref().map(api_word)),
                node.owned.to_string(),
                node.partitions.to_string(),
                node.epoch.to_string(),
                or_dash(node.log_index.map(|index| index.to_string())),
                or_dash(node.rack.clone()),
                or_dash(
                    node.drain.map(|drain| format!("{} left, {} stuck, {} kept", drain.left, drain.stuck, drain.kept)),
                ),
            ]);
            table
        })
    }
}

impl Render for Nodes {
    fn table(&self) -> Table {
        let mut table =
            Table::columns(&["NODE", "STATE", "ADDRESS", "CLIENTS", "CORES", "OWNED", "RACK", "COMMAND LEVEL"]);
        for node in &self.items {
            table.row([
                node.node.to_string(),
                api_word(&node.state),
                node.address.clone(),
                node.client_address.clone(),
                node.shards.to_string(),
                node.owned.to_string(),
                or_dash(node.rack.clone()),
                node.command_level.to_string(),
            ]);
        }
        table
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::output::{Format, Output};

    pub(in super::super) const CLUSTER: &str = r#"{"cluster_id":"c0ffee","answered_by":1,"contact_ms":0,"leader":1,
        "term":3,"last_log_index":40,"applied_index":39,"command_level":1,"shared_store":true,"uneven_partitions":2,
        "under_replicated_partitions":3,"offline_partitions":1,"nodes":[{"node":1,"address":"a:7081","client_address":"a:8081","state":"up","role":"leader","log_index":40,
        "epoch":3,"rack":"r1","shards":2,"owned":4,"partitions":4,"command_level":1},{"node":2,"address":"b:7081",
        "client_address":"b:8081","state":"draining","role":"follower","log_index":38,"epoch":5,"rack":null,"shards":2,
        "owned":1,"partitions":1,"command_level":1,"drain":{"left":1,"stuck":0,"kept":1,"kept_stuck":0}}]}"#;

    fn printed(value: &impl Render) -> Vec<String> {
        let mut bytes = Vec::new();
        Output::new(Format::Table, &mut bytes).result(value).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_cluster_is_shown_with_its_nodes() {
        let cluster: Cluster = serde_json::from_str(CLUSTER).unwrap();
        let lines = printed(&cluster);
        assert!(lines.contains(&"Leader node 1, term 3".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Offline 1 partitions".to_owned()), "{lines:?}");
        assert!(lines.contains(&"1 up leader 4 4 3 40 r1 -".to_owned()), "{lines:?}");
        assert!(lines.contains(&"2 draining follower 1 1 5 38 - 1 left, 0 stuck, 1 kept".to_owned()), "{lines:?}");
        let nodes = printed(&Nodes { items: cluster.nodes });
        assert_eq!(nodes[1], "1 up a:7081 a:8081 2 4 r1 1");
    }
}
