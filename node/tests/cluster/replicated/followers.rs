//! Those who follow die, hang, are away for long: nothing waits for them, and nothing is acknowledged with too few.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Cluster, named};
use crate::websocket::{Frame, RawWebSocket};

fn one_partition(nodes: u64) -> Cluster {
    Cluster::start(nodes, &json!({ "partitions": 1, "replication_factor": 3, "min_insync": 2 }))
}

/// The owner of the partition, and those who follow it.
fn roles(cluster: &Cluster) -> (u64, Vec<u64>) {
    let owner = cluster.owner(1, 0).unwrap();
    let mut followers = cluster.isr(1, 0);
    followers.retain(|node| *node != owner);
    (owner, followers)
}

#[test]
fn with_too_few_in_sync_nothing_is_taken_and_what_is_committed_can_be_read() {
    // Five, so that there is a majority without two of them.
    let mut cluster = one_partition(5);
    let (owner, followers) = roles(&cluster);
    cluster.published(owner, 0, "before");
    for &follower in &followers {
        cluster.nodes.kill(follower);
    }
    cluster.nodes.until("it refuses", |_| {
        let refused = cluster.publish(owner, 0, "meanwhile");
        let problem = refused.json();
        refused.status == 503 && problem["code"] == "not_enough_replicas" && problem["outcome"] == "not_applied"
    });
    assert_eq!(cluster.isr(owner, 0), [owner]);
    let pulled = cluster.pull(owner, "billing", 1);
    assert_eq!(pulled[0]["id"], "before");
    let ids: Vec<_> = pulled.iter().map(|message| &message["ack_id"]).collect();
    let refused = cluster.ask(owner, "POST", "/v1/subscriptions/billing/ack", &json!({ "ack_ids": ids }));
    assert!(refused.status == 503 || refused.json()["succeeded"] == 0, "{}", refused.body_text());
    cluster.nodes.restart(followers[0]);
    cluster.published(owner, 0, "after");
    let ids = cluster.ids(owner, 0);
    assert_eq!((ids.first().unwrap().as_str(), ids.last().unwrap().as_str()), ("before", "after"));
}

#[test]
fn a_follower_that_stands_still_leaves_and_comes_back() {
    let cluster = one_partition(3);
    let (owner, followers) = roles(&cluster);
    let hung = followers[0];
    cluster.published(owner, 0, "before");
    cluster.nodes.pause(hung);
    cluster.published(owner, 0, "meanwhile");
    cluster.nodes.until("it has left", |_| !cluster.isr(owner, 0).contains(&hung));
    cluster.published(owner, 0, "later");
    cluster.nodes.resume(hung);
    cluster.await_in_sync(owner, 3);
    // It has what it missed: it can lead.
    cluster.move_to(owner, 0, hung);
    assert_eq!(cluster.ids(hung, 0), ["before", "meanwhile", "later"]);
}

/// Longer away than the log goes back: it begins anew with what there is.
#[test]
fn a_node_that_was_away_for_long_catches_up_whatever_is_left() {
    let topic = json!({ "partitions": 1, "replication_factor": 3, "min_insync": 2 });
    let mut cluster = Cluster::start_with(3, &topic, &[("storage.segment_bytes", "1048576")]);
    let (owner, followers) = roles(&cluster);
    let away = followers[0];
    cluster.published(owner, 0, "before");
    cluster.nodes.kill(away);
    let small = json!({ "retention_bytes": 1 << 20 });
    let changed = cluster.ask(owner, "PATCH", "/v1/topics/orders", &small);
    assert_eq!(changed.status, 200, "{}", changed.body_text());
    let text = "x".repeat(100_000);
    for id in named("m", 60) {
        let message = json!({ "id": id, "text": text, "partition": 0 });
        cluster.nodes.until("it is taken", |_| {
            let body = json!({ "messages": [message] });
            cluster.ask(owner, "POST", "/v1/topics/orders/messages", &body).status == 200
        });
    }
    let start = |cluster: &Cluster, through| cluster.placed(through, 0)["start_offset"].as_u64();
    cluster
        .nodes
        .until("the log does not go back to where it was", |_| start(&cluster, owner).is_some_and(|at| at > 1));
    cluster.nodes.restart(away);
    cluster.await_in_sync(owner, 3);
    cluster.published(owner, 0, "after");
    cluster.move_to(owner, 0, away);
    let page: Value = cluster.nodes.get(away, "/v1/topics/orders/partitions/0/messages?offset=60&limit=10");
    let ids: Vec<_> = page["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect();
    assert_eq!(ids, ["m59", "after"]);
    assert!(start(&cluster, away).is_some_and(|at| at > 1), "what is gone everywhere is not asked for");
}

#[test]
fn who_need_not_wait_for_others_is_told_what_that_means() {
    let topic = json!({ "partitions": 1, "replication_factor": 3, "min_insync": 2, "acks": "leader" });
    let cluster = Cluster::start(5, &topic);
    let (owner, followers) = roles(&cluster);
    for &follower in &followers {
        cluster.nodes.pause(follower);
    }
    cluster.nodes.until("the owner is alone", |_| cluster.isr(owner, 0) == [owner]);
    let answer = cluster.publish(owner, 0, "quick");
    assert_eq!((answer.status, &answer.json()["results"][0]["durability"]), (200, &json!("leader")));
    // A publisher that wants more says so, and one that wants less.
    let strict = cluster.ask(owner, "POST", "/v1/topics/orders/publish?acks=quorum", &Value::Null);
    assert_eq!((strict.status, &strict.json()["code"]), (503, &json!("not_enough_replicas")));
    cluster.done(1, "PATCH", "/v1/topics/orders", &json!({ "acks": "quorum" }));
    cluster.nodes.until("the topic is stricter", |_| cluster.publish(owner, 0, "never").status == 503);
    let mut socket = RawWebSocket::open(&cluster.nodes.address(owner), Some("pubsub.v1.json"));
    socket.send_text(
        r#"{"op":"publish","ref":1,"topic":"orders","acks":"leader","messages":[{"id":"by-frame","text":""}]}"#,
    );
    let Frame::Text(published) = socket.next() else { panic!("no answer") };
    assert!(published.contains(r#""durability":"leader""#), "{published}");
    let quickest = cluster.ask(owner, "POST", "/v1/topics/orders/publish?acks=memory&id=quickest", &Value::Null);
    assert_eq!((quickest.status, &quickest.json()["durability"]), (200, &json!("memory")));
    assert_eq!(cluster.ids(owner, 0), Vec::<String>::new(), "nobody sees what only one node has");
    for &follower in &followers {
        cluster.nodes.resume(follower);
    }
    cluster.nodes.until("it is committed", |_| cluster.ids(owner, 0) == ["quick", "by-frame", "quickest"]);
}

#[test]
fn a_node_that_was_away_is_sent_what_it_lacks_no_faster_than_it_may_be() {
    const RATE: u64 = 2 << 20;
    let topic = json!({ "partitions": 1, "replication_factor": 3, "min_insync": 2 });
    let mut cluster = Cluster::start_with(3, &topic, &[("cluster.catch_up_rate", &RATE.to_string())]);
    let (owner, followers) = roles(&cluster);
    let away = followers[0];
    cluster.published(owner, 0, "before");
    cluster.nodes.kill(away);
    let text = "x".repeat(500_000);
    let count = 16_u64;
    for id in named("m", count) {
        let body = json!({ "messages": [{ "id": id, "text": text, "partition": 0 }] });
        cluster
            .nodes
            .until("it is taken", |_| cluster.ask(owner, "POST", "/v1/topics/orders/messages", &body).status == 200);
    }
    cluster.nodes.until("it is not in sync", |_| !cluster.isr(owner, 0).contains(&away));
    let started = Instant::now();
    cluster.nodes.restart(away);
    cluster.await_in_sync(owner, 3);
    // No machine is too slow for this: it can only take longer.
    let least = Duration::from_millis((count - 2) * 500_000 * 1_000 / RATE);
    assert!(started.elapsed() > least, "{:?}, of {least:?} at least", started.elapsed());
    cluster.move_to(owner, 0, away);
    assert_eq!(cluster.ids(away, 0).len(), usize::try_from(count).unwrap() + 1);
}
