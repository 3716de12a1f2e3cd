//! A real Chromium on the node's own page: fetch, WebSocket and Server-Sent Events as a page uses them, the last one over
//! a kill and a restart of the node, and the page itself, which asks nobody else. And pages of other origins.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    canned::CannedServer,
    harness::{TestNode, data_directory},
    http::Connection,
    programs::{self, Program},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/browser/visit.py");
const PARTITIONS: u64 = 3;
/// Messages before the node is killed, and behind it.
const BEFORE: u64 = 60;
const BEHIND: u64 = 90;

/// A browser that does what `visit.py` says, step by step.
struct Browser {
    answers: BufReader<ChildStdout>,
    steps: ChildStdin,
    program: Program,
}

#[test]
fn a_browser_works_with_the_node_and_with_nobody_else() {
    let Some(tools) = Tools::find() else { return };
    // What the browser comes back to: a port that the system gives nobody who connects meanwhile.
    let port = port_below_those_given_out();
    let mut node = TestNode::start_with(&[("server.port", &port.to_string())]);
    let address = node.address().to_owned();
    let home = data_directory();
    let mut browser = tools.start(&address, home.path());

    let page = browser.step("docs", &json!(null));
    assert!(page["operations"].as_u64().unwrap() > 20, "{page}");
    let fetched = browser.step("fetch", &json!({ "partitions": PARTITIONS }));
    assert_eq!(fetched, json!({ "created": 201, "text": "a coffee ☕", "refused": "topic_not_found" }));
    let spoken = browser.step("websocket", &json!(null));
    assert_eq!(spoken, json!({ "protocol": "pubsub.v1.json", "text": "over WebSocket", "close": 1000 }));

    Connection::open(&address).request("PUT", "/v1/topics/stream", &[], br#"{"partitions":3}"#);
    publish(&address, 0..BEFORE);
    browser.step("listen", &json!({ "until": BEFORE }));
    node.kill();
    // The system closes what a killed process has in its ring a moment later.
    assert!(crate::harness::eventually(|| std::net::TcpListener::bind(&*address).is_ok()), "{address} stays in use");
    node.restart();
    assert_eq!(node.address(), address);
    publish(&address, BEFORE..BEFORE + BEHIND);
    let events = browser.step("listen", &json!({ "until": BEFORE + BEHIND }));
    assert!(events["connections"].as_u64().unwrap() >= 2, "{events}");
    let seen = events["places"].as_array().unwrap().iter().map(|place| place.as_str().unwrap().to_owned());
    let expected = (0..PARTITIONS)
        .flat_map(|partition| (0..(BEFORE + BEHIND) / PARTITIONS).map(move |offset| format!("{partition}/{offset}")));
    let (mut seen, mut expected): (Vec<_>, Vec<_>) = (seen.collect(), expected.collect());
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected, "each came once");

    let said = browser.step("end", &json!(null));
    assert_eq!(said, json!({ "elsewhere": [], "console": [] }));
    assert!(crate::harness::wait(&mut browser.program.0).success());
}

/// What CORS comes to in a browser: it asks first, publishes and reads for a page of a listed origin, and keeps any other from it.
#[test]
fn pages_of_listed_origins_fetch_and_publish_and_others_are_kept_from_it() {
    let Some(tools) = Tools::find() else { return };
    let page = || CannedServer::start("200 OK", "<!doctype html><title>a page of somebody else</title>");
    let [listed, other] = [page(), page()].map(|server| (format!("http://{}", server.address), server));
    let node = TestNode::start_with(&[("server.allowed_origins", &listed.0)]);
    let home = data_directory();
    let mut browser = tools.start(node.address(), home.path());
    let mut visit = |origin: &str| browser.step("foreign", &json!({ "origin": origin }));
    let kept = json!({ "created": "TypeError", "published": "TypeError", "read": "TypeError", "refused": "TypeError" });
    assert_eq!(visit(&other.0), kept);
    let topic = crate::http::get(node.address(), "/v1/topics/foreign");
    assert_eq!(topic.status, 404, "what the browser has to ask for first was not sent");
    let expected = json!({
        "created": 201,
        "published": { "offset": 0, "hasId": true },
        "read": [["from elsewhere", "red"]],
        "refused": "topic_not_found",
    });
    assert_eq!(visit(&listed.0), expected);
    assert_eq!(visit(&other.0), kept);
    browser.step("end", &json!(null));
    assert!(crate::harness::wait(&mut browser.program.0).success());
    let stored = crate::http::get(node.address(), "/v1/topics/foreign/partitions/0/messages").json();
    assert_eq!(stored["next_offset"], 1);
}

/// Messages whose partitions take turns, durable when it returns.
fn publish(address: &str, numbers: std::ops::Range<u64>) {
    let messages: Vec<_> =
        numbers.map(|number| json!({ "text": number.to_string(), "partition": number % PARTITIONS })).collect();
    let body = json!({ "messages": messages }).to_string();
    let answer = Connection::open(address).request("POST", "/v1/topics/stream/messages", &[], body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What a browser is driven with.
struct Tools {
    python: PathBuf,
    chromium: PathBuf,
}

impl Tools {
    /// `None`, with a word to whoever reads it, where one is not there.
    fn find() -> Option<Self> {
        let Some(python) = programs::python_with("playwright") else {
            programs::skip("Python with playwright");
            return None;
        };
        let Some(chromium) = programs::find("chromium") else {
            programs::skip("chromium");
            return None;
        };
        Some(Self { python, chromium })
    }

    /// A browser for a node, whose files go into a directory.
    fn start(&self, address: &str, home: &Path) -> Browser {
        let mut command = Command::new("timeout");
        command.arg("180").arg(&self.python).arg(SCRIPT).arg(&self.chromium).arg(format!("http://{address}"));
        Browser::start(command.current_dir(home))
    }
}

impl Browser {
    fn start(command: &mut Command) -> Self {
        let mut program = Program(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let answers = BufReader::new(program.0.stdout.take().unwrap());
        let steps = program.0.stdin.take().unwrap();
        Self { answers, steps, program }
    }

    /// Does one step and returns what came of it.
    fn step(&mut self, name: &str, arguments: &Value) -> Value {
        writeln!(self.steps, "{}", json!({ "step": name, "arguments": arguments })).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the browser ended at {name}");
        serde_json::from_str(&answer).unwrap()
    }
}

/// A port that nobody listens on, below those that Linux gives to connections (`net.ipv4.ip_local_port_range`).
fn port_below_those_given_out() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = (first..32_000).chain(20_000..first);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
