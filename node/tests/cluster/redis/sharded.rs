//! A Redis Cluster of three masters.

use std::time::Duration;

use super::{
    RedisServer,
    flood::{check, flood},
    losses,
    server::free_port,
};
use crate::harness::TestNode;

/// Three masters that know each other and share the slots.
struct Cluster {
    masters: Vec<RedisServer>,
}

const RANGES: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl Cluster {
    async fn start() -> Self {
        let buses: Vec<_> = RANGES.iter().map(|_| free_port().to_string()).collect();
        let start = |bus: &String| RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", bus]);
        let masters: Vec<_> = buses.iter().map(start).collect();
        for (master, (first, last)) in masters.iter().zip(RANGES) {
            let _: String = master.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        for (master, bus) in masters.iter().zip(&buses).skip(1) {
            let _: String = masters[0].command(&["CLUSTER", "MEET", "127.0.0.1", &master.port().to_string(), bus]);
        }
        let cluster = Self { masters };
        cluster.await_agreement().await;
        cluster
    }

    /// Waits until all say that all slots are served.
    async fn await_agreement(&self) {
        for master in &self.masters {
            loop {
                let info: String = master.command(&["CLUSTER", "INFO"]);
                if info.contains("cluster_state:ok") && info.contains("cluster_size:3") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn ids(&self) -> Vec<String> {
        self.masters.iter().map(|master| master.command(&["CLUSTER", "MYID"])).collect()
    }

    /// Moves every slot that has keys from the first master to the second, as `redis-cli --cluster reshard` does.
    fn move_slots(&self) {
        let (ids, [from, to, other]) = (self.ids(), [&self.masters[0], &self.masters[1], &self.masters[2]]);
        let keys: Vec<String> = from.command(&["KEYS", "*"]);
        assert!(!keys.is_empty(), "the first master has no partition");
        for key in keys {
            let slot: u64 = from.command(&["CLUSTER", "KEYSLOT", &key]);
            let slot = slot.to_string();
            let owned: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if owned.is_empty() {
                continue;
            }
            let _: String = to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
            let _: String = from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
            loop {
                let left: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
                let Some(key) = left.first() else { break };
                let port = to.port().to_string();
                let _: String = from.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            }
            for server in [to, from, other] {
                let _: String = server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
            }
        }
    }
}

/// F45: MOVED, ASK and TRYAGAIN in the middle of publishing.
#[tokio::test]
async fn partitions_are_spread_over_a_redis_cluster_and_follow_their_slots() {
    let cluster = Cluster::start().await;
    let port = cluster.masters[0].port().to_string();
    let node = TestNode::start_with(&[("store", "redis"), ("redis.cluster", "true"), ("redis.port", &port)]);
    // Enough partitions that each master has some.
    node.client().create_topic("spread", &crate::publish_consume::partitions(32)).await.unwrap();
    for master in &cluster.masters {
        let keys: u64 = master.command(&["DBSIZE"]);
        assert!(keys >= 2, "a master has {keys} keys");
    }
    let publishers = flood(&node, async || cluster.move_slots()).await;
    check(&node, &publishers).await;
    assert!(losses(&node) < 0.5);
    let left: u64 = cluster.masters[0].command(&["DBSIZE"]);
    assert_eq!(left, 0, "no partition writes where it was");
}

/// F45: one of the masters is killed in the middle of publishing, and comes back.
#[tokio::test]
async fn a_master_of_a_redis_cluster_that_comes_back_has_everything() {
    let mut cluster = Cluster::start().await;
    let port = cluster.masters[0].port().to_string();
    let node = TestNode::start_with(&[("store", "redis"), ("redis.cluster", "true"), ("redis.port", &port)]);
    let publishers = flood(&node, async || {
        for master in &mut cluster.masters {
            master.kill();
            master.restart();
        }
        cluster.await_agreement().await;
    })
    .await;
    check(&node, &publishers).await;
    assert!(losses(&node) < 0.5);
}
