//! Dead letters: listed, and sent back to where they came from, over HTTP and across kill -9.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
    redis::{RedisServer, node_on},
};

/// A node with a topic of two partitions, and subscriptions that share one topic for their dead letters.
struct Desk {
    node: TestNode,
    connection: Connection,
}

impl Desk {
    fn new(node: TestNode, subscriptions: &[&str]) -> Self {
        let connection = Connection::open(node.address());
        let mut desk = Self { node, connection };
        for (topic, partitions) in [("orders", 2), ("dead", 2)] {
            assert_eq!(
                desk.call("PUT", &format!("/v1/topics/{topic}"), &json!({ "partitions": partitions })).status,
                201
            );
        }
        for name in subscriptions {
            let settings = json!({ "topic": "orders", "start": "earliest", "dead_letter_topic": "dead" });
            assert_eq!(desk.call("PUT", &format!("/v1/subscriptions/{name}"), &settings).status, 201);
        }
        desk
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.connection.request(method, path, &[], body.as_bytes())
    }

    fn restart(&mut self) {
        self.node.restart();
        self.connection = Connection::open(self.node.address());
    }

    fn publish(&mut self, messages: &[Value]) -> Vec<Value> {
        let answer = self.call("POST", "/v1/topics/orders/messages", &json!({ "messages": messages })).json();
        answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    fn pull(&mut self, subscription: &str, wait_ms: u32) -> Vec<Value> {
        let path = format!("/v1/subscriptions/{subscription}/pull");
        let answer = self.call("POST", &path, &json!({ "max_messages": 1_000, "wait_ms": wait_ms })).json();
        answer["messages"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    fn ack(&mut self, subscription: &str, messages: &[Value]) {
        let path = format!("/v1/subscriptions/{subscription}/ack");
        let ids: Vec<_> = messages.iter().map(|message| &message["ack_id"]).collect();
        let acked = self.call("POST", &path, &json!({ "ack_ids": ids })).json();
        assert_eq!(acked["succeeded"], json!(messages.len()), "{acked}");
    }

    /// Has everything there is rejected, and waits until it is among the dead letters.
    fn reject_all(&mut self, subscription: &str, count: usize) {
        let path = format!("/v1/subscriptions/{subscription}/nack");
        let mut rejected = 0;
        while rejected < count {
            let messages = self.pull(subscription, 30_000);
            let ids: Vec<_> = messages.iter().map(|message| &message["ack_id"]).collect();
            let nacked = self.call("POST", &path, &json!({ "ack_ids": ids, "dead_letter": true })).json();
            assert_eq!(nacked["failed"], json!([]), "{nacked}");
            rejected += messages.len();
        }
        let described = format!("/v1/subscriptions/{subscription}");
        while self.call("GET", &described, &Value::Null).json()["backlog"] != json!(0) {}
    }

    /// The ids of all messages of a partition of the topic, from an offset on.
    fn read_from(&mut self, partition: u32, mut offset: u64) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1000");
            let page = self.call("GET", &path, &Value::Null).json();
            let messages = ids(page["messages"].as_array().unwrap_or_else(|| panic!("{page}")));
            if messages.is_empty() {
                return read;
            }
            read.extend(messages);
            offset = page["next_offset"].as_u64().unwrap();
        }
    }

    /// One page of dead letters.
    fn page(&mut self, subscription: &str, query: &str) -> Value {
        let answer = self.call("GET", &format!("/v1/subscriptions/{subscription}/dead-letters{query}"), &Value::Null);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    fn letters(&mut self, subscription: &str) -> Vec<Value> {
        let page = self.page(subscription, "?page_size=1000");
        assert_eq!(page["next_page_token"], Value::Null, "{page}");
        page["items"].as_array().unwrap().clone()
    }

    fn redrive(&mut self, subscription: &str, body: &Value) -> Value {
        let answer = self.call("POST", &format!("/v1/subscriptions/{subscription}/redrive"), body);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }
}

fn ids(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

/// A message of each number, in turn to both partitions.
fn numbered(count: u64) -> Vec<Value> {
    let message = |number: u64| json!({ "text": "x", "id": format!("m{number:03}"), "partition": number % 2 });
    (0..count).map(message).collect()
}

#[test]
fn a_redriven_message_is_as_it_was_and_for_its_subscription_alone() {
    let mut desk = Desk::new(TestNode::start(), &["billing", "audit"]);
    let sent = json!({ "text": "two coffees", "id": "order-17", "key": "table-7", "attributes": { "own": "kept" },
        "priority": 7, "ttl_ms": 3_600_000, "partition": 1 });
    let first = desk.publish(std::slice::from_ref(&sent));
    desk.reject_all("billing", 1);
    // Both give up on the same message, and both have their letter.
    desk.reject_all("audit", 1);
    let [letter] = &desk.letters("billing")[..] else { panic!("one letter") };
    assert_eq!(
        (&letter["id"], &letter["topic"], &letter["ack_id"]),
        (&json!("order-17"), &json!("dead"), &Value::Null)
    );
    let attributes = &letter["attributes"];
    let told = ["subscription", "topic", "partition", "offset", "attempts", "reason"];
    let told = told.map(|name| attributes[format!("pubsub-dlq-{name}")].as_str().unwrap());
    assert_eq!(told, ["billing", "orders", "1", "0", "1", "rejected"]);
    assert_eq!(desk.letters("audit").len(), 1);

    assert_eq!(desk.redrive("billing", &Value::Null), json!({ "redriven": 1 }));
    let [message] = &desk.pull("billing", 30_000)[..] else { panic!("one message") };
    let field = |name: &str| message[name].clone();
    assert_eq!(field("id"), sent["id"]);
    assert_eq!(field("key"), sent["key"]);
    assert_eq!(field("attributes"), sent["attributes"]);
    assert_eq!((field("priority"), field("partition"), field("offset")), (json!(7), json!(1), json!(1)));
    assert_eq!((field("content_type"), field("data")), (json!("text/plain; charset=utf-8"), letter["data"].clone()));
    assert_eq!((field("delivery_attempt"), field("expires_at")), (json!(1), Value::Null), "it begins anew");
    assert_eq!(desk.pull("audit", 0), [] as [Value; 0]);

    // Its id is remembered as before, of the first one.
    let again = desk.publish(&[sent]);
    assert_eq!((&again[0]["offset"], &again[0]["duplicate"]), (&first[0]["offset"], &json!(true)));
    desk.restart();
    assert_eq!(desk.letters("billing"), [] as [Value; 0]);
    assert_eq!(desk.redrive("billing", &json!({})), json!({ "redriven": 0 }));
    assert_eq!(ids(&desk.letters("audit")), ["order-17"], "the other's letter is its own");
    assert_eq!(desk.pull("audit", 0), [] as [Value; 0]);
    assert_eq!(ids(&desk.pull("billing", 30_000)), ["order-17"]);
}

#[test]
fn letters_are_listed_in_pages_and_redriven_by_id_or_number() {
    let mut desk = Desk::new(TestNode::start(), &["billing", "audit"]);
    desk.publish(&numbered(25));
    desk.reject_all("audit", 25);
    desk.reject_all("billing", 25);
    let (mut listed, mut query) = (Vec::new(), "?page_size=4".to_owned());
    loop {
        let page = desk.page("billing", &query);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4, "{page}");
        listed.extend(ids(items));
        let Some(token) = page["next_page_token"].as_str() else { break };
        query = format!("?page_size=4&page_token={token}");
    }
    let all: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!((listed.len(), all.len()), (25, 25), "{listed:?}");

    let some = json!({ "ids": [listed[3], listed[20], "unknown"] });
    assert_eq!(desk.redrive("billing", &some), json!({ "redriven": 2 }));
    listed.remove(20);
    listed.remove(3);
    assert_eq!(ids(&desk.letters("billing")), listed);
    let oldest = desk.redrive("billing", &json!({ "limit": 5 }));
    assert_eq!(oldest["redriven"], json!(5));
    assert_eq!(ids(&desk.letters("billing")), listed[5..]);
    // A token leads on from there, also to letters that a page has shown.
    let rest = json!({ "page_token": oldest["next_page_token"], "ids": [listed[0], listed[6]] });
    assert_eq!(desk.redrive("billing", &rest), json!({ "redriven": 1 }));
    assert_eq!(desk.redrive("billing", &json!({ "limit": 100 })), json!({ "redriven": 17 }));
    assert_eq!(desk.letters("billing"), [] as [Value; 0]);
    let mut delivered = BTreeSet::new();
    while delivered.len() < 25 {
        delivered.extend(ids(&desk.pull("billing", 30_000)));
    }
    assert_eq!(delivered, all);
    assert_eq!(desk.letters("audit").len(), 25);

    // With the subscription goes what was known of its letters; one of the same name has them all.
    assert_eq!(desk.call("DELETE", "/v1/subscriptions/billing", &Value::Null).status, 204);
    let settings = json!({ "topic": "orders", "dead_letter_topic": "dead" });
    assert_eq!(desk.call("PUT", "/v1/subscriptions/billing", &settings).status, 201);
    desk.restart();
    assert_eq!(desk.letters("billing").len(), 25);
}

#[test]
fn what_can_not_be_listed_or_redriven_is_told_why() {
    let mut desk = Desk::new(TestNode::start(), &["billing"]);
    let plain = json!({ "topic": "orders" });
    assert_eq!(desk.call("PUT", "/v1/subscriptions/plain", &plain).status, 201);
    let mut told = |method: &str, path: &str, body: &Value| {
        let answer = desk.call(method, &format!("/v1/subscriptions/{path}"), body);
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let invalid = (400, "invalid_argument".to_owned());
    for (method, path) in [("GET", "dead-letters"), ("POST", "redrive")] {
        let of = |name: &str| format!("{name}/{path}");
        assert_eq!(told(method, &of("plain"), &Value::Null), (409, "no_dead_letter_topic".to_owned()));
        assert_eq!(told(method, &of("nobody"), &Value::Null), (404, "subscription_not_found".to_owned()));
    }
    assert_eq!(told("GET", "billing/dead-letters?page_size=1001", &Value::Null), invalid);
    assert_eq!(told("GET", "billing/dead-letters?page_token=x", &Value::Null), invalid);
    assert_eq!(told("POST", "billing/redrive", &json!({ "ids": [] })), invalid);
    assert_eq!(told("POST", "billing/redrive", &json!({ "limit": 0 })), invalid);
    assert_eq!(desk.call("DELETE", "/v1/topics/dead", &Value::Null).status, 204);
    let answer = desk.call("GET", "/v1/subscriptions/billing/dead-letters", &Value::Null);
    assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("topic_not_found")));
}

/// What must hold at any time: a message that was a letter is one still, or is in its topic again.
fn assert_nothing_is_nowhere(desk: &mut Desk, count: u64) -> BTreeMap<String, usize> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let letters = ids(&desk.letters("billing"));
    let mut back = Vec::new();
    for partition in 0..2 {
        // Every message was published to its partition once; what is there behind that has come back.
        back.extend(desk.read_from(partition, count / 2));
    }
    for id in letters.iter().chain(&back) {
        *places.entry(id.clone()).or_default() += 1;
    }
    let published = (0..count).map(|number| format!("m{number:03}"));
    let nowhere: Vec<_> = published.filter(|id| !places.contains_key(id)).collect();
    assert_eq!(nowhere, [] as [String; 0], "neither letters nor in their topic");
    places
}

/// Kills the node again and again while letters are sent back one by one; returns how many came back twice.
fn redrive_under_kills(mut desk: Desk, (count, kills): (u64, u32), seed: u64) -> usize {
    desk.publish(&numbered(count));
    desk.reject_all("billing", usize::try_from(count).unwrap());
    let mut random = seed;
    for _ in 0..kills {
        // After how many answers, and how far into the next call, is chance.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (calls, micros) = ((random >> 33) % 6, (random >> 40) % 2_000);
        for _ in 0..calls {
            desk.redrive("billing", &json!({ "limit": 1 }));
        }
        let mut last = Connection::open(desk.node.address());
        let head = "POST /v1/subscriptions/billing/redrive HTTP/1.1\r\nHost: node\r\nContent-Length: 11\r\n\r\n";
        last.send(format!("{head}{{\"limit\":2}}").as_bytes());
        thread::sleep(Duration::from_micros(micros));
        desk.restart();
        assert_nothing_is_nowhere(&mut desk, count);
    }
    while desk.redrive("billing", &Value::Null)["next_page_token"].is_string() {}
    assert_eq!(desk.letters("billing"), [] as [Value; 0]);
    let places = assert_nothing_is_nowhere(&mut desk, count);
    let twice = places.values().sum::<usize>() - places.len();
    assert!(twice <= 2 * usize::try_from(kills).unwrap(), "{twice}: more than were on their way");
    let mut delivered = BTreeSet::new();
    while delivered.len() < places.len() {
        let messages = desk.pull("billing", 30_000);
        assert!(!messages.is_empty(), "{delivered:?} of {places:?}");
        delivered.extend(ids(&messages));
    }
    twice
}

/// F55.
#[test]
fn a_kill_while_letters_are_sent_back_loses_none() {
    for seed in [1, 2] {
        let twice = redrive_under_kills(Desk::new(TestNode::start(), &["billing"]), (60, 12), seed);
        println!("seed {seed}: 12 kills, {twice} of 60 messages came back twice");
    }
}

#[test]
fn a_kill_while_letters_are_sent_back_loses_none_in_redis() {
    let server = RedisServer::start();
    let twice = redrive_under_kills(Desk::new(node_on(&server), &["billing"]), (60, 12), 3);
    println!("12 kills, {twice} of 60 messages came back twice");
}

#[test]
fn two_who_redrive_at_the_same_time_share_the_letters() {
    let mut desk = Desk::new(TestNode::start(), &["billing"]);
    desk.publish(&numbered(400));
    desk.reject_all("billing", 400);
    let address = desk.node.address().to_owned();
    let redrive = move || {
        let mut connection = Connection::open(&address);
        let answer = connection.request("POST", "/v1/subscriptions/billing/redrive", &[], b"").json();
        answer["redriven"].as_u64().unwrap()
    };
    let others: Vec<_> = (0..3).map(|_| thread::spawn(redrive.clone())).collect();
    let total: u64 = redrive() + others.into_iter().map(|other| other.join().unwrap()).sum::<u64>();
    assert_eq!(total, 400, "each letter was sent once");
    let mut delivered = Vec::new();
    while delivered.len() < 400 {
        let messages = desk.pull("billing", 30_000);
        desk.ack("billing", &messages);
        delivered.extend(ids(&messages));
    }
    assert_eq!(desk.pull("billing", 0), [] as [Value; 0]);
    assert_eq!(delivered.iter().collect::<BTreeSet<_>>().len(), 400);
}
