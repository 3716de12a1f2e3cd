//! The counters of gateways and shards: gateways summed over the node, shards told apart.

use gateway::metrics::{GatewayMetrics, LATENCY_BOUNDS_MICROS};
use prometheus::proto::{LabelPair, MetricFamily};
use shard::metrics::{LatencyHistogram, ShardMetrics};

use super::family::{Buckets, Kind, ages, durations, label, labelled, single};
use crate::cores::CoreMetrics;

/// One number of a shard.
struct ShardNumber {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: fn(&ShardMetrics) -> u64,
}

/// One number of a gateway, summed over the cores.
struct GatewayNumber {
    name: &'static str,
    help: &'static str,
    read: fn(&GatewayMetrics) -> u64,
}

macro_rules! shard_numbers {
    ($($kind:ident $name:literal $field:ident $help:literal)*) => {
        &[$(ShardNumber {
            name: concat!("pubsub_", $name),
            help: $help,
            kind: Kind::$kind,
            read: |metrics| metrics.$field.get(),
        }),*]
    };
}

macro_rules! gateway_numbers {
    ($($name:literal $field:ident $help:literal)*) => {
        &[$(GatewayNumber { name: concat!("pubsub_", $name), help: $help, read: |metrics| metrics.$field.get() }),*]
    };
}

const SHARD_NUMBERS: &[ShardNumber] = shard_numbers! {
    Gauge "shard_partitions" partitions "Partitions that the shard owns."
    Gauge "shard_partitions_closed" partitions_closed "Partitions that are closed because of damage or a failed disk."
    Gauge "shard_replicas_distrusted" replicas_distrusted "Replicas that can't be counted on for damage or a failed disk, and are not made good yet."
    Counter "shard_messages_appended_total" messages_appended "Messages appended to the shard's partitions."
    Counter "shard_messages_repeated_total" messages_repeated "Messages published again that were recognised and not appended."
    Gauge "shard_dedup_bytes" dedup_bytes "Bytes taken to recognise messages that are published again."
    Counter "shard_dedup_forgotten_total" dedup_forgotten_early "Ids of messages that were forgotten before the window of their topic was over, for want of memory."
    Counter "shard_appended_bytes_total" bytes_appended "Bytes of batches appended to the shard's partitions."
    Counter "shard_publishes_refused_total" publishes_refused "Batches refused: too much waits for the disk, or a partition is closed."
    Counter "store_flushes_total" flushes "Writes with sync; each is a group commit of one partition."
    Counter "store_flushed_bytes_total" flushed_bytes "Bytes written by flushes, with their padding."
    Counter "store_cache_reads_total" cache_reads "Reads answered from the tail cache."
    Counter "store_disk_reads_total" disk_reads "Reads that went to the disk."
    Counter "store_disk_read_bytes_total" disk_read_bytes "Bytes read from the disk."
    Counter "messages_leased_total" messages_leased "Messages handed to consumers of subscriptions."
    Counter "messages_redelivered_total" messages_redelivered "Deliveries that were not the first of their message."
    Counter "messages_acked_total" messages_acked "Messages acked."
    Counter "store_cursor_journal_writes_total" journal_writes "Writes of cursor journals; each makes many acks durable."
    Counter "messages_dead_lettered_total" dead_letters "Messages that were written to a dead-letter topic and acked by that."
    Counter "store_losses_total" losses "Times that acknowledged messages were found to be gone from Redis, and a log went on behind them."
    Gauge "replica_fetch_lag_messages" replica_lag_messages "Messages by which the replica that is furthest behind lacks what its owner has, of all partitions that this node owns."
    Gauge "shard_queue_depth" queue_depth "Events that wait for the shard's loop."
    Counter "shard_requests_forwarded_total" requests_forwarded "Requests sent to another core's shard."
    Counter "peer_requests_total" peer_requests "Requests sent to partitions on other nodes."
    Gauge "peer_requests_in_flight" peer_requests_in_flight "Requests to other nodes that wait for their replies."
    Counter "peer_requests_lost_total" peer_requests_lost "Requests to other nodes whose connection ended, or whose time was over, before they were answered."
    Counter "peer_requests_served_total" peer_requests_served "Requests of other nodes to partitions of this one."
    Gauge "peer_connections" peer_connections "Connections of shards to shards of other nodes, made and accepted."
    Counter "peer_connect_failures_total" peer_connect_failures "Connections to other nodes that could not be made."
    Counter "peer_sent_bytes_total" peer_sent_bytes "Bytes sent to shards of other nodes."
    Counter "peer_received_bytes_total" peer_received_bytes "Bytes received from shards of other nodes."
    Gauge "shard_tail_cache_bytes" tail_cache_bytes "Bytes of the newest batches held in memory."
    Gauge "shard_open_files" open_files "Files that the shard keeps open for its partitions."
};

const GATEWAY_NUMBERS: &[GatewayNumber] = gateway_numbers! {
    "messages_published_total" messages_published "Messages stored for publishers."
    "messages_consumed_total" messages_consumed "Messages delivered to consumers or read."
    "connections_accepted_total" connections_accepted "Connections accepted."
    "connections_refused_total" connections_refused "Connections turned away because there were too many."
    "accept_errors_total" accept_errors "Accepts that failed."
    "connection_panics_total" connection_panics "Connections that ended by a panic."
    "connection_timeouts_total" connection_timeouts "Connections closed because a deadline had passed."
    "slow_consumers_total" slow_consumers "Connections closed because their client did not read the messages it was sent."
    "http_malformed_requests_total" malformed_requests "Requests that could not be read as HTTP."
    "audit_events_lost_total" audit_events_lost "Events that are missing in the audit log because they came too fast."
    "received_bytes_total" received_bytes "Bytes received from clients."
    "sent_bytes_total" sent_bytes "Bytes sent to clients."
};

/// Everything the cores count.
pub(super) fn collect(cores: &[CoreMetrics]) -> Vec<MetricFamily> {
    let mut families: Vec<_> = SHARD_NUMBERS.iter().map(|number| shard_family(number, cores)).collect();
    families.extend(GATEWAY_NUMBERS.iter().map(|number| gateway_family(number, cores)));
    families.push(ages(
        "pubsub_store_oldest_io_seconds",
        "How long the oldest operation on the disk has been under way.",
        by_shard(cores).map(|(labels, core)| (labels, core.shard.oldest_io_micros.get())).collect(),
    ));
    families.push(ages(
        "pubsub_replica_fetch_lag_seconds",
        "For how long the replica that has been behind longest has been so, of all partitions that this node owns.",
        by_shard(cores).map(|(labels, core)| (labels, core.shard.replica_lag_micros.get())).collect(),
    ));
    families.push(connections(cores));
    families.extend([requests(cores), errors(cores)]);
    families.push(durations(
        "pubsub_message_latency_seconds",
        "From the last byte of a publish to its answer.",
        vec![(Vec::new(), gateway_latency(cores))],
    ));
    families.push(shard_latency(cores, "pubsub_store_flush_seconds", "How long a write with sync takes.", |metrics| {
        &metrics.flush_latency
    }));
    families.push(shard_latency(
        cores,
        "pubsub_shard_publish_seconds",
        "From a batch's arrival at its shard to its acknowledgement.",
        |metrics| &metrics.publish_latency,
    ));
    families
}

fn shard_family(number: &ShardNumber, cores: &[CoreMetrics]) -> MetricFamily {
    let values = by_shard(cores).map(|(labels, core)| (labels, (number.read)(&core.shard)));
    labelled(number.name, number.help, number.kind, values.collect())
}

fn gateway_family(number: &GatewayNumber, cores: &[CoreMetrics]) -> MetricFamily {
    let sum = cores.iter().map(|core| (number.read)(&core.gateway)).sum();
    single(number.name, number.help, Kind::Counter, sum)
}

fn connections(cores: &[CoreMetrics]) -> MetricFamily {
    let sum = |read: fn(&GatewayMetrics) -> u64| cores.iter().map(|core| read(&core.gateway)).sum::<u64>();
    let values = vec![
        (vec![label("kind", "http")], sum(|gateway| gateway.http_connections.get())),
        (vec![label("kind", "websocket")], sum(|gateway| gateway.websocket_connections.get())),
    ];
    // The name ends in `_total` for the dashboards that expect it, though it is a gauge.
    labelled("pubsub_active_connections_total", "Connections that are open now.", Kind::Gauge, values)
}

/// Answers by route and class of status; routes that were never asked for are left out.
fn requests(cores: &[CoreMetrics]) -> MetricFamily {
    let mut values = Vec::new();
    for (index, (route, _)) in GatewayMetrics::default().answers().enumerate() {
        let route = route.map_or("none", gateway::http::router::Route::label);
        for (class, status) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().enumerate() {
            let counts = cores.iter().filter_map(|core| core.gateway.answers().nth(index)?.1.get(class).copied());
            let count: u64 = counts.sum();
            if count > 0 || (route == "none" && *status == "4xx") {
                values.push((vec![label("route", route), label("status", status)], count));
            }
        }
    }
    labelled("pubsub_http_requests_total", "Requests answered, by route and class of status.", Kind::Counter, values)
}

fn errors(cores: &[CoreMetrics]) -> MetricFamily {
    let answers = |class: usize| {
        let all = cores.iter().flat_map(|core| core.gateway.answers().collect::<Vec<_>>());
        all.filter_map(|(_, classes)| classes.get(class).copied()).sum::<u64>()
    };
    let refused = cores.iter().map(|core| core.shard.publishes_refused.get()).sum();
    let values = vec![
        (vec![label("kind", "client")], answers(3)),
        (vec![label("kind", "server")], answers(4)),
        (vec![label("kind", "publish_refused")], refused),
    ];
    labelled("pubsub_errors_total", "Requests that failed, by whose fault it was.", Kind::Counter, values)
}

fn gateway_latency(cores: &[CoreMetrics]) -> Buckets {
    let mut cumulative: Vec<_> = LATENCY_BOUNDS_MICROS.iter().map(|bound| (*bound, 0)).collect();
    let (mut count, mut sum_micros) = (0, 0);
    for core in cores {
        let histogram = &core.gateway.publish_latency;
        let mut below = 0;
        let counts = histogram.counts();
        for ((_, total), bucket) in cumulative.iter_mut().zip(counts) {
            below += bucket;
            *total += below;
        }
        count += counts.iter().sum::<u64>();
        sum_micros += histogram.sum_micros();
    }
    Buckets { cumulative, count, sum_micros }
}

fn shard_latency(
    cores: &[CoreMetrics],
    name: &str,
    help: &str,
    histogram: fn(&ShardMetrics) -> &LatencyHistogram,
) -> MetricFamily {
    let values = by_shard(cores).map(|(labels, core)| {
        let histogram = histogram(&core.shard);
        let cumulative = LatencyHistogram::BOUNDS_MICROS.into_iter().zip(histogram.cumulative()).collect();
        (labels, Buckets { cumulative, count: histogram.count(), sum_micros: histogram.sum_micros() })
    });
    durations(name, help, values.collect())
}

fn by_shard(cores: &[CoreMetrics]) -> impl Iterator<Item = (Vec<LabelPair>, &CoreMetrics)> {
    cores.iter().enumerate().map(|(index, core)| (vec![label("shard", &index.to_string())], core))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn latencies_of_all_cores_are_one_cumulative_histogram() {
        let cores = [CoreMetrics::default(), CoreMetrics::default()];
        cores[0].gateway.publish_latency.observe(Duration::from_micros(90));
        cores[1].gateway.publish_latency.observe(Duration::from_micros(300));
        cores[1].gateway.publish_latency.observe(Duration::from_mins(1));
        let buckets = gateway_latency(&cores);
        assert_eq!(buckets.cumulative[..3], [(100, 1), (250, 1), (500, 2)]);
        assert_eq!(buckets.cumulative.last(), Some(&(5_000_000, 2)));
        assert_eq!((buckets.count, buckets.sum_micros), (3, 60_000_390));
    }

    #[test]
    fn failed_answers_are_errors_by_whose_fault_it_was() {
        let core = CoreMetrics::default();
        core.gateway.count_answer(None, 404);
        core.gateway.count_answer(None, 503);
        core.gateway.count_answer(None, 200);
        let errors = errors(&[core]);
        let values: Vec<_> = errors.get_metric().iter().map(|metric| metric.get_counter().get_value()).collect();
        assert_eq!(values, [1.0, 1.0, 0.0]);
    }
}
