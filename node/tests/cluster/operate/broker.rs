//! Any node answers for any partition, and others go on where one has died.

use serde_json::json;

use super::{create_topic, create_topic_of, offsets, publish_everywhere};
use crate::{http::Connection, nodes::TestNodes};

/// What the README shows: through one node in, through another one out, also when the first one is dead.
#[test]
fn what_went_in_through_one_node_comes_out_of_another_and_outlives_the_first() {
    let mut cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", 6);
    publish_everywhere(&cluster, 1, "orders", 6);
    for through in cluster.numbers() {
        let all: Vec<_> = (0..6).map(|partition| offsets(&cluster, through, "orders", partition)).collect();
        assert_eq!(all, vec![vec![0]; 6], "through node {through}");
    }
    cluster.kill(1);
    publish_everywhere(&cluster, 2, "orders", 6);
    for partition in 0..6 {
        let offsets = offsets(&cluster, 3, "orders", partition);
        // A publish without an answer may have been stored, and was sent again.
        assert!(offsets.len() >= 2 && offsets.iter().copied().eq(0..offsets.len() as u64), "{offsets:?}");
    }
    cluster.restart(1);
    publish_everywhere(&cluster, 1, "orders", 6);
}

/// With its messages on its own disk, a node that is away has them alone; they are back with it.
#[test]
fn without_a_shared_store_a_dead_nodes_partitions_come_back_with_it() {
    let mut cluster = TestNodes::start_on_disks(3, &[]);
    create_topic_of(&cluster, 1, "orders", &json!({ "partitions": 6, "replication_factor": 1 }));
    publish_everywhere(&cluster, 1, "orders", 6);
    cluster.kill(3);
    cluster.until("node 3 is missed", |cluster| cluster.state(1, 3) == "down");
    let mut connection = Connection::open(&cluster.address(1));
    let mut publish = |partition: u32| {
        let path = format!("/v1/topics/orders/publish?partition={partition}");
        connection.request("POST", &path, &[("Content-Type", "text/plain")], b"another message")
    };
    let (taken, refused): (Vec<u32>, Vec<u32>) = (0..6).partition(|&partition| publish(partition).status == 200);
    assert_eq!((taken.len(), refused.len()), (4, 2), "{taken:?} {refused:?}");
    for &partition in &refused {
        let answer = publish(partition);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("partition_unavailable")));
        assert!(answer.header("retry-after").is_some(), "{}", answer.head);
    }
    cluster.restart(3);
    assert!(refused.iter().all(|&partition| offsets(&cluster, 1, "orders", partition) == [0]));
    assert!(taken.iter().all(|&partition| offsets(&cluster, 3, "orders", partition) == [0, 1]));
    publish_everywhere(&cluster, 2, "orders", 6);
}
