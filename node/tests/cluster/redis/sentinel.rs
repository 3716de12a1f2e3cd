//! A master with two replicas, watched by a Sentinel of the test's own.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    RedisServer,
    flood::{check, flood},
    losses,
    server::free_port,
};
use crate::harness::{TestNode, data_directory};

/// A running Sentinel that watches one master by the name `orders-master`; killed when dropped.
struct Sentinel {
    process: Child,
    port: u16,
    _home: TempDir,
}

impl Sentinel {
    fn watch(master: &RedisServer) -> Self {
        let (home, port) = (data_directory(), free_port());
        let file = home.path().join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor orders-master 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds orders-master 300\nsentinel failover-timeout orders-master 2000\n",
            home.path().display(),
            master.port()
        );
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().unwrap();
        Self { process, port, _home: home }
    }

    fn connection(&self) -> Option<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection().ok()
    }

    /// Who is master by its word; `None` until it can be asked.
    fn master(&self) -> Option<u16> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg("orders-master");
        let address: Option<(String, u16)> = command.query(&mut self.connection()?).unwrap();
        address.map(|(_, port)| port)
    }

    /// How many replicas of the master it knows.
    fn replicas(&self) -> usize {
        let mut command = redis::cmd("SENTINEL");
        command.arg("REPLICAS").arg("orders-master");
        let replicas: Option<Vec<redis::Value>> =
            self.connection().map(|mut connection| command.query(&mut connection).unwrap());
        replicas.map_or(0, |replicas| replicas.len())
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn replica_of(master: &RedisServer) -> RedisServer {
    RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {}", master.port())])
}

/// F47: the master is killed in the middle of publishing, and another takes its place.
#[tokio::test]
async fn a_failover_by_sentinel_keeps_what_a_replica_had_acknowledged() {
    let mut master = RedisServer::start();
    let replicas = [replica_of(&master), replica_of(&master)];
    let sentinel = Sentinel::watch(&master);
    while sentinel.replicas() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let watched = format!("127.0.0.1:{}", sentinel.port);
    let node = TestNode::start_with(&[
        ("store", "redis"),
        ("redis.sentinels", &watched),
        ("redis.sentinel_master", "orders-master"),
        ("redis.wait_replicas", "1"),
    ]);
    let old = master.port();
    let publishers = flood(&node, async || {
        master.kill();
        while sentinel.master().is_none_or(|port| port == old) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    check(&node, &publishers).await;
    assert!(losses(&node) < 0.5);
    drop(replicas);
}
