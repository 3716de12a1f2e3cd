//! `GET /readyz`: whether the node serves its partitions, and which of them stay closed.

use futures_util::{StreamExt, stream};
use gateway_api::health::{ClosedPartition, Health, HealthStatus};
use raft::metadata::Resource;
use shard::PartitionStatus;

use super::{deadline, resources::partitions};
use crate::{auth::Caller, context::Context, http::response::Response, limits};

/// One damaged partition does not take a node away: it stays ready, and says so.
/// Which partitions those are is told to who may know of the topic.
pub(super) async fn handle(context: &Context, caller: &Caller) -> Response {
    let health = if context.shutdown.requested() { None } else { examine(context).await };
    let health = health.unwrap_or(Health { status: HealthStatus::NotReady, closed: Vec::new() });
    let seen = |closed: &ClosedPartition| caller.sees(Resource::Topic(&closed.topic));
    let health = Health { closed: health.closed.into_iter().filter(seen).collect(), ..health };
    let status = if health.status == HealthStatus::NotReady { 503 } else { 200 };
    Response::json(status, serde_json::to_vec(&health).unwrap_or_default())
}

/// Asks for the status of every partition; `None` if one isn't served yet or they don't answer in time.
async fn examine(context: &Context) -> Option<Health> {
    let state = context.metadata.state();
    let all = state
        .topics()
        .flat_map(|topic| partitions(topic).into_iter().map(move |partition| (topic.name.as_str(), partition)));
    let mut statuses = stream::iter(all)
        .map(|(topic, partition)| async move { (topic, partition, context.shards.status(partition).await) })
        .buffered(limits::STATUS_REQUESTS_MAX);
    let ask = async {
        let mut closed = Vec::new();
        while let Some((topic, partition, status)) = statuses.next().await {
            let PartitionStatus { closed: reason, .. } = status.ok()?;
            if let Some(reason) = reason.filter(|_| closed.len() < limits::CLOSED_PARTITIONS_LISTED_MAX) {
                closed.push(ClosedPartition { topic: topic.to_owned(), partition: partition.partition.get(), reason });
            }
        }
        Some(closed)
    };
    let closed = deadline::within(limits::READINESS_TIMEOUT, ask).await??;
    let status = if closed.is_empty() { HealthStatus::Ok } else { HealthStatus::Degraded };
    Some(Health { status, closed })
}
