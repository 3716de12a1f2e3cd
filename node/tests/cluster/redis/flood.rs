//! Publishers that go on whatever happens, and know what was acknowledged.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{sync::watch, time::sleep};

use crate::{
    crash::{Publisher, read_all},
    harness::TestNode,
    publish_consume::partitions,
};

const PARTITIONS: u32 = 2;
const PUBLISHERS: usize = 4;
/// How many messages are acknowledged before the fault, and again after it.
const MESSAGES: usize = 10_000;
/// How long a publisher that was refused waits, as a client should.
const PAUSE: Duration = Duration::from_millis(20);

/// Publishes to `orders` before, during and after a fault. `fault` is called once enough is acknowledged, and returns when
/// the store is back; then as much again is published.
pub(super) async fn flood(node: &TestNode, fault: impl AsyncFnOnce()) -> Vec<Publisher> {
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    let mut publishers: Vec<_> = (0..PUBLISHERS).map(|number| Publisher::new(format!("key-{number}"))).collect();
    let (acknowledged, mut progress) = watch::channel(0_usize);
    let enough = Cell::new(false);
    let flood = join_all(publishers.iter_mut().map(async |publisher| {
        let client = node.client();
        while !enough.get() {
            let before = publisher.acknowledged();
            if publisher.publish(&client).await {
                let more = publisher.acknowledged() - before;
                acknowledged.send_modify(|total| *total += more);
            } else {
                sleep(PAUSE).await;
            }
        }
    }));
    let run = async {
        progress.wait_for(|total| *total >= MESSAGES).await.unwrap();
        fault().await;
        let back = Instant::now();
        let before = *progress.borrow_and_update();
        progress.wait_for(|total| *total > before).await.unwrap();
        let resumed_after = back.elapsed();
        progress.wait_for(|total| *total >= before + MESSAGES).await.unwrap();
        enough.set(true);
        resumed_after
    };
    let (_, resumed_after) = tokio::join!(flood, run);
    eprintln!("publishing went on {} ms after the store was back", resumed_after.as_millis());
    publishers
}

/// Nothing that was acknowledged is lost, nothing is there twice, and everything is in order.
pub(super) async fn check(node: &TestNode, publishers: &[Publisher]) {
    let client = node.client();
    let found = join_all((0..PARTITIONS).map(|partition| read_all(&client, partition))).await.concat();
    for (number, publisher) in publishers.iter().enumerate() {
        let of_key: Vec<_> = found.iter().filter(|(key, ..)| *key == number).map(|(_, place)| *place).collect();
        publisher.check(&of_key);
    }
}
