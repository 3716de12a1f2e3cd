//! `POST /v1/subscriptions/{subscription}/seek`: sets where a subscription reads on.

use futures_util::future::join_all;
use gateway_api::{
    Code, Outcome,
    decode::decode,
    subscriptions::{Position, SeekRequest, SeekResponse},
};
use shard::{PartitionSubscription, SeekTo};
use shard_core::model::{Offset, Timestamp};

use super::{cursors, deadline, find_subscription, get_subscription, in_parts, json};
use crate::{
    call::Call,
    context::Context,
    core_state,
    error::{self, Failure},
    http::response::Response,
    limits,
};

/// If one partition fails the others move all the same, and the answer says that it is not known: seeking again is safe.
pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request: SeekRequest = decode(call.request.body()).map_err(error::of_decode)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let cursors = cursors(&state, subscription);
    let seeks = plan(&request, &cursors)?;
    in_parts::all_done(&join_all(seeks.into_iter().map(|(cursor, to)| seek(context, cursor, to))).await)?;
    let statuses = get_subscription::statuses(context, &cursors).await.map_err(after_the_seek)?;
    let group = state.group(subscription.id).map(|group| &**group);
    let cursors = get_subscription::partition_cursors(group, &statuses, core_state::now_millis());
    json(200, &SeekResponse { cursors })
}

/// It is done, though where it has led to can't be said.
fn after_the_seek(failure: Failure) -> Failure {
    failure.into_problem().with_outcome(Outcome::Applied).into()
}

/// Where each partition goes; those that aren't named stay.
fn plan(
    request: &SeekRequest,
    cursors: &[PartitionSubscription],
) -> Result<Vec<(PartitionSubscription, SeekTo)>, Failure> {
    match (request.to, &request.offsets) {
        (Some(position), None) => Ok(cursors.iter().map(|cursor| (*cursor, place(position))).collect()),
        (None, Some(offsets)) => offsets
            .iter()
            .map(|(partition, offset)| {
                let found = cursors.iter().find(|cursor| cursor.partition.partition.get() == *partition);
                let missing = || error::invalid("offsets", format!("the topic has no partition {partition}"));
                Ok((*found.ok_or_else(missing)?, SeekTo::Offset(Offset::new(*offset))))
            })
            .collect(),
        (Some(_), Some(_)) | (None, None) => Err(error::invalid("to", "a seek has either to or offsets")),
    }
}

const fn place(position: Position) -> SeekTo {
    match position {
        Position::Earliest => SeekTo::Earliest,
        Position::Latest => SeekTo::Latest,
        Position::Time(time) => SeekTo::Timestamp(Timestamp::from_millis(time.unix_ms())),
    }
}

async fn seek(context: &Context, cursor: PartitionSubscription, to: SeekTo) -> Result<(), Failure> {
    match deadline::within(limits::OPERATION_TIMEOUT, context.shards.seek(cursor, to)).await {
        Some(sought) => sought.map_err(|error| error::of_subscription(&error)),
        None => Err(error::of_code(Code::Timeout, "the partition gave no answer in time")),
    }
}

#[cfg(test)]
mod tests {
    use shard_core::model::{PartitionIndex, SubscriptionId, TopicId, TopicPartition};

    use super::*;

    fn cursor(partition: u32) -> PartitionSubscription {
        let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(partition));
        PartitionSubscription { partition, subscription: SubscriptionId::new(2) }
    }

    fn planned(body: &str) -> Result<Vec<(PartitionSubscription, SeekTo)>, Failure> {
        plan(&decode(body.as_bytes()).unwrap(), &[cursor(0), cursor(1)])
    }

    #[test]
    fn a_position_moves_every_partition_and_offsets_only_theirs() {
        let all = |to| Ok(vec![(cursor(0), to), (cursor(1), to)]);
        assert_eq!(planned(r#"{"to":"earliest"}"#), all(SeekTo::Earliest));
        assert_eq!(planned(r#"{"to":"latest"}"#), all(SeekTo::Latest));
        let time = SeekTo::Timestamp(Timestamp::from_millis(1_000));
        assert_eq!(planned(r#"{"to":"1970-01-01T00:00:01Z"}"#), all(time));
        assert_eq!(planned(r#"{"offsets":{"1":42}}"#), Ok(vec![(cursor(1), SeekTo::Offset(Offset::new(42)))]));
    }

    #[test]
    fn a_seek_says_one_thing_about_partitions_that_are_there() {
        for (body, field) in
            [("{}", "to"), (r#"{"to":"latest","offsets":{"0":1}}"#, "to"), (r#"{"offsets":{"2":1}}"#, "offsets")]
        {
            assert_eq!(planned(body).unwrap_err().errors[0].field, field, "{body}");
        }
    }
}
