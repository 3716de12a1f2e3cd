//! What is published comes back byte for byte, by every way in and every way out.

use gateway_api::{
    consume::ReadPage,
    health::{Health, HealthStatus},
    publish::{Durability, PublishResponse, PublishResult, Published},
    subscriptions::Subscription,
    topics::{PartitionState, Topic},
};
use serde_json::{Value, json};

use crate::{
    client::HttpClient,
    harness::{OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker},
};

async fn publish(http: &mut HttpClient, topic: &str, messages: Value) -> Vec<Published> {
    let response: PublishResponse =
        http.ask(&format!("POST /v1/topics/{topic}/messages"), json!({ "messages": messages })).await;
    let published = |result| match result {
        PublishResult::Published(published) => published,
        PublishResult::Failed { error } => panic!("{error:?}"),
    };
    response.results.into_iter().map(published).collect()
}

async fn read(http: &mut HttpClient, topic: &str, query: &str) -> ReadPage {
    http.ask(&format!("GET /v1/topics/{topic}/partitions/0/messages{query}"), Value::Null).await
}

fn payloads(page: &ReadPage) -> Vec<&[u8]> {
    page.messages.iter().map(|message| message.data.as_ref()).collect()
}

#[test]
fn payloads_come_back_byte_for_byte() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        let bytes: Vec<u8> = (0..=255).collect();
        let data = gateway_api::base64::encode(&bytes);
        let results =
            publish(&mut http, OTHER_TOPIC, json!([{ "data": data, "key": "k" }, { "text": "é\n" }, { "json": [1] }]))
                .await;
        assert_eq!(results.iter().map(|result| result.offset).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(results.iter().all(|result| result.durability == Durability::Leader && !result.duplicate));
        let lines = "content-type: image/png\r\nPubsub-Attr-Colour: red\r\n";
        http.send(&format!("POST /v1/topics/{OTHER_TOPIC}/publish?key=k%2F1&id=mine&priority=9"), lines, &bytes).await;
        let one: Published = http.receive().await.json();
        assert_eq!((one.id.as_str(), one.offset), ("mine", 3));
        let page = read(&mut http, OTHER_TOPIC, "").await;
        assert_eq!(payloads(&page), [&bytes[..], "é\n".as_bytes(), b"[1]", &bytes[..]]);
        let last = &page.messages[3];
        assert_eq!((last.key.as_deref(), last.id.as_str(), last.priority), (Some("k/1"), "mine", 9));
        assert_eq!(last.content_type, "image/png");
        assert_eq!(last.attributes.get("colour").map(String::as_str), Some("red"));
        assert_eq!(page.messages[0].id, results[0].id);
    });
}

#[test]
fn a_read_pages_by_offset_cursor_and_time() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, OTHER_TOPIC, json!([{ "text": "a" }, { "text": "b" }, { "text": "c" }])).await;
        let first = read(&mut http, OTHER_TOPIC, "?limit=2").await;
        assert_eq!((payloads(&first), first.next_offset), (vec![&b"a"[..], b"b"], 2));
        let second = read(&mut http, OTHER_TOPIC, &format!("?cursor={}", first.next_cursor)).await;
        assert_eq!((payloads(&second), second.next_offset), (vec![&b"c"[..]], 3));
        assert!(read(&mut http, OTHER_TOPIC, "?offset=3").await.messages.is_empty());
        let time = first.messages[0].publish_time.to_string();
        assert_eq!(read(&mut http, OTHER_TOPIC, &format!("?timestamp={time}")).await.messages.len(), 3);
        let later = read(&mut http, OTHER_TOPIC, "?timestamp=2999-01-01T00:00:00Z").await;
        assert_eq!((later.messages.len(), later.next_offset), (0, 3));
    });
}

#[test]
fn a_read_waits_for_the_next_message() {
    with_broker(async |broker| {
        let (mut reader, mut writer) = (broker.http().await, broker.http().await);
        let line = format!("GET /v1/topics/{OTHER_TOPIC}/partitions/0/messages?offset=0&wait_ms=60000");
        reader.send(&line, "", b"").await;
        publish(&mut writer, OTHER_TOPIC, json!([{ "text": "late" }])).await;
        let page: ReadPage = reader.receive().await.json();
        assert_eq!(payloads(&page), [b"late"]);
    });
}

#[test]
fn a_read_that_waits_ends_when_the_node_stops() {
    with_broker(async |broker| {
        let mut reader = broker.http().await;
        let line = format!("GET /v1/topics/{OTHER_TOPIC}/partitions/0/messages?offset=0&wait_ms=60000");
        reader.send(&line, "", b"").await;
        // Answered on the same connection: the node has the first request by then.
        let mut other = broker.http().await;
        assert_eq!(other.request("GET /healthz", "").await.status, 200);
        broker.shutdown.request();
        let page: ReadPage = reader.receive().await.json();
        assert_eq!((page.messages.len(), page.next_offset), (0, 0));
    });
}

#[test]
fn messages_of_one_call_spread_by_key_and_keep_their_order() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        let messages: Vec<_> =
            (0..50).map(|n| json!({ "text": n.to_string(), "key": format!("k{}", n % 7) })).collect();
        let results = publish(&mut http, TOPIC, Value::Array(messages)).await;
        let mut next = [0, 0];
        for result in &results {
            let partition = usize::try_from(result.partition).unwrap();
            assert_eq!(result.offset, next[partition]);
            next[partition] += 1;
        }
        assert!(next.iter().all(|count| *count > 0), "{next:?}");
        let topic: Topic = http.ask(&format!("GET /v1/topics/{TOPIC}"), Value::Null).await;
        let ends: Vec<_> = topic.layout.iter().map(|partition| partition.high_watermark).collect();
        assert_eq!(ends, next);
        assert!(topic.layout.iter().all(|partition| partition.state == PartitionState::Open));
        let subscription: Subscription = http.ask(&format!("GET /v1/subscriptions/{SUBSCRIPTION}"), Value::Null).await;
        assert_eq!((subscription.backlog, subscription.leased), (50, 0));
    });
}

#[test]
fn a_node_that_serves_is_ready() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        let health: Health = http.ask("GET /readyz", Value::Null).await;
        assert_eq!(health.status, HealthStatus::Ok);
        assert_eq!(http.request("GET /healthz", "").await.status, 200);
    });
}
