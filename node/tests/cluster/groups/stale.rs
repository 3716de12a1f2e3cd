//! Consumers that have lost their partitions without knowing: whatever they say changes nothing.

use serde_json::{Value, json};

use super::bench::{Bench, Consumer, ack_ids, offsets};

/// The codes of the acks that failed, all of them the same, and how many there were.
fn failed(answer: &Value) -> (u64, String) {
    let failed = answer["failed"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let code = failed[0]["code"].as_str().unwrap().to_owned();
    assert!(failed.iter().all(|failed| failed["code"] == json!(code)), "{answer}");
    (failed.len() as u64, code)
}

/// A group in which Ann has fallen silent with messages in her hands, and everything went to Bob.
fn with_a_zombie(subscription: &Value) -> (Bench, Consumer, Vec<Value>, Consumer) {
    let mut settings = json!({ "session_timeout_ms": 500 });
    settings.as_object_mut().unwrap().extend(subscription.as_object().unwrap().clone());
    let mut bench = Bench::new(2, &settings);
    bench.publish_each_partition(&["a", "b", "c"]);
    let ann = bench.join("ann");
    let pulled = bench.pull(&ann, 4);
    assert_eq!(pulled.len(), 4);
    let bob = bench.join("bob");
    let bob = bench.settle(bob, 2);
    // Bob need not hurry in what follows.
    assert_eq!(bench.call("PATCH", "", &json!({ "session_timeout_ms": 3_600_000 })).status, 200);
    (bench, ann, pulled, bob)
}

/// F53.
#[test]
fn a_consumer_whose_session_has_ended_can_neither_ack_nor_pull_any_more() {
    let (mut bench, ann, pulled, bob) = with_a_zombie(&json!({}));
    let stale = (4, "stale_generation".to_owned());
    let ids = ack_ids(&pulled);
    assert_eq!(failed(&bench.call("POST", "/ack", &json!({ "ack_ids": ids })).json()), stale);
    assert_eq!(failed(&bench.call("POST", "/nack", &json!({ "ack_ids": ids, "delay_ms": 0 })).json()), stale);
    assert_eq!(failed(&bench.call("POST", "/extend", &json!({ "ack_ids": ids })).json()), stale);
    let up_to = json!({ "partition": 0, "up_to_offset": 2, "consumer_id": "ann", "generation": ann.generation });
    let refused = bench.call("POST", "/ack", &up_to);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("stale_generation")));
    let refused = bench.try_pull(&ann, 1);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("stale_generation")));
    let heartbeat = bench.call("PUT", "/consumers/ann/heartbeat", &json!({}));
    assert_eq!((heartbeat.status, &heartbeat.json()["code"]), (404, &json!("consumer_not_found")));

    let described = bench.describe();
    assert_eq!((&described["backlog"], &described["leased"]), (&json!(6), &json!(0)), "nothing has changed");
    for partition in ["0", "1"] {
        let mut again = Vec::new();
        for message in bench.pull(&bob, 3) {
            again.push((message["partition"].to_string(), message["offset"].as_u64().unwrap()));
            assert_eq!(bench.ack(&[message])["succeeded"], json!(1));
        }
        assert_eq!(again.len(), 3, "{partition}");
        assert!(again.iter().map(|(_, offset)| *offset).eq(0..3), "in order: {again:?}");
    }
    assert_eq!(
        failed(&bench.call("POST", "/ack", &json!({ "ack_ids": ids })).json()),
        stale,
        "also what Bob has acked"
    );
    assert_eq!(bench.describe()["redeliveries"], json!(4));
}

#[test]
fn a_consumer_that_joins_again_is_another_one() {
    let (mut bench, old, pulled, bob) = with_a_zombie(&json!({}));
    let new = bench.join("ann");
    let bob = bench.settle(bob, 1);
    let new = bench.settle(new, 1);
    assert_eq!(bench.try_pull(&old, 1).json()["code"], json!("stale_generation"), "its generation is too old");
    assert_eq!(failed(&bench.ack(&pulled)).1, "stale_generation");
    let ahead = Consumer { generation: new.generation + 1, ..new.clone() };
    assert_eq!(bench.try_pull(&ahead, 1).json()["code"], json!("stale_generation"), "nobody is ahead of the group");
    for consumer in [&new, &bob] {
        let pulled = bench.pull(consumer, 10);
        assert_eq!(offsets(&pulled), [0, 1, 2]);
        let partition = &pulled[0]["partition"];
        assert_eq!(json!(consumer.partitions), json!([partition]));
        let Consumer { id, generation, .. } = consumer;
        let up_to = json!({ "partition": partition, "up_to_offset": 2, "consumer_id": id, "generation": generation });
        assert_eq!(bench.call("POST", "/ack", &up_to).json()["succeeded"], json!(1));
    }
    let up_to = json!({ "partition": new.partitions[0], "up_to_offset": 2, "consumer_id": "bob",
        "generation": bob.generation });
    assert_eq!(bench.call("POST", "/ack", &up_to).status, 409, "a member, but not of this partition");
    assert_eq!(bench.describe()["backlog"], json!(0));
}

#[test]
fn what_is_taken_from_a_consumer_it_may_finish_until_it_says_that_it_has() {
    let mut bench = Bench::new(2, &json!({}));
    bench.publish_each_partition(&["a", "b"]);
    let ann = bench.join("ann");
    let pulled = bench.pull(&ann, 10);
    let bob = bench.join("bob");
    let told = bench.heartbeat(&ann);
    assert_eq!(told.partitions.len(), 1, "the other one is on its way to Bob: {told:?}");
    assert_eq!(bench.try_pull(&bob, 1).json()["messages"], json!([]), "who has not arrived yet");
    assert_eq!(bench.ack(&pulled)["succeeded"], json!(4), "it had until it said so");
    let ann = bench.heartbeat(&told);
    let bob = bench.settle(bob, 1);
    assert_ne!(ann.partitions, bob.partitions);
    assert_eq!(bench.pull(&bob, 10), [] as [Value; 0], "there is nothing left to be done");
    assert_eq!(bench.describe()["redeliveries"], json!(0));
}

#[test]
fn a_heartbeat_without_a_generation_adopts_what_was_answered_last() {
    let mut bench = Bench::new(2, &json!({}));
    let ann = bench.join("ann");
    let bob = bench.join("bob");
    let beat = |bench: &mut Bench| Consumer::of(&bench.call("PUT", "/consumers/ann/heartbeat", &json!({})).json());
    let told = beat(&mut bench);
    assert_eq!((ann.partitions.len(), told.partitions.len()), (2, 1));
    assert_eq!(bench.heartbeat(&bob).partitions, [] as [u64; 0], "Ann was told, and has not said that she has heard");
    beat(&mut bench);
    assert_eq!(bench.settle(bob, 1).partitions.len(), 1);
}

/// F57.
#[test]
fn an_ack_of_what_is_done_gone_or_anothers_changes_nothing() {
    let settings = json!({ "ack_deadline_ms": 100, "backoff": { "min_ms": 1, "max_ms": 1 } });
    let mut bench = Bench::new(1, &settings);
    bench.publish_each_partition(&["a", "b", "c"]);
    let ann = bench.join("ann");
    let pulled = bench.pull(&ann, 3);
    for _ in 0..2 {
        assert_eq!(bench.ack(&pulled[..1])["succeeded"], json!(1), "an ack twice is as once");
    }
    // The lease of the second ends; once it is leased again the old one counts no more.
    let again = loop {
        let again = bench.pull(&ann, 3);
        if !again.is_empty() {
            break again;
        }
    };
    assert_eq!(again[0]["offset"], json!(1));
    assert_eq!(failed(&bench.ack(&pulled[1..2])), (1, "lease_expired".to_owned()));
    let nack = json!({ "ack_ids": ack_ids(&pulled[1..2]), "delay_ms": 0 });
    assert_eq!(failed(&bench.call("POST", "/nack", &nack).json()).1, "lease_expired");
    // Ids that were made up, or made for another subscription.
    let id = again[0]["ack_id"].as_str().unwrap();
    let last = if id.ends_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{last}", &id[..id.len() - 1]);
    assert_eq!(failed(&bench.ack(&[json!({ "ack_id": forged })])).1, "invalid_ack_id");
    assert_eq!(failed(&bench.ack(&[json!({ "ack_id": "made up" })])).1, "invalid_ack_id");
    let described = bench.describe();
    assert_eq!((&described["backlog"], &described["cursors"][0]["ack_floor"]), (&json!(2), &json!(1)), "{described}");
    bench.share();
    assert_eq!(failed(&bench.ack(&again)).1, "invalid_ack_id", "the subscription is another one under the same name");
    assert_eq!(bench.describe()["backlog"], json!(0), "which began behind everything");
}
