//! Publishes out of JSON, or the bytes of a body, to batches.

use std::fmt::Write as _;

use gateway::{
    message_ids::MessageIds,
    publish_decode::{Hold, MessageTrace, Outgoing, PayloadSource, PublishTarget, decode_request, plan_one},
};
use gateway_api::publish::Retry;
use shard_core::format::record_batch::Codec;

use crate::{
    batches,
    harness::{Case, Operations},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("publish: a body of 256 B", 1, one_body),
    Case::new("publish: JSON of 1", 1, |operations| json(operations, 1)),
    Case::new("publish: JSON of 100", 100, |operations| json(operations, 100)),
];

const TARGET: PublishTarget<'static> = PublishTarget {
    partitions: 1,
    message_bytes_max: 1 << 20,
    codec: Codec::None,
    turn: 0,
    now_millis: 1_700_000_000_000,
    retry: Retry::Unguarded,
    trace: MessageTrace { given: None, notes: false },
};

/// The body of a request is the payload of a message.
fn one_body(operations: Operations) {
    let (payload, mut ids) = (batches::payload(0), MessageIds::new());
    operations.measure(
        |_| (),
        |()| {
            let outgoing = Outgoing {
                payload: PayloadSource::Bytes(&payload),
                id: None,
                key: None,
                content_type: None,
                attributes: Vec::new(),
                priority: None,
                ttl_ms: None,
                hold: Hold::None,
                partition: None,
            };
            plan_one(&outgoing, &TARGET, &mut ids).expect("nothing is wrong with it")
        },
    );
}

/// A list of messages with a payload in base64, and nothing else.
fn json(operations: Operations, messages: usize) {
    let mut body = String::from(r#"{"messages":["#);
    for (index, payload) in batches::payloads(messages).iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let data = gateway_api::base64::encode(payload);
        let _ = write!(body, r#"{comma}{{"data":"{data}"}}"#);
    }
    body.push_str("]}");
    let mut ids = MessageIds::new();
    operations.measure(
        |_| (),
        |()| {
            let plan = decode_request(body.as_bytes(), &TARGET, &mut ids).expect("nothing is wrong with it");
            assert_eq!(plan.messages().len(), messages);
            plan
        },
    );
}
