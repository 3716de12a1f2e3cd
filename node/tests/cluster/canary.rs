//! F74: secrets and payloads that are easy to recognise go through everything; then they are looked for where they must not be.

use std::fs;

use serde_json::{Value, json};

use crate::{
    access::{ask, bootstrap},
    harness::{TestNode, data_directory, tool_command},
    http::Connection,
    websocket::RawWebSocket,
};

const PAYLOAD: &str = "canary-of-a-payload";
const PUSH_SECRET: &str = "canary-of-a-push-secret";
/// It looks like a signed token: three parts of base64url, the second of which names somebody.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LW9mLWEtc2lnbmF0dXJl";
const BASIC: &str = "Y2FuYXJ5OmNhbmFyeS1vZi1hLXBhc3N3b3Jk";
const UNKNOWN_KEY: &str = "psr_abcdefgh2345_Y2FuYXJ5LW9mLWFuLXVua25vd24ta2V5LWNhbmFyeS0t";

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
    let settings = [("auth", "required"), ("log.level", "trace"), ("push.allow_private_networks", "true")];
    let mut node = TestNode::start_in_under(home, &wrapper, &settings);

    let mut outputs = Vec::new();
    let key = use_keys(&node, &admin, &mut outputs);
    use_messages(&node, &key, &mut outputs);
    use_wrong_credentials(&node, &mut outputs);
    let tool = tool_command("pubsub-cli")
        .args(["--server", &format!("http://{}", node.address()), "--key", UNKNOWN_KEY, "topics", "list"])
        .output()
        .unwrap();
    outputs.push(("the tool", String::from_utf8([tool.stdout, tool.stderr].concat()).unwrap()));
    outputs.push(("metrics", crate::http::get(node.metrics_address(), "/metrics").body_text()));
    assert!(node.terminate().success());
    outputs.push(("the audit log", fs::read_to_string(node.data_dir().join("audit.log")).unwrap()));
    let logged = fs::read_to_string(&trace).unwrap();
    assert!(logged.contains("\"level\":\"TRACE\"") && logged.contains("stopped"), "all of the log is there");
    outputs.push(("the log", logged));

    let secret = |key: &str| key[17..].to_owned();
    let canaries =
        [PAYLOAD.to_owned(), "Y2FuYXJ5LW9mLWEtcGF5bG9hZ".to_owned(), PUSH_SECRET.to_owned(), TOKEN.to_owned()];
    let canaries = canaries.into_iter().chain([BASIC.to_owned(), secret(&admin), secret(&key), secret(UNKNOWN_KEY)]);
    for canary in canaries {
        for (place, output) in &outputs {
            let found = output.lines().find(|line| line.contains(&canary));
            assert_eq!(found, None, "`{canary}` is in {place}");
        }
    }
}

/// Makes a key and shows everything that there is to be shown of it; gives the key.
fn use_keys(node: &TestNode, admin: &str, outputs: &mut Vec<(&'static str, String)>) -> String {
    let grants = json!([{ "topic_prefix": "*", "actions": ["publish", "consume", "manage"] },
        { "subscription_prefix": "*", "actions": ["consume", "manage"] }]);
    let made = ask(node, admin, "POST /v1/keys", &json!({ "principal": "canary", "grants": grants })).json();
    let id = made["key_id"].as_str().unwrap();
    let key = made["key"].as_str().unwrap().to_owned();
    for line in ["GET /v1/keys", &format!("GET /v1/keys/{id}"), "GET /v1/principals", "GET /v1/principals/canary"] {
        outputs.push(("a list", ask(node, admin, line, &Value::Null).body_text()));
    }
    for line in ["GET /v1/whoami", "GET /v1/keys", "POST /v1/keys"] {
        outputs.push(("an answer", ask(node, &key, line, &Value::Null).body_text()));
    }
    key
}

/// Publishes, well and badly, to a topic whose subscription pushes to where nobody listens.
fn use_messages(node: &TestNode, key: &str, outputs: &mut Vec<(&'static str, String)>) {
    let mut tell = |line: &str, body: &Value| {
        let answer = ask(node, key, line, body);
        outputs.push(("an answer", format!("{}{}", answer.head, answer.body_text())));
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
    assert_eq!(tell(publish, &json!({ "messages": [{ "text": PAYLOAD }] })), 200);
    assert_eq!(tell(publish, &json!({ "messages": [{ "data": format!("{PAYLOAD}?") }] })), 400);
    assert_eq!(tell(publish, &json!({ "messages": [{ "text": PAYLOAD, "priority": 99 }] })), 400);
    assert_eq!(tell("POST /v1/topics/none/messages", &json!({ "messages": [{ "text": PAYLOAD }] })), 404);
    let mut socket = RawWebSocket::open_with(node.address(), None, &format!("Authorization: Bearer {key}\r\n"));
    socket.send_text(&json!({ "op": "publish", "topic": "none", "messages": [{ "text": PAYLOAD }] }).to_string());
    outputs.push(("a frame", format!("{:?}", socket.next())));
    socket.close(1000);
}

/// Shows the node credentials of every kind that prove nobody, in every place where one may be.
fn use_wrong_credentials(node: &TestNode, outputs: &mut Vec<(&'static str, String)>) {
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
            outputs.push(("an answer", format!("{}{}", answer.head, answer.body_text())));
        }
    }
}
