//! Push subscriptions against endpoints of the test's own: answers, retries, pauses, signatures, bounds, kill -9, TLS, and
//! what is refused.

mod endpoint;
mod guarded;
mod recovering;
mod traced;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
};

use endpoint::{Endpoint, Received, Reply};

/// What lets a node send to this machine.
const LAX: &[(&str, &str)] = &[("push.allow_http", "true"), ("push.allow_private_networks", "true")];

/// A node with a topic and a push subscription on it.
struct Bench {
    node: TestNode,
    connection: Connection,
}

impl Bench {
    fn start(settings: &[(&str, &str)], partitions: u32) -> Self {
        let node = TestNode::start_with(settings);
        let connection = Connection::open(node.address());
        let mut bench = Self { node, connection };
        assert_eq!(bench.call("PUT", "/v1/topics/orders", &json!({ "partitions": partitions })).status, 201);
        bench
    }

    /// A node that pushes to `url`; `more` is merged into the subscription, its `push` into the part for pushing.
    fn new(url: &str, more: &Value) -> Self {
        let mut bench = Self::start(LAX, 1);
        let answer = bench.subscribe("hook", url, more);
        assert_eq!(answer.status, 201, "{}", answer.json());
        bench
    }

    fn subscribe(&mut self, name: &str, url: &str, more: &Value) -> Answer {
        let mut settings = json!({
            "topic": "orders", "type": "push", "start": "earliest", "backoff": { "min_ms": 1, "max_ms": 1 },
            "push": { "url": url },
        });
        for (field, value) in more.as_object().unwrap() {
            match value.as_object() {
                Some(fields) if field == "push" => settings["push"].as_object_mut().unwrap().extend(fields.clone()),
                Some(_) | None => settings[field] = value.clone(),
            }
        }
        self.call("PUT", &format!("/v1/subscriptions/{name}"), &settings)
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.connection.request(method, path, &[], body.to_string().as_bytes())
    }

    fn publish(&mut self, messages: &Value) -> Vec<u64> {
        let answer = self.call("POST", "/v1/topics/orders/messages", &json!({ "messages": messages }));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let results = answer.json()["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["offset"].as_u64().unwrap()).collect()
    }

    fn publish_numbers(&mut self, numbers: std::ops::Range<u32>) {
        let messages: Vec<_> = numbers.map(|number| json!({ "text": number.to_string() })).collect();
        self.publish(&json!(messages));
    }

    fn describe(&mut self) -> Value {
        self.call("GET", "/v1/subscriptions/hook", &json!({})).json()
    }

    /// Waits until the subscription's description is as wanted.
    fn await_description(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut description = Value::Null;
        let is_so = endpoint::eventually(|| {
            description = self.describe();
            wanted(&description)
        });
        assert!(is_so, "{description}");
        description
    }

    /// Waits until everything is acked and what came of it is told.
    fn await_no_backlog(&mut self) -> Value {
        self.await_description(|description| {
            description["backlog"] == json!(0) && description["push"]["in_flight"] == json!(0)
        })
    }

    fn patch(&mut self, push: &Value) {
        let answer = self.call("PATCH", "/v1/subscriptions/hook", &json!({ "push": push }));
        assert_eq!(answer.status, 200, "{}", answer.json());
    }

    fn restart(&mut self) {
        self.node.restart();
        self.connection = Connection::open(self.node.address());
    }

    /// How many requests have come to this.
    fn requests(&self, outcome: &str) -> f64 {
        let label = format!("{{outcome=\"{outcome}\"}}");
        let samples = self.node.metric("pubsub_push_requests_total");
        samples.into_iter().find(|(labels, _)| *labels == label).unwrap().1
    }
}

fn offsets(received: &[Received]) -> Vec<u64> {
    received.iter().map(|request| request.number("pubsub-offset")).collect()
}

#[test]
fn an_answer_of_2xx_acks_and_the_request_says_all_of_its_message() {
    let endpoint = Endpoint::start(|_| Reply::status(204));
    let mut bench = Bench::new(&endpoint.url("/hook?a=b"), &json!({}));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    bench.publish(&json!([{
        "data": "AP8K", "key": "k€ \"1%\"", "id": "order-17", "content_type": "image/png",
        "attributes": {
            "colour": "dark red", "ce-type": "com.example.order", "ce-source": "/shop", "traceparent": trace,
            "a: b": "ç",
        },
    }]));
    bench.await_no_backlog();
    let [request] = &endpoint.received()[..] else { panic!("{:?}", endpoint.received()) };
    assert_eq!((request.line.as_str(), &request.body[..]), ("POST /hook?a=b HTTP/1.1", &[0, 0xff, b'\n'][..]));
    for (name, value) in [
        ("content-type", "image/png"),
        ("webhook-id", "order-17"),
        ("pubsub-topic", "orders"),
        ("pubsub-subscription", "hook"),
        ("pubsub-partition", "0"),
        ("pubsub-offset", "0"),
        ("pubsub-key", "k%E2%82%AC%20%221%25%22"),
        ("pubsub-delivery-attempt", "1"),
        ("pubsub-attr-colour", "dark%20red"),
        ("ce-type", "com.example.order"),
        ("ce-source", "/shop"),
        ("traceparent", trace),
        ("pubsub-attr-a%3a%20b", "%C3%A7"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name} in {request:?}");
    }
    assert_eq!(request.header("webhook-signature"), None);
    let description = bench.describe();
    assert_eq!(description["push"]["state"], json!("active"));
    assert!(description["push"]["last_success_time"].is_string(), "{description}");
    assert_eq!(description["push"]["last_error"], Value::Null);
    assert!((bench.requests("2xx") - 1.0).abs() < f64::EPSILON);
}

/// F66: what would make a header of its own is refused where it is published.
#[test]
fn what_would_make_a_header_of_its_own_is_refused_where_it_is_published() {
    let mut bench = Bench::start(&[], 1);
    for message in [
        json!({ "text": "a", "key": "k\r\nx-evil: 1" }),
        json!({ "text": "a", "attributes": { "a\r\nx-evil": "1" } }),
        json!({ "text": "a", "attributes": { "a": "b\r\nx-evil: 1" } }),
        json!({ "text": "a", "content_type": "text/plain\r\nx-evil: 1" }),
        json!({ "text": "a", "id": "a\r\nx-evil: 1" }),
    ] {
        let answer = bench.call("POST", "/v1/topics/orders/messages", &json!({ "messages": [message] }));
        assert_eq!(answer.status, 400, "{message}");
    }
}

#[test]
fn a_failing_message_is_tried_again_with_its_attempts_counted_and_becomes_a_dead_letter() {
    let endpoint = Endpoint::start(|request| Reply::status(if request.body == b"bad" { 500 } else { 200 }));
    let mut bench = Bench::start(LAX, 1);
    assert_eq!(bench.call("PUT", "/v1/topics/dead", &json!({ "partitions": 1 })).status, 201);
    let more = json!({ "dead_letter_topic": "dead", "max_delivery_attempts": 4 });
    assert_eq!(bench.subscribe("hook", &endpoint.url("/"), &more).status, 201);
    bench.publish(&json!([{ "text": "bad", "id": "poison" }, { "text": "good" }]));
    let description = bench.await_no_backlog();
    let attempts: Vec<_> = endpoint.received().iter().filter(|request| request.body == b"bad").cloned().collect();
    let counted: Vec<_> = attempts.iter().map(|request| request.number("pubsub-delivery-attempt")).collect();
    assert_eq!(counted, [1, 2, 3, 4]);
    assert!(attempts.iter().all(|request| request.header("webhook-id") == Some("poison")));
    let error = &description["push"]["last_error"];
    assert_eq!((&error["reason"], &error["status"]), (&json!("status"), &json!(500)));
    assert!(error["detail"].as_str().unwrap().contains("500") && error["time"].is_string(), "{error}");
    let letters = bench.call("GET", "/v1/topics/dead/partitions/0/messages?offset=0", &json!({})).json();
    let attributes = &letters["messages"][0]["attributes"];
    assert_eq!(attributes["pubsub-dlq-attempts"], json!("4"), "{letters}");
    assert_eq!(attributes["pubsub-dlq-reason"], json!("max_attempts"));
}

#[test]
fn a_request_is_signed_by_the_convention_and_a_secret_is_rotated_and_shown_nowhere() {
    let endpoint = Endpoint::start(|_| Reply::status(200));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "secret": "first sécret" } }));
    let verified = |request: &Received, secret: &str| {
        let (id, time) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
        let signed = [format!("{id}.{time}.").as_bytes(), &request.body[..]].concat();
        let signature = request.header("webhook-signature").unwrap().strip_prefix("v1,").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).is_ok()
    };
    bench.publish(&json!([{ "text": "one" }]));
    bench.await_no_backlog();
    bench.patch(&json!({ "secret": "second" }));
    bench.publish(&json!([{ "text": "two" }]));
    bench.await_no_backlog();
    bench.patch(&json!({ "secret": null }));
    bench.publish(&json!([{ "text": "three" }]));
    bench.await_no_backlog();
    let received = endpoint.received();
    assert!(verified(&received[0], "first sécret") && !verified(&received[0], "second"));
    assert!(verified(&received[1], "second") && !verified(&received[1], "first sécret"));
    assert_eq!(received[2].header("webhook-signature"), None);

    bench.patch(&json!({ "secret": "hunter2" }));
    let described = bench.call("GET", "/v1/subscriptions/hook", &json!({}));
    let listed = bench.call("GET", "/v1/subscriptions", &json!({}));
    assert_eq!(described.json()["push"]["signed"], json!(true));
    for shown in [described.body_text(), listed.body_text(), bench.node.log().join("\n")] {
        assert!(!shown.contains("hunter2") && !shown.contains("first"), "{shown}");
    }
}

#[test]
fn an_endpoint_that_is_gone_pauses_the_subscription_until_it_is_resumed() {
    let endpoint = Endpoint::start(|_| Reply::status(410));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_in_flight": 1 } }));
    bench.publish(&json!([{ "text": "a" }, { "text": "b" }]));
    let is_paused = |description: &Value| description["push"]["paused_reason"] == json!("gone");
    let description = bench.await_description(is_paused);
    assert_eq!((&description["push"]["state"], &description["push"]["paused"]), (&json!("paused"), &json!(true)));
    assert_eq!(description["push"]["last_error"]["status"], json!(410));
    let before = endpoint.received().len();
    assert_eq!(before, 1, "nothing is sent behind the answer");
    // Asking for the same again is no resumption, and a restart is none.
    assert_eq!(bench.subscribe("hook", &endpoint.url("/"), &json!({ "push": { "max_in_flight": 1 } })).status, 200);
    bench.restart();
    let description = bench.describe();
    assert!(is_paused(&description) && description["backlog"] == json!(2), "{description}");
    endpoint.answer(|_| Reply::status(200));
    bench.patch(&json!({ "paused": false }));
    let description = bench.await_no_backlog();
    assert_eq!(description["push"]["state"], json!("active"));
    assert_eq!(offsets(&endpoint.received()[before..]), [0, 1], "nothing was sent while it was paused");
    bench.patch(&json!({ "paused": true }));
    assert_eq!(bench.describe()["push"]["paused_reason"], json!("requested"));
}

/// F72: what an answer points to is not asked for.
#[test]
fn redirects_are_failures_and_are_not_followed() {
    let elsewhere = Endpoint::start(|_| Reply::status(200));
    let location = elsewhere.url("/");
    let endpoint = Endpoint::start(move |_| Reply::status(307).with_header("location", &location));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({}));
    bench.publish(&json!([{ "text": "a" }]));
    assert!(endpoint.await_received(3));
    let description = bench.describe();
    assert_eq!(description["push"]["last_error"]["status"], json!(307));
    assert_eq!((&description["backlog"], elsewhere.received().len()), (&json!(1), 0));
}

#[test]
fn no_more_requests_are_under_way_than_may_be_and_all_of_them_are_used() {
    let endpoint = Endpoint::start(|_| Reply::status(200).held());
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_in_flight": 5 } }));
    bench.publish_numbers(0..40);
    for _ in 0..8 {
        // The next five come only once these are answered.
        assert!(endpoint.await_held(5));
        let description = bench.describe();
        assert_eq!(description["push"]["in_flight"], json!(5));
        endpoint.release();
    }
    bench.await_no_backlog();
    assert_eq!((endpoint.most_held(), endpoint.received().len()), (5, 40));
    assert!(endpoint.connections() <= 10, "{} connections: they are used again", endpoint.connections());
}

#[test]
fn a_rate_is_kept_and_can_be_lifted() {
    let (endpoint, unlimited) = (Endpoint::start(|_| Reply::status(200)), Endpoint::start(|_| Reply::status(200)));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_per_second": 1 } }));
    assert_eq!(bench.subscribe("unlimited", &unlimited.url("/"), &json!({})).status, 201);
    bench.publish_numbers(0..500);
    assert!(unlimited.await_received(500) && endpoint.await_received(2));
    assert!(endpoint.received().len() < 100, "{}", endpoint.received().len());
    bench.patch(&json!({ "max_per_second": null }));
    bench.await_no_backlog();
    assert_eq!(endpoint.received().len(), 500);
}

#[test]
fn messages_of_one_key_are_sent_one_after_the_other_and_a_failing_key_holds_up_no_other() {
    let endpoint = Endpoint::start(|request| Reply::status(if request.body == b"bad" { 503 } else { 200 }));
    let mut bench =
        Bench::new(&endpoint.url("/"), &json!({ "ordering": "key", "backoff": { "min_ms": 20, "max_ms": 20 } }));
    let keyed = |key: &str, text: String| json!({ "text": text, "key": key, "partition": 0 });
    let mut messages = vec![keyed("poisoned", "bad".to_owned()), keyed("poisoned", "behind".to_owned())];
    messages.extend((0..60).map(|number| keyed(&format!("k{}", number % 3), number.to_string())));
    bench.publish(&json!(messages));
    bench.await_description(|description| description["backlog"] == json!(2));
    let received = endpoint.received();
    for key in ["k0", "k1", "k2"] {
        let of_key: Vec<_> =
            received.iter().filter(|request| request.header("pubsub-key") == Some(key)).cloned().collect();
        let offsets = offsets(&of_key);
        assert!(offsets.is_sorted() && offsets.len() == 20, "{key}: {offsets:?}");
    }
    assert!(!received.iter().any(|request| request.body == b"behind"), "it waits for the one before it");
    endpoint.answer(|_| Reply::status(200));
    bench.await_no_backlog();
    assert!(endpoint.received().iter().any(|request| request.body == b"behind"));
}

#[test]
fn what_can_not_be_a_push_subscription_is_refused() {
    let mut bench = Bench::start(&[], 1);
    let ok = "https://example.com/hook";
    for (url, more, field) in [
        ("http://example.com/hook", json!({}), "push.url"),
        ("https://127.0.0.1/", json!({}), "push.url"),
        ("https://2130706433/", json!({}), "push.url"),
        ("https://[::ffff:169.254.169.254]/", json!({}), "push.url"),
        ("https://user:password@example.com/", json!({}), "push.url"),
        (ok, json!({ "push": { "secret": "" } }), "push.secret"),
        (ok, json!({ "push": { "max_in_flight": 0 } }), "push.max_in_flight"),
        (ok, json!({ "push": { "max_per_second": 0 } }), "push.max_per_second"),
        (ok, json!({ "push": { "timeout_ms": 1 } }), "push.timeout_ms"),
        (ok, json!({ "type": "pull" }), "push"),
        (ok, json!({ "consumption": "assigned" }), "consumption"),
    ] {
        let answer = bench.subscribe("hook", url, &more);
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["field"].as_str()),
            (400, Some(field)),
            "{}",
            answer.json()
        );
    }
    assert_eq!(bench.subscribe("hook", ok, &json!({ "push": { "paused": true } })).status, 201);
    let answer = bench.call("POST", "/v1/subscriptions/hook/pull", &json!({}));
    assert_eq!(answer.status, 400, "{}", answer.json());
    let answer = bench.call("PATCH", "/v1/subscriptions/hook", &json!({ "type": "pull" }));
    assert_eq!((answer.status, answer.json()["errors"][0]["field"].as_str()), (400, Some("type")));
}
