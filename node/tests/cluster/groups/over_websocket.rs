//! Members of groups that are connected by WebSocket.

use serde_json::{Value, json};

use super::bench::{Bench, Consumer, ack_ids, offsets};
use crate::websocket::{Frame, RawWebSocket};

/// A connection that consumes the subscription.
struct Connected {
    socket: RawWebSocket,
    /// Messages that came while something else was waited for.
    came: Vec<Value>,
}

impl Connected {
    fn open(bench: &Bench) -> Self {
        Self { socket: RawWebSocket::open(bench.node.address(), None), came: Vec::new() }
    }

    /// Subscribes, perhaps as a consumer that comes back, and gives the membership that it is told.
    fn subscribe(bench: &Bench, consumer_id: &str, credit: u32) -> (Self, Consumer) {
        let mut connected = Self::open(bench);
        connected.send(&json!({ "op": "subscribe", "ref": 1, "subscription": "billing", "credit": credit,
            "consumer_id": consumer_id }));
        let subscribed = connected.next();
        assert_eq!((&subscribed["op"], &subscribed["ref"]), (&json!("subscribed"), &json!(1)), "{subscribed}");
        assert!(subscribed["session_timeout_ms"].is_u64(), "{subscribed}");
        (connected, Consumer::of(&subscribed))
    }

    fn send(&mut self, frame: &Value) {
        self.socket.send_text(&frame.to_string());
    }

    fn next(&mut self) -> Value {
        match self.socket.next() {
            Frame::Text(text) => serde_json::from_str(&text).unwrap(),
            ended @ (Frame::Close(_) | Frame::End) => panic!("{ended:?} instead of a frame"),
        }
    }

    /// Messages until there are so many; nothing else may come between them.
    fn messages(&mut self, count: usize) -> Vec<Value> {
        let mut messages = std::mem::take(&mut self.came);
        while messages.len() < count {
            let frame = self.next();
            assert_eq!(frame["op"], json!("messages"), "{frame}");
            messages.extend(frame["messages"].as_array().unwrap().iter().cloned());
        }
        messages
    }

    /// Frames until one says that the consumer has so many partitions; gives the messages that came before.
    fn until_assigned(&mut self, partitions: usize) -> (Vec<Value>, Vec<u64>) {
        let mut messages = std::mem::take(&mut self.came);
        loop {
            let frame = self.next();
            if frame["op"] == json!("messages") {
                messages.extend(frame["messages"].as_array().unwrap().iter().cloned());
                continue;
            }
            assert_eq!((&frame["op"], &frame["subscription"]), (&json!("assigned"), &json!("billing")), "{frame}");
            let assigned: Vec<u64> =
                frame["partitions"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
            if assigned.len() == partitions {
                return (messages, assigned);
            }
        }
    }

    fn ack(&mut self, messages: &[Value]) {
        self.send(&json!({ "op": "ack", "ref": 2, "subscription": "billing", "ack_ids": ack_ids(messages) }));
        let acked = loop {
            let frame = self.next();
            let Some(messages) = frame["messages"].as_array() else { break frame };
            self.came.extend(messages.iter().cloned());
        };
        assert_eq!((&acked["op"], &acked["failed"]), (&json!("acked"), &json!([])), "{acked}");
    }
}

#[test]
fn who_comes_back_within_its_session_keeps_its_partitions_and_gets_again_what_it_held() {
    let mut bench = Bench::new(2, &json!({}));
    bench.publish_each_partition(&["a", "b"]);
    let (mut ann, before) = Connected::subscribe(&bench, "ann", 10);
    assert_eq!(before.partitions, [0, 1]);
    let held = ann.messages(4);
    ann.ack(&held[..1]);
    drop(ann);
    let (mut ann, after) = Connected::subscribe(&bench, "ann", 10);
    assert_eq!(after, before, "the same partitions of the same generation");
    let mut again = ann.messages(3);
    assert!(again.iter().all(|message| message["delivery_attempt"] == json!(2)));
    again.sort_by_key(|message| message["partition"].as_u64());
    let first = held[0]["partition"].as_u64().unwrap();
    let expected = if first == 0 { [1, 0, 1] } else { [0, 1, 1] };
    assert_eq!(offsets(&again), expected);
    ann.ack(&again);
    assert_eq!(bench.describe()["backlog"], json!(0));
}

#[test]
fn a_connection_that_is_left_open_is_displaced_by_the_next_of_its_consumer() {
    let mut bench = Bench::new(1, &json!({}));
    bench.publish_each_partition(&["a", "b"]);
    let (mut old, _) = Connected::subscribe(&bench, "ann", 2);
    old.messages(2);
    // The network may have lost it, and nobody has told the node.
    let (mut new, membership) = Connected::subscribe(&bench, "ann", 2);
    assert_eq!(membership.partitions, [0]);
    let again = new.messages(2);
    assert_eq!(offsets(&again), [0, 1]);
    old.send(&json!({ "op": "credit", "subscription": "billing", "add": 5 }));
    let told = old.next();
    assert_eq!((&told["op"], &told["code"]), (&json!("error"), &json!("consumer_displaced")), "{told}");
    new.ack(&again);
    drop(old);
    new.send(&json!({ "op": "credit", "subscription": "billing", "add": 1 }));
    bench.publish_each_partition(&["c"]);
    assert_eq!(offsets(&new.messages(1)), [2], "the end of the old connection is not that of the consumer");
}

/// F52.
#[test]
fn what_a_killed_consumer_held_comes_again_in_the_order_of_its_keys() {
    let settings = json!({ "session_timeout_ms": 500, "ordering": "key" });
    let mut bench = Bench::new(2, &settings);
    let (mut ann, membership) = Connected::subscribe(&bench, "ann", 100);
    assert_eq!(membership.partitions, [0, 1]);
    let message = |number: u32| {
        let key = if number.is_multiple_of(2) { "even" } else { "odd" };
        json!({ "text": number.to_string(), "key": key, "partition": number % 2 })
    };
    bench.publish(&(0..10).map(message).collect::<Vec<_>>());
    // One of each key is in its hands, since the next waits for that; one of them it has done.
    let held = ann.messages(2);
    ann.ack(&held[..1]);
    let next = ann.messages(1);
    assert_eq!(next[0]["offset"], json!(1), "{next:?}");
    drop(ann);

    let (mut bob, _) = Connected::subscribe(&bench, "bob", 100);
    let mut done = Vec::new();
    while done.len() < 9 {
        let frame = bob.next();
        for message in frame["messages"].as_array().into_iter().flatten() {
            bob.send(&json!({ "op": "ack", "subscription": "billing", "ack_ids": [message["ack_id"]] }));
            done.push((message["partition"].as_u64().unwrap(), message["offset"].as_u64().unwrap()));
        }
    }
    for partition in [0, 1] {
        let offsets: Vec<_> = done.iter().filter(|(of, _)| *of == partition).map(|(_, offset)| *offset).collect();
        let first = u64::from(held[0]["partition"] == json!(partition));
        assert!(offsets.iter().copied().eq(first..5), "partition {partition}: {offsets:?}");
    }
    let described = bench.describe();
    assert_eq!(described["consumers"].as_array().unwrap().len(), 1, "the killed one is gone: {described}");
}

#[test]
fn a_consumer_that_leaves_gives_its_partitions_away_at_once() {
    // So long that no partition moves by a session that has ended.
    let mut bench = Bench::new(2, &json!({ "session_timeout_ms": 3_600_000 }));
    let (mut ann, _) = Connected::subscribe(&bench, "ann", 1);
    let (mut bob, none) = Connected::subscribe(&bench, "bob", 100);
    assert_eq!(none.partitions, [] as [u64; 0]);
    assert_eq!(ann.until_assigned(1).1.len(), 1);
    assert_eq!(bob.until_assigned(1).1.len(), 1);
    ann.send(&json!({ "op": "unsubscribe", "ref": 3, "subscription": "billing" }));
    while ann.next()["op"] != json!("unsubscribed") {}
    assert_eq!(bob.until_assigned(2).1, [0, 1]);

    // The same by the end of the connection, if the consumer says that it is done.
    let (mut eve, _) = Connected::subscribe(&bench, "eve", 1);
    assert_eq!(bob.until_assigned(1).1.len(), 1);
    assert_eq!(eve.until_assigned(1).1.len(), 1);
    eve.socket.close(1000);
    assert_eq!(bob.until_assigned(2).1, [0, 1]);
    assert_eq!(bench.describe()["consumers"].as_array().unwrap().len(), 1);
}

#[test]
fn a_connected_consumer_finishes_what_it_holds_before_its_partition_goes_on() {
    let mut bench = Bench::new(2, &json!({ "session_timeout_ms": 3_600_000 }));
    bench.publish_each_partition(&["a", "b"]);
    let (mut ann, _) = Connected::subscribe(&bench, "ann", 4);
    let held = ann.messages(4);
    let (mut bob, _) = Connected::subscribe(&bench, "bob", 100);
    let (_, kept) = ann.until_assigned(1);
    // Half an hour would have to pass before it is taken from her all the same.
    ann.ack(&held);
    let (messages, assigned) = bob.until_assigned(1);
    assert_eq!(messages, [] as [Value; 0]);
    assert_ne!(assigned, kept);
    bench.publish_each_partition(&["c"]);
    let fresh = bob.messages(1);
    assert_eq!((offsets(&fresh), json!(assigned)), (vec![2], json!([fresh[0]["partition"]])));
    assert_eq!(bench.describe()["redeliveries"], json!(0));
}

#[test]
fn being_connected_is_the_sign_of_life_and_being_gone_for_a_session_the_end() {
    let mut bench = Bench::new(1, &json!({ "session_timeout_ms": 500 }));
    let (ann, membership) = Connected::subscribe(&bench, "ann", 1);
    let (mut bob, _) = Connected::subscribe(&bench, "bob", 1);
    // A consumer that says nothing is gone after a session; who was there before her, and lives, is not.
    bench.join("eve");
    let described = loop {
        let described = bench.describe();
        if !described["consumers"].to_string().contains("eve") {
            break described;
        }
    };
    let shown = described["consumers"].as_array().unwrap();
    let of_ann =
        shown.iter().find(|shown| shown["consumer_id"] == json!("ann")).unwrap_or_else(|| panic!("{described}"));
    assert_eq!(of_ann["partitions"], json!(membership.partitions), "{described}");
    drop(ann);
    assert_eq!(bob.until_assigned(1).1, [0], "its partition is another's once the session is over");
}

#[test]
fn a_shared_subscription_has_no_members_and_a_topic_neither() {
    let mut bench = Bench::new(1, &json!({}));
    bench.share();
    let mut socket = Connected::open(&bench);
    for frame in [
        json!({ "op": "subscribe", "ref": 1, "subscription": "billing", "consumer_id": "ann" }),
        json!({ "op": "subscribe", "ref": 1, "topic": "orders", "consumer_id": "ann" }),
    ] {
        socket.send(&frame);
        let refused = socket.next();
        assert_eq!((&refused["op"], &refused["errors"][0]["field"]), (&json!("error"), &json!("consumer_id")));
    }
}
