//! A node that wants to come into a cluster and is not let in.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::{
    harness::{DEADLINE, node_command},
    nodes::TestNodes,
};

/// It runs until it is dropped.
pub(super) struct Outsider {
    child: Child,
    lines: Receiver<Value>,
}

impl Outsider {
    /// A node with number 2, and node 1 for its seed, that works in `home`.
    pub(super) fn start(home: &Path, nodes: &TestNodes, settings: &[(&str, &str)]) -> Self {
        let mut command = node_command();
        let seeds = nodes.link_address(1);
        let own = [
            ("server.port", "0"),
            ("metrics.port", "0"),
            ("log.format", "json"),
            ("cluster.node_id", "2"),
            ("cluster.listen", "127.0.0.1:0"),
            ("cluster.seeds", &seeds),
        ];
        for (key, value) in own.iter().chain(settings) {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let mut child = command.current_dir(home).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, lines) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for text in log.map_while(Result::ok) {
                // The test may have seen enough.
                drop(line.send(serde_json::from_str(&text).unwrap_or_default()));
            }
        });
        Self { child, lines }
    }

    /// Waits until it has said why it can't speak with the others.
    pub(super) fn await_reason(&self, reason: &str) {
        let until = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let is_it = line["message"] == "another node can't be spoken to"
                && line["reason"].as_str().is_some_and(|said| said.contains(reason));
            if is_it {
                return;
            }
            assert_ne!(line["message"], "the node serves");
            seen.push(line);
        }
        panic!("it never says `{reason}`: {seen:#?}");
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
