//! `cluster add`: what to run on the machine of a node that is to join.

use gateway_api::cluster::Cluster;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{Output, Render, Table};

/// What is known of the node that is to join.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Its number; by default the one above the highest that is in use
    #[arg(long, value_name = "NODE")]
    node: Option<u64>,
    /// Where the other nodes will reach it
    #[arg(long, value_name = "HOST:PORT", default_value = "NEW-HOST:7081")]
    address: String,
    /// Where clients will reach it
    #[arg(long, value_name = "HOST:PORT", default_value = "NEW-HOST:8081")]
    client_address: String,
    /// Its rack
    #[arg(long)]
    rack: Option<String>,
}

/// How a node is started so that it joins.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Addition {
    /// Its number.
    node: u64,
    /// Nodes that know the cluster.
    seeds: Vec<String>,
    /// The settings, as the configuration has them.
    settings: Vec<(String, String)>,
    /// The command line.
    command: String,
}

/// Prints it; nothing is changed by that.
pub(super) fn run(args: &AddArgs, cluster: &Cluster, output: &mut Output<'_>) -> Result<(), CliError> {
    let addition = addition(args, cluster)?;
    output.note(&format!(
        "On the new machine, with the same PUBSUB_CLUSTER_SECRET as on the other nodes{}:\n",
        if cluster.shared_store { ", and the same settings of redis" } else { "" }
    ))?;
    output.result(&addition)
}

fn addition(args: &AddArgs, cluster: &Cluster) -> Result<Addition, CliError> {
    let highest = cluster.nodes.iter().map(|node| node.node).max().unwrap_or_default();
    let node = args.node.unwrap_or_else(|| highest.saturating_add(1));
    if cluster.nodes.iter().any(|known| known.node == node) {
        return Err(CliError::Usage { detail: format!("there is a node {node}; a number is never used twice") });
    }
    let seeds: Vec<String> = cluster.nodes.iter().map(|node| node.address.clone()).collect();
    let port = args.address.rsplit_once(':').map_or("7081", |(_, port)| port);
    let store = if cluster.shared_store { "redis" } else { "log" };
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut settings = vec![
        setting("store", store),
        setting("cluster.node_id", &node.to_string()),
        setting("cluster.listen", &format!("0.0.0.0:{port}")),
        setting("cluster.advertise", &args.address),
        setting("cluster.advertise_http", &args.client_address),
        setting("cluster.seeds", &seeds.join(",")),
    ];
    settings.extend(args.rack.as_deref().map(|rack| setting("cluster.rack", rack)));
    let flags = settings.iter().map(|(key, value)| format!(" \\\n  --set {key}={value}"));
    let command = format!("pubsub-node --data-dir ./data{}", flags.collect::<String>());
    Ok(Addition { node, seeds, settings, command })
}

impl Render for Addition {
    fn table(&self) -> Table {
        let mut table = Table::columns(&[]);
        for line in self.command.lines() {
            table.row([line]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::tests::CLUSTER;
    use super::*;

    fn args(node: Option<u64>) -> AddArgs {
        let (address, client_address) = ("d:7081".to_owned(), "d:8081".to_owned());
        AddArgs { node, address, client_address, rack: Some("r2".to_owned()) }
    }

    #[test]
    fn a_new_node_gets_a_number_and_seeds_of_the_cluster() {
        let cluster: Cluster = serde_json::from_str(CLUSTER).unwrap();
        let addition = addition(&args(None), &cluster).unwrap();
        assert_eq!((addition.node, &addition.seeds[..]), (3, &["a:7081".to_owned(), "b:7081".to_owned()][..]));
        let words: Vec<_> = addition.command.split_whitespace().filter(|word| *word != "\\").collect();
        assert!(words.contains(&"cluster.seeds=a:7081,b:7081"), "{words:?}");
        assert!(words.contains(&"cluster.listen=0.0.0.0:7081") && words.contains(&"cluster.rack=r2"), "{words:?}");
        assert!(words.contains(&"store=redis"), "{words:?}");
    }

    #[test]
    fn a_number_that_is_in_use_is_refused() {
        let cluster: Cluster = serde_json::from_str(CLUSTER).unwrap();
        assert!(matches!(addition(&args(Some(2)), &cluster), Err(CliError::Usage { .. })));
    }
}
