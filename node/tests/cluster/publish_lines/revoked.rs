//! What is taken from a publisher while its lines are on their way: the grant, or what it may still use.

use serde_json::{Value, json};

use super::{Publisher, create_with, place, stored_with};
use crate::{
    access::{ask, guarded_node},
    harness::TestNode,
};

/// A node with a topic, and somebody who may publish lines there.
struct Bench {
    node: TestNode,
    admin: String,
    key_id: String,
    key: String,
}

impl Bench {
    fn start(limits: &Value) -> Self {
        let (node, admin) = guarded_node(&[]);
        create_with(&node, &[("Authorization", &format!("Bearer {admin}"))], 1);
        let grants = json!([{ "topic_prefix": "orders", "actions": ["publish"] }]);
        let request = json!({ "principal": "lines", "grants": grants, "limits": limits });
        let made = ask(&node, &admin, "POST /v1/keys", &request);
        assert_eq!(made.status, 201, "{}", made.body_text());
        let text = |field: &str| made.json()[field].as_str().unwrap().to_owned();
        Self { key_id: text("key_id"), key: text("key"), node, admin }
    }

    fn open(&self) -> Publisher {
        Publisher::open(self.node.address(), &format!("Authorization: Bearer {}\r\n", self.key))
    }

    /// The status of a request of one who may do everything.
    fn ask(&self, line: &str, body: &Value) -> u16 {
        ask(&self.node, &self.admin, line, body).status
    }

    fn stored(&self) -> Vec<String> {
        let authorization = format!("Bearer {}", self.admin);
        stored_with(&self.node, &[("Authorization", &authorization)], 0).into_values().collect()
    }
}

/// The last line says why, and which line it was; what came before is answered and stored, and nothing else is.
fn assert_ended(publisher: &mut Publisher, code: &str, line: u64) -> Value {
    let ended = publisher.next().unwrap();
    assert_eq!((&ended["error"]["code"], &ended["line"]), (&json!(code), &json!(line)), "{ended}");
    assert_eq!(ended["error"]["outcome"], "not_applied");
    assert_eq!((publisher.next(), publisher.ended), (None, true));
    ended
}

#[test]
fn a_grant_that_is_taken_away_ends_the_stream_at_the_next_line() {
    let bench = Bench::start(&json!({}));
    let mut publisher = bench.open();
    for number in 0..3 {
        publisher.send("{\"text\":\"before\"}\n");
        assert_eq!(place(&publisher.next().unwrap()), (0, number));
    }
    let settings = json!({ "grants": [{ "topic_prefix": "bills", "actions": ["publish"] }] });
    assert_eq!(bench.ask("PUT /v1/principals/lines", &settings), 200);
    publisher.send("{\"text\":\"behind\"}\n{\"text\":\"behind\"}\n");
    let ended = assert_ended(&mut publisher, "forbidden", 4);
    assert_eq!(ended["error"]["retryable"], false);
    assert_eq!(bench.stored(), ["before"; 3]);
}

#[test]
fn a_key_that_is_deleted_ends_the_stream_at_the_next_line() {
    let bench = Bench::start(&json!({}));
    let mut publisher = bench.open();
    publisher.send("{\"text\":\"before\"}\n");
    assert_eq!(place(&publisher.next().unwrap()), (0, 0));
    assert_eq!(bench.ask(&format!("DELETE /v1/keys/{}", bench.key_id), &Value::Null), 204);
    publisher.send("{\"text\":\"behind\"}\n");
    assert_ended(&mut publisher, "unauthenticated", 2);
    assert_eq!(bench.stored().len(), 1);
}

#[test]
fn a_quota_that_is_used_up_ends_the_stream_behind_what_was_within_it() {
    // What has passed is paid for a second later for each message: there is no more for a long time.
    let bench = Bench::start(&json!({ "messages_per_s": 1 }));
    let mut publisher = bench.open();
    // Lines of one piece are a group, which passes as a whole when nothing is owed.
    publisher.send(&"{\"text\":\"within\"}\n".repeat(100));
    for number in 0..100 {
        assert_eq!(place(&publisher.next().unwrap()), (0, number));
    }
    publisher.send("{\"text\":\"beyond\"}\n{\"text\":\"beyond\"}\n");
    let ended = assert_ended(&mut publisher, "rate_limited", 101);
    assert_eq!(ended["error"]["retryable"], true);
    assert_eq!(bench.stored(), ["within"; 100]);
}
