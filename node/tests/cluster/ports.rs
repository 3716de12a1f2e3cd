//! Where a node can be reached: at the ports that it says, and nowhere else.

use std::{collections::BTreeSet, fs, path::Path};

use crate::harness::TestNode;

/// F75.
#[test]
fn nothing_listens_but_what_the_node_says() {
    let node = TestNode::start();
    let said = [node.address(), node.metrics_address()].map(|address| address.rsplit_once(':').unwrap().1.to_owned());
    let listening: BTreeSet<String> = listening(node.pid()).into_iter().map(|port| port.to_string()).collect();
    assert_eq!(listening, BTreeSet::from(said));
}

/// The TCP ports at which a process listens.
fn listening(pid: u32) -> Vec<u16> {
    /// The state of a socket that listens.
    const LISTEN: &str = "0A";
    let proc = Path::new("/proc").join(pid.to_string());
    let opened = fs::read_dir(proc.join("fd")).unwrap().filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let opened: BTreeSet<String> = opened.map(|target| target.to_string_lossy().into_owned()).collect();
    let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)).unwrap_or_default());
    let sockets = tables.iter().flat_map(|table| table.lines().skip(1));
    let port = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_ours = fields[3] == LISTEN && opened.contains(&format!("socket:[{}]", fields[9]));
        is_ours.then(|| u16::from_str_radix(fields[1].rsplit_once(':').unwrap().1, 16).unwrap())
    };
    sockets.filter_map(port).collect()
}
