//! The secrets that a node has for others: its key for TLS, the password of its Redis, what nodes prove to each other, and tokens that
//! count. Its log is text, for people.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use serde_json::{Value, json};

use super::{Canaries, Outputs, PAYLOAD};
use crate::{
    access::bootstrap,
    harness::{data_directory, eventually, node_command, wait},
    jwt::{OURS, signer::Signer},
    programs::Program,
    redis::RedisServer,
    tls::{authority::Authority, client::TlsClient},
};

const REDIS_PASSWORD: &str = "canary-of-a-redis-password";
const WRONG_PASSWORD: &str = "canary-of-a-wrong-password";
const CLUSTER_SECRET: &str = "canary-of-what-nodes-prove-to-each-other";

/// F74.
#[test]
fn no_secret_for_others_is_in_any_output_and_none_in_a_log_for_people() {
    let (home, authority, signer) = (data_directory(), Authority::new("servers"), Signer::new("canary"));
    authority.write_server(home.path());
    fs::write(home.path().join("keys.json"), Signer::key_set(&[&signer])).unwrap();
    let redis = RedisServer::start_with(&["--requirepass", REDIS_PASSWORD]);
    let (code, admin) = bootstrap(home.path(), &[]);
    assert_eq!(code, 0, "{admin}");
    let settings = settings(home.path(), redis.port());
    let mut outputs = Outputs::default();
    let node = start(home.path(), &settings, REDIS_PASSWORD);
    let told: Value = serde_json::from_slice(&fs::read(home.path().join("ready")).unwrap()).unwrap();

    let mut client = TlsClient::connect(told["http"].as_str().unwrap(), authority.client_config(None)).unwrap();
    let token = signer.token("canary", 300);
    let stale = signer.token("canary", -300);
    let mut ask = |bearer: &str, line: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let header = format!("Authorization: Bearer {bearer}\r\n");
        let (status, body) = client.try_request_with(line.split_once(' ').unwrap(), &header, body.as_bytes()).unwrap();
        outputs.add("an answer", body);
        status
    };
    let grants = json!({ "grants": [{ "topic_prefix": "*", "actions": ["publish", "manage"] }] });
    assert_eq!(ask(&admin, "PUT /v1/principals/canary", &grants), 201);
    assert_eq!(ask(&token, "PUT /v1/topics/orders", &json!({ "partitions": 1 })), 201);
    assert_eq!(ask(&token, "POST /v1/topics/orders/messages", &json!({ "messages": [{ "text": PAYLOAD }] })), 200);
    assert_eq!(ask(&token, "GET /v1/subscriptions", &Value::Null), 200);
    assert_eq!(ask(&token, "GET /v1/keys", &Value::Null), 403);
    assert_eq!(ask(&stale, "GET /v1/topics", &Value::Null), 401);
    assert_eq!(ask(&admin, "GET /v1/cluster", &Value::Null), 200);
    drop(client);
    outputs.add("metrics", crate::http::get(told["metrics"].as_str().unwrap(), "/metrics").body);
    end(node);
    outputs.add("the audit log", fs::read(home.path().join("data/audit.log")).unwrap());
    let logged = fs::read_to_string(home.path().join("log")).unwrap();
    assert!(logged.contains(" TRACE ") && logged.contains("stopped; everything is on disk"), "all of the log is there");
    outputs.add("the log", logged.into_bytes());
    for flag in ["--print-config", "--check-config", "--health-check"] {
        let output = command(home.path(), &settings, REDIS_PASSWORD).arg(flag).output().unwrap();
        outputs.add(flag, [output.stdout, output.stderr].concat());
    }
    let refused = command(home.path(), &settings, WRONG_PASSWORD).output().unwrap();
    assert!(!refused.status.success());
    outputs.add("what is refused", [refused.stdout, refused.stderr].concat());

    let mut canaries = Canaries::new(&[PAYLOAD, REDIS_PASSWORD, WRONG_PASSWORD, CLUSTER_SECRET]);
    canaries.add_key(&admin);
    for token in [&token, &stale] {
        // Each by its signature: the rest of a token is no secret, but has no business there either.
        canaries.add(token.rsplit_once('.').unwrap().1);
        canaries.add(token.split('.').nth(1).unwrap());
    }
    let key = fs::read_to_string(home.path().join("tls.key")).unwrap();
    key.lines().filter(|line| !line.starts_with('-')).for_each(|line| canaries.add(line));
    outputs.assert_free_of(&canaries);
}

fn settings(home: &Path, redis: u16) -> Vec<(String, String)> {
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let own = [
        ("auth", "required".to_owned()),
        ("log.format", "text".to_owned()),
        ("log.level", "trace".to_owned()),
        ("store", "redis".to_owned()),
        ("redis.port", redis.to_string()),
        ("tls.cert_file", path("tls.crt")),
        ("tls.key_file", path("tls.key")),
        ("jwt.jwks_file", path("keys.json")),
        ("cluster.listen", "127.0.0.1:0".to_owned()),
        ("cluster.init", "true".to_owned()),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    own.chain(OURS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))).collect()
}

fn command(home: &Path, settings: &[(String, String)], password: &str) -> std::process::Command {
    let mut command = node_command();
    command.current_dir(home).args(["--set", "server.port=0", "--set", "metrics.port=0"]).stdin(Stdio::null());
    for (key, value) in settings {
        command.args(["--set", &format!("{key}={value}")]);
    }
    command.env("PUBSUB_REDIS_PASSWORD", password).env("PUBSUB_CLUSTER_SECRET", CLUSTER_SECRET);
    command
}

/// A node that serves, with all of its log in a file.
fn start(home: &Path, settings: &[(String, String)], password: &str) -> Program {
    let ready = home.join("ready");
    let mut command = command(home, settings, password);
    command.arg("--ready-file").arg(&ready).stderr(File::create(home.join("log")).unwrap());
    let mut node = Program(command.spawn().unwrap());
    let is_there = eventually(|| node.has_ended() || ready.exists());
    assert!(is_there && ready.exists(), "{}", fs::read_to_string(home.join("log")).unwrap());
    node
}

fn end(mut node: Program) {
    let pid = rustix::process::Pid::from_child(&node.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(wait(&mut node.0).success());
}
