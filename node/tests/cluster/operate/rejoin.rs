//! Nodes whose metadata are lost or damaged, and how they come back.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
};

use serde_json::json;

use super::{
    create_topic, offsets,
    page::{PARTITIONS, check_all, done, owned, refused},
    publish_everywhere,
    traffic::Traffic,
};
use crate::{http::Connection, nodes::TestNodes};

/// With a subscription, and a publisher and a consumer at nodes 1 and 2.
fn with_traffic(cluster: &TestNodes) -> Traffic {
    create_topic(cluster, 1, "flow", 6);
    let settings = json!({ "topic": "flow", "start": "earliest", "ack_deadline_ms": 10_000 }).to_string();
    let mut connection = Connection::open(&cluster.address(1));
    let answer = connection.request("PUT", "/v1/subscriptions/flow", &[], settings.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    cluster
        .until("node 2 knows the subscription", |cluster| cluster.get(2, "/v1/subscriptions/flow")["name"] == "flow");
    Traffic::start((cluster.address(1), cluster.address(2)), "flow", "flow")
}

/// Node 3 can't start, and says what to do; then it does that.
fn comes_back_as_node_4(cluster: &mut TestNodes, codes: &[i32]) {
    for _ in 0..2 {
        let (code, said) = cluster.refused(3);
        assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?}: {said}");
        assert!(said.contains("--rejoin") && said.contains("cluster.node_id"), "{said}");
    }
    cluster.rejoin(3, 4);
    let data = cluster.node(4).data_dir();
    assert!(data.join("raft.lost-1").join("identity").exists() && data.join("raft/log").exists());
    // Whoever leaves the flag where it is loses nothing.
    cluster.restart(4);
    assert!(!data.join("raft.lost-2").exists());
    done(cluster, 4, &["cluster", "rebalance", "--wait"]);
    cluster.until("its former self owns nothing", |cluster| owned(cluster, 1, 3) == 0);
    done(cluster, 1, &["cluster", "remove", "3"]);
    cluster.until("the new node has a vote", TestNodes::is_whole);
    assert!(owned(cluster, 1, 4) > 0);
    check_all(cluster, 4);
}

#[test]
fn a_node_that_has_lost_its_metadata_comes_back_as_a_new_one_while_messages_flow() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    let traffic = with_traffic(&cluster);
    cluster.kill(3);
    fs::remove_file(cluster.node(3).data_dir().join("raft/log/db")).unwrap();
    comes_back_as_node_4(&mut cluster, &[23]);
    assert!(traffic.finish() > 0);
}

#[test]
fn a_node_whose_metadata_are_damaged_comes_back_as_a_new_one() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    cluster.kill(3);
    overwrite(&cluster.node(3).data_dir().join("raft/log/db"));
    comes_back_as_node_4(&mut cluster, &[21, 23]);
}

/// The middle half of a file is something else.
fn overwrite(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let junk = vec![0xa5; usize::try_from(length / 2).unwrap()];
    file.write_all_at(&junk, length / 4).unwrap();
}

/// What was on its disk stays there, and nobody but a new node of another number gets in.
#[test]
fn messages_on_the_disk_of_a_node_without_metadata_are_not_deleted() {
    let mut cluster = TestNodes::start_on_disks(3, &[]);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    cluster.kill(3);
    let data = cluster.node(3).data_dir();
    let before = files(&data.join("partitions"));
    assert!(!before.is_empty());
    fs::remove_file(data.join("raft/log/db")).unwrap();
    let (code, _) = cluster.refused(3);
    assert_eq!(code, Some(23));
    cluster.rejoin(3, 4);
    assert_eq!(files(&cluster.node(4).data_dir().join("partitions")), before);
    cluster.until("node 3 is missed", |cluster| cluster.state(1, 3) == "down");
    let (code, said) = refused(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!((code, said.contains("by force")), (4, true), "{said}");
    done(&cluster, 1, &["cluster", "remove", "3", "--force"]);
    publish_everywhere(&cluster, 4, "orders", PARTITIONS);
    for partition in 0..PARTITIONS {
        let offsets = offsets(&cluster, 1, "orders", partition);
        assert!(offsets.iter().copied().eq(0..offsets.len() as u64), "{offsets:?}");
    }
    assert!(before.is_subset(&files(&cluster.node(4).data_dir().join("partitions"))));
}

/// Every file below a directory.
fn files(directory: &Path) -> std::collections::BTreeSet<std::path::PathBuf> {
    let mut found = std::collections::BTreeSet::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.insert(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found
}
