//! What clients do wrong: the right status and code, nothing half done, and a connection that stays usable.

use gateway_api::{Outcome, error::Code};

use crate::harness::{OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker};

/// Request line, header lines, body; the status, the code and the field of the answer.
type Case = (String, &'static str, &'static str, u16, Code, Option<&'static str>);

fn messages(body: &'static str, status: u16, code: Code, field: Option<&'static str>) -> Case {
    (format!("POST /v1/topics/{OTHER_TOPIC}/messages"), "", body, status, code, field)
}

fn publish(query: &str, lines: &'static str, status: u16, code: Code, field: Option<&'static str>) -> Case {
    (format!("POST /v1/topics/{OTHER_TOPIC}/publish{query}"), lines, "x", status, code, field)
}

fn read(topic: &str, partition: &str, query: &str, code: Code, field: Option<&'static str>) -> Case {
    let line = format!("GET /v1/topics/{topic}/partitions/{partition}/messages{query}");
    (line, "", "", code.status(), code, field)
}

fn consume(what: &str, body: &'static str, code: Code, field: Option<&'static str>) -> Case {
    (format!("POST /v1/subscriptions/{SUBSCRIPTION}/{what}"), "", body, code.status(), code, field)
}

fn other(line: &str, body: &'static str, code: Code, field: Option<&'static str>) -> Case {
    (line.to_owned(), "", body, code.status(), code, field)
}

fn check(cases: Vec<Case>) {
    with_broker(async move |broker| {
        let mut http = broker.http().await;
        for (line, lines, body, status, code, field) in cases {
            http.send(&line, lines, body.as_bytes()).await;
            let answer = http.receive().await;
            let problem = answer.problem();
            assert_eq!((answer.status, problem.code), (status, code), "{line} {body}: {problem}");
            assert_eq!(problem.outcome, Outcome::NotApplied);
            if field.is_some() {
                assert_eq!(problem.errors.first().map(|error| error.field.as_str()), field, "{line} {body}");
            }
        }
        let page = http.request(&format!("GET /v1/topics/{OTHER_TOPIC}/partitions/0/messages"), "").await;
        assert!(page.body.starts_with(br#"{"messages":[],"#), "nothing was stored: {page:?}");
    });
}

#[test]
fn publishes() {
    const INVALID: Code = Code::InvalidArgument;
    check(vec![
        ("POST /v1/topics/none/messages".to_owned(), "", "{}", 404, Code::TopicNotFound, None),
        ("POST /v1/topics/none/publish".to_owned(), "", "x", 404, Code::TopicNotFound, None),
        messages("", 400, Code::InvalidJson, None),
        messages("{\"messages\":", 400, Code::InvalidJson, None),
        messages("[]", 400, INVALID, None),
        messages(r#"{"messages":[]}"#, 400, INVALID, Some("messages")),
        messages(r#"{"messages":[{"text":"a"},{"data":"?"}]}"#, 400, Code::InvalidBase64, Some("data")),
        messages(r#"{"messages":[{"text":"a","colour":1}]}"#, 400, Code::UnknownField, Some("colour")),
        messages(r#"{"messages":[{"text":"a","partition":1}]}"#, 400, INVALID, Some("partition")),
        messages(r#"{"messages":[{"text":"a","ttl_ms":0}]}"#, 400, INVALID, Some("ttl_ms")),
        publish("?priority=10", "", 400, INVALID, Some("priority")),
        publish("?priority=high", "", 400, INVALID, Some("priority")),
        publish("?partition=7", "", 400, INVALID, Some("partition")),
        publish("?delay_ms=x", "", 400, INVALID, Some("delay_ms")),
        publish("?colour=red", "", 400, Code::UnknownField, Some("colour")),
        publish("?key=a&key=b", "", 400, INVALID, Some("key")),
        publish("?key=a%0d%0ab", "", 400, INVALID, Some("key")),
        publish("?id=a%20b", "", 400, INVALID, Some("id")),
        publish("?key=%zz", "", 400, Code::InvalidRequest, None),
        publish("", "Idempotency-Key: a b\r\n", 400, INVALID, Some("idempotency-key")),
        publish("", "Pubsub-Producer-Id: 1\r\n", 400, INVALID, Some("pubsub-producer-seq")),
        publish("", "ce-id: 1\r\n", 400, INVALID, Some("ce-source")),
        publish("", "content-type: application/cloudevents+json\r\n", 400, Code::InvalidJson, None),
        publish("", "content-type: application/cloudevents-batch+json\r\n", 415, Code::UnsupportedMediaType, None),
        publish("", "content-type: application/cloudevents+avro\r\n", 415, Code::UnsupportedMediaType, None),
        publish("", "content-encoding: gzip\r\n", 400, INVALID, None),
        publish("", "content-encoding: br\r\n", 415, Code::UnsupportedMediaType, None),
        publish("", "content-encoding: gzip, gzip\r\n", 415, Code::UnsupportedMediaType, None),
        publish("", "content-encoding: gzip\r\ncontent-encoding: gzip\r\n", 415, Code::UnsupportedMediaType, None),
    ]);
}

#[test]
fn a_message_larger_than_its_topic_takes() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        let line = format!("POST /v1/topics/{OTHER_TOPIC}/publish?key=k");
        assert_eq!(http.request(&line, &"x".repeat(1_000)).await.problem().code, Code::MessageTooLarge);
        assert_eq!(http.request(&line, &"x".repeat(999)).await.status, 200);
    });
}

#[test]
fn reads() {
    const INVALID: Code = Code::InvalidArgument;
    let cursor = "AQEAAAAAAAAAAQABAAAABQAAAAAAAAA";
    check(vec![
        read("none", "0", "", Code::TopicNotFound, None),
        read(OTHER_TOPIC, "1", "", Code::PartitionNotFound, None),
        read(OTHER_TOPIC, "-1", "", Code::PartitionNotFound, None),
        read(OTHER_TOPIC, "x", "", Code::PartitionNotFound, None),
        read(OTHER_TOPIC, "0", "?offset=-1", INVALID, Some("offset")),
        read(OTHER_TOPIC, "0", "?offset=x", INVALID, Some("offset")),
        read(OTHER_TOPIC, "0", "?offset=1", Code::OffsetOutOfRange, None),
        read(OTHER_TOPIC, "0", "?timestamp=yesterday", INVALID, Some("timestamp")),
        read(OTHER_TOPIC, "0", "?cursor=nonsense", Code::InvalidCursor, None),
        read(OTHER_TOPIC, "0", &format!("?cursor={cursor}"), Code::InvalidCursor, None),
        read(OTHER_TOPIC, "0", "?offset=0&timestamp=1970-01-01T00:00:00Z", INVALID, Some("timestamp")),
        read(OTHER_TOPIC, "0", "?limit=10001", INVALID, Some("limit")),
        read(OTHER_TOPIC, "0", "?wait_ms=60001", INVALID, Some("wait_ms")),
        read(OTHER_TOPIC, "0", "?max=1", Code::UnknownField, Some("max")),
    ]);
}

#[test]
fn subscriptions_and_topics() {
    const INVALID: Code = Code::InvalidArgument;
    check(vec![
        other("POST /v1/subscriptions/none/pull", "{}", Code::SubscriptionNotFound, None),
        other("POST /v1/subscriptions/none/ack", r#"{"ack_ids":["a"]}"#, Code::SubscriptionNotFound, None),
        consume("pull", r#"{"max_messages":0}"#, INVALID, Some("max_messages")),
        consume("pull", r#"{"wait":1}"#, Code::UnknownField, Some("wait")),
        consume("ack", "{}", INVALID, Some("ack_ids")),
        consume("ack", "", Code::InvalidJson, None),
        consume("ack", r#"{"partition":9,"up_to_offset":1}"#, INVALID, Some("partition")),
        consume("nack", r#"{"ack_ids":[],"delay_ms":0,"dead_letter":true}"#, INVALID, Some("delay_ms")),
        consume("extend", r#"{"ack_ids":[],"deadline_ms":1}"#, INVALID, Some("deadline_ms")),
        consume("seek", "{}", INVALID, Some("to")),
        consume("seek", r#"{"offsets":{"9":1}}"#, INVALID, Some("offsets")),
        consume("seek", r#"{"to":"noon"}"#, INVALID, Some("to")),
        other("GET /v1/topics/none", "", Code::TopicNotFound, None),
        other("DELETE /v1/topics/none", "", Code::TopicNotFound, None),
        other("GET /v1/subscriptions/none", "", Code::SubscriptionNotFound, None),
        other("PUT /v1/topics/..%2Fx", "{}", Code::InvalidName, None),
        other("PUT /v1/topics/__internal", "{}", Code::InvalidName, None),
        other("PUT /v1/topics/t", r#"{"acks":"none"}"#, INVALID, Some("acks")),
        other("PUT /v1/topics/t", r#"{"partitions":"4"}"#, INVALID, Some("partitions")),
        other("PUT /v1/subscriptions/s", "{}", INVALID, Some("topic")),
        other("PUT /v1/subscriptions/s", r#"{"topic":"orders","ordering":"size"}"#, INVALID, Some("ordering")),
        other("GET /v1/topics?page_size=1001", "", INVALID, Some("page_size")),
        other("GET /v1/topics?page_token=%25", "", INVALID, Some("page_token")),
        other("GET /v1/nothing", "", Code::NotFound, None),
        other("DELETE /v1/topics", "", Code::MethodNotAllowed, None),
        other("GET /v1/ws", "", Code::UpgradeRequired, None),
        // The metadata of these tests takes no change: what is right gets as far as that.
        other("PUT /v1/topics/t", "{}", Code::NodeUnavailable, None),
    ]);
}

#[test]
fn an_entity_tag_that_does_not_match_changes_nothing() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        http.send(&format!("DELETE /v1/topics/{TOPIC}"), "if-match: \"99\"\r\n", b"").await;
        assert_eq!(http.receive().await.problem().code, Code::PreconditionFailed);
        let shown = http.request(&format!("GET /v1/topics/{TOPIC}"), "").await;
        let tag = shown.head.split("etag: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap().to_owned();
        http.send(&format!("DELETE /v1/topics/{TOPIC}"), &format!("if-match: {tag}\r\n"), b"").await;
        assert_eq!(http.receive().await.problem().code, Code::NodeUnavailable);
    });
}
