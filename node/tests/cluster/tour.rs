//! The tour of the README as a newcomer takes it: each command against a fresh node, each output as the page shows it.

pub(crate) mod page;
pub(crate) mod pattern;

use std::{env, path::Path, process::Command};

use serde_json::Value;

use self::{
    page::{Block, Script, Step},
    pattern::Examples,
};
use crate::{
    harness::{TestNode, tool_command},
    http::get,
    websocket::{Frame, RawWebSocket},
};

const README: &str = include_str!("../../../README.md");
/// Where the page says that the node is.
pub(crate) const PAGE_ADDRESS: &str = "localhost:8081";
/// How many commands the tour has at least: a page that is not understood would pass otherwise.
const COMMANDS_MIN: usize = 8;

#[test]
fn the_tour_shows_what_a_newcomer_sees() {
    let node = TestNode::start();
    let mut examples = Examples::default();
    let (mut commands, mut scripts) = (0, 0);
    for block in page::blocks(README) {
        match block {
            Block::Console(steps) => {
                for step in steps {
                    take(&step, &node, &mut examples);
                    commands += 1;
                }
            }
            Block::Script(Script { text, .. }) => {
                follow(&text, &node);
                scripts += 1;
            }
        }
    }
    assert!(commands >= COMMANDS_MIN && scripts == 1, "{commands} commands and {scripts} scripts were found");
}

#[test]
fn the_settings_in_the_tour_are_the_defaults() {
    let printed = crate::harness::node_command().arg("--print-config").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("port: 8081") && printed.contains("data_dir: ./data"), "{printed}");
}

/// Runs one command and compares what it prints with the page.
fn take(step: &Step, node: &TestNode, examples: &mut Examples) {
    let command = examples.filled_in(&step.command).replace(PAGE_ADDRESS, node.address());
    let output = shell(&command, node).current_dir(env!("CARGO_TARGET_TMPDIR")).output().unwrap();
    assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    if let Err(difference) = examples.compare(&step.output, &printed) {
        panic!("README.md says of\n  {command}\n{}\nbut it prints\n{printed}\n{difference}", step.output);
    }
}

/// A newcomer's shell, with the tools of this build on its path. A command that hangs is ended.
pub(crate) fn shell(command: &str, node: &TestNode) -> Command {
    let cli = tool_command("pubsub-cli");
    let tools = Path::new(cli.get_program()).parent().unwrap();
    let path = env::join_paths([tools, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut shell = Command::new("timeout");
    shell.env_clear().env("PATH", path).env("PUBSUB_SERVER", format!("http://{}", node.address()));
    shell.args(["60", "sh", "-c", command]);
    shell
}

/// Does what the script does: sends its frames in order, the second when messages have come, and sees them acked.
fn follow(script: &str, node: &TestNode) {
    let [url, protocol] = page::arguments_of(script, "new WebSocket(").try_into().expect("a URL and a subprotocol");
    assert_eq!(url, format!("ws://127.0.0.1:{}/v1/ws", PAGE_ADDRESS.rsplit_once(':').unwrap().1));
    let [subscribe, ack] = page::objects_sent(script).try_into().expect("two frames are sent");
    let mut socket = RawWebSocket::open(node.address(), Some(&protocol));
    socket.send_text(&page::as_json(&subscribe));
    assert_eq!(received(&mut socket)["op"], "subscribed");

    let mut left = backlog(node);
    assert!(left > 0, "the script has nothing to show");
    let reads_ids = "frame.messages.map((m) => m.ack_id)";
    assert!(ack.contains(reads_ids), "{ack}");
    while left > 0 {
        let frame = received(&mut socket);
        assert_eq!(frame["op"], "messages", "{frame}");
        let ids: Vec<_> = frame["messages"].as_array().unwrap().iter().map(|message| &message["ack_id"]).collect();
        left -= u64::try_from(ids.len()).unwrap();
        let ids = serde_json::to_string(&ids).unwrap();
        socket.send_text(&page::as_json(&ack.replace(reads_ids, &ids)));
    }
    // An ack without a reference is answered only if it fails; that it holds shows in the backlog.
    socket.send_text(r#"{"op":"ping"}"#);
    assert_eq!(received(&mut socket)["op"], "pong");
    while backlog(node) > 0 {}
}

fn received(socket: &mut RawWebSocket) -> Value {
    let frame = socket.next();
    let Frame::Text(text) = frame else { panic!("{frame:?}") };
    serde_json::from_str(&text).unwrap()
}

fn backlog(node: &TestNode) -> u64 {
    get(node.address(), "/v1/subscriptions/kitchen").json()["backlog"].as_u64().unwrap()
}
