//! `POST /v1/topics/{topic}/partitions/{partition}/verify`: whether all replicas hold the same, a few megabytes at a time.

use futures_util::{StreamExt, stream};
use gateway_api::{
    decode::decode,
    verify::{ReplicaState, ReplicaVerdict, Verified, VerifyRequest},
};
use raft::metadata::{NodeId, Partition};
use shard::{DigestQuery, LogDigest, PartitionUnavailable};
use shard_core::model::{Offset, TopicPartition};

use super::{deadline, find_topic, json, resources::find_partition};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = if call.request.body().is_empty() {
        VerifyRequest::default()
    } else {
        decode(call.request.body()).map_err(error::of_decode)?
    };
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let named = find_partition(topic, call.route.item)?;
    let kept =
        topic.partition(named.partition).ok_or_else(|| error::of_unavailable(&PartitionUnavailable::NotHere(named)))?;
    let (owner, from) =
        own(context, named, request.from_offset.map(Offset::new)).await.map_err(|gone| error::of_unavailable(&gone))?;
    if from > owner.readable.end {
        let detail = format!("it is past the high watermark, {}", owner.readable.end);
        return Err(error::invalid("from_offset", detail));
    }
    let body = Verified {
        topic: topic.name.as_str().to_owned(),
        partition: named.partition.get(),
        from_offset: from.get(),
        next_offset: owner.to.get(),
        high_watermark: owner.readable.end.get(),
        bytes: owner.bytes,
        replicas: verdicts(context, (named, kept), from, &owner).await,
    };
    json(200, &body)
}

/// What the owner has from an offset on, or from where its log starts, and where that is.
async fn own(
    context: &Context,
    partition: TopicPartition,
    from: Option<Offset>,
) -> Result<(LogDigest, Offset), PartitionUnavailable> {
    let digest = async |from| within(context.shards.digest(DigestQuery { partition, from, to: None })).await;
    let asked = from.unwrap_or(Offset::ZERO);
    let first = digest(asked).await?;
    // What retention has let go of meanwhile is passed over.
    let start = first.readable.start.max(asked);
    if start == asked { Ok((first, asked)) } else { Ok((digest(start).await?, start)) }
}

async fn verdicts(
    context: &Context,
    (named, kept): (TopicPartition, &Partition),
    from: Offset,
    owner: &LogDigest,
) -> Vec<ReplicaVerdict> {
    let query = DigestQuery { partition: named, from, to: Some(owner.to) };
    stream::iter(&kept.replicas)
        .map(|&node| async move {
            let digest = if Some(node) == kept.owner { Ok(owner.clone()) } else { of_node(context, node, query).await };
            verdict(node, digest, (from, owner))
        })
        .buffered(limits::STATUS_REQUESTS_MAX)
        .collect()
        .await
}

async fn of_node(context: &Context, node: NodeId, query: DigestQuery) -> Result<LogDigest, PartitionUnavailable> {
    if node.get() == context.config.node_id {
        within(context.shards.digest_here(query)).await
    } else {
        within(context.shards.digest_at(node.get(), query)).await
    }
}

async fn within(
    digest: impl Future<Output = Result<LogDigest, PartitionUnavailable>>,
) -> Result<LogDigest, PartitionUnavailable> {
    deadline::within(limits::OPERATION_TIMEOUT, digest).await.unwrap_or(Err(PartitionUnavailable::Overloaded))
}

fn verdict(
    node: NodeId,
    digest: Result<LogDigest, PartitionUnavailable>,
    (from, owner): (Offset, &LogDigest),
) -> ReplicaVerdict {
    let (state, detail) = match digest {
        Err(unavailable) => (ReplicaState::Unavailable, Some(unavailable.to_string())),
        Ok(LogDigest { damage: Some(reason), .. }) => (ReplicaState::Damaged, Some(reason)),
        Ok(digest) if digest.is_same(owner) => (ReplicaState::Same, None),
        Ok(digest) if digest.readable.start > from => {
            (ReplicaState::StartsLater, Some(format!("its log starts at offset {}", digest.readable.start)))
        }
        Ok(digest) if digest.readable.end < owner.to => {
            (ReplicaState::Behind, Some(format!("its log ends at offset {}", digest.readable.end)))
        }
        Ok(digest) => {
            let detail = format!(
                "{} bytes to offset {} with CRC-64 {:016x}, the owner has {} to {} with {:016x}",
                digest.bytes, digest.to, digest.crc64, owner.bytes, owner.to, owner.crc64
            );
            (ReplicaState::Differs, Some(detail))
        }
    };
    ReplicaVerdict { node: node.get(), state, detail }
}

#[cfg(test)]
mod tests {
    use shard_core::model::OffsetRange;

    use super::*;

    fn digest(start: u64, end: u64, to: u64, crc64: u64) -> LogDigest {
        let readable = OffsetRange::new(Offset::new(start), Offset::new(end));
        LogDigest { readable, to: Offset::new(to), bytes: 100, crc64, damage: None }
    }

    #[test]
    fn each_replica_is_held_against_the_owner() {
        let owner = digest(0, 90, 50, 7);
        let damaged = LogDigest { damage: Some("at offset 3".into()), ..digest(0, 90, 3, 7) };
        for (replica, state) in [
            (digest(0, 60, 50, 7), ReplicaState::Same),
            (digest(0, 60, 50, 8), ReplicaState::Differs),
            (digest(0, 60, 40, 7), ReplicaState::Differs),
            (damaged, ReplicaState::Damaged),
            (digest(0, 40, 40, 6), ReplicaState::Behind),
            (digest(30, 60, 10, 0), ReplicaState::StartsLater),
        ] {
            let told = verdict(NodeId::new(2), Ok(replica), (Offset::new(10), &owner));
            assert_eq!((told.node, told.state), (2, state), "{told:?}");
            assert_eq!(told.detail.is_none(), state == ReplicaState::Same);
        }
    }
}
