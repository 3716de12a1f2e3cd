//! The first key, and what keys do to a whole node: they survive it, and what they opened ends with them.

pub(crate) mod confined;

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use gateway_api::{
    client::{ApiKey, Client, ClientError},
    error::Code,
    topics::TopicSettings,
};
use node::exit_code::ExitCode;
use serde_json::{Value, json};

use crate::{
    harness::{TestNode, data_directory, node_command, tool_command, wait},
    http::{Answer, Connection},
    startup::assert_refused,
    websocket::{Frame, RawWebSocket},
};

/// Runs `--bootstrap-key` where a node's data is to be; gives the exit code and what it printed.
pub(crate) fn bootstrap(home: &std::path::Path, arguments: &[&str]) -> (i32, String) {
    let mut command = node_command();
    command.current_dir(home).args(["--set", "server.port=0", "--set", "metrics.port=0", "--bootstrap-key"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let code = wait(&mut child).code().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = if code == 0 { output.stdout } else { output.stderr };
    (code, String::from_utf8(said).unwrap().trim().to_owned())
}

/// A node that asks for keys, and one that may do everything.
pub(crate) fn guarded_node(settings: &[(&str, &str)]) -> (TestNode, String) {
    let home = data_directory();
    let (code, key) = bootstrap(home.path(), &[]);
    assert_eq!(code, 0, "{key}");
    let settings = [&[("auth", "required")], settings].concat();
    (TestNode::start_in(home, &settings), key)
}

pub(crate) fn ask(node: &TestNode, key: &str, line: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (method, path) = line.split_once(' ').unwrap();
    let authorization = format!("Bearer {key}");
    Connection::open(node.address()).request(method, path, &[("Authorization", &authorization)], body.as_bytes())
}

fn new_key(node: &TestNode, admin: &str, request: &Value) -> (String, String) {
    let reply = ask(node, admin, "POST /v1/keys", request);
    assert_eq!(reply.status, 201, "{}", reply.body_text());
    let made = reply.json();
    (made["key_id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

#[test]
fn without_a_key_a_node_that_asks_for_keys_does_not_start() {
    for settings in [&["auth=required"][..], &["server.host=0.0.0.0", "server.insecure=true"]] {
        let data = data_directory();
        let mut command: Command = node_command();
        command.args(["--set", "server.port=0", "--set", "metrics.port=0", "--set", "log.level=error"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.arg("--data-dir").arg(data.path());
        assert_refused(command, ExitCode::Configuration, &["--bootstrap-key", "auth: none"]);
    }
}

#[test]
fn the_first_key_is_made_once_and_lets_its_holder_do_everything() {
    let home = data_directory();
    let (code, key) = bootstrap(home.path(), &["operator"]);
    assert_eq!((code, key.starts_with("psr_"), key.len()), (0, true, 60), "{key}");
    let (code, said) = bootstrap(home.path(), &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("--force"), "{said}");
    let (code, other) = bootstrap(home.path(), &["--force"]);
    assert_eq!(code, 0, "{other}");
    let node = TestNode::start_in(home, &[("auth", "required")]);
    for key in [key, other] {
        let created = ask(&node, &key, "PUT /v1/topics/orders", &json!({}));
        assert!(created.status < 300, "{}", created.body_text());
    }
    assert_eq!(ask(&node, "psr_x", "GET /v1/topics/orders", &Value::Null).status, 401);
}

#[test]
fn keys_and_grants_survive_a_kill() {
    let (mut node, admin) = guarded_node(&[]);
    let grants = json!([{ "topic_prefix": "orders", "actions": ["publish"] }]);
    let (id, key) = new_key(&node, &admin, &json!({ "principal": "ci", "grants": grants }));
    assert_eq!(ask(&node, &admin, "PUT /v1/topics/orders", &json!({})).status, 201);
    let (gone, old) = new_key(&node, &admin, &json!({ "principal": "ci" }));
    assert_eq!(ask(&node, &admin, "POST /v1/keys", &json!({ "principal": "ci" })).status, 409, "a third");
    assert_eq!(ask(&node, &admin, &format!("DELETE /v1/keys/{gone}"), &Value::Null).status, 204);
    node.restart();
    assert_eq!(ask(&node, &key, "POST /v1/topics/orders/publish", &json!("x")).status, 200);
    assert_eq!(ask(&node, &key, "GET /v1/topics/orders/partitions/0/messages", &Value::Null).status, 403);
    assert_eq!(ask(&node, &old, "POST /v1/topics/orders/publish", &json!("x")).status, 401);
    let listed = ask(&node, &admin, &format!("GET /v1/keys/{id}"), &Value::Null).body_text();
    assert!(listed.contains("\"principal\":\"ci\"") && !listed.contains(&key), "{listed}");
}

#[test]
fn a_websocket_is_closed_when_its_key_is_deleted_or_its_grant_taken_away() {
    let (mut node, admin) = guarded_node(&[]);
    assert_eq!(ask(&node, &admin, "PUT /v1/topics/orders", &json!({})).status, 201);
    let grants = json!([{ "topic_prefix": "orders", "actions": ["consume"] }]);
    let (id, key) = new_key(&node, &admin, &json!({ "principal": "reader", "grants": grants }));
    let (_, other) = new_key(&node, &admin, &json!({ "principal": "reader" }));
    let open = |key: &str| {
        let mut socket = RawWebSocket::open_with(node.address(), None, &format!("Authorization: Bearer {key}\r\n"));
        socket.send_text(r#"{"op":"subscribe","ref":1,"topic":"orders","credit":10}"#);
        assert!(matches!(socket.next(), Frame::Text(text) if text.contains("subscribed")));
        socket
    };
    let (mut one, mut two) = (open(&key), open(&other));
    assert_eq!(ask(&node, &admin, &format!("DELETE /v1/keys/{id}"), &Value::Null).status, 204);
    assert_eq!(one.next(), Frame::Close(1008));
    two.send_text(r#"{"op":"ping","ref":2}"#);
    assert!(matches!(two.next(), Frame::Text(text) if text.contains("pong")), "the other key still counts");
    let settings = json!({ "grants": [{ "topic_prefix": "bills", "actions": ["consume"] }] });
    assert_eq!(ask(&node, &admin, "PUT /v1/principals/reader", &settings).status, 200);
    assert_eq!(two.next(), Frame::Close(1008));
    assert!(node.terminate().success());
    let audit = fs::read_to_string(node.data_dir().join("audit.log")).unwrap();
    assert_eq!(audit.matches("\"decision\":\"revoked\"").count(), 2, "{audit}");
}

#[test]
fn the_audit_log_says_who_did_what() {
    let (mut node, admin) = guarded_node(&[]);
    let grants = json!([{ "topic_prefix": "orders", "actions": ["publish"] }]);
    let (id, key) = new_key(&node, &admin, &json!({ "principal": "ci", "grants": grants }));
    ask(&node, &admin, "PUT /v1/topics/orders", &json!({}));
    ask(&node, &key, "DELETE /v1/topics/orders", &Value::Null);
    ask(&node, "psr_wrong", "GET /v1/topics", &Value::Null);
    assert!(node.terminate().success());
    let audit = fs::read_to_string(node.data_dir().join("audit.log")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("-").to_owned();
            (text("principal"), text("action"), text("on"), text("decision"), line["status"].as_u64().unwrap())
        })
        .collect();
    let row = |principal: &str, action: &str, on: &str, decision: &str, status| {
        (principal.to_owned(), action.to_owned(), on.to_owned(), decision.to_owned(), status)
    };
    let expected = [
        row("admin", "create_key", &format!("{id} of ci"), "allowed", 201),
        row("admin", "put_topic", "orders", "allowed", 201),
        row("ci", "delete_topic", "orders", "denied", 403),
        row("-", "list_topics", "", "unauthenticated", 401),
    ];
    assert_eq!(told, expected);
    assert!(lines.iter().all(|line| line["from"].as_str().unwrap().starts_with("127.0.0.1:")), "{audit}");
    assert_eq!(lines[2]["key"], json!(id));
}

/// F79.
#[test]
fn a_flood_of_refusals_takes_little_of_the_disk() {
    let (mut node, _) = guarded_node(&[("audit.file_bytes_max", "4096"), ("audit.files_kept", "1")]);
    let mut connection = Connection::open(node.address());
    for _ in 0..2_000 {
        let answer = connection.request("GET", "/v1/topics", &[("Authorization", "Bearer psr_wrong")], b"");
        assert_eq!(answer.status, 401);
    }
    assert!(node.terminate().success());
    let size = |name: &str| fs::metadata(node.data_dir().join(name)).map_or(0, |metadata| metadata.len());
    assert!(size("audit.log") + size("audit.log.1") < 16 << 10);
}

/// The tools' way to all of it.
#[test]
fn the_command_line_makes_keys_and_shows_who_may_do_what() {
    let (node, admin) = guarded_node(&[]);
    let server = format!("http://{}", node.address());
    let run = |key: &str, arguments: &[&str]| {
        let mut command = tool_command("pubsub-cli");
        command.env("PUBSUB_KEY", key).args(["--server", &server, "-o", "json"]).args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), serde_json::from_str::<Value>(&said).unwrap_or_default())
    };
    let grants = ["--topics", "orders=publish,manage", "--subscriptions", "billing*=consume"];
    let (code, made) =
        run(&admin, &[&["keys", "create", "ci/deploy"][..], &grants, &["--messages-per-s", "5"]].concat());
    assert_eq!(code, 0);
    let key = made["key"].as_str().unwrap();
    let (_, me) = run(key, &["whoami"]);
    assert_eq!((&me["principal"], &me["limits"]["messages_per_s"]), (&json!("ci/deploy"), &json!(5)));
    assert_eq!(run(key, &["topics", "create", "orders"]).0, 0);
    assert_ne!(run(key, &["topics", "create", "bills"]).0, 0);
    let (_, principals) = run(&admin, &["principals", "list"]);
    assert_eq!(principals["items"][1]["name"], "ci/deploy");
    let (_, shown) = run(&admin, &["principals", "put", "ci/deploy", "--topics", "bills=publish"]);
    assert_eq!(shown["grants"], json!([{ "topic_prefix": "bills", "actions": ["publish"] }]));
    assert_eq!(run(&admin, &["principals", "describe", "ci/deploy"]).1, shown);
    let (_, keys) = run(&admin, &["keys", "list"]);
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
    assert_eq!(run(&admin, &["keys", "delete", made["key_id"].as_str().unwrap()]).0, 0);
    assert_ne!(run(key, &["whoami"]).0, 0);
    assert_eq!(run(&admin, &["principals", "delete", "ci/deploy"]).0, 0);
}

/// The typed client says whose fault it is.
#[test]
fn a_client_sends_its_key() {
    let (node, admin) = guarded_node(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = node.client().with_answer_timeout(Duration::from_secs(30));
        let refused = client.create_topic("orders", &TopicSettings::default()).await.unwrap_err();
        assert!(
            matches!(&refused, ClientError::Problem(problem) if problem.code == Code::Unauthenticated),
            "{refused}"
        );
        let client = Client::new(node.endpoint(), Some(ApiKey::new(&admin).unwrap()));
        assert!(client.create_topic("orders", &TopicSettings::default()).await.unwrap().is_new);
    });
}
