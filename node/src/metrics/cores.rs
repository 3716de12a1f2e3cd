//! The counters of gateways and shards: gateways summed over the node, shards told apart.

use gateway::metrics::{GatewayMetrics, LATENCY_BOUNDS_MICROS};
use prometheus::proto::MetricFamily;
use shard::metrics::{LatencyHistogram, ShardMetrics};

use super::{
    description::Description,
    family::{Buckets, durations, labelled, measured, seconds, single},
    gateway_numbers::{self, GatewayNumber},
    shard_numbers::{self, ShardNumber},
};
use crate::cores::CoreMetrics;

pub(super) const OLDEST_IO: Description = Description::gauge(
    "pubsub_store_oldest_io_seconds",
    "How long the oldest operation on the disk has been under way.",
    "Above a second: the disk stands still. From `storage.io_stuck_ms` on publishes are refused.",
)
.by(&["shard"]);
pub(super) const REPLICA_LAG: Description = Description::gauge(
    "pubsub_replica_fetch_lag_seconds",
    "For how long the replica that has been behind longest has been so, of all partitions that this node owns.",
    "A replica that is behind for eight seconds is no longer in sync.",
)
.by(&["shard"]);
pub(super) const BUSY_RATIO: Description = Description::gauge(
    "pubsub_shard_busy_ratio",
    "Share of the last second in which the core's executor had something to do.",
    "Near 1 for minutes: what the core owns gets slower from there on. One core, or all?",
)
.by(&["shard"]);
pub(super) const BUSY: Description = Description::counter(
    "pubsub_shard_busy_seconds_total",
    "Time in which the core's executor had something to do.",
    "Its rate is the busy ratio over any time, where one second in fifteen is not enough.",
)
.by(&["shard"]);
pub(super) const CONNECTIONS: Description = Description::gauge(
    "pubsub_active_connections_total",
    "Connections that are open now.",
    "It falls at once: a proxy or a network let go of them. The name ends like a counter's for dashboards that expect it.",
)
.by(&["kind"]);
pub(super) const REQUESTS: Description = Description::counter(
    "pubsub_http_requests_total",
    "Requests answered, by route and class of status.",
    "Which operations clients use, and which of them fail. Routes that were never asked for are left out.",
)
.by(&["route", "status"]);
pub(super) const ERRORS: Description = Description::counter(
    "pubsub_errors_total",
    "Requests that failed, by whose fault it was.",
    "`server`: the broker's; the log and the other metrics say why. `client`: what they asked was wrong. `publish_refused`: too much waits for the disk.",
)
.by(&["kind"]);
pub(super) const ANSWERS: Description = Description::counter(
    "pubsub_error_answers_total",
    "Answers that tell of a failure, by their code, over HTTP and WebSocket.",
    "Clients or the broker fail: `code` is what they were told; the page about HTTP has what each means.",
)
.by(&["code"]);
pub(super) const LATENCY: Description = Description::histogram(
    "pubsub_message_latency_seconds",
    "From the last byte of a publish to its answer.",
    "What publishers wait. Compare it with `pubsub_shard_publish_seconds`: the rest is the way to the partition and back.",
);
pub(super) const FLUSH: Description = Description::histogram(
    "pubsub_store_flush_seconds",
    "How long a write with sync takes.",
    "Publishes are slow: is it the disk? Everything that is acknowledged waits for one of these.",
)
.by(&["shard"]);
pub(super) const PUBLISH: Description = Description::histogram(
    "pubsub_shard_publish_seconds",
    "From a batch's arrival at its shard to its acknowledgement.",
    "Much more than a flush: batches queue for the disk, or wait for replicas.",
)
.by(&["shard"]);

/// Reads a time of a shard.
type ReadMicros = fn(&ShardMetrics) -> u64;

/// Everything the cores count; of Redis only where it is the store.
pub(super) fn collect(cores: &[CoreMetrics], has_redis: bool) -> Vec<MetricFamily> {
    let tables = [
        shard_numbers::PUBLISHING,
        shard_numbers::DELIVERY,
        shard_numbers::STORE,
        shard_numbers::PARTITIONS,
        shard_numbers::REPLICAS,
        shard_numbers::PEERS,
        shard_numbers::EXECUTOR,
        if has_redis { shard_numbers::REDIS } else { &[] },
    ];
    let mut families: Vec<_> = tables.into_iter().flatten().map(|number| shard_family(number, cores)).collect();
    let tables = [gateway_numbers::MESSAGES, gateway_numbers::CLIENTS];
    families.extend(tables.into_iter().flatten().map(|number| gateway_family(number, cores)));
    let times: [(Description, ReadMicros); 4] = [
        (OLDEST_IO, |shard| shard.oldest_io_micros.get()),
        (REPLICA_LAG, |shard| shard.replica_lag_micros.get()),
        (BUSY, |shard| shard.busy_micros.get()),
        // Millionths of one are to it what microseconds are to a second.
        (BUSY_RATIO, |shard| shard.busy_millionths.get()),
    ];
    families.extend(times.map(|(description, micros)| {
        measured(description, by_shard(cores).map(|(labels, core)| (labels, seconds(micros(&core.shard)))))
    }));
    families.extend([connections(cores), requests(cores), errors(cores), answers(cores)]);
    families.push(durations(LATENCY, vec![(Vec::new(), gateway_latency(cores))]));
    families.push(shard_latency(cores, FLUSH, |metrics| &metrics.flush_latency));
    families.push(shard_latency(cores, PUBLISH, |metrics| &metrics.publish_latency));
    families
}

fn shard_family(number: &ShardNumber, cores: &[CoreMetrics]) -> MetricFamily {
    labelled(number.description, by_shard(cores).map(|(labels, core)| (labels, (number.read)(&core.shard))))
}

fn gateway_family(number: &GatewayNumber, cores: &[CoreMetrics]) -> MetricFamily {
    single(number.description, cores.iter().map(|core| (number.read)(&core.gateway)).sum())
}

fn connections(cores: &[CoreMetrics]) -> MetricFamily {
    let sum = |read: fn(&GatewayMetrics) -> u64| cores.iter().map(|core| read(&core.gateway)).sum::<u64>();
    let values = [
        (vec!["http".to_owned()], sum(|gateway| gateway.http_connections.get())),
        (vec!["websocket".to_owned()], sum(|gateway| gateway.websocket_connections.get())),
    ];
    labelled(CONNECTIONS, values)
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
                values.push((vec![route.to_owned(), (*status).to_owned()], count));
            }
        }
    }
    labelled(REQUESTS, values)
}

fn errors(cores: &[CoreMetrics]) -> MetricFamily {
    let answers = |class: usize| {
        let all = cores.iter().flat_map(|core| core.gateway.answers().collect::<Vec<_>>());
        all.filter_map(|(_, classes)| classes.get(class).copied()).sum::<u64>()
    };
    let refused = cores.iter().map(|core| core.shard.publishes_refused.get()).sum();
    let values = [("client", answers(3)), ("server", answers(4)), ("publish_refused", refused)];
    labelled(ERRORS, values.map(|(kind, count)| (vec![kind.to_owned()], count)))
}

/// Every code, so that the first answer with it is a rise already.
fn answers(cores: &[CoreMetrics]) -> MetricFamily {
    let none = GatewayMetrics::default();
    let values = none.errors.iter().enumerate().map(|(index, (code, _))| {
        let counts = cores.iter().filter_map(|core| core.gateway.errors.iter().nth(index));
        (vec![code.to_string()], counts.map(|(_, count)| count).sum())
    });
    labelled(ANSWERS, values)
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
    description: Description,
    histogram: fn(&ShardMetrics) -> &LatencyHistogram,
) -> MetricFamily {
    let values = by_shard(cores).map(|(labels, core)| {
        let histogram = histogram(&core.shard);
        let cumulative = LatencyHistogram::BOUNDS_MICROS.into_iter().zip(histogram.cumulative()).collect();
        (labels, Buckets { cumulative, count: histogram.count(), sum_micros: histogram.sum_micros() })
    });
    durations(description, values.collect())
}

fn by_shard(cores: &[CoreMetrics]) -> impl Iterator<Item = (Vec<String>, &CoreMetrics)> {
    cores.iter().enumerate().map(|(index, core)| (vec![index.to_string()], core))
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
