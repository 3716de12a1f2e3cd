//! What becomes of nodes that are removed.

use super::{
    create_topic,
    page::{PARTITIONS, check_all, done, object, refused},
    publish_everywhere,
};
use crate::nodes::TestNodes;

fn with_orders() -> TestNodes {
    let cluster = TestNodes::start(3);
    create_topic(&cluster, 1, "orders", PARTITIONS);
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    cluster
}

/// Node 3 was removed, and is told so whenever it starts.
fn stays_out(cluster: &mut TestNodes) {
    for _ in 0..2 {
        let (code, said) = cluster.refused(3);
        assert_eq!((code, said.contains("was removed")), (Some(25), true), "{said}");
    }
    check_all(cluster, 1);
}

#[test]
fn a_node_is_removed_while_it_runs_once_it_is_drained() {
    let mut cluster = with_orders();
    for words in [&["cluster", "remove", "3"][..], &["cluster", "remove", "3", "--force"]] {
        let (code, said) = refused(&cluster, 1, words);
        assert_eq!((code, said.contains("is up")), (4, true), "{said}");
    }
    done(&cluster, 1, &["cluster", "drain", "3", "--wait"]);
    // Its own word is as good as another's.
    let removed = object(&cluster, 3, &["cluster", "remove", "3"]);
    assert_eq!(removed["lost_partitions"], 0);
    assert_eq!(cluster.node_mut(3).wait_for_end().code(), Some(25));
    stays_out(&mut cluster);
}

#[test]
fn the_node_that_leads_is_removed_like_any_other() {
    let mut cluster = with_orders();
    done(&cluster, 1, &["cluster", "drain", "3", "--wait"]);
    if cluster.leader() != Some(3) {
        done(&cluster, 1, &["cluster", "transfer-leader", "--to", "3"]);
    }
    done(&cluster, 1, &["cluster", "remove", "3"]);
    assert_eq!(cluster.node_mut(3).wait_for_end().code(), Some(25));
    stays_out(&mut cluster);
}

#[test]
fn a_node_that_stood_still_when_it_was_removed_is_told_when_it_goes_on() {
    let mut cluster = with_orders();
    done(&cluster, 1, &["cluster", "transfer-leader", "--to", "1"]);
    cluster.pause(3);
    cluster.until("node 3 is missed", |cluster| cluster.state(1, 3) == "down");
    cluster.until("others have what it had", |cluster| cluster.get(1, "/v1/cluster/nodes/3")["owned"] == 0);
    done(&cluster, 1, &["cluster", "remove", "3"]);
    // Long enough that it is no member of the group when it goes on.
    cluster.until("nothing is left of it", |cluster| {
        cluster.get(1, "/v1/cluster")["nodes"].as_array().unwrap().len() == 2
    });
    publish_everywhere(&cluster, 1, "orders", PARTITIONS);
    cluster.resume(3);
    assert_eq!(cluster.node_mut(3).wait_for_end().code(), Some(25));
    stays_out(&mut cluster);
}
