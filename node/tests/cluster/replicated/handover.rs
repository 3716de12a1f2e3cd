//! A partition goes to another node as somebody wants it: publishers and consumers need not notice.

use std::{sync::mpsc, thread};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::Cluster;
use crate::http::Connection;

const PARTITIONS: u64 = 4;

fn started() -> Cluster {
    Cluster::start(3, &json!({ "partitions": PARTITIONS, "replication_factor": 3, "min_insync": 2 }))
}

/// Publishes to all partitions, without ids, while something is done: each publish has to succeed, and to be there once.
fn while_publishing(cluster: &mut Cluster, through: u64, happens: impl FnOnce(&mut Cluster)) {
    let address = cluster.nodes.address(through);
    let (stop, stopped) = mpsc::channel::<()>();
    let publishers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let (address, has_stopped) = (address.clone(), stop.clone());
            thread::spawn(move || {
                let mut connection = Connection::open(&address);
                let mut texts = Vec::new();
                // Ends when the other end is dropped.
                while has_stopped.send(()).is_ok() {
                    let text = format!("{partition}-{}", texts.len());
                    let body = json!({ "messages": [{ "text": text, "partition": partition }] }).to_string();
                    let answer = connection.request("POST", "/v1/topics/orders/messages", &[], body.as_bytes());
                    assert_eq!(answer.status, 200, "{}", answer.body_text());
                    let result = answer.json()["results"][0].clone();
                    assert_eq!(
                        (&result["durability"], result["offset"].is_u64()),
                        (&json!("quorum"), true),
                        "{result}"
                    );
                    texts.push(text);
                }
                texts
            })
        })
        .collect();
    drop(stop);
    assert_eq!(stopped.iter().take(64).count(), 64, "all have begun");
    happens(cluster);
    drop(stopped);
    let published: Vec<Vec<String>> = publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect();
    let read = |partition: u64| {
        let mut texts = Vec::new();
        let mut offset = 0;
        loop {
            let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1000");
            let page = cluster.nodes.get(through, &path);
            let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
            if messages.is_empty() {
                return texts;
            }
            texts.extend(messages.iter().map(|message| {
                let data = STANDARD.decode(message["data"].as_str().unwrap()).unwrap();
                String::from_utf8(data).unwrap()
            }));
            offset = page["next_offset"].as_u64().unwrap();
        }
    };
    for (partition, published) in (0..PARTITIONS).zip(published) {
        assert_eq!(read(partition), published, "each once, in order");
    }
}

#[test]
fn partitions_move_under_load_and_every_publish_succeeds_once() {
    let mut cluster = started();
    while_publishing(&mut cluster, 1, |cluster| {
        for round in 0..4 {
            for partition in 0..PARTITIONS {
                cluster.move_to(2, partition, (partition + round) % 3 + 1);
            }
        }
    });
}

#[test]
fn a_node_stops_under_load_and_every_publish_succeeds_once() {
    let mut cluster = started();
    let stopping = cluster.nodes.leader().unwrap();
    while_publishing(&mut cluster, stopping % 3 + 1, |cluster| {
        assert!(cluster.nodes.terminate(stopping).success());
    });
}
