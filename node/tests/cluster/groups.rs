//! Consumer groups over HTTP and WebSocket: partitions go from consumer to consumer, and nothing is lost or done twice.

mod bench;
mod handing_over;
mod over_websocket;
mod stale;

use serde_json::json;

use bench::{Bench, offsets};

#[test]
fn a_group_shares_out_its_partitions_and_shows_who_has_which() {
    let mut bench = Bench::new(4, &json!({}));
    let ann = bench.join("ann");
    assert_eq!((ann.partitions.len(), ann.heartbeat_interval_ms), (4, 3_333));
    let mut bob = bench.join("bob");
    assert_eq!(bob.partitions, [] as [u64; 0], "what is another's is not given away before that has let go");
    let ann = bench.settle(ann, 2);
    bob = bench.settle(bob, 2);
    let all: std::collections::BTreeSet<_> = ann.partitions.iter().chain(&bob.partitions).copied().collect();
    assert_eq!(all.len(), 4, "{ann:?} {bob:?}");

    let described = bench.describe();
    assert_eq!(described["generation"], json!(bob.generation), "{described}");
    let consumers = described["consumers"].as_array().unwrap();
    assert_eq!(consumers.len(), 2);
    for consumer in [&ann, &bob] {
        let shown = consumers.iter().find(|shown| shown["consumer_id"] == json!(consumer.id)).unwrap();
        assert_eq!((&shown["partitions"], &shown["node"]), (&json!(consumer.partitions), &json!(1)));
        assert!(shown["last_heartbeat"].is_string());
        for cursor in described["cursors"].as_array().unwrap() {
            let is_its = consumer.partitions.contains(&cursor["partition"].as_u64().unwrap());
            assert_eq!(cursor["consumer_id"] == json!(consumer.id), is_its, "{cursor}");
        }
    }
    bench.leave(&ann);
    let bob = bench.settle(bob, 4);
    assert_eq!(bob.partitions, [0, 1, 2, 3]);
    assert_eq!(bench.call("DELETE", "/consumers/ann", &json!({})).json()["code"], json!("consumer_not_found"));
    assert_eq!(bench.call("PUT", "/consumers/ann/heartbeat", &json!({})).status, 404);
}

#[test]
fn what_a_consumer_must_state_and_may_not() {
    let mut bench = Bench::new(1, &json!({}));
    let ann = bench.join("ann");
    let refused = |answer: crate::http::Answer| {
        let problem = answer.json();
        (answer.status, problem["code"].as_str().unwrap().to_owned(), problem["errors"][0]["field"].clone())
    };
    let invalid = |field: &str| (400, "invalid_argument".to_owned(), json!(field));
    assert_eq!(refused(bench.call("POST", "/pull", &json!({}))), invalid("consumer_id"));
    assert_eq!(refused(bench.call("POST", "/pull", &json!({ "consumer_id": "ann" }))), invalid("generation"));
    let up_to = json!({ "partition": 0, "up_to_offset": 0 });
    assert_eq!(refused(bench.call("POST", "/ack", &up_to)), invalid("consumer_id"));
    let ids = json!({ "ack_ids": ["x"], "consumer_id": "ann", "generation": ann.generation });
    assert_eq!(refused(bench.call("POST", "/ack", &ids)), invalid("consumer_id"));
    for id in ["", "a b", "a/b", &"x".repeat(129)] {
        assert_eq!(refused(bench.call("POST", "/consumers", &json!({ "consumer_id": id }))), invalid("consumer_id"));
    }
    let longest = "x".repeat(128);
    assert_eq!(bench.call("POST", "/consumers", &json!({ "consumer_id": longest })).status, 201);
    // Without an id, and without a body, the node gives one.
    assert_eq!(bench.join_anonymously().id.len(), 36);
    let change = json!({ "consumption": "shared" });
    assert_eq!(refused(bench.call("PATCH", "", &change)), invalid("consumption"));
    assert_eq!(bench.call("PATCH", "", &json!({ "session_timeout_ms": 20_000 })).status, 200);

    bench.share();
    assert_eq!(refused(bench.call("POST", "/consumers", &json!({}))), invalid("consumption"));
    assert_eq!(refused(bench.call("POST", "/pull", &json!({ "consumer_id": "ann" }))), invalid("consumer_id"));
}

/// F8.
#[test]
fn a_group_outlives_its_node_and_goes_on_where_it_was() {
    let mut bench = Bench::new(2, &json!({}));
    let ann = bench.join("ann");
    let bob = bench.join("bob");
    let (ann, bob) = (bench.settle(ann, 1), bench.settle(bob, 1));
    let ann = bench.heartbeat(&ann);
    bench.publish_each_partition(&["a", "b"]);
    let before = bench.pull(&ann, 10);
    assert_eq!(offsets(&before), [0, 1]);
    assert_eq!(bench.ack(&before[..1])["succeeded"], json!(1));

    bench.kill_and_restart();
    let again = bench.heartbeat(&ann);
    assert_eq!(again, ann, "nothing was assigned anew");
    let redelivered = bench.pull(&ann, 10);
    assert_eq!(offsets(&redelivered), [1], "what was acked stays so, and what was not comes again");
    assert_eq!(bench.ack(&redelivered)["succeeded"], json!(1));
    let of_bob = bench.pull(&bob, 10);
    assert_eq!(offsets(&of_bob), [0, 1]);
    assert_eq!(bench.ack(&of_bob)["succeeded"], json!(2));
    assert_eq!(bench.describe()["backlog"], json!(0));
    // Killed between revoke and assign: a partition that is on its way arrives all the same.
    let eve = bench.join("eve");
    assert_eq!(eve.partitions, [] as [u64; 0]);
    bench.leave(&ann);
    let eve = bench.settle(eve, 1);
    let ann = bench.join("ann");
    bench.kill_and_restart();
    let (eve, bob, ann) = (bench.heartbeat(&eve), bench.heartbeat(&bob), bench.heartbeat(&ann));
    assert_eq!(eve.partitions.len() + bob.partitions.len() + ann.partitions.len(), 2, "{eve:?} {bob:?} {ann:?}");
}
