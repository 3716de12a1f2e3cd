//! Messages that wait for their time: listed, and cancelled, over HTTP and across kill -9.

use std::{collections::BTreeSet, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
    redis::{RedisServer, node_on},
};

/// A node with a topic, and a subscription from its beginning.
struct Agenda {
    node: TestNode,
    connection: Connection,
}

impl Agenda {
    fn new(node: TestNode, topic: &Value) -> Self {
        let connection = Connection::open(node.address());
        let mut agenda = Self { node, connection };
        assert_eq!(agenda.call("PUT", "/v1/topics/orders", topic).status, 201);
        agenda.subscribe("billing");
        agenda
    }

    fn subscribe(&mut self, name: &str) {
        let settings = json!({ "topic": "orders", "start": "earliest" });
        assert_eq!(self.call("PUT", &format!("/v1/subscriptions/{name}"), &settings).status, 201);
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.connection.request(method, path, &[], body.as_bytes())
    }

    fn publish(&mut self, messages: &Value) -> Vec<Value> {
        let answer = self.call("POST", "/v1/topics/orders/messages", &json!({ "messages": messages })).json();
        answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    fn pull(&mut self, subscription: &str, wait_ms: u32) -> Vec<String> {
        let path = format!("/v1/subscriptions/{subscription}/pull");
        let answer = self.call("POST", &path, &json!({ "max_messages": 100, "wait_ms": wait_ms })).json();
        ids(&answer["messages"])
    }

    fn scheduled(&mut self) -> Vec<Value> {
        let page = self.call("GET", "/v1/topics/orders/scheduled?page_size=1000", &Value::Null).json();
        assert_eq!(page["next_page_token"], Value::Null, "{page}");
        page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone()
    }

    fn cancel(&mut self, id: &str) -> (u16, String) {
        let answer = self.call("DELETE", &format!("/v1/topics/orders/scheduled/{id}"), &Value::Null);
        let code = if answer.status == 204 { Value::Null } else { answer.json()["code"].clone() };
        (answer.status, code.as_str().unwrap_or_default().to_owned())
    }

    fn restart(&mut self) {
        self.node.restart();
        self.connection = Connection::open(self.node.address());
    }
}

fn ids(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().unwrap_or_else(|| panic!("{messages}"));
    messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

fn cancelled() -> (u16, String) {
    (204, String::new())
}

fn not_scheduled() -> (u16, String) {
    (404, "not_scheduled".to_owned())
}

#[test]
fn what_waits_for_its_time_is_listed_in_pages() {
    let mut agenda = Agenda::new(TestNode::start(), &json!({ "partitions": 3 }));
    let message = |number: u32| {
        let mut message = json!({ "text": "x", "id": format!("m{number:02}"), "partition": number % 3 });
        let later = [json!("2100-01-01T00:00:00.000Z"), Value::Null, json!("2000-01-01T00:00:00.000Z")];
        if let Some(at) = later[usize::try_from(number / 3 % 3).unwrap()].as_str() {
            message["deliver_at"] = json!(at);
            message["key"] = json!("k");
        }
        message
    };
    agenda.publish(&json!((0..54).map(message).collect::<Vec<_>>()));
    let expected: BTreeSet<_> = (0..54).filter(|number| number / 3 % 3 == 0).map(|n| format!("m{n:02}")).collect();
    for _ in 0..2 {
        let (mut listed, mut query) = (Vec::new(), String::new());
        loop {
            let page =
                agenda.call("GET", &format!("/v1/topics/orders/scheduled?page_size=4{query}"), &Value::Null).json();
            listed.extend(ids(&page["items"]));
            let Some(token) = page["next_page_token"].as_str() else { break };
            query = format!("&page_token={token}");
        }
        assert_eq!((listed.len(), listed.into_iter().collect::<BTreeSet<_>>()), (18, expected.clone()));
        agenda.restart();
    }
    let item = &agenda.scheduled()[0];
    let deliver_at = "2100-01-01T00:00:00.000Z";
    let whole = json!({ "id": "m00", "partition": 0, "offset": 0, "deliver_at": deliver_at, "key": "k" });
    assert_eq!(*item, whole);
}

/// Two messages that are due at the same time soon, and one that was not told a time.
fn soon(agenda: &mut Agenda, delay_ms: u32) {
    agenda.publish(&json!([
        { "text": "x", "id": "wanted", "delay_ms": delay_ms, "partition": 0 },
        { "text": "x", "id": "unwanted", "delay_ms": delay_ms, "partition": 0 },
        { "text": "x", "id": "now", "partition": 0 },
    ]));
}

fn cancel_across_a_kill(node: TestNode) {
    let mut agenda = Agenda::new(node, &json!({ "partitions": 1 }));
    soon(&mut agenda, 4_000);
    assert_eq!(agenda.cancel("unwanted"), cancelled());
    agenda.restart();
    assert_eq!(agenda.cancel("unwanted"), not_scheduled());
    assert_eq!(ids(&json!(agenda.scheduled())), ["wanted"]);
    // Neither a subscription that was there, nor one that comes later, nor one that begins anew is given it.
    agenda.subscribe("later");
    assert_eq!(agenda.pull("billing", 0), ["now"]);
    let seek = json!({ "to": "earliest" });
    assert_eq!(agenda.call("POST", "/v1/subscriptions/billing/seek", &seek).status, 200);
    for subscription in ["billing", "later"] {
        let mut delivered = BTreeSet::new();
        while delivered.len() < 2 {
            delivered.extend(agenda.pull(subscription, 30_000));
        }
        assert_eq!(delivered.into_iter().collect::<Vec<_>>(), ["now", "wanted"]);
        assert_eq!(agenda.pull(subscription, 0), [] as [&str; 0]);
    }
    // The log is as it was.
    let page = agenda.call("GET", "/v1/topics/orders/partitions/0/messages?offset=0", &Value::Null).json();
    assert_eq!(ids(&page["messages"]), ["wanted", "unwanted", "now"]);
    assert_eq!(agenda.scheduled(), [] as [Value; 0]);
    assert_eq!(agenda.cancel("wanted"), not_scheduled(), "it was delivered");
}

#[test]
fn a_cancelled_message_is_never_delivered_whatever_happens() {
    cancel_across_a_kill(TestNode::start());
}

#[test]
fn a_cancelled_message_is_never_delivered_from_redis() {
    let server = RedisServer::start();
    cancel_across_a_kill(node_on(&server));
}

#[test]
fn what_is_not_scheduled_can_not_be_cancelled() {
    let mut agenda = Agenda::new(TestNode::start(), &json!({ "partitions": 2 }));
    soon(&mut agenda, 3_600_000);
    for id in ["now", "unknown", "wante"] {
        assert_eq!(agenda.cancel(id), not_scheduled(), "{id}");
    }
    assert_eq!(agenda.cancel("wanted?partition=1"), not_scheduled());
    assert_eq!(agenda.cancel("wanted?partition=0&offset=1"), not_scheduled());
    assert_eq!(agenda.cancel("wanted?partition=9"), (404, "partition_not_found".to_owned()));
    assert_eq!(agenda.cancel("wanted?offset=0"), (400, "invalid_argument".to_owned()));
    assert_eq!(ids(&json!(agenda.scheduled())), ["wanted", "unwanted"]);
    assert_eq!(agenda.cancel("wanted?partition=0&offset=0"), cancelled());
    let missing = agenda.call("DELETE", "/v1/topics/nowhere/scheduled/x", &Value::Null);
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("topic_not_found")));
}

#[test]
fn all_that_wait_under_an_id_are_cancelled_or_the_one_that_is_meant() {
    let mut agenda = Agenda::new(TestNode::start(), &json!({ "partitions": 2, "dedup_window_ms": 0 }));
    let same = |partition: u32| json!({ "text": "x", "id": "same", "delay_ms": 3_600_000, "partition": partition });
    agenda.publish(&json!([same(0), same(1), same(0)]));
    assert_eq!(agenda.cancel("same?partition=0&offset=1"), cancelled());
    let places = |agenda: &mut Agenda| {
        let items = agenda.scheduled();
        items.iter().map(|item| (item["partition"].as_u64().unwrap(), item["offset"].as_u64().unwrap())).collect()
    };
    let left: Vec<(u64, u64)> = places(&mut agenda);
    assert_eq!(left, [(0, 0), (1, 0)]);
    assert_eq!(agenda.cancel("same"), cancelled());
    let left: Vec<(u64, u64)> = places(&mut agenda);
    assert_eq!(left, []);
}

#[test]
fn a_cancellation_at_the_last_moment_wins_or_says_that_it_has_not() {
    let mut agenda = Agenda::new(TestNode::start(), &json!({ "partitions": 1 }));
    let (mut won, mut lost) = (0, 0);
    for round in 0..40 {
        let id = format!("m{round}");
        // A second one marks the time: when it is there, the first one would have been.
        let messages = [json!({ "text": "x", "id": id, "delay_ms": 40 }), json!({ "text": "x", "delay_ms": 40 })];
        agenda.publish(&json!(messages));
        let (address, path) = (agenda.node.address().to_owned(), format!("/v1/topics/orders/scheduled/{id}"));
        let cancel = thread::spawn(move || {
            let mut connection = Connection::open(&address);
            // The first that comes too late is told so; what came before it has cancelled.
            thread::sleep(Duration::from_millis(30 + round % 20));
            connection.request("DELETE", &path, &[], b"").status
        });
        let mut delivered = Vec::new();
        while delivered.iter().all(|delivered| *delivered == id) {
            delivered.extend(agenda.pull("billing", 30_000));
        }
        let status = cancel.join().unwrap();
        delivered.extend(agenda.pull("billing", 0));
        let is_delivered = delivered.contains(&id);
        assert_eq!(status, if is_delivered { 404 } else { 204 }, "round {round}: {delivered:?}");
        *(if is_delivered { &mut lost } else { &mut won }) += 1;
    }
    println!("{won} were cancelled, {lost} were delivered");
}
