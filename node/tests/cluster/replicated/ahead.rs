//! Followers write while the owner does: they have a batch that the owner's disk has not taken yet (ADR 19).

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::Cluster;
use crate::{filesystem::LoopFilesystem, http::Connection, nodes::TestNodes};

const TEXT: &str = "on its way to three disks";

#[test]
fn a_batch_is_at_the_followers_while_the_owners_disk_stands_still() {
    let filesystem = match LoopFilesystem::mount(256) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that stands still needs root and a loop device: {reason}");
            return;
        }
    };
    let directory = filesystem.directory();
    let partitions = directory.path().to_owned();
    let prepare = move |home: &Path| {
        if home.ends_with("node-1") {
            fs::create_dir_all(home.join("data")).unwrap();
            symlink(&partitions, home.join("data/partitions")).unwrap();
        }
    };
    // The disk stands still for as long as the test looks, and is not given up meanwhile.
    let settings = [("storage.reserve_bytes", "8388608"), ("storage.io_stuck_ms", "600000")];
    let topic = json!({ "partitions": 1, "replication_factor": 3, "min_insync": 2 });
    let cluster = Cluster::of(TestNodes::start_on_disks_prepared(3, &settings, Box::new(prepare)), &topic);
    if cluster.owner(1, 0) != Some(1) {
        cluster.move_to(2, 0, 1);
    }
    // Once there is room in place for the next batches, they are sent ahead.
    let mut written = Vec::new();
    while sent_ahead(&cluster) == 0.0 {
        assert!(written.len() < 1_000, "nothing is sent ahead");
        written.push(format!("before-{}", written.len()));
        cluster.published(1, 0, written.last().unwrap());
    }

    let frozen = filesystem.freeze();
    let message = json!({ "messages": [{ "id": "ahead", "text": TEXT, "partition": 0 }] }).to_string();
    let request = "POST /v1/topics/orders/messages HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n";
    let request = format!("{request}Content-Length: {}\r\n\r\n{message}", message.len());
    let mut publisher = Connection::open(&cluster.nodes.address(1));
    publisher.send(request.as_bytes());
    cluster.nodes.until("both followers have it on their disks", |_| [2, 3].iter().all(|node| has(&cluster, *node)));
    assert!(!has(&cluster, 1), "the owner's disk stands still");
    assert_eq!(cluster.ids(1, 0), written, "nobody sees what the owner has not stored");

    drop(frozen);
    let answer = publisher.answer().unwrap();
    let result = &answer.json()["results"][0];
    assert_eq!((answer.status, &result["durability"]), (200, &json!("quorum")), "{result}");
    assert!(has(&cluster, 1));
    written.push("ahead".to_owned());
    assert_eq!(cluster.ids(1, 0), written);
}

/// Batches that node 1 has sent before it had written them.
fn sent_ahead(cluster: &Cluster) -> f64 {
    cluster.nodes.node(1).metric("pubsub_replica_sent_ahead_total").into_iter().map(|(_, count)| count).sum()
}

/// Whether the text lies in a segment of a node.
fn has(cluster: &Cluster, node: u64) -> bool {
    let files = segments(&cluster.nodes.node(node).data_dir().join("partitions"));
    files.iter().any(|file| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(TEXT.len()).any(|part| part == TEXT.as_bytes())
    })
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { segments(&path) } else { vec![path] }).collect()
}
