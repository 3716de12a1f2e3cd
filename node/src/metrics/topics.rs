//! How topics and subscriptions stand, by name: what the shards have told, within a bound on the number of series.

use std::collections::{BTreeMap, BTreeSet};

use prometheus::proto::MetricFamily;
use raft::metadata::ClusterState;
use shard::{Progress, Tally};
use shard_core::model::{SubscriptionId, TopicId};

use super::{
    description::Description,
    family::labelled,
    series_bound::{OTHER, OthersTotal, SeriesBound},
};

const TOPIC_MESSAGES: Description = Description::counter(
    "pubsub_topic_messages_total",
    "Messages appended to partitions of the topic that this node owns or owned, since the node started.",
    "Which topics fill the disk, and where a rise comes from.",
)
.by(&["topic"]);
const LAG: Description = Description::gauge(
    "pubsub_consumer_lag_messages",
    "Messages that the subscription has not acked, on partitions that this node owns; without those that are known to wait for their time.",
    "Over 1,000 for minutes, or rising: consumers are too few, too slow, or gone. The sum over the nodes is the lag of the subscription.",
)
.by(&["topic", "subscription"]);
const LEASES: Description = Description::gauge(
    "pubsub_leases",
    "Messages that consumers of the subscription hold, on partitions that this node owns.",
    "High while little is acked: consumers take more than they can do, or have died with it. 0 with a lag: nobody consumes.",
)
.by(&["topic", "subscription"]);

pub(super) const MESSAGES: &[Description] = &[TOPIC_MESSAGES];
pub(super) const PROGRESS: &[Description] = &[LAG, LEASES];

/// How many have series of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesMax {
    pub(crate) topics: usize,
    pub(crate) subscriptions: usize,
}

/// Which topics and subscriptions have series of their own.
#[derive(Debug)]
pub(super) struct TopicSeries {
    topics: SeriesBound<TopicId>,
    other_messages: OthersTotal<TopicId>,
    subscriptions: SeriesBound<SubscriptionId>,
}

impl TopicSeries {
    pub(super) const fn new(max: SeriesMax) -> Self {
        Self {
            topics: SeriesBound::new(max.topics),
            other_messages: OthersTotal::new(),
            subscriptions: SeriesBound::new(max.subscriptions),
        }
    }

    /// What the shards have told, each last. What is gone by the metadata is left out.
    pub(super) fn collect(&mut self, tallies: &[Tally], cluster: &ClusterState) -> Vec<MetricFamily> {
        let mut families = vec![self.messages(tallies, cluster)];
        families.extend(self.progress(tallies, cluster));
        families
    }

    fn messages(&mut self, tallies: &[Tally], cluster: &ClusterState) -> MetricFamily {
        let mut counts: BTreeMap<TopicId, u64> = BTreeMap::new();
        for &(topic, count) in tallies.iter().flat_map(|tally| &tally.topics) {
            *counts.entry(topic).or_default() += count;
        }
        counts.retain(|&topic, _| cluster.topic_by_id(topic).is_some());
        self.topics.admit(&counts.keys().copied().collect());
        let (own, others): (BTreeMap<_, _>, _) = counts.into_iter().partition(|&(topic, _)| self.topics.has_own(topic));
        let named = own.into_iter().filter_map(|(topic, count)| {
            let topic = cluster.topic_by_id(topic)?;
            Some((vec![topic.name.to_string()], count))
        });
        let others = self.other_messages.total(others).map(|count| (vec![OTHER.to_owned()], count));
        labelled(TOPIC_MESSAGES, named.chain(others))
    }

    fn progress(&mut self, tallies: &[Tally], cluster: &ClusterState) -> [MetricFamily; 2] {
        let mut progress: BTreeMap<SubscriptionId, Progress> = BTreeMap::new();
        for (&subscription, more) in tallies.iter().flat_map(|tally| &tally.subscriptions) {
            let known = progress.entry(subscription).or_default();
            *known = known.and(*more);
        }
        progress.retain(|&subscription, _| cluster.subscription_by_id(subscription).is_some());
        let there: BTreeSet<_> = progress.keys().copied().collect();
        self.subscriptions.admit(&there);
        let mut values = Vec::new();
        let mut others: Option<Progress> = None;
        for (id, progress) in progress {
            match cluster.subscription_by_id(id).filter(|_| self.subscriptions.has_own(id)) {
                Some(subscription) => {
                    let names = vec![subscription.topic_name.to_string(), subscription.name.to_string()];
                    values.push((names, progress));
                }
                None => others = Some(others.unwrap_or_default().and(progress)),
            }
        }
        values.extend(others.map(|others| (vec![OTHER.to_owned(), OTHER.to_owned()], others)));
        let leases: Vec<_> = values.iter().map(|(names, progress)| (names.clone(), progress.leased)).collect();
        [labelled(LAG, values.into_iter().map(|(names, progress)| (names, progress.lag))), labelled(LEASES, leases)]
    }
}

#[cfg(test)]
mod tests {
    use raft::metadata::{AckKey, Command, NodeId, StartPosition, SubscriptionConfig, TopicConfig};
    use shard_core::model::{SubscriptionName, Timestamp, TopicName};

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1);

    fn cluster(topics: &[&str]) -> ClusterState {
        let mut cluster = ClusterState::default();
        let bootstrap = Command::Bootstrap { cluster_id: "c".to_owned(), ack_key: AckKey::new([7; 16]) };
        cluster.apply(bootstrap).unwrap();
        let address = "127.0.0.1:1".to_owned();
        cluster.apply(Command::RegisterNode { node: NodeId::new(1), address }).unwrap();
        for name in topics {
            let (topic, config) =
                (TopicName::new(name).unwrap(), TopicConfig { partitions: 1, ..TopicConfig::default() });
            cluster.apply(Command::CreateTopic { name: topic.clone(), config, created_at: AT }).unwrap();
            let config = SubscriptionConfig { start: StartPosition::Earliest, ..SubscriptionConfig::default() };
            let name = SubscriptionName::new(&format!("of-{name}")).unwrap();
            cluster.apply(Command::CreateSubscription { name, topic, config, created_at: AT }).unwrap();
        }
        cluster
    }

    fn tally(cluster: &ClusterState, numbers: &[(&str, u64)]) -> Tally {
        let mut tally = Tally::default();
        for &(name, number) in numbers {
            let topic = cluster.topic(name).unwrap().id;
            tally.topics.push((topic, number));
            let subscription = cluster.subscription(&format!("of-{name}")).unwrap().id;
            tally.subscriptions.insert(subscription, Progress { lag: number, leased: number / 10 });
        }
        tally
    }

    fn shown(families: &[MetricFamily]) -> Vec<String> {
        let metrics = families.iter().flat_map(|family| family.get_metric().iter().map(move |metric| (family, metric)));
        let line = |(family, metric): (&MetricFamily, &prometheus::proto::Metric)| {
            let labels: Vec<_> = metric.get_label().iter().map(prometheus::proto::LabelPair::value).collect();
            let value = metric.get_counter().get_value() + metric.get_gauge().get_value();
            format!("{} {} {value}", family.name().trim_start_matches("pubsub_"), labels.join("/"))
        };
        metrics.map(line).collect()
    }

    #[test]
    fn what_the_shards_tell_is_summed_and_named() {
        let cluster = cluster(&["orders", "letters"]);
        let tallies = [tally(&cluster, &[("orders", 20), ("letters", 1)]), tally(&cluster, &[("orders", 30)])];
        let mut series = TopicSeries::new(SeriesMax { topics: 10, subscriptions: 10 });
        assert_eq!(
            shown(&series.collect(&tallies, &cluster)),
            [
                "topic_messages_total orders 50",
                "topic_messages_total letters 1",
                "consumer_lag_messages orders/of-orders 50",
                "consumer_lag_messages letters/of-letters 1",
                "leases orders/of-orders 5",
                "leases letters/of-letters 0",
            ]
        );
    }

    #[test]
    fn what_is_beyond_the_bound_is_told_together() {
        let cluster = cluster(&["a", "b", "c"]);
        let tallies = [tally(&cluster, &[("a", 100), ("b", 20), ("c", 3)])];
        let mut series = TopicSeries::new(SeriesMax { topics: 1, subscriptions: 2 });
        assert_eq!(
            shown(&series.collect(&tallies, &cluster)),
            [
                "topic_messages_total a 100",
                "topic_messages_total __other 23",
                "consumer_lag_messages a/of-a 100",
                "consumer_lag_messages b/of-b 20",
                "consumer_lag_messages __other/__other 3",
                "leases a/of-a 10",
                "leases b/of-b 2",
                "leases __other/__other 0",
            ]
        );
        assert!(TopicName::new(OTHER).is_err() && SubscriptionName::new(OTHER).is_err());
    }

    #[test]
    fn what_the_metadata_do_not_know_any_more_is_left_out_and_the_rest_does_not_fall() {
        let before = cluster(&["a", "b", "c"]);
        let tallies = [tally(&before, &[("a", 100), ("b", 20), ("c", 3)])];
        let mut series = TopicSeries::new(SeriesMax { topics: 1, subscriptions: 0 });
        series.collect(&tallies, &before);
        let mut after = before;
        let name = SubscriptionName::new("of-b").unwrap();
        after.apply(Command::DeleteSubscription { name, expected_revision: None }).unwrap();
        after.apply(Command::DeleteTopic { name: TopicName::new("b").unwrap(), expected_revision: None }).unwrap();
        assert_eq!(
            shown(&series.collect(&tallies, &after)),
            [
                "topic_messages_total a 100",
                "topic_messages_total __other 23",
                "consumer_lag_messages __other/__other 103",
                "leases __other/__other 10",
            ]
        );
    }
}
