//! Sessions: references, credits, tokens, and how a connection ends.

use gateway::config::GatewayConfig;
use gateway_api::{
    DeliveredMessage,
    error::Code,
    frame::{Messages, ServerFrame},
    publish::PublishResult,
};
use serde_json::{Value, json};

use crate::{
    client::{Received, WebSocketClient},
    harness::{Broker, OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker, with_broker_of},
};

async fn publish(broker: &Broker, topic: &str, texts: &[&str]) {
    let messages: Vec<_> = texts.iter().map(|text| json!({ "text": text })).collect();
    let mut http = broker.http().await;
    let line = format!("POST /v1/topics/{topic}/messages");
    assert_eq!(http.request(&line, &json!({ "messages": messages }).to_string()).await.status, 200);
}

async fn messages(client: &mut WebSocketClient) -> Messages {
    let frame = client.frame().await;
    let ServerFrame::Messages(messages) = frame else { panic!("{frame:?}") };
    messages
}

/// Receives frames until there are so many messages.
async fn collect(client: &mut WebSocketClient, count: usize) -> Vec<DeliveredMessage> {
    let mut collected = Vec::new();
    while collected.len() < count {
        collected.extend(messages(client).await.messages);
    }
    assert_eq!(collected.len(), count);
    collected
}

async fn subscribe(client: &mut WebSocketClient, frame: Value) {
    client.send(frame).await;
    assert!(matches!(client.frame().await, ServerFrame::Subscribed(_)));
}

/// Nothing is on its way: the answer to a ping comes first.
async fn assert_silent(client: &mut WebSocketClient) {
    client.send(json!({ "op": "ping", "ref": 99 })).await;
    let frame = client.frame().await;
    let ServerFrame::Pong(pong) = frame else { panic!("{frame:?}") };
    assert_eq!(pong.reference, Some(99));
}

fn texts(messages: &[DeliveredMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.data.0.clone()).unwrap()).collect()
}

#[test]
fn a_publish_is_answered_by_its_reference() {
    with_broker(async |broker| {
        let mut client = broker.websocket().await;
        for reference in [7, 8] {
            let messages = json!([{ "data": "AP8=" }, { "text": "b" }]);
            client.send(json!({ "op": "publish", "ref": reference, "topic": OTHER_TOPIC, "messages": messages })).await;
        }
        for expected in [7, 8] {
            let ServerFrame::Published(published) = client.frame().await else { panic!("not published") };
            assert_eq!(published.reference, Some(expected));
            assert!(published.results.iter().all(|result| matches!(result, PublishResult::Published(_))));
        }
        subscribe(&mut client, json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": "earliest", "credit": 10 }))
            .await;
        assert_eq!(collect(&mut client, 4).await[0].data.0, [0, 255]);
    });
}

#[test]
fn publishes_beyond_the_memory_for_them_are_put_off_and_the_connection_goes_on() {
    let config = GatewayConfig { bodies_bytes_max: 2_000, ..GatewayConfig::default() };
    with_broker_of(config, async |broker| {
        let mut client = broker.websocket().await;
        let text = "x".repeat(900);
        let publish = |reference: u64, count: usize| {
            let messages = vec![json!({ "text": &text }); count];
            json!({ "op": "publish", "ref": reference, "topic": OTHER_TOPIC, "messages": messages })
        };
        client.send(publish(1, 3)).await;
        let ServerFrame::Error(error) = client.frame().await else { panic!("not put off") };
        assert_eq!((error.reference, error.code), (Some(1), Code::Overloaded));
        // What one publish took is there again for the next.
        for reference in 2..5 {
            client.send(publish(reference, 2)).await;
            let ServerFrame::Published(published) = client.frame().await else { panic!("not published") };
            assert_eq!(published.reference, Some(reference));
        }
    });
}

#[test]
fn many_publishes_at_once_are_all_answered() {
    with_broker(async |broker| {
        let mut client = broker.websocket().await;
        for reference in 0..500 {
            let messages = json!([{ "text": "x" }]);
            client.send(json!({ "op": "publish", "ref": reference, "topic": TOPIC, "messages": messages })).await;
        }
        let mut references = Vec::new();
        while references.len() < 500 {
            let ServerFrame::Published(published) = client.frame().await else { panic!("not published") };
            references.extend(published.reference);
        }
        references.sort_unstable();
        assert!(references.into_iter().eq(0..500));
    });
}

#[test]
fn nothing_is_sent_without_credit() {
    with_broker(async |broker| {
        publish(&broker, TOPIC, &["a", "b", "c", "d", "e"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "ref": 1, "subscription": SUBSCRIPTION })).await;
        assert_silent(&mut client).await;
        client.send(json!({ "op": "credit", "subscription": SUBSCRIPTION, "add": 2 })).await;
        let first = collect(&mut client, 2).await;
        assert_silent(&mut client).await;
        client.send(json!({ "op": "credit", "subscription": SUBSCRIPTION, "add": 100 })).await;
        let rest = collect(&mut client, 3).await;
        assert_eq!([texts(&first), texts(&rest)].concat(), ["a", "b", "c", "d", "e"]);
        publish(&broker, TOPIC, &["later"]).await;
        assert_eq!(texts(&collect(&mut client, 1).await), ["later"], "what comes later is delivered as it comes");
    });
}

#[test]
fn what_is_acked_does_not_come_again_and_the_rest_does_at_once() {
    with_broker(async |broker| {
        publish(&broker, TOPIC, &["done", "left"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 2 })).await;
        let leased = collect(&mut client, 2).await;
        let done = leased.iter().find(|message| message.data.0 == b"done").and_then(|message| message.ack_id.clone());
        client.send(json!({ "op": "ack", "ref": 5, "subscription": SUBSCRIPTION, "ack_ids": [done, "bad"] })).await;
        let ServerFrame::Acked(acked) = client.frame().await else { panic!("not acked") };
        assert_eq!((acked.reference, acked.succeeded), (Some(5), 1));
        assert_eq!((acked.failed[0].ack_id.as_str(), acked.failed[0].code), ("bad", Code::InvalidAckId));
        drop(client);
        let mut next = broker.websocket().await;
        subscribe(&mut next, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 9 })).await;
        let again = collect(&mut next, 1).await;
        assert_eq!((texts(&again), again[0].delivery_attempt), (vec!["left".to_owned()], Some(2)));
    });
}

#[test]
fn a_nacked_message_comes_again_over_the_same_connection() {
    with_broker(async |broker| {
        publish(&broker, TOPIC, &["a"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 2 })).await;
        let ack_id = collect(&mut client, 1).await[0].ack_id.clone();
        let nack = json!({ "op": "nack", "subscription": SUBSCRIPTION, "ack_ids": [ack_id], "delay_ms": 0 });
        client.send(nack).await;
        // Without a reference there is no answer to what succeeds.
        let again = collect(&mut client, 1).await;
        assert_eq!(again[0].delivery_attempt, Some(2));
    });
}

#[test]
fn a_token_goes_on_where_the_last_frame_ended() {
    with_broker(async |broker| {
        publish(&broker, OTHER_TOPIC, &["a", "b", "c"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": "earliest", "credit": 2 }))
            .await;
        let first = messages(&mut client).await;
        assert_eq!(texts(&first.messages), ["a", "b"]);
        assert!(first.messages.iter().all(|message| message.ack_id.is_none()));
        let mut next = broker.websocket().await;
        let resume = json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": first.token, "credit": 9 });
        subscribe(&mut next, resume).await;
        assert_eq!(texts(&collect(&mut next, 1).await), ["c"]);
    });
}

#[test]
fn readers_of_one_topic_each_get_what_their_credit_allows() {
    with_broker(async |broker| {
        let mut readers = Vec::new();
        for credit in [99, 2, 99] {
            let mut reader = broker.websocket().await;
            subscribe(
                &mut reader,
                json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": "latest", "credit": credit }),
            )
            .await;
            readers.push(reader);
        }
        for round in 0..3 {
            publish(&broker, OTHER_TOPIC, &["a", "b", "c"]).await;
            for (reader, expected) in readers.iter_mut().zip([3, [2, 0, 0][round], 3]) {
                assert_eq!(texts(&collect(reader, expected).await), ["a", "b", "c"][..expected]);
            }
        }
        let tokens: Vec<_> = {
            publish(&broker, OTHER_TOPIC, &["d"]).await;
            readers[1].send(json!({ "op": "credit", "topic": OTHER_TOPIC, "add": 9 })).await;
            let mut tokens = Vec::new();
            for reader in [0, 2] {
                tokens.push(messages(&mut readers[reader]).await.token.unwrap());
            }
            tokens
        };
        assert_eq!(tokens[0], tokens[1], "who has read the same goes on from the same place");
        assert_eq!(texts(&collect(&mut readers[1], 8).await), ["c", "a", "b", "c", "a", "b", "c", "d"]);
    });
}

#[test]
fn a_filter_lets_through_what_it_says_and_the_token_goes_on_behind_the_rest() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        let line = format!("POST /v1/topics/{OTHER_TOPIC}/messages");
        for third in 0..3 {
            let message = |number: u32| json!({ "text": number.to_string(), "key": if number.is_multiple_of(1_000) { "want" } else { "pass" } });
            let messages: Vec<_> = (1 + third * 6_000..=(1 + third) * 6_000).map(message).collect();
            assert_eq!(http.request(&line, &json!({ "messages": messages }).to_string()).await.status, 200);
        }
        let filtered = |filter: &str, from: Value| json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": from, "filter": filter, "credit": 1 });
        let mut client = broker.websocket().await;
        subscribe(&mut client, filtered("key = \"want\"", json!("earliest"))).await;
        let first = messages(&mut client).await;
        assert_eq!(texts(&first.messages), ["1000"]);
        assert_silent(&mut client).await;

        let mut next = broker.websocket().await;
        subscribe(&mut next, filtered("key = \"want\"", json!(first.token))).await;
        assert_eq!(texts(&messages(&mut next).await.messages), ["2000"]);

        // Who wants nothing of it is told how far it was looked through, once in a while.
        let mut patient = broker.websocket().await;
        subscribe(&mut patient, filtered("key = \"other\"", json!("earliest"))).await;
        let token = messages(&mut patient).await;
        assert_eq!(token.messages, []);
        let mut last = broker.websocket().await;
        subscribe(&mut last, filtered("key = \"want\"", json!(token.token))).await;
        let wanted: u64 = texts(&messages(&mut last).await.messages)[0].parse().unwrap();
        assert!(wanted > 10_000, "{wanted}");
    });
}

#[test]
fn latest_is_what_is_published_after_the_answer() {
    with_broker(async |broker| {
        publish(&broker, TOPIC, &["before", "before"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "topic": TOPIC, "from": "latest", "credit": 9 })).await;
        publish(&broker, TOPIC, &["after"]).await;
        assert_eq!(texts(&collect(&mut client, 1).await), ["after"]);
    });
}

#[test]
fn after_an_unsubscribe_nothing_comes_and_others_get_what_was_leased() {
    with_broker(async |broker| {
        publish(&broker, TOPIC, &["a"]).await;
        let mut client = broker.websocket().await;
        subscribe(&mut client, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 9 })).await;
        collect(&mut client, 1).await;
        client.send(json!({ "op": "unsubscribe", "ref": 3, "subscription": SUBSCRIPTION })).await;
        assert!(matches!(client.frame().await, ServerFrame::Unsubscribed(_)));
        let mut other = broker.websocket().await;
        subscribe(&mut other, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 9 })).await;
        assert_eq!(texts(&collect(&mut other, 1).await), ["a"]);
        publish(&broker, TOPIC, &["b"]).await;
        assert_silent(&mut client).await;
    });
}

#[test]
fn a_bad_frame_is_an_error_and_the_connection_goes_on() {
    let cases = [
        ("{", None, Code::InvalidJson),
        (r#"{"op":"fly","ref":1}"#, Some(1), Code::InvalidArgument),
        (r#"{"op":"publish","ref":2,"topic":"none","messages":[]}"#, Some(2), Code::TopicNotFound),
        (r#"{"op":"publish","ref":3,"topic":"orders","messages":[]}"#, Some(3), Code::InvalidArgument),
        (r#"{"op":"publish","ref":4,"topic":"orders","messages":[{"data":"?"}]}"#, Some(4), Code::InvalidBase64),
        (r#"{"op":"subscribe","ref":5,"subscription":"none"}"#, Some(5), Code::SubscriptionNotFound),
        (r#"{"op":"subscribe","ref":6,"topic":"none"}"#, Some(6), Code::TopicNotFound),
        (r#"{"op":"subscribe","ref":7}"#, Some(7), Code::InvalidArgument),
        (r#"{"op":"subscribe","ref":8,"subscription":"sub","from":"earliest"}"#, Some(8), Code::InvalidArgument),
        (r#"{"op":"subscribe","ref":9,"topic":"orders","filter":"x"}"#, Some(9), Code::InvalidArgument),
        (r#"{"op":"subscribe","ref":14,"subscription":"sub","filter":"key = \"a\""}"#, Some(14), Code::InvalidArgument),
        (r#"{"op":"subscribe","ref":10,"topic":"orders","credit":100001}"#, Some(10), Code::InvalidArgument),
        (r#"{"op":"credit","subscription":"sub","add":1}"#, None, Code::InvalidArgument),
        (r#"{"op":"unsubscribe","ref":11,"topic":"orders"}"#, Some(11), Code::InvalidArgument),
        (r#"{"op":"ack","ref":12,"subscription":"none","ack_ids":[]}"#, Some(12), Code::SubscriptionNotFound),
        (
            r#"{"op":"nack","ref":13,"subscription":"sub","ack_ids":[],"delay_ms":0,"dead_letter":true}"#,
            Some(13),
            Code::InvalidArgument,
        ),
    ];
    with_broker(async move |broker| {
        let mut client = broker.websocket().await;
        for (text, reference, code) in cases {
            client.send_text(text).await;
            let ServerFrame::Error(error) = client.frame().await else { panic!("{text} was taken") };
            assert_eq!((error.reference, error.code), (reference, code), "{text}: {}", error.detail);
        }
        assert_silent(&mut client).await;
        subscribe(&mut client, json!({ "op": "subscribe", "subscription": SUBSCRIPTION })).await;
        client.send(json!({ "op": "subscribe", "ref": 1, "subscription": SUBSCRIPTION })).await;
        assert!(matches!(client.frame().await, ServerFrame::Error(error) if error.code == Code::InvalidArgument));
    });
}

#[test]
fn a_node_that_stops_answers_what_it_took_and_closes_with_1001() {
    with_broker(async |broker| {
        let mut client = broker.websocket().await;
        client.send(json!({ "op": "publish", "ref": 1, "topic": TOPIC, "messages": [{ "text": "x" }] })).await;
        client.send(json!({ "op": "ping" })).await;
        let mut frames = vec![client.frame().await];
        // The pong says that the node has taken what was sent before the ping.
        while !frames.iter().any(|frame| matches!(frame, ServerFrame::Pong(_))) {
            frames.push(client.frame().await);
        }
        broker.shutdown.request();
        while frames.len() < 2 {
            frames.push(client.frame().await);
        }
        assert!(frames.iter().any(|frame| matches!(frame, ServerFrame::Published(_))));
        assert_eq!(client.receive().await, Received::Closed(1001));
    });
}
