//! Priorities, delays, times to live, ordered keys and delivery modes, over HTTP and across kill -9.

use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
};

/// A node with a topic of one partition and a subscription from its beginning.
struct Bench {
    node: TestNode,
    connection: Connection,
}

impl Bench {
    fn new(subscription: &Value) -> Self {
        let node = TestNode::start();
        let mut connection = Connection::open(node.address());
        assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
        let mut settings = json!({ "topic": "orders", "start": "earliest", "backoff": { "min_ms": 1, "max_ms": 1 } });
        settings.as_object_mut().unwrap().extend(subscription.as_object().unwrap().clone());
        let mut bench = Self { node, connection };
        assert_eq!(bench.call("PUT", "/v1/subscriptions/billing", &settings).status, 201);
        bench.connection = Connection::open(bench.node.address());
        bench
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.connection.request(method, path, &[], body.to_string().as_bytes())
    }

    fn publish(&mut self, messages: &Value) {
        let answer = self.call("POST", "/v1/topics/orders/messages", &json!({ "messages": messages }));
        assert_eq!(answer.status, 200, "{}", answer.json());
    }

    fn pull(&mut self, max_messages: u32, wait_ms: u32) -> Vec<Value> {
        let body = json!({ "max_messages": max_messages, "wait_ms": wait_ms });
        let answer = self.call("POST", "/v1/subscriptions/billing/pull", &body);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["messages"].as_array().unwrap().clone()
    }

    fn ack(&mut self, messages: &[Value]) -> Value {
        let ids: Vec<_> = messages.iter().map(|message| &message["ack_id"]).collect();
        self.call("POST", "/v1/subscriptions/billing/ack", &json!({ "ack_ids": ids })).json()
    }

    fn nack(&mut self, messages: &[Value]) {
        let ids: Vec<_> = messages.iter().map(|message| &message["ack_id"]).collect();
        let body = json!({ "ack_ids": ids, "delay_ms": 0 });
        assert_eq!(self.call("POST", "/v1/subscriptions/billing/nack", &body).json()["failed"], json!([]));
    }

    fn kill_and_restart(&mut self) {
        self.node.restart();
        self.connection = Connection::open(self.node.address());
    }
}

fn offsets(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["offset"].as_u64().unwrap()).collect()
}

#[test]
fn the_highest_priority_of_the_backlog_goes_first_also_after_a_restart() {
    let mut bench = Bench::new(&json!({}));
    let priorities = [4, 0, 9, 4, 9, 7];
    bench.publish(&json!(priorities.map(|priority| json!({ "text": "a", "priority": priority }))));
    assert_eq!(offsets(&bench.pull(1, 0)), [2]);
    bench.kill_and_restart();
    let pulled = bench.pull(10, 0);
    assert_eq!(offsets(&pulled), [2, 4, 5, 0, 3, 1], "the first lease ended with the process");
    assert_eq!(bench.ack(&pulled)["succeeded"], json!(6));
}

#[test]
fn a_delayed_message_waits_for_its_time_also_over_a_restart() {
    let mut bench = Bench::new(&json!({}));
    bench.publish(&json!([
        { "text": "later", "delay_ms": 1_500 },
        { "text": "now" },
        { "text": "much later", "deliver_at": "2100-01-01T00:00:00Z" },
    ]));
    let first = bench.pull(10, 0);
    assert_eq!(offsets(&first), [1]);
    bench.ack(&first);
    bench.kill_and_restart();
    // The pull waits for what is due, and is woken by the clock alone.
    let due = bench.pull(10, 30_000);
    assert_eq!(offsets(&due), [0]);
    assert!(due[0]["deliver_at"].as_str().unwrap() > due[0]["publish_time"].as_str().unwrap(), "{}", due[0]);
    bench.ack(&due);
    assert_eq!(bench.pull(10, 0), [] as [Value; 0]);
}

#[test]
fn an_expired_message_is_not_delivered() {
    let mut bench = Bench::new(&json!({}));
    bench.publish(&json!([{ "text": "a", "ttl_ms": 1 }, { "text": "b", "ttl_ms": 3_600_000 }]));
    // A millisecond has passed when the next message of the same publisher is there.
    while bench.call("POST", "/v1/topics/orders/messages", &json!({ "messages": [{ "text": "c" }] })).status != 200 {}
    let pulled = bench.pull(10, 0);
    let fresh: Vec<_> = offsets(&pulled).into_iter().filter(|offset| *offset > 0).collect();
    assert_eq!(fresh, [1, 2]);
    assert!(pulled.iter().any(|message| message["expires_at"].is_string()));
}

#[test]
fn messages_of_one_key_wait_for_each_other_and_a_poisoned_key_holds_up_no_other() {
    let mut bench = Bench::new(&json!({ "ordering": "key" }));
    let keys = ["a", "b", "a", "b", "a"];
    bench.publish(&json!(keys.map(|key| json!({ "text": "x", "key": key, "partition": 0 }))));
    let first = bench.pull(10, 0);
    assert_eq!(offsets(&first), [0, 1]);
    bench.ack(&first[1..]);
    bench.nack(&first[..1]);
    let second = bench.pull(10, 0);
    assert_eq!(offsets(&second), [0, 3], "the first of `a` again, and the next of `b`");
    bench.ack(&second[1..]);
    bench.kill_and_restart();
    let third = bench.pull(10, 0);
    assert_eq!(offsets(&third), [0], "nothing of `a` passes its first");
    bench.ack(&third);
    for offset in [2, 4] {
        let next = bench.pull(10, 0);
        assert_eq!(offsets(&next), [offset]);
        bench.ack(&next);
    }
}

#[test]
fn a_filter_lets_through_what_it_says_also_after_a_restart() {
    let mut bench = Bench::new(&json!({ "filter": "attributes.colour = \"red\" AND priority >= 4" }));
    let message = |colour, priority| json!({ "text": "a", "attributes": { "colour": colour }, "priority": priority });
    bench.publish(&json!([message("red", 4), message("blue", 9), message("red", 0), message("red", 9)]));
    assert_eq!(offsets(&bench.pull(1, 0)), [3]);
    bench.kill_and_restart();
    let pulled = bench.pull(10, 0);
    assert_eq!(offsets(&pulled), [3, 0]);
    bench.ack(&pulled);
    let described = bench.call("GET", "/v1/subscriptions/billing", &Value::Null).json();
    assert_eq!((&described["backlog"], &described["cursors"][0]["ack_floor"]), (&json!(0), &json!(4)), "{described}");
}

#[test]
fn at_most_once_delivers_nothing_twice_whatever_happens() {
    let mut bench = Bench::new(&json!({ "delivery": "at_most_once" }));
    bench.publish(&json!([{ "text": "a" }, { "text": "b" }]));
    assert_eq!(offsets(&bench.pull(1, 0)), [0]);
    bench.kill_and_restart();
    assert_eq!(offsets(&bench.pull(10, 0)), [1], "the first was acked, durably, before it was delivered");
}

#[test]
fn exactly_once_takes_one_ack_of_the_live_lease() {
    let mut bench = Bench::new(&json!({ "delivery": "exactly_once", "ack_deadline_ms": 100 }));
    bench.publish(&json!([{ "text": "a" }]));
    let first = bench.pull(1, 0);
    let again = bench.pull(1, 30_000);
    assert_eq!(again[0]["delivery_attempt"], json!(2), "the deadline has passed");
    assert_eq!(bench.ack(&first)["failed"][0]["code"], json!("lease_expired"));
    bench.nack(&again);
    let last = bench.pull(1, 30_000);
    assert_eq!(bench.ack(&last)["succeeded"], json!(1));
    assert_eq!(bench.ack(&last)["failed"][0]["code"], json!("lease_expired"));
    bench.kill_and_restart();
    assert_eq!(bench.pull(1, 0), [] as [Value; 0]);
}

/// What the dead-letter topic holds: reason, attempts, and where it came from.
fn dead_letters(bench: &mut Bench) -> Vec<(String, String, String)> {
    let page = bench.call("GET", "/v1/topics/dead/partitions/0/messages?offset=0&limit=100", &Value::Null).json();
    let attribute = |message: &Value, name: &str| message["attributes"][name].as_str().unwrap().to_owned();
    let letter = |message: &Value| {
        assert_eq!(attribute(message, "pubsub-dlq-topic"), "orders");
        assert_eq!(attribute(message, "pubsub-dlq-partition"), "0");
        assert_eq!(attribute(message, "pubsub-dlq-subscription"), "billing");
        let (reason, attempts) = (attribute(message, "pubsub-dlq-reason"), attribute(message, "pubsub-dlq-attempts"));
        (reason, attempts, attribute(message, "pubsub-dlq-offset"))
    };
    page["messages"].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(letter).collect()
}

fn letter(reason: &str, attempts: u32, offset: u64) -> (String, String, String) {
    (reason.to_owned(), attempts.to_string(), offset.to_string())
}

fn with_dead_letters(max_attempts: u32) -> Bench {
    let mut bench = Bench::new(&json!({ "ordering": "key" }));
    assert_eq!(bench.call("PUT", "/v1/topics/dead", &json!({ "partitions": 1 })).status, 201);
    let settings = json!({ "dead_letter_topic": "dead", "max_delivery_attempts": max_attempts });
    assert_eq!(bench.call("PATCH", "/v1/subscriptions/billing", &settings).status, 200);
    bench
}

/// F55.
#[test]
fn a_poisoned_message_is_a_dead_letter_after_its_last_attempt_and_its_key_goes_on() {
    let mut bench = with_dead_letters(3);
    let message = |text: &str| json!({ "text": text, "key": "a", "partition": 0, "attributes": { "own": "kept" } });
    bench.publish(&json!([message("poison"), message("fine")]));
    let mut killed = false;
    // The next of its key is delivered once the first is durable among the dead letters, and not before.
    let next = loop {
        let pulled = bench.pull(10, 30_000);
        if offsets(&pulled) != [0] {
            break pulled;
        }
        let attempt = pulled[0]["delivery_attempt"].as_u64().unwrap();
        assert!(attempt <= 3, "{attempt} attempts");
        bench.nack(&pulled);
        if attempt == 2 && !killed {
            // A nack that was not on disk yet is forgotten by this, and made up for.
            bench.kill_and_restart();
            killed = true;
        }
    };
    assert!(killed);
    assert_eq!(offsets(&next), [1]);
    assert_eq!(dead_letters(&mut bench), [letter("max_attempts", 3, 0)]);
    let page = bench.call("GET", "/v1/topics/dead/partitions/0/messages?offset=0", &Value::Null).json();
    let first = &page["messages"][0];
    assert_eq!((&first["attributes"]["own"], &first["key"]), (&json!("kept"), &json!("a")), "{first}");
    bench.ack(&next);
    bench.kill_and_restart();
    assert_eq!(bench.pull(10, 0), [] as [Value; 0], "what is among the dead letters is acked");
}

#[test]
fn a_rejected_or_expired_message_is_a_dead_letter() {
    let mut bench = with_dead_letters(0);
    bench.publish(&json!([{ "text": "rejected" }, { "text": "expired", "ttl_ms": 1, "delay_ms": 300 }]));
    let pulled = bench.pull(1, 0);
    let ids: Vec<_> = pulled.iter().map(|message| &message["ack_id"]).collect();
    let body = json!({ "ack_ids": ids, "dead_letter": true });
    assert_eq!(bench.call("POST", "/v1/subscriptions/billing/nack", &body).json()["succeeded"], json!(1));
    // Nothing is left to be delivered: the pull waits while both become dead letters.
    assert_eq!(bench.pull(1, 1_000), [] as [Value; 0]);
    assert_eq!(dead_letters(&mut bench), [letter("rejected", 1, 0), letter("expired", 0, 1)]);
}

#[test]
fn without_its_dead_letter_topic_a_message_is_delivered_again() {
    let mut bench = with_dead_letters(1);
    bench.publish(&json!([{ "text": "a" }]));
    let pulled = bench.pull(1, 0);
    assert_eq!(bench.call("DELETE", "/v1/topics/dead", &Value::Null).status, 204);
    bench.nack(&pulled);
    assert_eq!(offsets(&bench.pull(1, 30_000)), [0]);
    assert_eq!(bench.call("PUT", "/v1/topics/dead", &json!({ "partitions": 1 })).status, 201);
    bench.kill_and_restart();
    // The topic is there again, and the message has had its attempt.
    assert_eq!(bench.pull(1, 1_000), [] as [Value; 0]);
    assert_eq!(dead_letters(&mut bench).len(), 1);
}

#[test]
fn dead_letters_need_a_topic_of_their_own() {
    let mut bench = Bench::new(&json!({}));
    let mut refused = |settings: &Value| {
        let answer = bench.call("PATCH", "/v1/subscriptions/billing", settings);
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let invalid = (400, "invalid_argument".to_owned());
    assert_eq!(refused(&json!({ "max_delivery_attempts": 3 })), invalid);
    assert_eq!(refused(&json!({ "dead_letter_topic": "orders" })), invalid);
    assert_eq!(refused(&json!({ "dead_letter_topic": "nowhere" })), (404, "topic_not_found".to_owned()));
}

/// F58.
#[test]
fn a_topic_that_is_made_again_under_its_name_knows_nothing_of_the_former_one() {
    let mut bench = Bench::new(&json!({}));
    let messages = json!([{ "text": "first", "id": "one" }, { "text": "second", "id": "two" }]);
    bench.publish(&messages);
    let held = bench.pull(1, 0);
    assert_eq!(bench.call("DELETE", "/v1/topics/orders", &json!({})).status, 204);
    assert_eq!(bench.call("PUT", "/v1/topics/orders", &json!({ "partitions": 1 })).status, 201);
    for restarted in [false, true] {
        if restarted {
            bench.kill_and_restart();
        }
        let described = bench.call("GET", "/v1/subscriptions/billing", &json!({}));
        assert_eq!(described.status, 404, "{}", described.json());
    }
    // The ids are new ones here, and so are the offsets.
    let published = bench.call("POST", "/v1/topics/orders/messages", &json!({ "messages": messages })).json();
    let results = published["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["duplicate"] == json!(false)), "{published}");
    assert_eq!((&results[0]["offset"], &results[1]["offset"]), (&json!(0), &json!(1)));
    let settings = json!({ "topic": "orders", "start": "earliest" });
    assert_eq!(bench.call("PUT", "/v1/subscriptions/billing", &settings).status, 201);
    let acked = bench.ack(&held);
    assert_eq!((&acked["succeeded"], &acked["failed"][0]["code"]), (&json!(0), &json!("invalid_ack_id")), "{acked}");
    let pulled = bench.pull(10, 0);
    assert_eq!(pulled.len(), 2, "the former subscription's acks do not count");
    assert!(pulled.iter().all(|message| message["delivery_attempt"] == json!(1)));
}
