//! Endpoints that fail, are slow or busy, and nodes that end in the middle.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use super::{Bench, Endpoint, LAX, Received, Reply, endpoint::eventually, offsets};

fn texts(received: &[Received]) -> BTreeSet<String> {
    received.iter().map(Received::text).collect()
}

fn numbers(range: std::ops::Range<u32>) -> BTreeSet<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn an_endpoint_that_keeps_failing_is_left_alone_and_tried_with_one_message_at_a_time() {
    let endpoint = Endpoint::start(|_| Reply::status(500));
    let more = json!({ "backoff": { "min_ms": 1, "max_ms": 1 }, "push": { "max_in_flight": 4 } });
    let mut bench = Bench::new(&endpoint.url("/"), &more);
    bench.publish_numbers(0..50);
    let is_open = |description: &serde_json::Value| description["push"]["state"] == json!("open_circuit");
    let description = bench.await_description(is_open);
    let failures = description["push"]["consecutive_failures"].as_u64().unwrap();
    assert!(failures >= 10, "{description}");
    let open = |(labels, count): (String, f64)| labels.contains("open_circuit") && count > 0.5;
    assert!(bench.node.metric("pubsub_push_subscriptions").into_iter().any(open));
    // Then one message now and then. Without a breaker there would be thousands by now.
    assert!(endpoint.await_received(usize::try_from(failures).unwrap() + 2));
    assert!(endpoint.received().len() < 50, "{}", endpoint.received().len());
    endpoint.answer(|_| Reply::status(200));
    let description = bench.await_no_backlog();
    assert_eq!(
        (&description["push"]["state"], &description["push"]["consecutive_failures"]),
        (&json!("active"), &json!(0))
    );
    assert_eq!(texts(&endpoint.received()), numbers(0..50));
}

#[test]
fn an_endpoint_that_asks_for_time_gets_it() {
    let endpoint = Endpoint::start(|_| Reply::status(429).with_header("retry-after", "3000"));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_in_flight": 1 } }));
    bench.publish_numbers(0..3);
    bench.await_description(|description| description["push"]["state"] == json!("holding_off"));
    bench.publish_numbers(3..6);
    endpoint.answer(|_| Reply::status(200));
    assert_eq!(endpoint.received().len(), 1, "the others wait too");
    // Who says that it is well again is believed; the message that was put off comes when it was said.
    bench.patch(&json!({ "paused": true }));
    bench.patch(&json!({ "paused": false }));
    let description = bench.await_description(|description| description["backlog"] == json!(1));
    assert_eq!(description["push"]["state"], json!("active"));
    assert_eq!(offsets(&endpoint.received()), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_subscription_that_is_stuck_costs_the_others_nothing() {
    let stuck = Endpoint::start(|_| Reply::status(200).held());
    let quick = Endpoint::start(|_| Reply::status(200));
    // So little memory that the stuck one would take it all, were it allowed to.
    let mut bench = Bench::start(&[LAX, &[("push.memory_bytes_max", "1048576")]].concat(), 2);
    let more = json!({ "push": { "max_in_flight": 1000, "timeout_ms": 300_000 } });
    for name in ["stuck-1", "stuck-2"] {
        assert_eq!(bench.subscribe(name, &stuck.url("/"), &more).status, 201);
    }
    bench.publish_numbers(0..100);
    assert!(stuck.await_held(12));
    assert_eq!(bench.subscribe("hook", &quick.url("/"), &json!({})).status, 201);
    bench.await_no_backlog();
    assert_eq!(texts(&quick.received()), numbers(0..100));
    assert!(stuck.most_held() <= 16 + 2, "{}", stuck.most_held());
}

#[test]
fn a_kill_in_the_middle_loses_nothing() {
    let endpoint = Endpoint::start(|request| match request.number("pubsub-offset") {
        // Some of them fail at first, and some are never answered before the node is killed.
        offset if offset % 7 == 0 && request.number("pubsub-delivery-attempt") < 3 => Reply::status(500),
        offset if offset % 11 == 5 && request.number("pubsub-delivery-attempt") == 1 => Reply::status(200).held(),
        _ => Reply::status(200),
    });
    let mut bench = Bench::start(LAX, 1);
    assert_eq!(bench.subscribe("hook", &endpoint.url("/"), &json!({ "push": { "max_in_flight": 200 } })).status, 201);
    for round in 0..4 {
        bench.publish_numbers(round * 100..(round + 1) * 100);
        let expected = usize::try_from(round * 100 + 60).unwrap();
        assert!(endpoint.await_received(expected));
        bench.restart();
        endpoint.release();
    }
    assert!(eventually(|| {
        endpoint.release();
        bench.describe()["backlog"] == json!(0)
    }));
    assert_eq!(texts(&endpoint.received()), numbers(0..400));
}

#[test]
fn a_node_that_stops_lets_requests_end_and_sends_nothing_twice_that_was_answered() {
    let endpoint = Endpoint::start(|_| Reply::status(200).held());
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_in_flight": 3 } }));
    bench.publish_numbers(0..6);
    assert!(endpoint.await_held(3));
    bench.node.signal(rustix::process::Signal::TERM);
    // The signal is on its way: whatever is begun before it is answered too, and what is begun after it is none.
    let ended = AtomicBool::new(false);
    let status = std::thread::scope(|scope| {
        let (node, ended) = (&mut bench.node, &ended);
        let stopping = scope.spawn(move || {
            let status = node.wait_for_end();
            ended.store(true, Ordering::Relaxed);
            status
        });
        while !ended.load(Ordering::Relaxed) {
            endpoint.release();
        }
        stopping.join().unwrap()
    });
    assert!(status.success(), "{status}");
    let sent = offsets(&endpoint.received());
    endpoint.answer(|_| Reply::status(200));
    bench.restart();
    bench.await_no_backlog();
    let all = offsets(&endpoint.received());
    assert_eq!(all.len(), 6, "{sent:?}, then {all:?}");
}

#[test]
fn a_node_that_stops_gives_back_what_is_not_answered_in_time() {
    let endpoint = Endpoint::start(|_| Reply::status(200).held());
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "timeout_ms": 300_000 } }));
    bench.publish_numbers(0..2);
    assert!(endpoint.await_held(2));
    assert!(bench.node.terminate().success());
    endpoint.answer(|_| Reply::status(200));
    bench.restart();
    bench.await_no_backlog();
    let attempts: Vec<_> =
        endpoint.received().iter().map(|request| request.number("pubsub-delivery-attempt")).collect();
    assert_eq!(attempts, [1, 1, 2, 2]);
}

#[test]
fn at_most_once_sends_nothing_twice_whatever_is_answered() {
    let endpoint = Endpoint::start(|_| Reply::status(500));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "delivery": "at_most_once" }));
    bench.publish_numbers(0..5);
    assert!(endpoint.await_received(5));
    bench.await_no_backlog();
    bench.restart();
    bench.publish(&json!([{ "text": "5" }]));
    assert!(endpoint.await_received(6));
    let mut sent = offsets(&endpoint.received());
    sent.sort_unstable();
    assert_eq!(sent, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_new_partition_and_a_new_address_are_taken_up_and_a_deleted_subscription_ends() {
    let (first, second) = (Endpoint::start(|_| Reply::status(200)), Endpoint::start(|_| Reply::status(200)));
    let mut bench = Bench::new(&first.url("/"), &json!({}));
    bench.publish_numbers(0..3);
    bench.await_no_backlog();
    assert_eq!(bench.call("PATCH", "/v1/topics/orders", &json!({ "partitions": 3 })).status, 200);
    bench.patch(&json!({ "url": second.url("/") }));
    bench.publish(&json!([{ "text": "3", "partition": 1 }, { "text": "4", "partition": 2 }]));
    bench.await_no_backlog();
    assert_eq!((texts(&first.received()), texts(&second.received())), (numbers(0..3), numbers(3..5)));
    assert_eq!(bench.call("DELETE", "/v1/subscriptions/hook", &json!({})).status, 204);
    bench.publish(&json!([{ "text": "5", "partition": 0 }]));
    assert!(eventually(|| bench.node.metric("pubsub_push_subscriptions").iter().all(|(_, count)| *count < 0.5)));
    assert_eq!((first.received().len(), second.received().len()), (3, 2));
}
