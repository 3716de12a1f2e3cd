//! The page about metrics, from what they are described by where they are made.

use super::{
    cores,
    description::Description,
    disk,
    gateway_numbers::{self, GatewayNumber},
    jwt, link_tls, metadata, process, push,
    shard_numbers::{self, ShardNumber},
    tls, topics, traces,
};

/// What is said before the tables.
const INTRODUCTION: &str = "# Metrics

Each node tells Prometheus how it is doing at `/metrics` of its metrics port (9092, on 127.0.0.1 unless `metrics.host` says otherwise).
[Operations](operations.md#what-to-watch) has the rules, alerts and dashboards that are made of these. This page is written by the code that
makes the metrics, and tested to be what the node exports.

- Counters begin at 0 when the process starts and only rise; look at their `rate`. Names end in their unit, and those of counters in `_total`.
- The cores count for themselves, without locks, and are read when somebody scrapes. `shard` is the number of a core; what has no such label is
  of the node. What partitions do is counted by the node that owns them, so the sum over the nodes is that of the cluster.
- `topic` and `subscription` are names that clients chose. So that their number has a bound, the oldest topics and subscriptions on the node
  (`metrics.topics_max`, `metrics.subscriptions_max`) have series of their own, and the others are one series with the name `__other`, which no
  topic can have. They are counted when somebody scrapes: a core that does not answer at once is shown as it was the last time.
- Labels have no other values than those that a table or the configuration has: no address, no key, nothing of a message.
";

/// The metrics of one subject.
struct Section {
    title: &'static str,
    metrics: Vec<Description>,
}

/// `docs/metrics.md`, whole.
#[must_use]
pub fn documentation() -> String {
    let mut page = INTRODUCTION.to_owned();
    for Section { title, metrics } in sections() {
        page.extend(["\n## ", title, "\n\n"]);
        page.push_str(
            "| metric | type | unit | labels | what it is | when to look at it |\n|---|---|---|---|---|---|\n",
        );
        for metric in metrics {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (kind, unit, labels) = (metric.kind.name(), metric.unit(), labels.join(", "));
            let cells = [&format!("`{}`", metric.name), kind, unit, &labels, metric.help, metric.look];
            page.extend(["| ", &cells.join(" | "), " |\n"]);
        }
    }
    page
}

/// Every metric that a node may export.
pub(super) fn catalog() -> Vec<Description> {
    sections().into_iter().flat_map(|section| section.metrics).collect()
}

fn sections() -> Vec<Section> {
    let shard = |numbers: &[ShardNumber]| numbers.iter().map(|number| number.description).collect::<Vec<_>>();
    let gateway = |numbers: &[GatewayNumber]| numbers.iter().map(|number| number.description).collect::<Vec<_>>();
    let section = |title, parts: &[&[Description]]| Section { title, metrics: parts.concat() };
    vec![
        section(
            "Publishing",
            &[
                &gateway(gateway_numbers::MESSAGES),
                &[cores::LATENCY, cores::PUBLISH],
                topics::MESSAGES,
                &shard(shard_numbers::PUBLISHING),
            ],
        ),
        section("Delivery", &[topics::PROGRESS, &shard(shard_numbers::DELIVERY)]),
        section("Push", &[push::ALL]),
        section(
            "Clients",
            &[
                &[cores::CONNECTIONS, cores::REQUESTS, cores::ERRORS, cores::ANSWERS],
                &gateway(gateway_numbers::CLIENTS),
            ],
        ),
        section(
            "The store",
            &[
                &shard(shard_numbers::PARTITIONS),
                &[cores::FLUSH, cores::OLDEST_IO],
                disk::ALL,
                &shard(shard_numbers::STORE),
            ],
        ),
        section("Redis, where it is the store", &[&shard(shard_numbers::REDIS)]),
        section("The cluster", &[metadata::ALL, &[cores::REPLICA_LAG], &shard(shard_numbers::REPLICAS)]),
        section("Other nodes", &[&shard(shard_numbers::PEERS)]),
        section("Cores", &[&[cores::BUSY_RATIO, cores::BUSY], &shard(shard_numbers::EXECUTOR)]),
        section("TLS with clients", &[tls::ALL]),
        section("TLS between nodes", &[link_tls::ALL]),
        section("Tokens", &[jwt::ALL]),
        section("Traces", &[traces::ALL]),
        section("The process", &[process::ALL]),
    ]
}
