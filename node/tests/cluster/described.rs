//! What a node says of itself is so: every example of `/openapi.json` is sent, and each answer, refusals too, is one that
//! the description has, with the content that it says.

mod description;
mod fuzzed;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::Connection,
    websocket::{Frame, RawWebSocket},
};

use self::description::{Description, Example, Operation};

/// What others build on, in order; it comes first.
const FIRST: [&str; 8] = [
    "create_key",
    "put_principal",
    "put_topic",
    "publish_batch",
    "publish_one",
    "put_subscription",
    "join_consumer",
    "heartbeat_consumer",
];
/// The id in the examples of keys.
const KEY_OF_EXAMPLES: &str = "abcdefgh2345";
/// What takes away; it comes last, in this order.
const LAST: [&str; 6] =
    ["delete_key", "delete_principal", "cancel_scheduled", "leave_consumer", "delete_subscription", "delete_topic"];

#[test]
fn every_example_of_the_description_works_as_described() {
    let node = TestNode::start();
    let description = Description::fetch(node.address());
    let mut operations = description.operations();
    operations.sort_by_key(|operation| rank(&operation.id));
    let mut connection = Connection::open(node.address());
    let (mut sent, mut key) = (0, String::new());
    for operation in &operations {
        // Where no keys are asked for there are no tickets.
        if operation.id == "create_ticket" {
            continue;
        }
        for mut example in operation.examples() {
            // What the id of a key is shows only when it is made.
            example.target = example.target.replace(KEY_OF_EXAMPLES, &key);
            let answer = send(&mut connection, operation, &example);
            description.check(operation, &example.name, &answer);
            let wanted = operation.successes();
            // The only node of a cluster can't go, nobody else can lead it, and nothing can move or has to be given up.
            let needs_another = ["delete_node", "transfer_leadership", "move_partition", "elect_unclean"];
            let stays = needs_another.contains(&&*operation.id) && answer.status == 409;
            assert!(
                stays || wanted.is_empty() || wanted.contains(&answer.status),
                "{}, example {}: {answer:?}\n{example:?}",
                operation.id,
                example.name
            );
            if operation.id == "create_key" {
                let made: Value = serde_json::from_slice(&answer.body).unwrap();
                made["key_id"].as_str().unwrap().clone_into(&mut key);
            }
            sent += 1;
        }
    }
    assert!(sent > operations.len(), "only {sent} examples of {} operations were sent", operations.len());
}

/// Names that lead nowhere, bodies that are wrong: every operation says in its description how it refuses them.
#[test]
fn every_refusal_is_described() {
    let node = TestNode::start();
    let description = Description::fetch(node.address());
    let mut connection = Connection::open(node.address());
    let mut codes = BTreeSet::new();
    for operation in &description.operations() {
        let plain = operation.example_of("nowhere", None);
        let mut wrong = vec![plain];
        if operation.takes_json() {
            let bodies = [("{", "syntax"), (r#"{"surprise":1}"#, "field"), ("[]", "type"), (r#"{"topic":7}"#, "value")];
            for (body, name) in bodies {
                wrong.push(Example { name: name.to_owned(), ..operation.example_of("nowhere", Some(body)) });
            }
        }
        for example in wrong {
            let answer = send(&mut connection, operation, &example);
            description.check(operation, &example.name, &answer);
            let is_wrong_by_itself = !example.body.is_empty();
            assert!(answer.status < 500, "{}: {answer:?}", operation.id);
            assert!(answer.status >= 400 || !is_wrong_by_itself, "{}, {}: {answer:?}", operation.id, example.name);
            if answer.status >= 400 {
                codes.insert(answer.json()["code"].as_str().unwrap().to_owned());
            }
        }
    }
    for code in ["topic_not_found", "subscription_not_found", "invalid_json", "unknown_field", "invalid_argument"] {
        assert!(codes.contains(code), "{codes:?}");
    }
}

/// Each frame of the description is sent; what comes back is in the description too.
#[test]
fn frames_are_as_described() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    let frames = Description::fetch_from(node.address(), "/asyncapi.json");
    for (path, body) in [
        ("/v1/topics/orders", "{}"),
        ("/v1/subscriptions/kitchen", r#"{"topic":"orders"}"#),
        ("/v1/subscriptions/kitchen-assigned", r#"{"topic":"orders","consumption":"assigned"}"#),
    ] {
        assert_eq!(connection.request("PUT", path, &[], body.as_bytes()).status, 201);
    }
    let mut socket = RawWebSocket::open(node.address(), Some("pubsub.v1.json"));
    let mut seen = BTreeSet::new();
    let assigned = json!({ "op": "subscribe", "ref": 90, "subscription": "kitchen-assigned", "credit": 10 });
    let refused = json!({ "op": "publish", "ref": 91, "topic": "nowhere", "messages": [{ "text": "a" }] });
    // A subscription comes before what is published to it, and its end after that has been delivered.
    let (last, mut sent): (Vec<_>, Vec<_>) =
        frames.frame_examples("receive_").into_iter().partition(|frame| frame["op"] == "unsubscribe");
    sent.sort_by_key(|frame| frame["op"] != "subscribe");
    for sent in [[assigned, refused].into_iter().chain(sent).collect(), last] {
        let mut awaited: BTreeSet<_> = sent.iter().filter_map(|frame: &Value| frame["ref"].as_u64()).collect();
        for frame in &sent {
            socket.send_text(&frame.to_string());
        }
        while !awaited.is_empty() || !seen.contains("messages") {
            let Frame::Text(text) = socket.next() else { panic!("the connection ended before {awaited:?}") };
            let frame: Value = serde_json::from_str(&text).unwrap();
            frames.check_frame(&frame);
            seen.insert(frame["op"].as_str().unwrap().to_owned());
            awaited.remove(&frame["ref"].as_u64().unwrap_or_default());
        }
    }
    for op in ["published", "subscribed", "messages", "acked", "unsubscribed", "error", "pong"] {
        assert!(seen.contains(op), "only {seen:?} came");
    }
}

#[test]
fn the_page_is_served_with_what_it_needs_and_may_run_nothing_else() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    let home = connection.request("GET", "/", &[], b"");
    assert_eq!((home.status, home.header("location")), (302, Some("/docs")));
    for (path, media_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = connection.request("GET", path, &[], b"");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'self';"), "{path}");
        let etag = answer.header("etag").unwrap();
        let again = connection.request("GET", path, &[("If-None-Match", etag)], b"");
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    assert_eq!(connection.request("GET", "/docs/page.php", &[], b"").status, 404);
}

fn rank(id: &str) -> usize {
    let at = |list: &[&str]| list.iter().position(|known| *known == id);
    at(&FIRST).or_else(|| at(&LAST).map(|place| FIRST.len() + 1 + place)).unwrap_or(FIRST.len())
}

fn send(connection: &mut Connection, operation: &Operation, example: &Example) -> crate::http::Answer {
    let headers: Vec<_> = example.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut own = operation.is_endless().then(|| connection.again());
    own.as_mut().unwrap_or(connection).request(&operation.method, &example.target, &headers, &example.body)
}
