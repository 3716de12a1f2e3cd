//! The owner goes, without a word or with all others.

use serde_json::{Value, json};

use super::{Cluster, named};
use crate::{http::Connection, nodes::TestNodes, operate::Traffic};

const PARTITIONS: u64 = 3;

fn started() -> Cluster {
    Cluster::start(3, &json!({ "partitions": PARTITIONS, "replication_factor": 3, "min_insync": 2 }))
}

#[test]
fn an_owner_is_killed_under_load_and_comes_back_and_nothing_acknowledged_is_lost() {
    let mut cluster = started();
    cluster.subscribe("flow", &json!({ "topic": "orders", "start": "earliest", "ack_deadline_ms": 10_000 }));
    let dead = cluster.owner(1, 0).unwrap();
    let (left, other) = (dead % 3 + 1, (dead + 1) % 3 + 1);
    let traffic = Traffic::start((cluster.nodes.address(left), cluster.nodes.address(other)), "orders", "flow");
    for _ in 0..2 {
        cluster.nodes.kill(dead);
        cluster.nodes.until("others own what it had", |_| {
            (0..PARTITIONS).all(|partition| cluster.owner(left, partition).is_some_and(|owner| owner != dead))
        });
        cluster.published(left, 0, "after");
        cluster.nodes.restart(dead);
        cluster.await_in_sync(left, 3);
    }
    assert!(traffic.finish() > 0);
    let all: Vec<_> = (1..=3).map(|through| cluster.ids(through, 0)).collect();
    assert!(all.iter().all(|ids| *ids == all[0]), "each node shows the same");
}

#[test]
fn cursors_leases_repeats_and_what_waits_move_to_the_next_owner() {
    let mut cluster = started();
    let offsets: Vec<_> = named("m", 6).iter().map(|id| cluster.published(1, 0, id)).collect();
    let later = json!({ "id": "later", "text": "", "partition": 0, "delay_ms": 4_000 });
    cluster.done(1, "POST", "/v1/topics/orders/messages", &json!({ "messages": [later] }));
    let dead = cluster.owner(1, 0).unwrap();
    let left = dead % 3 + 1;
    let pulled = cluster.pull(left, "billing", 6);
    let (acked, kept): (Vec<Value>, Vec<Value>) =
        pulled.into_iter().partition(|message| ["m0", "m1", "m4"].contains(&message["id"].as_str().unwrap()));
    cluster.ack(left, "billing", &acked);
    cluster.nodes.kill(dead);
    // The same id is the same message, at the same place.
    let repeated: Vec<_> = named("m", 6).iter().map(|id| cluster.published(left, 0, id)).collect();
    assert_eq!(repeated, offsets.iter().map(|&(offset, _)| (offset, true)).collect::<Vec<_>>());
    // Leases are not kept: what was not acked comes again, and what was does not.
    let mut again: Vec<_> = cluster.pull(left, "billing", 4).iter().map(|message| message["id"].clone()).collect();
    again.sort_by_key(Value::to_string);
    let mut expected: Vec<_> = kept.iter().map(|message| message["id"].clone()).chain([json!("later")]).collect();
    expected.sort_by_key(Value::to_string);
    assert_eq!(again, expected);
}

#[test]
fn dead_letters_are_where_they_were_when_the_owner_is_killed() {
    let mut cluster = started();
    cluster.done(1, "PUT", "/v1/topics/dead", &json!({ "partitions": 1, "replication_factor": 3 }));
    cluster.subscribe("strict", &json!({ "topic": "orders", "start": "earliest", "dead_letter_topic": "dead" }));
    for id in named("m", 4) {
        cluster.published(1, 0, &id);
    }
    let dead = cluster.owner(1, 0).unwrap();
    let left = dead % 3 + 1;
    let rejected = cluster.pull(left, "strict", 4);
    let ids: Vec<_> = rejected.iter().map(|message| &message["ack_id"]).collect();
    let nack = json!({ "ack_ids": ids, "dead_letter": true });
    cluster.done(left, "POST", "/v1/subscriptions/strict/nack", &nack);
    let letters = |cluster: &Cluster| {
        let page = cluster.nodes.get(left, "/v1/subscriptions/strict/dead-letters?page_size=100");
        page["items"].as_array().map_or(0, Vec::len)
    };
    cluster.nodes.until("all are dead letters", |_| letters(&cluster) == 4);
    cluster.nodes.kill(dead);
    cluster.nodes.until("they can be listed", |_| letters(&cluster) == 4);
    cluster.nodes.until("they are sent back", |_| {
        let answer = cluster.ask(left, "POST", "/v1/subscriptions/strict/redrive", &Value::Null);
        answer.status == 200 && letters(&cluster) == 0
    });
    assert_eq!(cluster.pull(left, "strict", 4).len(), 4);
}

#[test]
fn all_nodes_are_killed_at_once_and_everything_acknowledged_is_there() {
    let mut cluster = started();
    let publishers: Vec<_> = (0..PARTITIONS)
        .map(|partition| (partition, cluster.nodes.address(partition + 1)))
        .map(|(partition, address)| {
            std::thread::spawn(move || {
                let mut connection = Connection::open(&address);
                let mut acknowledged = Vec::new();
                loop {
                    let id = format!("{partition}-{}", acknowledged.len());
                    let body = json!({ "messages": [{ "id": id, "text": id, "partition": partition }] });
                    // Ends when its node is killed.
                    let Some(answer) = connection.try_post("/v1/topics/orders/messages", &body) else {
                        return acknowledged;
                    };
                    if answer.status == 200 && answer.json()["results"][0]["offset"].is_u64() {
                        acknowledged.push(id);
                    }
                }
            })
        })
        .collect();
    cluster.nodes.until("there is something to lose", |_| {
        let committed = |partition| cluster.placed(1, partition)["high_watermark"].as_u64();
        (0..PARTITIONS).all(|partition| committed(partition).is_some_and(|committed| committed > 60))
    });
    // Each of them is killed before the first is started again.
    cluster.nodes.restart_together(&[1, 2, 3]);
    cluster.nodes.until("they are one broker again", TestNodes::is_whole);
    cluster.await_in_sync(1, 3);
    for (partition, publisher) in (0..PARTITIONS).zip(publishers) {
        let (acknowledged, ids) = (publisher.join().unwrap(), cluster.ids(2, partition));
        assert!(acknowledged.len() > 50);
        assert_eq!(ids[..acknowledged.len()], acknowledged, "and one more at most");
        assert!(ids.len() <= acknowledged.len() + 1);
    }
}
