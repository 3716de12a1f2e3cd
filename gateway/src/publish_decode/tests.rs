//! Good requests become the records they state; bad ones are refused whole, with every fault named.

use gateway_api::publish::ProducerSequence;
use proptest::prelude::*;
use serde_json::{Value, json};
use shard_core::{
    format::{record::MessageId, record_batch::Producer},
    model::{LeaderEpoch, Offset, Timestamp},
};

use super::*;

const TARGET: PublishTarget<'static> = PublishTarget {
    partitions: 4,
    message_bytes_max: 1_000,
    codec: Codec::None,
    turn: 2,
    now_millis: 1_700_000_000_000,
    retry: Retry::Unguarded,
    trace: MessageTrace { given: None, notes: false },
};

/// A record as it would be stored.
#[derive(Clone, Debug, PartialEq)]
struct Stored {
    partition: u32,
    id: Option<String>,
    key: Option<String>,
    content_type: String,
    priority: u8,
    ttl_ms: Option<u64>,
    deliver_at: Option<i64>,
    attributes: Vec<(String, String)>,
    payload: Vec<u8>,
}

fn decode(body: &str) -> Result<PublishPlan, PublishRefused> {
    decode_request(body.as_bytes(), &TARGET, &mut MessageIds::new())
}

/// The messages of a plan in the order of the call, read back from their batches.
fn stored(plan: &PublishPlan) -> Vec<Stored> {
    let mut batches = Vec::new();
    for planned in &plan.batches {
        let batch = planned.batch.clone().assign(Offset::ZERO, LeaderEpoch::new(1), Timestamp::default());
        let mut records = Vec::new();
        let visited = batch.for_each_record(|record| {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            records.push(Stored {
                partition: planned.partition.get(),
                id: match record.head.id {
                    MessageId::Text(text) => Some(text.to_owned()),
                    MessageId::Uuid(_) => None,
                },
                key: record.head.key.map(str::to_owned),
                content_type: record.head.content_type.to_owned(),
                priority: record.head.priority,
                ttl_ms: record.head.ttl_ms,
                deliver_at: record.head.deliver_at.map(Timestamp::as_millis),
                attributes: record.attributes.iter().map(owned).collect(),
                payload: record.payload.to_vec(),
            });
        });
        visited.unwrap();
        batches.push(records);
    }
    let place = |message: &PlannedMessage| batches[message.batch][usize::try_from(message.ordinal).unwrap()].clone();
    plan.messages().iter().map(place).collect()
}

fn refused(body: &str) -> Vec<(Option<u64>, String, Code)> {
    let refused = decode(body).expect_err(body);
    assert_eq!(refused.errors.first().map_or(refused.code, |error| error.code), refused.code);
    refused.errors.into_iter().map(|error| (error.index, error.field, error.code)).collect()
}

#[test]
fn a_message_is_stored_as_stated() {
    let body = r#"{"messages":[{"data":"AP/+","key":"k","attributes":{"a":"1","b":""},"priority":9,
        "id":"m-1","partition":3,"content_type":"image/png"}]}"#;
    let expected = Stored {
        partition: 3,
        id: Some("m-1".to_owned()),
        key: Some("k".to_owned()),
        content_type: "image/png".to_owned(),
        priority: 9,
        ttl_ms: None,
        deliver_at: None,
        attributes: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())],
        payload: vec![0, 0xff, 0xfe],
    };
    assert_eq!(stored(&decode(body).unwrap()), [expected]);
}

#[test]
fn the_payloads_field_gives_the_content_type() {
    let body = r#"{"messages":[{"data":""},{"text":"\u00e9\n"},{"json":{"b": [1,  2.50], "a":null}},{"json":null}]}"#;
    let plan = decode(body).unwrap();
    let stored: Vec<_> = stored(&plan).into_iter().map(|stored| (stored.content_type, stored.payload)).collect();
    let expected = [
        ("application/octet-stream", &b""[..]),
        ("text/plain; charset=utf-8", "é\n".as_bytes()),
        ("application/json", br#"{"b": [1,  2.50], "a":null}"#),
        ("application/json", b"null"),
    ];
    assert_eq!(stored, expected.map(|(name, payload)| (name.to_owned(), payload.to_vec())));
}

#[test]
fn messages_of_a_key_share_a_partition_and_the_rest_stays_together() {
    let messages: Vec<_> = (0..40).map(|n| json!({"text": "x", "key": format!("k{}", n % 5)})).collect();
    let plan = decode(&json!({ "messages": messages }).to_string()).unwrap();
    let stored = stored(&plan);
    for (index, message) in stored.iter().enumerate() {
        assert_eq!(message.partition, stored[index % 5].partition);
    }
    let plan = decode(r#"{"messages":[{"text":"a"},{"text":"b"}]}"#).unwrap();
    assert_eq!(plan.batches.len(), 1);
    assert_eq!(plan.batches[0].partition.get(), TARGET.turn);
}

#[test]
fn ids_that_nobody_gave_are_uuids_in_order() {
    let plan = decode(r#"{"messages":[{"text":"a"},{"text":"b","id":"mine"},{"text":"c"}]}"#).unwrap();
    let ids: Vec<_> = plan.messages().iter().map(|message| plan.id(message)).collect();
    let [MessageId::Uuid(first), MessageId::Text("mine"), MessageId::Uuid(last)] = ids[..] else {
        panic!("{ids:?}");
    };
    assert!(first < last);
}

#[test]
fn every_bad_message_is_named_with_its_field() {
    let long_key = "k".repeat(1_025);
    let deep = format!("{}{}", "[".repeat(62), "]".repeat(62));
    let cases = [
        (r#"{"data":"a"}"#, "data", Code::InvalidBase64),
        (r#"{"data":"YQ"}"#, "data", Code::InvalidBase64),
        (r#"{"data":"Y-_="}"#, "data", Code::InvalidBase64),
        (r#"{"data":1}"#, "data", Code::InvalidArgument),
        (r#"{"data":"YQ==","text":"a"}"#, "data", Code::InvalidArgument),
        (r#"{"key":"k"}"#, "data", Code::InvalidArgument),
        (r#"{"text":"a","priority":10}"#, "priority", Code::InvalidArgument),
        (r#"{"text":"a","priority":-1}"#, "priority", Code::InvalidArgument),
        (r#"{"text":"a","priority":1.5}"#, "priority", Code::InvalidArgument),
        (r#"{"text":"a","priority":"4"}"#, "priority", Code::InvalidArgument),
        (r#"{"text":"a","partition":4}"#, "partition", Code::InvalidArgument),
        (r#"{"text":"a","partition":-1}"#, "partition", Code::InvalidArgument),
        (r#"{"text":"a","id":""}"#, "id", Code::InvalidArgument),
        (r#"{"text":"a","id":"a b"}"#, "id", Code::InvalidArgument),
        (r#"{"text":"a","id":"é"}"#, "id", Code::InvalidArgument),
        (r#"{"text":"a","key":"a\r\nb"}"#, "key", Code::InvalidArgument),
        (&format!(r#"{{"text":"a","key":"{long_key}"}}"#), "key", Code::InvalidArgument),
        (r#"{"text":"a","content_type":"a\u0000"}"#, "content_type", Code::InvalidArgument),
        (r#"{"text":"a","content_type":""}"#, "content_type", Code::InvalidArgument),
        (r#"{"text":"a","attributes":{"":"v"}}"#, "attributes", Code::InvalidArgument),
        (r#"{"text":"a","attributes":{"n":"v\n"}}"#, "attributes", Code::InvalidArgument),
        (r#"{"text":"a","attributes":{"n\r":"v"}}"#, "attributes", Code::InvalidArgument),
        (r#"{"text":"a","attributes":{"n":"v","n":"w"}}"#, "attributes", Code::InvalidArgument),
        (r#"{"text":"a","attributes":{"n":1}}"#, "attributes.n", Code::InvalidArgument),
        (r#"{"text":"a","attributes":["n"]}"#, "attributes", Code::InvalidArgument),
        (r#"{"text":"a","ttl_ms":0}"#, "ttl_ms", Code::InvalidArgument),
        (r#"{"text":"a","ttl_ms":315360000001}"#, "ttl_ms", Code::InvalidArgument),
        (r#"{"text":"a","delay_ms":31536000001}"#, "delay_ms", Code::InvalidArgument),
        (r#"{"text":"a","delay_ms":1,"deliver_at":"2030-01-01T00:00:00Z"}"#, "delay_ms", Code::InvalidArgument),
        (r#"{"text":"a","colour":"red"}"#, "colour", Code::UnknownField),
        (&format!(r#"{{"json":{deep}}}"#), "json", Code::InvalidJson),
        (&format!(r#"{{"text":"{}"}}"#, "x".repeat(1_001)), "text", Code::MessageTooLarge),
        (&format!(r#"{{"text":"{}","key":"kk"}}"#, "x".repeat(999)), "text", Code::MessageTooLarge),
    ];
    for (message, field, code) in &cases {
        let body = format!(r#"{{"messages":[{{"text":"good"}},{message},{{"text":"good"}}]}}"#);
        assert_eq!(refused(&body), [(Some(1), (*field).to_owned(), *code)], "{message}");
    }
    let all = cases.iter().map(|(message, ..)| *message).collect::<Vec<_>>().join(",");
    let expected: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(index, (_, field, code))| (u64::try_from(index).ok(), (*field).to_owned(), *code))
        .collect();
    assert_eq!(refused(&format!(r#"{{"messages":[{all}]}}"#)), expected);
}

#[test]
fn what_is_no_publish_request_is_refused_as_a_whole() {
    let cases: [(&str, Code, Option<&str>); 9] = [
        ("", Code::InvalidJson, None),
        ("{", Code::InvalidJson, None),
        (r#"{"messages":[{"text":"a"}]} x"#, Code::InvalidJson, None),
        ("{}", Code::InvalidArgument, Some("messages")),
        ("[]", Code::InvalidArgument, None),
        (r#"{"messages":{}}"#, Code::InvalidArgument, Some("messages")),
        (r#"{"messages":[]}"#, Code::InvalidArgument, Some("messages")),
        (r#"{"messages":[{"text":"a"}],"extra":1}"#, Code::UnknownField, Some("extra")),
        (r#"{"messages":[{"text":"a"}],"messages":[{"text":"a"}]}"#, Code::InvalidArgument, None),
    ];
    for (body, code, field) in cases {
        let refused = decode(body).expect_err(body);
        assert_eq!(refused.code, code, "{body}: {refused}");
        if field.is_some() {
            assert_eq!(refused.errors.first().map(|error| error.field.as_str()), field, "{body}");
        }
    }
}

#[test]
fn a_call_has_a_bounded_number_of_messages_and_of_errors() {
    let many = |count| format!(r#"{{"messages":[{}]}}"#, vec![r#"{"text":""}"#; count].join(","));
    assert!(decode(&many(10_000)).is_ok());
    assert_eq!(refused(&many(10_001)), [(None, "messages".to_owned(), Code::TooMany)]);
    let bad = format!(r#"{{"messages":[{}]}}"#, vec![r#"{"data":"?"}"#; 500].join(","));
    assert_eq!(refused(&bad).len(), 100);
}

#[test]
fn nesting_too_deep_for_the_parser_is_refused_and_harmless() {
    let deep = "[".repeat(100_000);
    for body in [format!(r#"{{"messages":[{{"json":{deep}"#), format!(r#"{{"messages":{deep}"#), deep.clone()] {
        assert!(decode(&body).is_err());
    }
    let closed = format!(r#"{{"messages":[{{"json":{deep}{}}}]}}"#, "]".repeat(100_000));
    assert_eq!(refused(&closed), [(Some(0), "json".to_owned(), Code::InvalidJson)]);
}

#[test]
fn parsed_messages_meet_the_same_rules() {
    let mut ids = MessageIds::new();
    let good = [PublishMessage::text("a"), PublishMessage::data(&[0, 255])];
    let plan = plan_messages(&good, &TARGET, &mut ids).unwrap();
    assert_eq!(stored(&plan).iter().map(|stored| stored.payload.clone()).collect::<Vec<_>>(), [vec![97], vec![0, 255]]);
    let bad = [PublishMessage::text("a"), PublishMessage { priority: Some(11), ..PublishMessage::text("a") }];
    let refused = plan_messages(&bad, &TARGET, &mut ids).unwrap_err();
    assert_eq!((refused.errors[0].index, refused.errors[0].field.as_str()), (Some(1), "priority"));
    assert_eq!(plan_messages(&[], &TARGET, &mut ids).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn a_key_names_the_messages_that_have_no_id_and_keeps_them_together() {
    let target = PublishTarget { retry: Retry::Key("order-7"), turn: 0, ..TARGET };
    let body = br#"{"messages":[{"text":"a"},{"text":"b","id":"mine"},{"text":"c"},{"text":"d","key":"k"}]}"#;
    let planned = |target: &PublishTarget<'_>| {
        let plan = decode_request(body, target, &mut MessageIds::new()).unwrap();
        let messages = stored(&plan);
        messages.into_iter().map(|message| (message.id.unwrap(), message.partition)).collect::<Vec<_>>()
    };
    let first = planned(&target);
    let ids: Vec<_> = first.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["order-7/0", "mine", "order-7/2", "order-7/3"]);
    assert_eq!(first[0].1, first[2].1);
    assert_eq!(planned(&PublishTarget { turn: 3, ..target }), first, "a retry goes where its first try went");
}

#[test]
fn a_producers_call_is_one_batch_with_its_numbers() {
    let producer = |id| Retry::Producer(ProducerSequence { id, epoch: 3, sequence: 9 });
    let decode = |body: &str, turn| {
        let target = PublishTarget { retry: producer(77), turn, ..TARGET };
        decode_request(body.as_bytes(), &target, &mut MessageIds::new())
    };
    let body = r#"{"messages":[{"text":"a"},{"text":"b"}]}"#;
    let [first, again] = [0, 1].map(|turn| decode(body, turn).unwrap());
    let [batch] = &first.batches[..] else { panic!("{first:?}") };
    assert_eq!(batch.batch.producer(), Some(Producer { id: 77, epoch: 3, first_sequence: 9 }));
    assert_eq!(again.batches[0].partition, batch.partition, "a retry goes where its first try went");
    let refused = decode(r#"{"messages":[{"text":"a","partition":0},{"text":"b","partition":1}]}"#, 0).unwrap_err();
    assert_eq!((refused.code, refused.errors[0].field.as_str()), (Code::InvalidArgument, "partition"));
}

fn any_message() -> impl Strategy<Value = (Value, Vec<u8>)> {
    let payload = prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| (json!({"data": gateway_api::base64::encode(&bytes)}), bytes)),
        any::<String>().prop_map(|text| (json!({"text": text}), text.into_bytes())),
        (any::<String>(), any::<i64>()).prop_map(|(name, number)| {
            let value = json!({ name: [number, null, true] });
            let text = value.to_string().into_bytes();
            (json!({ "json": value }), text)
        }),
    ];
    let key = prop::option::of("[^\\p{Cc}]{0,20}");
    (payload, key, prop::option::of(0..4_u32), prop::option::of("[!-~]{1,128}")).prop_map(
        |((mut message, payload), key, partition, id)| {
            let fields = message.as_object_mut().unwrap();
            fields.extend(key.map(|key| ("key".to_owned(), json!(key))));
            fields.extend(partition.map(|partition| ("partition".to_owned(), json!(partition))));
            fields.extend(id.map(|id| ("id".to_owned(), json!(id))));
            (message, payload)
        },
    )
}

proptest! {
    #[test]
    fn payloads_come_back_byte_for_byte(messages in prop::collection::vec(any_message(), 1..20)) {
        let body = json!({ "messages": messages.iter().map(|(message, _)| message).collect::<Vec<_>>() });
        let plan = decode(&body.to_string()).unwrap();
        let stored = stored(&plan);
        prop_assert_eq!(stored.len(), messages.len());
        for (stored, (message, payload)) in stored.iter().zip(&messages) {
            prop_assert_eq!(&stored.payload, payload);
            prop_assert_eq!(stored.key.as_deref(), message["key"].as_str());
            prop_assert_eq!(stored.id.as_deref(), message["id"].as_str());
            if let Some(partition) = message["partition"].as_u64() {
                prop_assert_eq!(u64::from(stored.partition), partition);
            }
        }
    }

    #[test]
    fn any_body_is_taken_or_refused(body in any::<Vec<u8>>()) {
        let _ = decode_request(&body, &TARGET, &mut MessageIds::new());
    }

    /// Whatever the fast way refuses, the slow way finds a fault in.
    #[test]
    fn a_refusal_always_has_a_reason(
        body in r#"\{"messages":\[(\{("(text|data|json|key|id|x)":("[a=\\é]{0,4}"|1|null|\[\]),?){0,3}\},?){0,3}\]\}"#,
    ) {
        if let Err(refused) = decode(&body) {
            prop_assert!(!refused.detail.is_empty());
            let nameless = matches!(refused.code, Code::InvalidJson);
            prop_assert!(nameless || !refused.errors.is_empty(), "{refused:?} for {body}");
        }
    }
}

#[test]
fn times_are_taken_and_a_time_that_has_passed_is_none() {
    let body = r#"{"messages":[{"text":"a","ttl_ms":5},{"text":"b","delay_ms":250},{"text":"c","delay_ms":0},
        {"text":"d","deliver_at":"2030-01-01T00:00:00Z"},{"text":"e","deliver_at":"2020-01-01T00:00:00Z"}]}"#;
    let times: Vec<_> = stored(&decode(body).unwrap()).iter().map(|one| (one.ttl_ms, one.deliver_at)).collect();
    let now = i64::try_from(TARGET.now_millis).unwrap();
    let in_2030 = Some(1_893_456_000_000);
    assert_eq!(times, [(Some(5), None), (None, Some(now + 250)), (None, None), (None, in_2030), (None, None)]);
}

#[test]
fn a_message_is_told_its_trace_unless_it_names_one_or_has_no_room() {
    let [given, own] = [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    ];
    let full: serde_json::Map<_, _> = (0..63).map(|n| (format!("a{n}"), json!(""))).collect();
    let messages = json!({ "messages": [
        { "text": "a", "attributes": { "b": "c" } },
        { "text": "a", "attributes": { "traceparent": own } },
        { "text": "a", "attributes": { "tracestate": "d=e" } },
        { "text": "a", "attributes": full },
    ] });
    let trace = MessageTrace { given: Some((given, Some("f=g"))), notes: true };
    let target = TARGET.traced(trace);
    let plan = decode_request(messages.to_string().as_bytes(), &target, &mut MessageIds::new()).unwrap();
    let [told, named, stated, crowded] = &stored(&plan)[..] else { panic!("{plan:?}") };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(told.attributes, pairs(&[("b", "c"), ("traceparent", given), ("tracestate", "f=g")]));
    assert_eq!(named.attributes, pairs(&[("traceparent", own)]));
    assert_eq!(stated.attributes, pairs(&[("tracestate", "d=e")]));
    assert_eq!(crowded.attributes.len(), 63);
    let noted: Vec<_> = plan.origins().iter().map(ToString::to_string).collect();
    assert_eq!(noted, [own]);

    let unnoted = TARGET.traced(MessageTrace { notes: false, ..trace });
    let plan = decode_request(messages.to_string().as_bytes(), &unnoted, &mut MessageIds::new()).unwrap();
    assert_eq!(plan.origins(), [], "nobody asks where nothing is recorded");
}
