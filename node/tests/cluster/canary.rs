//! F74: secrets and payloads that are easy to recognise go through everything; then they are looked for where they must not be.

mod neighbours;

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::{
    access::{ask, bootstrap},
    canned::CannedServer,
    harness::{TestNode, data_directory, eventually, tool_command},
    http::Connection,
    websocket::RawWebSocket,
};

const PAYLOAD: &str = "canary-of-a-payload";
const KEY: &str = "canary-of-a-key-of-a-message";
const ATTRIBUTE: &str = "canary-of-an-attribute";
const HEADER: &str = "canary-of-a-header";
const ANSWER: &str = "canary-of-an-endpoints-answer";
const PUSH_SECRET: &str = "canary-of-a-push-secret";
/// It looks like a signed token: three parts of base64url, the second of which names somebody.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LW9mLWEtc2lnbmF0dXJl";
const BASIC: &str = "Y2FuYXJ5OmNhbmFyeS1vZi1hLXBhc3N3b3Jk";
const UNKNOWN_KEY: &str = "psr_abcdefgh2345_Y2FuYXJ5LW9mLWFuLXVua25vd24ta2V5LWNhbmFyeS0t";

/// What came out of a node and its tools, with where.
#[derive(Default)]
struct Outputs(Vec<(&'static str, String)>);

/// What must not be in it.
struct Canaries(Vec<String>);

impl Outputs {
    fn add(&mut self, place: &'static str, bytes: Vec<u8>) {
        self.0.push((place, String::from_utf8(bytes).unwrap()));
    }

    #[track_caller]
    fn assert_free_of(&self, canaries: &Canaries) {
        for canary in &canaries.0 {
            for (place, output) in &self.0 {
                let found = output.lines().find(|line| line.contains(canary));
                assert_eq!(found, None, "`{canary}` is in {place}");
            }
        }
    }
}

impl Canaries {
    /// These texts, as they are and by base64, wherever they stand in what is encoded.
    fn new(texts: &[&str]) -> Self {
        let mut canaries = Self(Vec::new());
        for text in texts {
            canaries.add(text);
            for before in ["", "?", "??"] {
                // The first and the last characters of the code depend on what is beside the text.
                let code = STANDARD_NO_PAD.encode(format!("{before}{text}"));
                canaries.add(&code[4..code.len() - 4]);
            }
        }
        canaries
    }

    fn add(&mut self, canary: &str) {
        assert!(canary.len() >= 16, "`{canary}` may be there by chance");
        self.0.push(canary.to_owned());
    }

    /// An API key, whose id is no secret.
    fn add_key(&mut self, key: &str) {
        self.add(&key[17..]);
    }
}

/// F74.
#[test]
fn no_secret_and_no_payload_is_in_any_output() {
    let home = data_directory();
    let (code, admin) = bootstrap(home.path(), &[]);
    assert_eq!(code, 0, "{admin}");
    let trace = home.path().join("trace.log");
    // All that is logged, which is more than the harness keeps.
    let tee = format!("exec \"$@\" 2> >(/usr/bin/tee {} >&2)", trace.display());
    let wrapper = ["/bin/bash", "-c", &tee, "bash"];
    let lax = [("push.allow_private_networks", "true"), ("push.allow_http", "true")];
    let settings = [&[("auth", "required"), ("log.level", "trace")], &lax[..]].concat();
    let mut node = TestNode::start_in_under(home, &wrapper, &settings);

    let mut outputs = Outputs::default();
    let key = use_keys(&node, &admin, &mut outputs);
    use_messages(&node, &key, &mut outputs);
    use_headers(&node, &key);
    use_dead_letters(&node, &key, &mut outputs);
    use_wrong_credentials(&node, &mut outputs);
    let tool = tool_command("pubsub-cli")
        .args(["--server", &format!("http://{}", node.address()), "--key", UNKNOWN_KEY, "topics", "list"])
        .output()
        .unwrap();
    outputs.add("the tool", [tool.stdout, tool.stderr].concat());
    outputs.add("metrics", crate::http::get(node.metrics_address(), "/metrics").body);
    assert!(node.terminate().success());
    outputs.add("the audit log", fs::read(node.data_dir().join("audit.log")).unwrap());
    let logged = fs::read_to_string(&trace).unwrap();
    assert!(logged.contains("\"level\":\"TRACE\"") && logged.contains("stopped"), "all of the log is there");
    assert!(logged.contains("a request is answered") && logged.contains("request_id"), "requests are in it");
    assert_no_field_twice(&logged);
    outputs.add("the log", logged.into_bytes());

    let mut canaries = Canaries::new(&[PAYLOAD, KEY, ATTRIBUTE, HEADER, ANSWER, PUSH_SECRET]);
    for canary in [TOKEN, BASIC] {
        canaries.add(canary);
    }
    for key in [&admin, &key, UNKNOWN_KEY] {
        canaries.add_key(key);
    }
    outputs.assert_free_of(&canaries);
}

/// A reader of JSON takes one of two fields of the same name, and who looks for the other finds nothing. What libraries call their
/// fields is theirs.
fn assert_no_field_twice(logged: &str) {
    for line in logged.lines() {
        let fields: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let is_ours = ["node", "gateway", "shard", "raft"]
            .contains(&fields["target"].as_str().unwrap().split(':').next().unwrap());
        // Written again it has each once, whatever their order.
        assert!(!is_ours || fields.to_string().len() == line.len(), "a field is there twice: {line}");
    }
}

/// Makes a key and shows everything that there is to be shown of it; gives the key.
fn use_keys(node: &TestNode, admin: &str, outputs: &mut Outputs) -> String {
    let grants = json!([{ "topic_prefix": "*", "actions": ["publish", "consume", "manage"] },
        { "subscription_prefix": "*", "actions": ["consume", "manage"] }]);
    let made = ask(node, admin, "POST /v1/keys", &json!({ "principal": "canary", "grants": grants })).json();
    let id = made["key_id"].as_str().unwrap();
    let key = made["key"].as_str().unwrap().to_owned();
    for line in ["GET /v1/keys", &format!("GET /v1/keys/{id}"), "GET /v1/principals", "GET /v1/principals/canary"] {
        outputs.add("a list", ask(node, admin, line, &Value::Null).body);
    }
    for line in ["GET /v1/whoami", "GET /v1/keys", "POST /v1/keys"] {
        outputs.add("an answer", ask(node, &key, line, &Value::Null).body);
    }
    key
}

/// Publishes, well and badly, to a topic whose subscription pushes to where nobody listens.
fn use_messages(node: &TestNode, key: &str, outputs: &mut Outputs) {
    let mut tell = |line: &str, body: &Value| {
        let answer = ask(node, key, line, body);
        outputs.add("an answer", format!("{}{}", answer.head, answer.body_text()).into_bytes());
        answer.status
    };
    assert_eq!(tell("PUT /v1/topics/orders", &json!({})), 201);
    let push = json!({ "url": "https://127.0.0.1:1/hook", "secret": PUSH_SECRET });
    let subscription = json!({ "topic": "orders", "type": "push", "push": push });
    assert_eq!(tell("PUT /v1/subscriptions/hook", &subscription), 201);
    assert_eq!(
        tell(
            "PUT /v1/subscriptions/hook",
            &json!({ "topic": "orders", "type": "push",
        "push": { "url": "ftp://nowhere", "secret": PUSH_SECRET } })
        ),
        400
    );
    assert_eq!(tell("GET /v1/subscriptions/hook", &Value::Null), 200);
    let publish = "POST /v1/topics/orders/messages";
    let whole = json!({ "text": PAYLOAD, "key": KEY, "attributes": { "colour": ATTRIBUTE } });
    assert_eq!(tell(publish, &json!({ "messages": [whole] })), 200);
    assert_eq!(tell(publish, &json!({ "messages": [{ "text": PAYLOAD, "key": KEY, "colour": ATTRIBUTE }] })), 400);
    let query = format!("POST /v1/topics/orders/publish?key={KEY}&priority=99");
    assert_eq!(tell(&query, &json!(PAYLOAD)), 400);
    assert_eq!(tell(&query.replace("=99", "=9"), &json!(PAYLOAD)), 200);
    assert_eq!(tell(publish, &json!({ "messages": [{ "data": format!("{PAYLOAD}?") }] })), 400);
    assert_eq!(tell(publish, &json!({ "messages": [{ "text": PAYLOAD, "priority": 99 }] })), 400);
    assert_eq!(tell("POST /v1/topics/none/messages", &json!({ "messages": [{ "text": PAYLOAD }] })), 404);
    let mut socket = RawWebSocket::open_with(node.address(), None, &format!("Authorization: Bearer {key}\r\n"));
    socket.send_text(&json!({ "op": "publish", "topic": "none", "messages": [{ "text": PAYLOAD }] }).to_string());
    outputs.add("a frame", format!("{:?}", socket.next()).into_bytes());
    socket.close(1000);
}

/// Says things in headers: in those that mean something to the node, and in others.
fn use_headers(node: &TestNode, key: &str) {
    let bearer = format!("Bearer {key}");
    for name in ["Cookie", "X-Unknown", "Idempotency-Key", "Pubsub-Attr-Colour", "ce-id", "traceparent", "Content-Type"]
    {
        let headers = [("Authorization", bearer.as_str()), (name, HEADER)];
        let mut connection = Connection::open(node.address());
        let answer = connection.request("POST", "/v1/topics/orders/publish", &headers, PAYLOAD.as_bytes());
        assert!([200, 400, 415].contains(&answer.status), "{name}: {answer:?}");
    }
}

/// Has messages become dead letters: one that a consumer rejects, and one that an endpoint refuses at length.
fn use_dead_letters(node: &TestNode, key: &str, outputs: &mut Outputs) {
    let endpoint = CannedServer::start("500 Internal Server Error", ANSWER);
    let done = |line: &str, body: &Value| {
        let answer = ask(node, key, line, body);
        assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
        answer.json()
    };
    done("PUT /v1/topics/dead", &json!({ "partitions": 1 }));
    let letters = json!({ "topic": "orders", "start": "earliest", "dead_letter_topic": "dead" });
    let mut pushed = letters.clone();
    pushed["type"] = json!("push");
    pushed["max_delivery_attempts"] = json!(1);
    pushed["push"] = json!({ "url": format!("http://{}/hook", endpoint.address), "secret": PUSH_SECRET });
    done("PUT /v1/subscriptions/refused", &pushed);
    done("PUT /v1/subscriptions/rejected", &letters);
    let pulled = done("POST /v1/subscriptions/rejected/pull", &json!({ "max_messages": 10, "wait_ms": 10_000 }));
    let ids: Vec<_> = pulled["messages"].as_array().unwrap().iter().map(|message| message["ack_id"].clone()).collect();
    done("POST /v1/subscriptions/rejected/nack", &json!({ "ack_ids": ids, "dead_letter": true }));
    for name in ["refused", "rejected"] {
        let described = || done(&format!("GET /v1/subscriptions/{name}"), &Value::Null);
        assert!(eventually(|| described()["dead_letters"].as_u64() >= Some(1)), "{}", described());
        outputs.add("a description", described().to_string().into_bytes());
    }
    for line in
        ["GET /v1/topics/orders", "GET /v1/topics/dead", "GET /v1/subscriptions", "GET /readyz", "GET /v1/cluster"]
    {
        outputs.add("a description", ask(node, key, line, &Value::Null).body);
    }
}

/// Shows the node credentials of every kind that prove nobody, in every place where one may be.
fn use_wrong_credentials(node: &TestNode, outputs: &mut Outputs) {
    for credential in [TOKEN, UNKNOWN_KEY] {
        let bearer = format!("Bearer {credential}");
        let offer = format!("pubsub.v1.json, bearer.{credential}");
        let ticket = format!("pubsub.v1.json, ticket.{credential}");
        let query = format!("/v1/ws?ticket={credential}");
        let cases = [
            ("/v1/topics", "Authorization", bearer.as_str()),
            ("/v1/ws", "Authorization", &bearer),
            ("/v1/ws", "Sec-WebSocket-Protocol", &offer),
            ("/v1/ws", "Sec-WebSocket-Protocol", &ticket),
            (&query, "Accept", "*/*"),
            ("/v1/topics", "Authorization", &format!("Basic {BASIC}")),
        ];
        for (path, name, value) in cases {
            let answer = Connection::open(node.address()).request("GET", path, &[(name, value)], b"");
            assert_eq!(answer.status, 401, "{path} {name}");
            outputs.add("an answer", format!("{}{}", answer.head, answer.body_text()).into_bytes());
        }
    }
}
