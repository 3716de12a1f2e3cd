//! The results of a publish as JSON, written by hand: one for each message, in the order of the call.

use shard::{Durability, Published};

use super::publish::BatchOutcome;
use crate::{
    error, json_write, message_json,
    publish_decode::{PlannedMessage, PublishPlan},
};

/// Appends the list of results.
pub(super) fn append(out: &mut Vec<u8>, plan: &PublishPlan, outcomes: &[BatchOutcome]) {
    out.push(b'[');
    for (index, message) in plan.messages().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_one(out, plan, message, outcomes);
    }
    out.push(b']');
}

/// Appends the result of one message.
pub(super) fn append_one(out: &mut Vec<u8>, plan: &PublishPlan, message: &PlannedMessage, outcomes: &[BatchOutcome]) {
    let Some(outcome) = outcomes.get(message.batch) else { return };
    match &outcome.stored {
        Ok(published) => {
            out.extend_from_slice(b"{\"id\":");
            message_json::append_id(out, &plan.id(message));
            out.extend_from_slice(b",\"partition\":");
            json_write::number(out, u64::from(outcome.partition));
            let place = published.place(message.ordinal);
            out.extend_from_slice(b",\"offset\":");
            json_write::number(out, place.offset.get());
            out.extend_from_slice(if place.repeat { b",\"duplicate\":true" } else { b",\"duplicate\":false" });
            out.extend_from_slice(b",\"durability\":\"");
            out.extend_from_slice(durability(published).as_bytes());
            out.extend_from_slice(b"\"}");
        }
        Err(failure) => {
            let failure = error::publish_failure(failure);
            out.extend_from_slice(b"{\"error\":");
            out.extend_from_slice(&serde_json::to_vec(&failure).unwrap_or_default());
            out.push(b'}');
        }
    }
}

const fn durability(published: &Published) -> &'static str {
    match published.durability {
        Durability::Leader => "leader",
        Durability::Buffered => "buffered",
        Durability::Memory => "memory",
        Durability::RedisFsync => "redis_fsync",
        Durability::RedisBuffered => "redis_buffered",
        Durability::Quorum => "quorum",
    }
}

#[cfg(test)]
mod tests {
    use gateway_api::{
        Code, Outcome,
        publish::{self, PublishResult},
    };
    use shard::Repeats;
    use shard_core::{
        format::record_batch::Codec,
        model::{Offset, Timestamp},
    };

    use super::*;
    use crate::{
        message_ids::MessageIds,
        publish_decode::{MessageTrace, PublishTarget, decode_request},
    };

    fn stored_at(base_offset: u64, durability: Durability) -> Published {
        let base_offset = Offset::new(base_offset);
        Published { base_offset, repeats: Repeats::None, timestamp: Timestamp::default(), durability }
    }

    #[test]
    fn results_are_in_the_order_of_the_messages() {
        let target = PublishTarget {
            partitions: 3,
            message_bytes_max: 100,
            codec: Codec::None,
            turn: 0,
            now_millis: 0,
            retry: publish::Retry::Unguarded,
            trace: MessageTrace { given: None, notes: false },
        };
        let body = br#"{"messages":[{"text":"a","partition":2,"id":"a\""},{"text":"b","partition":0,"id":"b"},
            {"text":"c","partition":2,"id":"c"},{"text":"d","partition":1,"id":"d"}]}"#;
        let plan = decode_request(body, &target, &mut MessageIds::new()).unwrap();
        let outcomes = [
            BatchOutcome { partition: 2, stored: Ok(stored_at(40, Durability::Leader)) },
            BatchOutcome { partition: 0, stored: Err(error::of_code(Code::Overloaded, "full")) },
            BatchOutcome { partition: 1, stored: Ok(stored_at(7, Durability::Buffered)) },
        ];
        let mut out = Vec::new();
        append(&mut out, &plan, &outcomes);
        let results: Vec<PublishResult> = serde_json::from_slice(&out).unwrap();
        let published = |id: &str, partition, offset, durability| {
            let id = id.to_owned();
            PublishResult::Published(publish::Published { id, partition, offset, duplicate: false, durability })
        };
        let error = publish::PublishFailure {
            code: Code::Overloaded,
            detail: "full".to_owned(),
            retryable: true,
            outcome: Outcome::NotApplied,
            expected_sequence: None,
        };
        let expected = [
            published("a\"", 2, 40, publish::Durability::Leader),
            PublishResult::Failed { error },
            published("c", 2, 41, publish::Durability::Leader),
            published("d", 1, 7, publish::Durability::Buffered),
        ];
        assert_eq!(results, expected);
    }
}
